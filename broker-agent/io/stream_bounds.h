#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <utility>

namespace regent {

// The bounds of a replication stream's queues. Not thread-safe: the lock of the stream that owns
// one guards it.

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
  static constexpr size_t kMessagesMax = 256;
  /// What one read brings may go beyond it.
  static constexpr size_t kBytesMax = size_t{32} << 20U;

  bool HasRoom() const { return messages_ < kMessagesMax && bytes_ < kBytesMax; }
  void Took(size_t bytes) {
    ++messages_;
    bytes_ += bytes;
  }
  void Handled(size_t messages, size_t bytes) {
    messages_ -= messages;
    bytes_ -= bytes;
  }

 private:
  size_t messages_ = 0;
  size_t bytes_ = 0;
};

}  // namespace regent
