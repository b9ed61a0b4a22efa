#include "broker-agent/io/frame_stream.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <span>
#include <string_view>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

#include <netinet/tcp.h>
#include <sys/socket.h>

#include "broker-agent/io/catch_up_rest.h"

namespace regent {
namespace {

using asio::ip::tcp;
using kafka::Pieces;

constexpr Duration kLookUpMax = std::chrono::seconds(10);
constexpr Duration kConnectMax = std::chrono::seconds(1);
/// What is sent, or read, at a time before other streams get their turn.
constexpr size_t kBytesPerTurn = size_t{128} << 10U;
/// What may be sent on a thread that has other things to do.
constexpr size_t kBytesInPassing = size_t{32} << 10U;
/// The kernel takes that much more than it can send now: what is sent next does not stand behind
/// megabytes.
constexpr int kUnsentMax = 256 << 10;
/// The executor says what it has handled no more often than that.
constexpr size_t kFramesUntold = 16;
constexpr size_t kBytesUntold = size_t{256} << 10U;

// A peer that is gone: it is probed after 5 s of silence, each second. So long nothing of what was
// sent, or of the probes, may be acknowledged, and so long a peer may take nothing.
constexpr int kIdleSeconds = 5;
constexpr int kProbeSeconds = 1;
constexpr int kUnacknowledgedMs = 8000;

void Set(int socket, int option, int value) {
  // None of them is vital, and a connection that has just broken refuses all.
  ::setsockopt(socket, IPPROTO_TCP, option, &value, sizeof(value));
}

std::string ToText(const tcp::endpoint& peer) {
  return Endpoint{.host = peer.address().to_string(), .port = peer.port()}.ToText();
}

}  // namespace

FrameStream::FrameStream(std::shared_ptr<asio::io_context> io,
                         Executor& executor,
                         Events events,
                         int rest)
    : io_(std::move(io)),
      executor_(executor),
      rest_(rest),
      events_(std::move(events)),
      socket_(*io_),
      pause_(*io_),
      patience_(*io_) {}

std::string FrameStream::peer() const {
  const MutexLock lock(mutex_);
  return peer_;
}

bool FrameStream::Post(std::function<void(FrameStream&)> task) {
  const MutexLock lock(mutex_);
  if (over_) {
    return false;
  }
  asio::post(*io_, [self = shared_from_this(), task = std::move(task)]() { task(*self); });
  return true;
}

// --- Its beginning -------------------------------------------------------------------------------

void FrameStream::Begin(int socket, Duration first_frame_within) {
  const bool begins = Post([socket, first_frame_within](FrameStream& self) {
    std::error_code error;
    // Which family it is of does not matter to what is done with it.
    self.socket_.assign(tcp::v4(), socket, error);
    if (error) {
      ::close(socket);
      self.End(error.message());
      return;
    }
    self.Expect("a frame", first_frame_within);
    self.Connected();
  });
  if (!begins) {
    ::close(socket);
  }
}

void FrameStream::Connect(const Endpoint& endpoint) {
  std::error_code no_address;
  const auto address = asio::ip::make_address(endpoint.host, no_address);
  if (!no_address) {
    Post([to = tcp::endpoint(address, static_cast<uint16_t>(endpoint.port))](FrameStream& self) {
      self.ConnectToAny({to});
    });
    return;
  }
  Post([](FrameStream& self) { self.Expect("an address of its host", kLookUpMax); });
  // The name service may take as long as it likes, so nobody waits for this thread.
  std::thread([weak = weak_from_this(), endpoint]() {
    asio::io_context here;
    std::error_code error;
    const auto found = tcp::resolver(here).resolve(endpoint.host, std::to_string(endpoint.port),
                                                   tcp::resolver::numeric_service, error);
    const std::shared_ptr<FrameStream> self = weak.lock();
    if (self == nullptr) {
      return;
    }
    if (error) {
      self->End("no address of its host: " + error.message());
      return;
    }
    self->Post([addresses = std::vector<tcp::endpoint>(found.begin(), found.end())](
                   FrameStream& stream) { stream.ConnectToAny(addresses); });
  }).detach();
}

void FrameStream::ConnectToAny(const std::vector<tcp::endpoint>& addresses) {
  Expect("a connection", kConnectMax);
  asio::async_connect(
      socket_, addresses,
      [self = shared_from_this()](std::error_code error, const tcp::endpoint& /*address*/) {
        if (error) {
          self->End(error.message());
        } else {
          self->Fulfil();
          self->Connected();
        }
      });
}

void FrameStream::Connected() {
  std::error_code error;
  const tcp::endpoint peer = socket_.remote_endpoint(error);
  socket_.native_non_blocking(true, error);
  socket_.set_option(asio::socket_base::keep_alive(true), error);
  const int socket = socket_.native_handle();
  Set(socket, TCP_NODELAY, 1);
  Set(socket, TCP_KEEPIDLE, kIdleSeconds);
  Set(socket, TCP_KEEPINTVL, kProbeSeconds);
  Set(socket, TCP_USER_TIMEOUT, kUnacknowledgedMs);
  Set(socket, TCP_NOTSENT_LOWAT, kUnsentMax);
  {
    const MutexLock lock(mutex_);
    if (over_) {
      return;
    }
    peer_ = ToText(peer);
    connected_ = true;
    sending_ = true;
  }
  DriveNext();
  Read();
}

void FrameStream::Expect(const std::string& what, Duration within) {
  const uint64_t number = ++expectation_;
  patience_.expires_after(within);
  patience_.async_wait([self = shared_from_this(), what, number](std::error_code) {
    // A timer that had run out already when it was cancelled does not say so.
    if (number == self->expectation_) {
      self->End(what + " did not come in time");
    }
  });
}

void FrameStream::Fulfil() {
  ++expectation_;
  patience_.cancel();
}

// --- Reading -------------------------------------------------------------------------------------

void FrameStream::Read() {
  std::span<char> room = std::span<char>(buffer_).subspan(buffered_);
  if (to_fill_ > 0) {
    room = filling_->Room();
    room = room.first(std::min({room.size(), to_fill_, kBytesPerTurn}));
  }
  socket_.async_read_some(asio::buffer(room.data(), room.size()),
                          [self = shared_from_this()](std::error_code error, size_t came) {
                            if (error) {
                              self->End(error.message());
                            } else {
                              self->Came(came);
                            }
                          });
}

void FrameStream::Came(size_t bytes) {
  bool going_on = true;
  if (to_fill_ > 0) {
    going_on = Filled(bytes);
  } else {
    buffered_ += bytes;
    going_on = TakeBuffered();
  }
  if (going_on && MayRead()) {
    Read();
  }
}

bool FrameStream::TakeBuffered() {
  std::string_view rest(buffer_.data(), buffered_);
  while (true) {
    const Result<std::optional<FrameHead>> head = DecodeFrameHead(rest);
    if (!head.ok()) {
      End(head.error());
      return false;
    }
    if (!*head) {
      break;
    }
    rest.remove_prefix((*head)->head);
    if (!BeginToFill(**head) || !FillFrom(rest)) {
      return false;
    }
  }
  std::memmove(buffer_.data(), rest.data(), rest.size());
  buffered_ = rest.size();
  return true;
}

bool FrameStream::BeginToFill(const FrameHead& head) {
  if (head.left == 0) {
    frame_ = FrameBuffer(head.bytes);
    filling_ = &frame_;
  } else {
    if (parted_.complete()) {
      parted_ = FrameBuffer(head.left);
    }
    if (parted_.missing() != head.left) {
      End(Error{ErrorCode::kInvalidArgument,
                "a part of a frame of which " + std::to_string(head.left) +
                    " bytes are still to come, instead of " + std::to_string(parted_.missing())});
      return false;
    }
    filling_ = &parted_;
  }
  to_fill_ = head.bytes;
  return true;
}

bool FrameStream::FillFrom(std::string_view& bytes) {
  do {  // Once in any case: an empty frame is whole already.
    const std::span<char> room = filling_->Room();
    const size_t taken = std::min({room.size(), to_fill_, bytes.size()});
    std::copy_n(bytes.begin(), taken, room.begin());
    bytes.remove_prefix(taken);
    if (!Filled(taken)) {
      return false;
    }
  } while (to_fill_ > 0 && !bytes.empty());
  return true;
}

bool FrameStream::Filled(size_t bytes) {
  filling_->Came(bytes);
  to_fill_ -= bytes;
  return to_fill_ > 0 || !filling_->complete() || Take(std::exchange(*filling_, {}).Take());
}

bool FrameStream::Take(const Slice& frame) {
  if (!std::exchange(heard_, true)) {
    Fulfil();
  }
  {
    const MutexLock lock(mutex_);
    if (over_) {
      return false;
    }
    inbox_.Took(frame.size());
  }
  if (const Status taken = events_.received(frame); !taken.ok()) {
    End(taken.error());
    return false;
  }
  ++untold_frames_;
  untold_bytes_ += frame.size();
  if (untold_frames_ >= kFramesUntold || untold_bytes_ >= kBytesUntold) {
    // Runs after the executor has handled the frames: that is the brake on the reader.
    executor_.Post([self = shared_from_this(), frames = std::exchange(untold_frames_, 0),
                    bytes = std::exchange(untold_bytes_, 0)]() { self->Handled(frames, bytes); });
  }
  return true;
}

void FrameStream::Handled(size_t frames, size_t bytes) {
  {
    const MutexLock lock(mutex_);
    inbox_.Handled(frames, bytes);
    if (!paused_ || !inbox_.HasRoom() || over_) {
      return;
    }
    paused_ = false;
  }
  Post([](FrameStream& self) { self.Read(); });
}

bool FrameStream::MayRead() {
  const MutexLock lock(mutex_);
  paused_ = !inbox_.HasRoom();
  return !paused_ && !over_;
}

// --- Sending -------------------------------------------------------------------------------------

void FrameStream::Send(Pieces frame) {
  const size_t bytes = frame.size();
  if (!Push(&FrameStream::outbox_, std::move(frame))) {
    return;
  }
  if (bytes > kBytesInPassing) {
    Post([](FrameStream& self) { self.DriveNext(); });
  } else if (Refill()) {
    Drive(kBytesInPassing);
  }
}

void FrameStream::SendUnhurried(Pieces frame) {
  if (Push(&FrameStream::unhurried_, std::move(frame))) {
    Post([](FrameStream& self) { self.DriveNext(); });
  }
}

bool FrameStream::Push(Outbox FrameStream::*lane, Pieces frame) {
  {
    const MutexLock lock(mutex_);
    if (over_) {
      return false;
    }
    const bool unhurried = lane == &FrameStream::unhurried_;
    if (unhurried && !parting_ && unhurried_.empty()) {
      unhurried_since_ = MonotonicNow();
    }
    const size_t bytes = frame.size();
    if ((this->*lane).Push(std::move(frame), bytes)) {
      return connected_ && !(unhurried && resting_) && !std::exchange(sending_, true);
    }
  }
  End("the peer takes nothing");
  return false;
}

bool FrameStream::Refill() {
  on_their_way_.clear();
  const MutexLock lock(mutex_);
  if (over_) {
    return false;
  }
  const bool may_part = !resting_ && (parting_ || !unhurried_.empty());
  if (may_part && (outbox_.empty() || in_a_row_ >= kHurriedInARow)) {
    if (!parting_) {
      parting_.emplace(unhurried_.Pop());
    }
    on_their_way_.push_back(parting_->Next(kBytesPerPart));
    part_on_its_way_ = true;
    in_a_row_ = 0;
    if (parting_->all_taken()) {
      parting_.reset();
    }
  } else {
    for (size_t bytes = 0; !outbox_.empty() && bytes < kBytesPerTurn;) {
      on_their_way_.push_back(outbox_.Pop());
      bytes += on_their_way_.back().size();
      in_a_row_ += on_their_way_.back().size();
    }
  }
  for (const Pieces& frame : on_their_way_) {
    sender_.Add(frame);
  }
  sending_ = !on_their_way_.empty();
  return sending_;
}

void FrameStream::Rest() {
  if (!std::exchange(part_on_its_way_, false)) {
    return;
  }
  const Duration rest = CatchUpRest(rest_, std::exchange(part_took_, {}));
  if (rest == Duration(0)) {
    return;
  }
  {
    const MutexLock lock(mutex_);
    resting_ = true;
  }
  Post([rest, began = MonotonicNow()](FrameStream& self) {
    self.pause_.expires_after(rest);
    self.pause_.async_wait(
        [me = self.shared_from_this(), began](std::error_code) { me->Rested(began); });
  });
}

void FrameStream::Rested(Instant rest_began) {
  Duration waited{0};
  bool busy = false;
  {
    const MutexLock lock(mutex_);
    if (over_) {
      return;
    }
    resting_ = false;
    if (parting_ || !unhurried_.empty()) {
      waited = MonotonicNow() - std::max(rest_began, unhurried_since_);
    }
    busy = std::exchange(sending_, true);  // Whoever is at it goes on with what waits.
  }
  if (waited > Duration(0) && events_.rested != nullptr) {
    events_.rested(waited);
  }
  if (!busy) {
    DriveNext();
  }
}

void FrameStream::DriveNext() {
  if (Refill()) {
    Drive(kBytesPerTurn);
  }
}

void FrameStream::Drive(size_t bytes_max) {
  const Instant began = MonotonicNow();
  const PieceSender::Progress progress = sender_.Send(socket_.native_handle(), bytes_max);
  if (part_on_its_way_) {
    part_took_ += MonotonicNow() - began;
  }
  switch (progress) {
    case PieceSender::Progress::kAllSent:
      Rest();
      if (Refill()) {
        DriveLater();
      }
      return;
    case PieceSender::Progress::kTurnOver: DriveLater(); return;
    case PieceSender::Progress::kSocketFull:
      Post([](FrameStream& self) { self.DriveWhenThereIsRoom(); });
      return;
    case PieceSender::Progress::kPeerGone: End("the peer is gone"); return;
    case PieceSender::Progress::kFileFailed: End(sender_.problem()); return;
  }
}

void FrameStream::DriveWhenThereIsRoom() {
  socket_.async_wait(tcp::socket::wait_write, [self = shared_from_this()](std::error_code error) {
    if (error) {
      self->End(error.message());
    } else {
      self->Drive(kBytesPerTurn);
    }
  });
}

void FrameStream::DriveLater() {
  Post([](FrameStream& self) { self.Drive(kBytesPerTurn); });
}

// --- Its end -------------------------------------------------------------------------------------

void FrameStream::Close() {
  {
    const MutexLock lock(mutex_);
    silent_ = true;
  }
  End("closed");
}

void FrameStream::End(const Error& why) {
  const MutexLock lock(mutex_);
  if (!std::exchange(over_, true)) {
    why_ = why;
    asio::post(*io_, [self = shared_from_this()]() { self->Ended(); });  // Behind all of Post's.
  }
}

void FrameStream::Ended() {
  Fulfil();
  pause_.cancel();
  std::error_code ignored;
  socket_.cancel(ignored);
  // Not closed: somebody may be sending, and the descriptor would be another file's.
  socket_.shutdown(tcp::socket::shutdown_both, ignored);
  const Events events = std::exchange(events_, {});
  Error why;
  {
    const MutexLock lock(mutex_);
    if (silent_) {
      return;
    }
    why = why_;
  }
  events.lost(why);
}

}  // namespace regent
