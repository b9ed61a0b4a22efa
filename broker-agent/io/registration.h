#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker-agent/core/agent_options.h"
#include "broker-agent/core/events.h"
#include "broker-agent/io/event_sink.h"
#include "broker-agent/io/replica_store.h"
#include "common/base/instant.h"
#include "common/base/result.h"
#include "common/model/broker.h"
#include "common/model/ids.h"
#include "common/runtime/loop.h"
#include "common/zk/client.h"

namespace regent {

struct RegistrationOptions {
  BrokerRegistration self;  ///< `timestamp_ms` is filled in at each registration.
  /// Wall clock, for people; null: always 0.
  std::function<int64_t()> wall_clock_ms;
  /// Between two looks at something that is waited for.
  Duration poll = std::chrono::milliseconds(200);
  /// Between two looks at a controller that cannot be read, or not be told from another.
  BackOff controller_retry = {.first = std::chrono::milliseconds(200),
                              .max = std::chrono::seconds(5)};
  /// Between two lines in the log that say what is waited for.
  Duration complaint_interval = std::chrono::seconds(5);
  /// What is added to the negotiated timeout while waiting for another holder of the id.
  Duration tick = std::chrono::seconds(2);
};

/// Keeps the broker's znode: checks at each new session that the data directory and ZooKeeper
/// belong to one cluster (R10), creates /brokers/ids/<id>, and tells the agent of it and of who the
/// controller is.
///
///   no session ─► /cluster/id ─► bind ─► create ─► registered ─► (session lost) ─► no session
///                    ▲    │ missing        │ exists, not ours: wait for it; another life's still
///                    └────┘                ▼ there after a session's time: give up
///                                       its session ends
///
/// The transaction that creates the znode claims the id for the data directory in
/// /regent/brokers/<id>, or checks that it still is its. So the zxid of a claim says since when
/// nobody was registered with another directory, whatever answers were lost (R3, R10).
///
/// It never deletes the znode of another session, and never makes /cluster/id.
///
/// Called on the owner's thread, except the result of a directory's binding, which it fetches
/// there.
class Registration final : public zk::SessionListener {
 public:
  struct Hooks {
    /// Takes Registered, SessionLost and ControllerSeen.
    AgentEventSink events;
    /// Called once, on the owner's thread: the process cannot go on, for the reason given.
    std::function<void(Error)> give_up;
    /// Called on the owner's thread whenever the state changes; empty: registered. For health.
    std::function<void(const std::string& waiting_for)> status;
  };

  /// `owner` and `store` outlive it.
  Registration(RegistrationOptions options, Executor& owner, ReplicaStore& store, Hooks hooks);
  ~Registration() override;
  Registration(const Registration&) = delete;
  Registration& operator=(const Registration&) = delete;

  /// Before the client connects, that is, in the task that made it. `client` outlives this object
  /// or Stop's `done`.
  void Start(zk::Client& client);
  /// What to register from now on; of the same id and life.
  void set_self(BrokerRegistration self) { options_.self = std::move(self); }
  /// Deletes the broker's znode if it is ours. `done` comes once, on the owner's thread, also if
  /// ZooKeeper is away: then the session's end does it. Nothing is registered afterwards.
  void Stop(std::function<void()> done);

  void OnSession(const zk::SessionEvent& event) override;
  void OnWatch(const zk::WatchEvent& event) override;

  /// What keeps the broker from being registered; empty if it is.
  const std::string& waiting_for() const { return waiting_for_; }
  BrokerEpoch broker_epoch() const { return broker_epoch_; }
  zk::SessionState session() const { return session_; }

 private:
  /// Whatever carries an older number belongs to an attempt that is over.
  using Attempt = StrongId<struct RegistrationAttemptTag, uint64_t>;

  void Begin();
  void ReadClusterId();
  void OnClusterId(const zk::Outcome<zk::Node>& outcome);
  void OnBound(const Status& bound, const std::string& cluster_id);
  void ReadClaim();
  void OnClaim(const zk::Outcome<zk::Node>& outcome);
  void MakeClaims();
  void OnClaimsMade(const zk::Outcome<zk::OpResult>& outcome);
  bool IsOurs(const zk::Node& claim) const;
  void Create();
  void OnCreated(const zk::Outcome<std::vector<zk::OpResult>>& outcome);
  void ReadHolder();
  void OnHolder(const zk::Outcome<zk::Node>& outcome);
  void WaitForHolder(const zk::Node& holder);
  /// The znode stands, so that nobody else claims the id: since when is it this directory's?
  void ReadSince(BrokerEpoch epoch);
  /// And which controllers have been deposed by now?
  void ReadControllerEpoch(BrokerEpoch epoch);
  void BecomeRegistered(BrokerEpoch epoch, const zk::Outcome<zk::Node>& controller_epoch);
  void LookAfterOwnNode();

  void WatchController();
  void OnController(const zk::Outcome<zk::Node>& outcome);
  void OnControllerEpoch(const std::optional<zk::Node>& controller,
                         const zk::Outcome<zk::Node>& outcome);

  void TellOfController(ControllerSeen seen);
  void ControllerNotReadable(const char* what, const Error& error);
  void LookAtControllerLater();
  void GiveUp(Error error);
  void WaitFor(const std::string& what);
  void ComplainLater();
  void Retry(void (Registration::*step)());
  /// Runs `step` if the attempt is still the current one when the answer comes.
  template <class T>
  zk::Callback<T> InAttempt(void (Registration::*step)(const zk::Outcome<T>&));

  RegistrationOptions options_;
  Executor& owner_;
  ReplicaStore& store_;
  Hooks hooks_;
  zk::Client* client_ = nullptr;
  std::string path_;
  std::string claim_path_;

  zk::SessionState session_ = zk::SessionState::kDisconnected;
  zk::Generation generation_{0};
  Duration negotiated_timeout_{0};
  Attempt attempt_{0};
  bool stopped_ = false;
  bool gave_up_ = false;
  std::string cluster_id_;
  std::optional<zk::Node> claim_;          ///< As it was read before the creation.
  std::optional<Zxid> directories_since_;  ///< As in Registered.
  BrokerEpoch broker_epoch_ = kNoBrokerEpoch;
  bool registered_ = false;  ///< In this generation.

  std::optional<Instant> holder_seen_;  ///< Since when the id has been somebody else's.

  uint64_t controller_looks_ = 0;   ///< A newer one makes a retry needless.
  int controller_failures_ = 0;     ///< In a row.
  std::string controller_problem_;  ///< The last one that was logged.

  std::string waiting_for_;
  std::optional<Instant> complained_;
  /// Callbacks that come on other threads or after the end find out by it.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace regent
