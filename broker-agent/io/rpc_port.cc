#include "broker-agent/io/rpc_port.h"

#include <chrono>
#include <cstddef>
#include <list>
#include <pthread.h>
#include <system_error>
#include <thread>
#include <utility>

#include <asio.hpp>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "broker-agent/io/tcp_listener.h"

namespace regent {
namespace {

using asio::ip::tcp;

constexpr auto kSilenceMax = std::chrono::seconds(5);
constexpr size_t kSilentMax = 1'000;
constexpr char kFirstOfAFrame = 0;

}  // namespace

class RpcPort::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl() : listener_(std::make_shared<TcpListener>(io_)) {}

  Status Bind(const Endpoint& listen) {
    return listener_->Bind(listen, "brokers and controllers", "--listen");
  }
  int port() const { return listener_->port(); }

  void Start(Takers takers) {
    takers_ = std::move(takers);
    listener_->Start(
        [self = shared_from_this()](tcp::socket socket) { self->Accepted(std::move(socket)); });
    thread_ = std::thread([this]() {
      pthread_setname_np(pthread_self(), "rpc-port");
      io_.run();
    });
  }

  void Stop() {
    if (!thread_.joinable()) {
      listener_->Close();
      return;
    }
    asio::post(io_, [self = shared_from_this()]() {
      self->listener_->Close();
      for (const SilentRef& silent : self->silent_) {
        silent->End();
      }
    });
    thread_.join();  // Nothing is left to wait for.
  }

 private:
  /// Has not said yet what it wants.
  struct Silent {
    explicit Silent(tcp::socket connection)
        : socket(std::move(connection)), patience(socket.get_executor()) {}

    void End() {
      std::error_code ignored;
      socket.close(ignored);
      patience.cancel();
    }

    tcp::socket socket;
    asio::steady_timer patience;
  };
  using SilentRef = std::shared_ptr<Silent>;

  void Accepted(tcp::socket socket) {
    if (silent_.size() >= kSilentMax) {
      silent_.front()->End();  // The one that has been silent for longest.
    }
    const auto silent = std::make_shared<Silent>(std::move(socket));
    const auto place = silent_.insert(silent_.end(), silent);
    silent->patience.expires_after(kSilenceMax);
    silent->patience.async_wait([silent](std::error_code stopped) {
      if (!stopped) {
        silent->End();
      }
    });
    silent->socket.async_wait(tcp::socket::wait_read,
                              [self = shared_from_this(), silent, place](std::error_code) {
                                self->silent_.erase(place);
                                self->Heard(*silent);
                              });
  }

  /// It has something to say, or has ended.
  void Heard(Silent& silent) {
    char first = 0;
    const bool speaks = silent.socket.is_open() && ::recv(silent.socket.native_handle(), &first, 1,
                                                          MSG_PEEK | MSG_DONTWAIT) == 1;
    if (speaks) {
      HandOver(silent.socket, first);
    }
    silent.End();
  }

  void HandOver(tcp::socket& socket, char first) {
    std::error_code error;
    socket.native_non_blocking(true, error);
    socket.set_option(tcp::no_delay(true), error);
    const int descriptor = socket.release(error);
    if (error) {
      return;
    }
    (first == kFirstOfAFrame ? takers_.replication : takers_.grpc)(descriptor);
  }

  asio::io_context io_{1};
  const std::shared_ptr<TcpListener> listener_;
  Takers takers_;
  std::list<SilentRef> silent_;  ///< Oldest first.
  std::thread thread_;
};

RpcPort::RpcPort(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

RpcPort::~RpcPort() {
  Stop();
}

Result<std::unique_ptr<RpcPort>> RpcPort::Bind(const Endpoint& listen) {
  auto impl = std::make_shared<Impl>();
  if (Status bound = impl->Bind(listen); !bound.ok()) {
    return bound.error();
  }
  return std::unique_ptr<RpcPort>(new RpcPort(std::move(impl)));
}

int RpcPort::port() const {
  return impl_->port();
}

void RpcPort::Start(Takers takers) {
  impl_->Start(std::move(takers));
}

void RpcPort::Stop() {
  impl_->Stop();
}

}  // namespace regent
