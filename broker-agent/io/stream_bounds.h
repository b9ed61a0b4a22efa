#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <utility>

namespace regent {

// What the two ends of a replication stream have in common: bounded queues, and what gRPC may be
// asked for when. Not thread-safe: the lock of the stream that owns one guards it.

/// Messages that wait to be written, within bounds.
template <class Message>
class StreamOutbox {
 public:
  static constexpr size_t kMessagesMax = 10'000;
  /// Several times the credit that a follower of ours gives (AgentOptions::credit_window_bytes).
  static constexpr size_t kBytesMax = size_t{64} << 20U;

  /// Takes a message of that many bytes. False: there is no room for it. A peer that lets so much
  /// pile up takes nothing.
  [[nodiscard]] bool Push(Message message, size_t bytes) {
    if (queue_.size() >= kMessagesMax || bytes_ + bytes > kBytesMax) {
      return false;
    }
    bytes_ += bytes;
    queue_.push_back({std::move(message), bytes});
    return true;
  }
  bool empty() const { return queue_.empty(); }
  Message Pop() {
    Entry front = std::move(queue_.front());
    queue_.pop_front();
    bytes_ -= front.bytes;
    return std::move(front.message);
  }

 private:
  struct Entry {
    Message message;
    size_t bytes = 0;
  };
  std::deque<Entry> queue_;
  size_t bytes_ = 0;
};

/// Messages that were read and that the agent has not handled yet: the brake on the reader.
class StreamInbox {
 public:
  static constexpr int kMessagesMax = 16;
  /// One message may go beyond it.
  static constexpr size_t kBytesMax = size_t{32} << 20U;

  bool HasRoom() const { return messages_ < kMessagesMax && bytes_ < kBytesMax; }
  void Took(size_t bytes) {
    ++messages_;
    bytes_ += bytes;
  }
  void Handled(size_t bytes) {
    --messages_;
    bytes_ -= bytes;
  }

 private:
  int messages_ = 0;
  size_t bytes_ = 0;
};

/// What a server's stream may ask gRPC for next.
///
/// gRPC takes one read and one write at a time, and lets go of the call once it is finished and
/// nothing is under way. A read or write that was decided here and has not been handed over yet is
/// unknown to gRPC: so the call is finished only after that has returned (Started), or it would be
/// freed under it.
///
///     lock; step = steps.Next(wants); unlock
///     StartRead(…) or StartWrite(…)          // without the lock
///     lock; steps.Started(); unlock          // and from the beginning
class ServerStreamSteps {
 public:
  enum class Step { kNothing, kRead, kWrite, kFinish };
  struct Wants {
    bool finish = false;  ///< The stream is over: nothing more is read or written.
    bool write = false;
    bool read = false;
  };

  Step Next(const Wants& wants) {
    if (wants.finish) {
      // A read that is under way ends by itself once the call is finished.
      if (writing_ || starting_ > 0 || finished_) {
        return Step::kNothing;
      }
      finished_ = true;
      return Step::kFinish;
    }
    if (wants.write && !writing_) {
      writing_ = true;
      ++starting_;
      return Step::kWrite;
    }
    if (wants.read && !reading_) {
      reading_ = true;
      ++starting_;
      return Step::kRead;
    }
    return Step::kNothing;
  }
  /// The call that carries out kRead or kWrite has returned.
  void Started() { --starting_; }
  void ReadDone() { reading_ = false; }
  void WriteDone() { writing_ = false; }

 private:
  int starting_ = 0;  ///< Steps decided and not yet in gRPC's hands.
  bool reading_ = false;
  bool writing_ = false;
  bool finished_ = false;
};

}  // namespace regent
