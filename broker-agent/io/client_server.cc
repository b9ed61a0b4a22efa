#include "broker-agent/io/client_server.h"

#include <array>
#include <atomic>
#include <deque>
#include <list>
#include <map>
#include <optional>
#include <pthread.h>
#include <span>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <asio.hpp>
#include <glog/logging.h>

#include "broker-agent/io/complaints.h"
#include "broker-agent/io/frame_buffer.h"
#include "broker-agent/io/piece_sender.h"
#include "broker-agent/io/run_lent.h"
#include "broker-agent/io/tcp_listener.h"
#include "broker-agent/kafka/frame.h"
#include "broker-agent/kafka/pieces.h"
#include "common/base/mutex.h"
#include "common/runtime/loop.h"

namespace regent {
namespace {

using asio::ip::tcp;
using kafka::Pieces;

constexpr int kSweepsPerIdle = 10;
/// What one connection may send before others get their turn.
constexpr size_t kBytesPerTurn = size_t{1} << 20U;

}  // namespace

class ClientServer::Impl : public std::enable_shared_from_this<Impl> {
 public:
  class Connection;

  explicit Impl(Options options)
      : options_(std::move(options)), listener_(std::make_shared<TcpListener>(io_)), sweep_(io_) {}

  Status Bind() { return listener_->Bind(options_.listen, "clients", "--listen"); }
  void Start(Serve serve);
  void Stop();

  int port() const { return listener_->port(); }
  ClientServerCounters counters() const {
    return {.connections = connections_count_.load(),
            .held_bytes = held_bytes_.load(),
            .requests = requests_.load(),
            .refused_connections = refused_.load(),
            .broken_connections = broken_.load()};
  }

 private:
  friend class Connection;

  void Accepted(tcp::socket socket);
  void Sweep();
  /// What a connection has read, or has answered, changes what all of them hold.
  void Charge(int64_t bytes);
  bool Full() const { return held_bytes_ >= options_.total_bytes_max; }
  void AwaitRoom(const std::shared_ptr<Connection>& connection) { waiting_.push_back(connection); }
  void Broken(const std::string& peer, const std::string& why);
  void Remove(const Connection* connection);

  const Options options_;
  asio::io_context io_{1};
  const std::shared_ptr<TcpListener> listener_;
  asio::steady_timer sweep_;
  Serve serve_;
  // The thread's alone:
  std::map<const Connection*, std::shared_ptr<Connection>> connections_;
  std::vector<std::weak_ptr<Connection>> waiting_;  ///< For room in what all may hold.
  Complaints complaints_;
  // Read by others:
  std::atomic<int64_t> connections_count_ = 0;
  std::atomic<int64_t> held_bytes_ = 0;
  std::atomic<uint64_t> requests_ = 0;
  std::atomic<uint64_t> refused_ = 0;
  std::atomic<uint64_t> broken_ = 0;

  Mutex mutex_;
  bool stopped_ GUARDED_BY(mutex_) = false;
  std::thread thread_;  ///< Changed while nobody has stopped it, and by who does.
};

/// One client. Everything happens on the server's thread.
class ClientServer::Impl::Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(std::shared_ptr<Impl> server, tcp::socket socket)
      : server_(std::move(server)), socket_(std::move(socket)) {
    std::error_code error;
    const tcp::endpoint peer = socket_.remote_endpoint(error);
    peer_ = error ? "?" : peer.address().to_string() + ':' + std::to_string(peer.port());
    socket_.set_option(tcp::no_delay(true), error);
    socket_.native_non_blocking(true, error);
  }

  void Start() {
    used_ = MonotonicNow();
    Read();
  }
  /// There is room again.
  void Resume() {
    if (std::exchange(paused_, false)) {
      Read();
    }
  }
  void CloseIfIdleSince(Instant since) {
    if (slots_.empty() && used_ < since) {
      Close();
    }
  }
  void Close();

 private:
  class Ticket;
  /// A request in flight, in the order of arrival.
  struct Slot {
    enum class State { kWaiting, kOpen, kAnswered, kSilent };
    State state = State::kWaiting;
    Slice frame;  ///< Until it is served.
    Pieces answer;
    int64_t bytes = 0;
    std::function<void()> gone;

    bool ended() const { return state == State::kAnswered || state == State::kSilent; }
  };

  void Read();
  void ReadFrame();
  void Dispatch(Slice frame);
  /// Begins to work on a request that has waited so far.
  void Serve(uint64_t number);
  void Answered(uint64_t number, std::optional<Pieces> answer);
  /// Begins to send the answers that are due, if none are on their way.
  void Write();
  void Send();
  void Sent();
  void Break(const std::string& why);
  /// The connection holds so many bytes more, or less.
  void Hold(int64_t bytes);
  Slot* Find(uint64_t number);

  std::shared_ptr<Impl> server_;
  tcp::socket socket_;
  std::string peer_;
  std::array<char, kafka::kFrameLengthBytes> length_{};
  FrameBuffer frame_;
  std::deque<Slot> slots_;
  uint64_t first_ = 0;  ///< The number of slots_.front().
  int64_t bytes_ = 0;
  bool reading_ = false;
  bool paused_ = false;
  size_t sending_ = 0;  ///< So many slots, from the front, are on their way; 0: none.
  PieceSender sender_;
  bool closed_ = false;
  Instant used_;
};

/// What the service holds of a request. May outlive the connection, and the server's thread.
class ClientServer::Impl::Connection::Ticket final : public kafka::Call {
 public:
  Ticket(const std::shared_ptr<Connection>& connection, uint64_t number)
      : server_(connection->server_), connection_(connection), number_(number) {}
  ~Ticket() override = default;

  void Answer(Pieces response) override {
    Post([response = std::move(response)](Connection& connection, uint64_t number) mutable {
      connection.Answered(number, std::move(response));
    });
  }
  void AnswerNothing() override {
    Post(
        [](Connection& connection, uint64_t number) { connection.Answered(number, std::nullopt); });
  }
  void HangUp(const std::string& why) override {
    Post([why](Connection& connection, uint64_t) { connection.Break(why); });
  }
  void OnGone(std::function<void()> gone) override {
    const std::shared_ptr<Impl> server = server_.lock();
    if (server == nullptr) {
      gone();
      return;
    }
    asio::post(server->io_, [connection = connection_, number = number_, gone = std::move(gone)]() {
      const std::shared_ptr<Connection> there = connection.lock();
      if (there == nullptr || there->closed_) {
        gone();
      } else if (Slot* slot = there->Find(number); slot != nullptr) {
        slot->gone = gone;
      }
    });
  }

 private:
  template <class Work>
  void Post(Work work) {
    const std::shared_ptr<Impl> server = server_.lock();
    if (server == nullptr) {
      return;
    }
    asio::post(server->io_,
               [connection = connection_, number = number_, work = std::move(work)]() mutable {
                 const std::shared_ptr<Connection> there = connection.lock();
                 if (there != nullptr && !there->closed_) {
                   work(*there, number);
                 }
               });
  }

  std::weak_ptr<Impl> server_;
  std::weak_ptr<Connection> connection_;
  uint64_t number_;
};

// --- A connection ---

void ClientServer::Impl::Connection::Read() {
  const Options& options = server_->options_;
  if (closed_ || reading_ || paused_) {
    return;
  }
  if (slots_.size() >= options.in_flight_max || bytes_ >= options.connection_bytes_max) {
    return;  // The next answer reads on.
  }
  if (server_->Full()) {
    paused_ = true;
    server_->AwaitRoom(shared_from_this());
    return;
  }
  reading_ = true;
  asio::async_read(socket_, asio::buffer(length_),
                   [self = shared_from_this()](std::error_code error, size_t) {
                     self->reading_ = false;
                     if (error || self->closed_) {
                       self->Close();
                       return;
                     }
                     const Result<size_t> length =
                         kafka::DecodeFrameLength({self->length_.data(), self->length_.size()},
                                                  self->server_->options_.request_bytes_max);
                     if (!length.ok()) {
                       self->Break(length.error().message);
                       return;
                     }
                     self->frame_ = FrameBuffer(*length);
                     self->ReadFrame();
                   });
}

/// Reads the rest of the frame, whatever the socket has at a time.
void ClientServer::Impl::Connection::ReadFrame() {
  if (frame_.complete()) {
    Dispatch(std::exchange(frame_, {}).Take());
    Read();
    return;
  }
  reading_ = true;
  const std::span<char> room = frame_.Room();
  socket_.async_read_some(asio::buffer(room.data(), room.size()),
                          [self = shared_from_this()](std::error_code error, size_t came) {
                            self->reading_ = false;
                            if (error || self->closed_) {
                              self->Close();
                              return;
                            }
                            self->frame_.Came(came);
                            self->ReadFrame();
                          });
}

void ClientServer::Impl::Connection::Dispatch(Slice frame) {
  used_ = MonotonicNow();
  const auto bytes = static_cast<int64_t>(frame.size());
  const uint64_t number = first_ + slots_.size();
  const auto& at_once = server_->options_.served_at_once;
  const bool serve = slots_.empty() || !at_once || at_once(frame.bytes());
  Slot& slot = slots_.emplace_back();
  slot.frame = std::move(frame);
  slot.bytes = bytes;
  Hold(bytes);
  ++server_->requests_;
  if (serve) {
    Serve(number);
  }
}

void ClientServer::Impl::Connection::Serve(uint64_t number) {
  Slot& slot = *Find(number);
  slot.state = Slot::State::kOpen;
  server_->serve_(std::exchange(slot.frame, {}),
                  std::make_shared<Ticket>(shared_from_this(), number));
}

ClientServer::Impl::Connection::Slot* ClientServer::Impl::Connection::Find(uint64_t number) {
  return number < first_ || number - first_ >= slots_.size() ? nullptr : &slots_[number - first_];
}

void ClientServer::Impl::Connection::Answered(uint64_t number, std::optional<Pieces> answer) {
  Slot* const slot = Find(number);
  CHECK(slot != nullptr && slot->state == Slot::State::kOpen) << "a request was answered twice";
  slot->gone = nullptr;
  slot->state = answer ? Slot::State::kAnswered : Slot::State::kSilent;
  if (answer) {
    const auto bytes = static_cast<int64_t>(answer->size());
    slot->answer = *std::move(answer);
    slot->bytes += bytes;
    Hold(bytes);
  }
  Write();
}

void ClientServer::Impl::Connection::Hold(int64_t bytes) {
  bytes_ += bytes;
  server_->Charge(bytes);
}

void ClientServer::Impl::Connection::Write() {
  if (sending_ != 0 || closed_) {
    return;
  }
  while (sending_ < slots_.size() && slots_[sending_].ended()) {
    sender_.Add(slots_[sending_].answer);
    ++sending_;
  }
  if (sending_ != 0) {
    Send();
  }
}

void ClientServer::Impl::Connection::Send() {
  switch (sender_.Send(socket_.native_handle(), kBytesPerTurn)) {
    case PieceSender::Progress::kAllSent: Sent(); return;
    case PieceSender::Progress::kSocketFull:
      socket_.async_wait(tcp::socket::wait_write,
                         [self = shared_from_this()](std::error_code error) {
                           if (error || self->closed_) {
                             self->Close();
                           } else {
                             self->Send();
                           }
                         });
      return;
    case PieceSender::Progress::kTurnOver:
      asio::post(server_->io_, [self = shared_from_this()]() {
        if (!self->closed_) {
          self->Send();
        }
      });
      return;
    case PieceSender::Progress::kPeerGone: Close(); return;
    case PieceSender::Progress::kFileFailed: Break(sender_.problem()); return;
  }
}

void ClientServer::Impl::Connection::Sent() {
  used_ = MonotonicNow();
  for (; sending_ != 0; --sending_) {
    const int64_t bytes = slots_.front().bytes;
    slots_.pop_front();
    ++first_;
    Hold(-bytes);
  }
  if (!slots_.empty() && slots_.front().state == Slot::State::kWaiting) {
    Serve(first_);
  }
  Read();
  Write();
}

void ClientServer::Impl::Connection::Break(const std::string& why) {
  if (!closed_) {
    server_->Broken(peer_, why);
    Close();
  }
}

void ClientServer::Impl::Connection::Close() {
  if (std::exchange(closed_, true)) {
    return;
  }
  const std::shared_ptr<Connection> self = shared_from_this();
  std::error_code ignored;
  socket_.close(ignored);
  Hold(-bytes_);
  for (Slot& slot : slots_) {
    if (slot.gone) {
      slot.gone();
    }
  }
  server_->Remove(this);
}

// --- The server ---

void ClientServer::Impl::Start(Serve serve) {
  const MutexLock lock(mutex_);
  if (stopped_) {
    return;
  }
  serve_ = std::move(serve);
  listener_->Start(
      [self = shared_from_this()](tcp::socket socket) { self->Accepted(std::move(socket)); });
  Sweep();
  thread_ = std::thread([this]() {
    pthread_setname_np(pthread_self(), "clients");
    BlockBrokenPipeSignal();
    RunLent(io_);
  });
}

void ClientServer::Impl::Accepted(tcp::socket socket) {
  if (connections_.size() >= options_.connections_max) {
    ++refused_;
    Broken("a new one",
           "there are " + std::to_string(options_.connections_max) + " connections already");
    return;  // Closes it.
  }
  auto connection = std::make_shared<Connection>(shared_from_this(), std::move(socket));
  connections_.emplace(connection.get(), connection);
  connections_count_ = static_cast<int64_t>(connections_.size());
  connection->Start();
}

void ClientServer::Impl::Sweep() {
  sweep_.expires_after(options_.idle_max / kSweepsPerIdle);
  sweep_.async_wait([self = shared_from_this()](std::error_code stopped) {
    // A timer that had run out already when it was cancelled does not say so.
    if (stopped || !self->listener_->is_open()) {
      return;
    }
    const Instant since = MonotonicNow() - self->options_.idle_max;
    for (const auto& [key, connection] : std::map(self->connections_)) {
      connection->CloseIfIdleSince(since);
    }
    self->Sweep();
  });
}

void ClientServer::Impl::Charge(int64_t bytes) {
  held_bytes_ += bytes;
  if (bytes >= 0 || Full() || waiting_.empty()) {
    return;
  }
  for (const std::weak_ptr<Connection>& each : std::exchange(waiting_, {})) {
    if (const std::shared_ptr<Connection> connection = each.lock()) {
      connection->Resume();
    }
  }
}

void ClientServer::Impl::Broken(const std::string& peer, const std::string& why) {
  ++broken_;
  if (const uint64_t count = complaints_.Add(MonotonicNow()); count > 0) {
    LOG(WARNING) << "client connection closed peer=" << peer << " closed=" << count << " reason=\""
                 << why << '"';
  }
}

void ClientServer::Impl::Remove(const Connection* connection) {
  connections_.erase(connection);
  connections_count_ = static_cast<int64_t>(connections_.size());
}

void ClientServer::Impl::Stop() {
  {
    const MutexLock lock(mutex_);
    stopped_ = true;
  }
  if (!thread_.joinable()) {
    listener_->Close();
    return;
  }
  asio::post(io_, [self = shared_from_this()]() {
    self->listener_->Close();
    self->sweep_.cancel();
    for (const auto& [key, connection] : std::map(self->connections_)) {
      connection->Close();
    }
    self->waiting_.clear();
  });
  thread_.join();  // Nothing is left to wait for.
}

ClientServer::ClientServer(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

ClientServer::~ClientServer() {
  Stop();
}

Result<std::unique_ptr<ClientServer>> ClientServer::Bind(const Options& options) {
  auto impl = std::make_shared<Impl>(options);
  if (Status bound = impl->Bind(); !bound.ok()) {
    return bound.error();
  }
  return std::unique_ptr<ClientServer>(new ClientServer(std::move(impl)));
}

int ClientServer::port() const {
  return impl_->port();
}

void ClientServer::Start(Serve serve) {
  impl_->Start(std::move(serve));
}

void ClientServer::Stop() {
  impl_->Stop();
}

ClientServerCounters ClientServer::counters() const {
  return impl_->counters();
}

}  // namespace regent
