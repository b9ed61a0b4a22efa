#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker-agent/core/agent.h"
#include "broker-agent/io/agent_runner.h"
#include "broker-agent/io/agent_shards.h"
#include "broker-agent/io/producer_ids.h"
#include "broker-agent/io/registration.h"
#include "common/base/instant.h"
#include "common/base/mutex.h"
#include "common/base/result.h"
#include "common/runtime/loop.h"
#include "common/zk/client.h"

namespace regent {

/// The figures of a broker agent.
struct AgentMetrics {
  AgentCounters counters;  ///< At most AgentHostOptions::count_interval older than the rest.
  bool registered = false;
  std::string waiting_for;  ///< Why it is not registered.
  BrokerEpoch broker_epoch = kNoBrokerEpoch;
  KnownController controller;
  zk::SessionState session = zk::SessionState::kDisconnected;
  uint64_t sessions = 0;          ///< That the process has had.
  Duration zookeeper_latency{0};  ///< Of the latest request, with a real client.
};

struct AgentHostOptions {
  AgentOptions agent;
  RegistrationOptions registration;
  /// Makes the session of the broker's registration; callbacks on `owner`.
  std::function<Result<std::unique_ptr<zk::Client>>(Executor& owner, zk::SessionListener& listener)>
      make_client;
  /// Between two heartbeats to the ZooKeeper client, and two publications of its state.
  Duration tick = std::chrono::milliseconds(50);
  /// Between two publications of the agent's counters, which cost a walk over all replicas.
  Duration count_interval = std::chrono::seconds(1);
  /// How long the way out waits for ZooKeeper to take the registration back.
  Duration unregister_max = std::chrono::seconds(3);
  /// How long `informed` waits at most.
  Duration informed_max = std::chrono::seconds(5);
  /// Called once, on the executor's thread: from now on the broker can tell clients who leads what,
  /// as the controller has told it everything, or has not for `informed_max`.
  std::function<void()> informed;
  /// Called once, on the executor's thread: the agent has stopped and is unregistered, or could not
  /// go on (`error`).
  std::function<void(const Stopped&)> finished;
  /// Called on the executor's thread when the registration's state changes; empty: registered.
  std::function<void(const std::string& waiting_for)> status;
  /// Called on the executor's thread with news of who the controller is.
  std::function<void(const ControllerSeen&)> on_controller;
};

/// A broker's agents with its registration, on the first one's executor: in production a loop's
/// thread, in a simulation the world's. What they talk through is given to it.
///
///     AgentHost host(options, recovered, {{loop, store, transport, controller}});
///     host.Start();
///     …
///     host.RequestStop();       // controlled shutdown; `finished` tells when
///     loop.Close();             // then it may be destroyed
class AgentHost {
 public:
  /// `parts`: one for each shard. They outlive the host.
  AgentHost(AgentHostOptions options, AgentState recovered, std::vector<AgentRunner::Parts> parts);
  /// On the executor's thread, or once all have been closed.
  ~AgentHost();
  AgentHost(const AgentHost&) = delete;
  AgentHost& operator=(const AgentHost&) = delete;

  /// Opens the session and registers. Any thread, once. `self`: what to register, if that was not
  /// known before the ports were bound.
  void Start(std::optional<BrokerRegistration> self = std::nullopt);
  /// Leaves in good order: the core's controlled shutdown, then close the logs, then unregister.
  /// Any thread; more than once is harmless.
  void RequestStop();

  /// Any thread, while the host lives; `done` comes once, on the executor's thread or within the
  /// call.
  void DrawProducerId(const ProducerIds::Done& done);

  AgentShards& shards() { return shards_; }
  /// The executor's thread.
  const Registration& registration() const { return registration_; }
  /// As of the last tick. Any thread.
  AgentMetrics metrics() const EXCLUDES(mutex_);

 private:
  void Open();
  void Tick();
  void TakeEvent(const AgentEvent& event);
  void LookWhetherInformed(Instant now);
  void PublishMetrics(Instant now) EXCLUDES(mutex_);
  void OnAgentStopped(const Stopped& stopped);
  void CloseStores(const Stopped& stopped);
  void OnStoresClosed(const Stopped& stopped);
  void Finish(const Stopped& stopped);

  AgentHostOptions options_;
  std::vector<AgentRunner::Parts> parts_;
  Executor& executor_;  ///< The first shard's.
  AgentShards shards_;
  Registration registration_;
  std::unique_ptr<zk::Client> client_;
  std::unique_ptr<ProducerIds> producer_ids_;  ///< As long as there is a client.
  bool finished_ = false;
  bool leaving_ = false;
  std::optional<Instant> informed_by_;  ///< From the start until `informed` has been called.
  std::optional<Instant> counted_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);

  mutable Mutex mutex_;
  AgentMetrics metrics_ GUARDED_BY(mutex_);
};

}  // namespace regent
