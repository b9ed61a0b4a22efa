#pragma once

#include <memory>
#include <thread>

#include "common/base/result.h"
#include "common/model/broker.h"

namespace regent {

/// Holds the client port until the client protocol is served: nobody else takes it, a port in use
/// is found at start, and who connects is closed, with a line in the log now and then that says
/// why.
class ClientListener {
 public:
  /// Binds `listen`; port 0: a free one is chosen. The error names the address and the remedy.
  static Result<std::unique_ptr<ClientListener>> Start(const Endpoint& listen);
  /// Closes the port.
  ~ClientListener();
  ClientListener(const ClientListener&) = delete;
  ClientListener& operator=(const ClientListener&) = delete;

  int port() const { return port_; }

 private:
  ClientListener(int socket, int stop_event, int port);
  void Run() const;

  const int socket_;
  const int stop_event_;
  const int port_;
  std::thread thread_;
};

}  // namespace regent
