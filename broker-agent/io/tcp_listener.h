#pragma once

#include <functional>
#include <memory>
#include <string>

#include <asio.hpp>

#include "common/base/result.h"
#include "common/model/broker.h"

namespace regent {

/// Takes connections at a port. Used on the thread that runs `io`, or while none does.
class TcpListener : public std::enable_shared_from_this<TcpListener> {
 public:
  explicit TcpListener(asio::io_context& io) : io_(io), acceptor_(io), pause_(io) {}

  /// Port 0: a free one is chosen. The error names the address, whom the port is for and the flag
  /// that chooses another one.
  Status Bind(const Endpoint& listen, const std::string& for_whom, const std::string& flag);
  /// Any thread, once bound.
  int port() const { return port_; }
  /// Begins to take connections; those that have come since Bind first.
  void Start(std::function<void(asio::ip::tcp::socket)> accepted);
  bool is_open() const { return acceptor_.is_open(); }
  /// Nobody is accepted any more, and `accepted` is let go. Not to be called by it.
  void Close();

 private:
  void Accept();

  asio::io_context& io_;
  asio::ip::tcp::acceptor acceptor_;
  asio::steady_timer pause_;
  std::function<void(asio::ip::tcp::socket)> accepted_;
  int port_ = 0;
};

}  // namespace regent
