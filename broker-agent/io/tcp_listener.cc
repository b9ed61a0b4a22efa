#include "broker-agent/io/tcp_listener.h"

#include <chrono>
#include <system_error>
#include <utility>

namespace regent {
namespace {

using asio::ip::tcp;

constexpr auto kAcceptPause = std::chrono::milliseconds(100);

}  // namespace

Status TcpListener::Bind(const Endpoint& listen,
                         const std::string& for_whom,
                         const std::string& flag) {
  const auto failed = [&](const std::error_code& error) {
    return Error{ErrorCode::kUnavailable,
                 "cannot listen on " + listen.ToText() + " for " + for_whom + ": " +
                     error.message() + "; end whoever holds the port, or choose another one with " +
                     flag};
  };
  std::error_code error;
  tcp::resolver resolver(io_);
  const auto found = resolver.resolve(
      listen.host, std::to_string(listen.port),
      asio::ip::resolver_base::passive | asio::ip::resolver_base::numeric_service, error);
  if (error || found.empty()) {
    return failed(error ? error : std::make_error_code(std::errc::address_not_available));
  }
  const tcp::endpoint endpoint = found.begin()->endpoint();
  acceptor_.open(endpoint.protocol(), error);
  if (!error) {
    acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
  }
  if (!error) {
    acceptor_.bind(endpoint, error);
  }
  if (!error) {
    acceptor_.listen(asio::socket_base::max_listen_connections, error);
  }
  if (error) {
    return failed(error);
  }
  port_ = acceptor_.local_endpoint().port();
  return Success{};
}

void TcpListener::Start(std::function<void(tcp::socket)> accepted) {
  accepted_ = std::move(accepted);
  Accept();
}

void TcpListener::Accept() {
  acceptor_.async_accept([self = shared_from_this()](std::error_code error, tcp::socket socket) {
    if (!self->acceptor_.is_open()) {
      return;
    }
    if (!error) {
      self->accepted_(std::move(socket));
      self->Accept();
      return;
    }
    // No descriptors, as a rule: do not spin.
    self->pause_.expires_after(kAcceptPause);
    self->pause_.async_wait([self](std::error_code stopped) {
      if (!stopped) {
        self->Accept();
      }
    });
  });
}

void TcpListener::Close() {
  std::error_code ignored;
  acceptor_.close(ignored);
  pause_.cancel();
  accepted_ = nullptr;
}

}  // namespace regent
