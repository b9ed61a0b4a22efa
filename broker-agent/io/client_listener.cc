#include "broker-agent/io/client_listener.h"

#include <array>
#include <cerrno>
#include <cstdint>
#include <netdb.h>
#include <poll.h>
#include <string>
#include <system_error>
#include <unistd.h>

#include <glog/logging.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "common/base/instant.h"
#include "common/runtime/loop.h"

namespace regent {
namespace {

constexpr Duration kComplaintInterval = std::chrono::seconds(10);
constexpr int kBacklog = 128;

Error CannotListen(const Endpoint& listen, const std::string& why) {
  return {ErrorCode::kUnavailable,
          "cannot listen on " + listen.ToText() + " for clients: " + why +
              "; end whoever holds the port, or choose another one with --listen"};
}

int PortOf(int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return 0;
  }
  return ntohs(address.ss_family == AF_INET6
                   ? reinterpret_cast<const sockaddr_in6*>(&address)->sin6_port
                   : reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
}

}  // namespace

Result<std::unique_ptr<ClientListener>> ClientListener::Start(const Endpoint& listen) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (const int error =
          ::getaddrinfo(listen.host.c_str(), std::to_string(listen.port).c_str(), &hints, &found);
      error != 0) {
    return CannotListen(listen, ::gai_strerror(error));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, &::freeaddrinfo);
  const int socket = ::socket(addresses->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  if (socket < 0 || ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
      ::bind(socket, addresses->ai_addr, addresses->ai_addrlen) != 0 ||
      ::listen(socket, kBacklog) != 0) {
    const int error = errno;
    if (socket >= 0) {
      ::close(socket);
    }
    return CannotListen(listen, std::generic_category().message(error));
  }
  return std::unique_ptr<ClientListener>(
      new ClientListener(socket, ::eventfd(0, EFD_CLOEXEC), PortOf(socket)));
}

ClientListener::ClientListener(int socket, int stop_event, int port)
    : socket_(socket), stop_event_(stop_event), port_(port), thread_([this]() { Run(); }) {}

ClientListener::~ClientListener() {
  const uint64_t one = 1;
  CHECK_EQ(::write(stop_event_, &one, sizeof(one)), static_cast<ssize_t>(sizeof(one)));
  thread_.join();
  ::close(socket_);
  ::close(stop_event_);
}

void ClientListener::Run() const {
  Instant quiet_until;
  uint64_t closed = 0;
  while (true) {
    std::array<pollfd, 2> waited{pollfd{.fd = socket_, .events = POLLIN, .revents = 0},
                                 pollfd{.fd = stop_event_, .events = POLLIN, .revents = 0}};
    if (::poll(waited.data(), waited.size(), -1) < 0 && errno != EINTR) {
      PLOG(ERROR) << "client listener ends port=" << port_;
      return;
    }
    if (waited[1].revents != 0) {
      return;
    }
    if (waited[0].revents == 0) {
      continue;
    }
    const int connection = ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) {
      if (errno == EMFILE || errno == ENFILE) {
        ::usleep(100'000);  // Nothing to accept with: do not spin.
      }
      continue;
    }
    ::close(connection);
    ++closed;
    if (const Instant now = MonotonicNow(); now >= quiet_until) {
      quiet_until = now + kComplaintInterval;
      LOG(WARNING) << "client connections closed port=" << port_ << " count=" << closed
                   << " reason=\"client requests are not served by this version\"";
    }
  }
}

}  // namespace regent
