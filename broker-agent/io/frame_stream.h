#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <asio.hpp>

#include "broker-agent/core/slice.h"
#include "broker-agent/io/frame_buffer.h"
#include "broker-agent/io/piece_sender.h"
#include "broker-agent/io/stream_bounds.h"
#include "broker-agent/kafka/pieces.h"
#include "common/base/instant.h"
#include "common/base/mutex.h"
#include "common/base/result.h"
#include "common/model/broker.h"
#include "common/runtime/loop.h"

namespace regent {

/// One TCP connection that carries frames both ways: each with its length in front, 4 bytes of
/// which the first is 0, for a frame has less than 16 MiB.
///
///     Send ─► outbox ─► socket            by whoever sends, if nothing is on its way and the frame
///                                         is small; else by the thread of `io`
///   socket ─► received ─► executor        paused while the executor is behind
///
/// Small frames therefore change threads once: the peer's reader wakes its executor.
///
/// A peer that is gone without a word, or takes nothing any more, is noticed within 8 s (TCP
/// keepalive and user timeout). Any thread may call.
class FrameStream final : public std::enable_shared_from_this<FrameStream> {
 public:
  static constexpr size_t kFrameBytesMax = (size_t{1} << 24U) - 1;
  /// One who has connected to us and says nothing does not keep others out.
  static constexpr Duration kFirstFrameWithin = std::chrono::seconds(5);

  /// Called on the thread of `io`.
  struct Events {
    /// Takes a frame without its length. An error ends the stream.
    std::function<Status(const Slice& frame)> received;
    /// Once, as the last event; not after Close.
    /// kInvalidArgument: for what the peer has sent; kUnavailable: the connection has ended.
    std::function<void(const Error& why)> lost;
  };

  /// `executor` is behind `received`: what is posted there runs once it has handled what it was
  /// told before. It outlives the stream.
  FrameStream(std::shared_ptr<asio::io_context> io, Executor& executor, Events events);
  FrameStream(const FrameStream&) = delete;
  FrameStream& operator=(const FrameStream&) = delete;
  ~FrameStream() = default;

  // One of the two, once:

  /// Goes on with a connection that was accepted, of which this is the descriptor, if its first
  /// frame comes in time.
  void Begin(int socket, Duration first_frame_within = kFirstFrameWithin);
  /// Connects, to whichever address of the host takes it; what is sent meanwhile waits. A name is
  /// looked up on a thread that nobody waits for.
  void Connect(const Endpoint& endpoint);

  /// Takes a frame with its length. A peer that lets too much pile up is left.
  void Send(kafka::Pieces frame) EXCLUDES(mutex_);
  /// Ends the stream without an event. One that is under way may still come on another thread.
  void Close() EXCLUDES(mutex_);
  /// Who is at the other end, for the log.
  std::string peer() const EXCLUDES(mutex_);

 private:
  /// Has the thread of `io` do it, unless the stream is over: then, false.
  bool Post(std::function<void(FrameStream&)> task) EXCLUDES(mutex_);

  void ConnectToAny(const std::vector<asio::ip::tcp::endpoint>& addresses);
  void Connected() EXCLUDES(mutex_);
  /// The stream ends if that does not come within that time; it replaces what was expected before.
  void Expect(const std::string& what, Duration within);
  void Fulfil();

  void Read();
  void Came(size_t bytes);
  /// Takes what is whole of buffer_. False: the stream is over.
  bool TakeBuffered();
  bool Take(const Slice& frame) EXCLUDES(mutex_);
  void Handled(size_t frames, size_t bytes) EXCLUDES(mutex_);
  /// Whether the next read may begin; if not, Handled begins it.
  bool MayRead() EXCLUDES(mutex_);

  /// Sends on, up to that many bytes; only by whoever has set sending_.
  void Drive(size_t bytes_max);
  void DriveLater();
  void DriveWhenThereIsRoom();
  /// What was on its way has gone. False: nothing else is to be sent.
  bool Refill() EXCLUDES(mutex_);

  void End(const Error& why) EXCLUDES(mutex_);
  void End(const std::string& why) { End(Error{ErrorCode::kUnavailable, why}); }
  void Ended() EXCLUDES(mutex_);

  const std::shared_ptr<asio::io_context> io_;
  Executor& executor_;

  // The io thread's alone; the socket's descriptor is the sender's too, and stays what it is until
  // both have let go of the stream.
  Events events_;
  asio::ip::tcp::socket socket_;
  asio::steady_timer patience_;
  uint64_t expectation_ = 0;  ///< The latest one's number; it rises when that is fulfilled.
  bool heard_ = false;        ///< A frame has come.
  std::array<char, size_t{16} << 10U> buffer_{};
  size_t buffered_ = 0;
  FrameBuffer frame_;  ///< One that is larger than the buffer, or was cut by its end.
  size_t untold_frames_ = 0;
  size_t untold_bytes_ = 0;

  // Who has set sending_ alone:
  PieceSender sender_;
  std::deque<kafka::Pieces> on_their_way_;

  mutable Mutex mutex_;
  StreamOutbox<kafka::Pieces> outbox_ GUARDED_BY(mutex_);
  StreamInbox inbox_ GUARDED_BY(mutex_);
  std::string peer_ GUARDED_BY(mutex_);
  Error why_ GUARDED_BY(mutex_);
  bool connected_ GUARDED_BY(mutex_) = false;
  bool sending_ GUARDED_BY(mutex_) = false;
  bool paused_ GUARDED_BY(mutex_) = false;  ///< The executor is behind.
  bool over_ GUARDED_BY(mutex_) = false;
  bool silent_ GUARDED_BY(mutex_) = false;  ///< Nobody wants to hear of it.
};

}  // namespace regent
