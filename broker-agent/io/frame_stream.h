#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <asio.hpp>

#include "broker-agent/core/slice.h"
#include "broker-agent/io/frame_buffer.h"
#include "broker-agent/io/parted_frame.h"
#include "broker-agent/io/piece_sender.h"
#include "broker-agent/io/stream_bounds.h"
#include "broker-agent/kafka/pieces.h"
#include "common/base/instant.h"
#include "common/base/mutex.h"
#include "common/base/result.h"
#include "common/model/broker.h"
#include "common/runtime/loop.h"

namespace regent {

/// One TCP connection that carries frames both ways (parted_frame.h).
///
///            Send ─► outbox ───► socket    by whoever sends, if nothing is on its way and the
///            frame
///   SendUnhurried ─► unhurried ───┘        is small; else by the thread of `io`
///          socket ─► received ─► executor  paused while the executor is behind
///
/// Small frames therefore change threads once: the peer's reader wakes its executor. Unhurried ones
/// go in parts, behind everything else but not never, and after each part rest while others have
/// the machine.
///
/// A peer that is gone without a word, or takes nothing any more, is noticed within 8 s (TCP
/// keepalive and user timeout). Any thread may call.
class FrameStream final : public std::enable_shared_from_this<FrameStream> {
 public:
  /// So much of an unhurried frame goes at a time: a turn of the thread, with the part's head.
  static constexpr size_t kBytesPerPart = (size_t{128} << 10U) - kPartHeadBytes;
  /// After so much in a row that is not unhurried a part may go, too.
  static constexpr size_t kHurriedInARow = size_t{1} << 20U;
  /// One who has connected to us and says nothing does not keep others out.
  static constexpr Duration kFirstFrameWithin = std::chrono::seconds(5);

  /// Called on the thread of `io`.
  struct Events {
    /// Takes a frame without its length. An error ends the stream.
    std::function<Status(const Slice& frame)> received;
    /// Once, as the last event; not after Close.
    /// kInvalidArgument: for what the peer has sent; kUnavailable: the connection has ended.
    std::function<void(const Error& why)> lost;
    /// Unhurried frames had to wait so long for the end of a rest. May be null.
    std::function<void(Duration rest)> rested = nullptr;
  };

  /// `executor` is behind `received`: what is posted there runs once it has handled what it was
  /// told before. It outlives the stream. After a part of an unhurried frame the next one waits
  /// `rest` times as long as it took.
  FrameStream(std::shared_ptr<asio::io_context> io, Executor& executor, Events events, int rest);
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
  /// Likewise; what is sent later with Send may overtake it.
  void SendUnhurried(kafka::Pieces frame) EXCLUDES(mutex_);
  /// Ends the stream without an event. One that is under way may still come on another thread.
  void Close() EXCLUDES(mutex_);
  /// Who is at the other end, for the log.
  std::string peer() const EXCLUDES(mutex_);

 private:
  using Outbox = StreamOutbox<kafka::Pieces>;

  /// Has the thread of `io` do it, unless the stream is over: then, false.
  bool Post(std::function<void(FrameStream&)> task) EXCLUDES(mutex_);

  void ConnectToAny(const std::vector<asio::ip::tcp::endpoint>& addresses);
  void Connected() EXCLUDES(mutex_);
  /// The stream ends if that does not come within that time; it replaces what was expected before.
  void Expect(const std::string& what, Duration within);
  void Fulfil();

  void Read();
  void Came(size_t bytes);
  /// Takes what has come of buffer_. False: the stream is over.
  bool TakeBuffered();
  /// What comes next belongs to that buffer. False: it cannot.
  bool BeginToFill(const FrameHead& head);
  /// Moves from the front of `bytes` what belongs to it. False: the stream is over.
  bool FillFrom(std::string_view& bytes);
  /// So many bytes have been put there. False: the stream is over.
  bool Filled(size_t bytes);
  bool Take(const Slice& frame) EXCLUDES(mutex_);
  void Handled(size_t frames, size_t bytes) EXCLUDES(mutex_);
  /// Whether the next read may begin; if not, Handled begins it.
  bool MayRead() EXCLUDES(mutex_);

  /// Lets it wait, and ends the stream if too much does. True: the caller is to send what waits.
  bool Push(Outbox FrameStream::*lane, kafka::Pieces frame) EXCLUDES(mutex_);
  /// Sends on, up to that many bytes; only by whoever has set sending_.
  void Drive(size_t bytes_max);
  void DriveLater();
  void DriveNext();
  void DriveWhenThereIsRoom();
  /// What was on its way has gone. False: nothing else is to be sent now.
  bool Refill() EXCLUDES(mutex_);
  /// If that was a part of an unhurried frame.
  void Rest() EXCLUDES(mutex_);
  void Rested(Instant rest_began) EXCLUDES(mutex_);

  void End(const Error& why) EXCLUDES(mutex_);
  void End(const std::string& why) { End(Error{ErrorCode::kUnavailable, why}); }
  void Ended() EXCLUDES(mutex_);

  const std::shared_ptr<asio::io_context> io_;
  Executor& executor_;
  const int rest_;

  // The io thread's alone; the socket's descriptor is the sender's too, and stays what it is until
  // both have let go of the stream.
  Events events_;
  asio::ip::tcp::socket socket_;
  asio::steady_timer pause_;
  asio::steady_timer patience_;
  uint64_t expectation_ = 0;  ///< The latest one's number; it rises when that is fulfilled.
  bool heard_ = false;        ///< A frame has come.
  std::array<char, size_t{16} << 10U> buffer_{};
  size_t buffered_ = 0;
  FrameBuffer frame_;
  FrameBuffer parted_;              ///< One that comes in parts; complete if there is none.
  FrameBuffer* filling_ = nullptr;  ///< Which of the two what comes next belongs to.
  size_t to_fill_ = 0;              ///< So much of that; then comes a head.
  size_t untold_frames_ = 0;
  size_t untold_bytes_ = 0;

  // Who has set sending_ alone:
  PieceSender sender_;
  std::deque<kafka::Pieces> on_their_way_;
  bool part_on_its_way_ = false;
  Duration part_took_{0};  ///< So far.

  mutable Mutex mutex_;
  Outbox outbox_ GUARDED_BY(mutex_);
  Outbox unhurried_ GUARDED_BY(mutex_);
  std::optional<PartedFrame> parting_ GUARDED_BY(mutex_);  ///< The first of them.
  bool resting_ GUARDED_BY(mutex_) = false;                ///< No part may begin.
  Instant unhurried_since_ GUARDED_BY(mutex_);             ///< When the first of them has come.
  size_t in_a_row_ GUARDED_BY(mutex_) = 0;                 ///< Hurried bytes since the last part.
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
