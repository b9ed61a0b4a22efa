#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <grpcpp/grpcpp.h>

#include "broker-agent/io/agent_host.h"
#include "broker-agent/io/broker_flags.h"
#include "common/base/result.h"
#include "common/model/broker.h"
#include "common/model/ids.h"
#include "common/runtime/metrics.h"

namespace regent {

/// A broker agent with everything that it needs inside a process: its data directory and the thread
/// that works on it, its loop, its listeners' bookkeeping, its gRPC services. What runs the process
/// adds the server and, as a rule, a controller candidate.
///
///     auto broker = BrokerProcess::Open(settings);
///     builder.RegisterService(each of broker->services());
///     port->Start({.grpc = the server, .replication = broker->AcceptFollower});
///     broker->Start(hooks, port->port());
///     …
///     broker->RequestStop();
///     broker->AwaitStopped();        // leaders moved, logs closed, unregistered
///     …                              // the candidate's turn
///     port->Stop();
///     server->Shutdown(…);           // then the broker may be destroyed
///
/// Any thread may call, one at a time.
class BrokerProcess {
 public:
  struct Hooks {
    /// Makes the ZooKeeper session; callbacks on `owner`.
    std::function<Result<std::unique_ptr<zk::Client>>(Executor& owner,
                                                      zk::SessionListener& listener)>
        make_client;
    /// Called on the agent's thread with news of the controller.
    std::function<void(const ControllerSeen&)> on_controller;
    /// Called on the agent's thread: what the broker waits for; empty: it is registered.
    std::function<void(const std::string& waiting_for)> on_status;
    /// Called once on the agent's thread, when AwaitStopped has something to return.
    std::function<void()> on_stopped;
  };

  /// Opens the data directory and binds the client port. Errors name the value and the remedy.
  static Result<std::unique_ptr<BrokerProcess>> Open(const BrokerSettings& settings);
  /// Stops what still runs, without any order.
  ~BrokerProcess();
  BrokerProcess(const BrokerProcess&) = delete;
  BrokerProcess& operator=(const BrokerProcess&) = delete;

  /// BrokerAgent, to be registered with the process's server. It serves once started.
  std::vector<grpc::Service*> services();
  /// Takes a connection that came to the RPC port for replication, a descriptor. Closed at once if
  /// the broker has not started, or has stopped.
  void AcceptFollower(int socket);
  /// The cluster that the data directory belongs to; nothing if it is not bound yet.
  std::optional<std::string> cluster_id() const;
  /// Binds the data directory, or refuses; `done` comes once, on the disk's thread.
  void Bind(const std::string& cluster_id, std::function<void(const Status&)> done);

  /// Begins to register. `rpc_port`: what is bound.
  void Start(Hooks hooks, int rpc_port);
  /// As it is registered. Port 0 of a flag has become the real one.
  const BrokerRegistration& registration() const;
  /// Shows the figures under regent_broker_…; the process outlives the registry's server.
  void ShowMetrics(MetricsRegistry& registry);

  /// Leaves in good order: leaders move, the logs close, the registration goes. Harmless when
  /// repeated.
  void RequestStop();
  /// Waits until the agent has stopped, for whatever reason.
  Stopped AwaitStopped();

  AgentHost& host();

 private:
  class Impl;
  explicit BrokerProcess(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Reads which boot this machine runs in (R11) from the kernel's `file`; empty if that does not
/// say.
std::string ReadBootId(const std::string& file);

}  // namespace regent
