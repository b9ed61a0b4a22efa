#include "broker-agent/io/registration.h"

#include <utility>

#include <glog/logging.h>

#include "common/wire/znode_json.h"
#include "common/zk/paths.h"

namespace regent {

using zk::ErrorKind;

Registration::Registration(RegistrationOptions options,
                           Executor& owner,
                           ReplicaStore& store,
                           Hooks hooks)
    : options_(std::move(options)),
      owner_(owner),
      store_(store),
      hooks_(std::move(hooks)),
      path_(zk::BrokerIdPath(options_.self.id.value())),
      claim_path_(zk::RegentBrokerPath(options_.self.id.value())) {}

Registration::~Registration() {
  *alive_ = false;
}

void Registration::Start(zk::Client& client) {
  client_ = &client;
  WaitFor("ZooKeeper: no session yet");
  ComplainLater();
}

void Registration::Stop(std::function<void()> done) {
  const bool ours = registered_ && client_ != nullptr;
  stopped_ = true;
  attempt_ = attempt_.Next();
  if (!ours || session_ != zk::SessionState::kConnected) {
    owner_.Post(std::move(done));
    return;
  }
  client_->Delete({.path = path_, .expected = zk::AnyVersion{}},
                  [path = path_, done = std::move(done)](const zk::Outcome<std::monostate>& o) {
                    LOG(INFO) << "broker unregistered path=" << path << " outcome=\"" << o.ToText()
                              << '"';
                    done();
                  });
}

// --- Sessions ------------------------------------------------------------------------------------

void Registration::OnSession(const zk::SessionEvent& event) {
  if (stopped_) {
    return;
  }
  const zk::SessionState before = std::exchange(session_, event.state);
  if (event.state != before) {
    LOG(INFO) << "zookeeper session state=" << event.state << " generation=" << event.generation
              << " session=0x" << std::hex << event.session_id << std::dec;
  }
  switch (event.state) {
    case zk::SessionState::kConnected:
      negotiated_timeout_ = event.negotiated_timeout;
      if (event.generation != generation_) {
        generation_ = event.generation;
        registered_ = false;
        Begin();
      } else if (!registered_) {
        Begin();
      } else {
        WaitFor("");
      }
      return;
    case zk::SessionState::kExpired:
      attempt_ = attempt_.Next();
      if (std::exchange(registered_, false)) {
        hooks_.events(SessionLost{});
      }
      WaitFor("ZooKeeper: the session has expired, no new one yet");
      return;
    case zk::SessionState::kAuthFailed:
      WaitFor("ZooKeeper: the server refuses the credentials; correct --zookeeper-auth");
      return;
    case zk::SessionState::kDisconnected:
    case zk::SessionState::kLeaseEnded:
      if (registered_) {
        // The data plane goes on (R4).
        LOG_IF(INFO, event.state != before) << "zookeeper away; roles stay as they are";
      } else {
        WaitFor("ZooKeeper: no connection");
      }
      return;
  }
}

void Registration::OnWatch(const zk::WatchEvent& event) {
  if (stopped_ || event.generation != generation_) {
    return;
  }
  if (event.path == zk::ControllerPath()) {
    WatchController();
  } else if (event.path == path_ && registered_) {
    LookAfterOwnNode();
  }
}

void Registration::Begin() {
  attempt_ = attempt_.Next();
  holder_seen_.reset();
  WatchController();
  ReadClusterId();
}

template <class T>
zk::Callback<T> Registration::InAttempt(void (Registration::*step)(const zk::Outcome<T>&)) {
  return [this, alive = alive_, attempt = attempt_, step](const zk::Outcome<T>& outcome) {
    if (*alive && attempt == attempt_ && !stopped_) {
      (this->*step)(outcome);
    }
  };
}

void Registration::Retry(void (Registration::*step)()) {
  owner_.PostAt(owner_.Now() + options_.poll, [this, alive = alive_, attempt = attempt_, step]() {
    if (*alive && attempt == attempt_ && !stopped_) {
      (this->*step)();
    }
  });
}

void Registration::ComplainLater() {
  owner_.PostAt(owner_.Now() + options_.complaint_interval, [this, alive = alive_]() {
    if (*alive && !stopped_) {
      WaitFor(waiting_for_);
      ComplainLater();
    }
  });
}

void Registration::WaitFor(const std::string& what) {
  const bool changed = waiting_for_ != what;
  waiting_for_ = what;
  if (changed && hooks_.status) {
    hooks_.status(what);
  }
  if (what.empty()) {
    complained_.reset();
    return;
  }
  const Instant now = owner_.Now();
  if (changed || !complained_ || now - *complained_ >= options_.complaint_interval) {
    complained_ = now;
    LOG(WARNING) << "broker not registered id=" << options_.self.id << " waiting_for=\"" << what
                 << '"';
  }
}

void Registration::GiveUp(Error error) {
  if (std::exchange(gave_up_, true)) {
    return;
  }
  stopped_ = true;
  attempt_ = attempt_.Next();
  WaitFor(error.message);
  hooks_.give_up(std::move(error));
}

// --- The cluster ---------------------------------------------------------------------------------

void Registration::ReadClusterId() {
  client_->Get(zk::ClusterIdPath(), zk::Watch::kNone, InAttempt(&Registration::OnClusterId));
}

void Registration::OnClusterId(const zk::Outcome<zk::Node>& outcome) {
  if (outcome.Is(ErrorKind::kNoNode)) {
    const std::optional<std::string> bound = store_.cluster_id();
    WaitFor(bound ? "/cluster/id, which ZooKeeper does not have, although the data directory "
                    "belongs to cluster " +
                        *bound +
                        ": was ZooKeeper wiped, or is --zookeeper or --zk-root another cluster's? "
                        "Nothing is created and no replica is touched (R10)"
                  : "/cluster/id: the first controller to be elected makes it");
    Retry(&Registration::ReadClusterId);
    return;
  }
  if (!outcome.ok()) {
    WaitFor("ZooKeeper: " + outcome.ToText());
    Retry(&Registration::ReadClusterId);
    return;
  }
  const Result<std::string> id = wire::DecodeClusterId(outcome.value().data);
  if (!id.ok()) {
    WaitFor("a readable /cluster/id: " + id.error().message);
    Retry(&Registration::ReadClusterId);
    return;
  }
  // The answer may come on the disk's thread.
  store_.Bind(*id,
              [this, alive = alive_, attempt = attempt_, &owner = owner_, id = *id](Status bound) {
                owner.Post([this, alive, attempt, id, bound = std::move(bound)]() {
                  if (*alive && attempt == attempt_ && !stopped_) {
                    OnBound(bound, id);
                  }
                });
              });
}

void Registration::OnBound(const Status& bound, const std::string& cluster_id) {
  if (bound.ok()) {
    cluster_id_ = cluster_id;
    ReadClaim();
    return;
  }
  if (bound.error().code == ErrorCode::kRefused && broker_epoch_ == kNoBrokerEpoch) {
    GiveUp(bound.error());
    return;
  }
  // It has served this cluster in this life: going on unregistered loses nothing, leaving might.
  WaitFor("the right cluster: " + bound.error().message);
  Retry(&Registration::ReadClusterId);
}

// --- The claim -----------------------------------------------------------------------------------

void Registration::ReadClaim() {
  client_->Get(claim_path_, zk::Watch::kNone, InAttempt(&Registration::OnClaim));
}

void Registration::OnClaim(const zk::Outcome<zk::Node>& outcome) {
  if (!outcome.ok() && !outcome.Is(ErrorKind::kNoNode)) {
    WaitFor("ZooKeeper: " + outcome.ToText());
    Retry(&Registration::ReadClusterId);
    return;
  }
  claim_ = outcome.ok() ? std::optional(outcome.value()) : std::nullopt;
  Create();
}

void Registration::MakeClaims() {
  client_->Create({.path = zk::RegentBrokersPath(), .data = ""},
                  InAttempt(&Registration::OnClaimsMade));
}

void Registration::OnClaimsMade(const zk::Outcome<zk::OpResult>& outcome) {
  if (outcome.ok() || outcome.Is(ErrorKind::kNodeExists)) {
    ReadClaim();
    return;
  }
  WaitFor(outcome.Is(ErrorKind::kNoNode) ? zk::RegentPath() + ": a controller makes it"
                                         : "ZooKeeper: " + outcome.ToText());
  Retry(&Registration::ReadClusterId);
}

bool Registration::IsOurs(const zk::Node& claim) const {
  const Result<std::string> directory = wire::DecodeUsedDirectory(claim.data);
  return directory.ok() && *directory == store_.directory_id();
}

// --- The broker's znode --------------------------------------------------------------------------

void Registration::Create() {
  BrokerRegistration self = options_.self;
  self.timestamp_ms = options_.wall_clock_ms ? options_.wall_clock_ms() : 0;
  std::vector<zk::Op> ops;
  ops.emplace_back(zk::CreateOp{.path = path_,
                                .data = wire::EncodeBrokerRegistration(self),
                                .mode = zk::CreateMode::kEphemeral});
  const std::string ours = wire::EncodeUsedDirectory(store_.directory_id());
  if (!claim_) {
    ops.emplace_back(zk::CreateOp{.path = claim_path_, .data = ours});
  } else if (IsOurs(*claim_)) {
    ops.emplace_back(zk::CheckOp{.path = claim_path_, .version = claim_->stat.version});
  } else {
    ops.emplace_back(zk::SetOp{
        .path = claim_path_, .data = ours, .expected = zk::AtVersion{claim_->stat.version}});
  }
  client_->Multi(std::move(ops), InAttempt(&Registration::OnCreated));
}

void Registration::OnCreated(const zk::Outcome<std::vector<zk::OpResult>>& outcome) {
  if (outcome.ok() || outcome.unknown()) {
    ReadHolder();  // It is or may be there, and may be ours (R3).
    return;
  }
  const bool of_claim = outcome.error().failed_op == 1;
  if (outcome.Is(ErrorKind::kNodeExists) && !of_claim) {
    ReadHolder();
  } else if (outcome.Is(ErrorKind::kNoNode) && of_claim && !claim_) {
    MakeClaims();
  } else if (outcome.Is(ErrorKind::kNoNode) && !of_claim) {
    WaitFor(zk::BrokerIdsPath() + ": a controller makes it");
    Retry(&Registration::ReadClusterId);
  } else {  // Among others: somebody has claimed the id since, or has removed the claim.
    WaitFor("ZooKeeper: " + outcome.ToText());
    Retry(&Registration::ReadClusterId);
  }
}

void Registration::ReadHolder() {
  client_->Get(path_, zk::Watch::kNone, InAttempt(&Registration::OnHolder));
}

void Registration::OnHolder(const zk::Outcome<zk::Node>& outcome) {
  if (outcome.ok()) {
    const zk::Node& node = outcome.value();
    const Result<BrokerRegistration> found =
        wire::DecodeBrokerRegistration(options_.self.id, node.data);
    const bool own_session = node.stat.ephemeral_owner == client_->session_id();
    if (own_session && found.ok() && found->life == options_.self.life) {
      ReadSince(BrokerEpoch(node.stat.czxid));
    } else {
      WaitForHolder(node);
    }
  } else if (outcome.Is(ErrorKind::kNoNode)) {
    ReadClaim();
  } else {
    WaitFor("ZooKeeper: " + outcome.ToText());
    Retry(&Registration::ReadHolder);
  }
}

void Registration::WaitForHolder(const zk::Node& holder) {
  const Result<BrokerRegistration> found =
      wire::DecodeBrokerRegistration(options_.self.id, holder.data);
  const bool own_life = found.ok() && found->life == options_.self.life;
  const Instant now = owner_.Now();
  if (!holder_seen_) {
    holder_seen_ = now;
  }
  std::string who = path_ + ", held by ";
  if (own_life) {
    who += "an earlier session of this process, which has to expire";
  } else if (found.ok()) {
    who += "broker " + std::to_string(options_.self.id.value()) + " at " +
           found->EndpointOf(kRegentListener).ToText() + " (client listener " +
           found->EndpointOf(kClientListener).ToText() + ", life " + found->life.ToText() + ")";
  } else {
    who += "somebody whose registration cannot be read (" + found.error().message + ")";
  }
  const Duration patience = negotiated_timeout_ + options_.tick;
  if (!own_life && now - *holder_seen_ >= patience) {
    GiveUp({ErrorCode::kAlreadyExists,
            who + ", still after " + std::to_string(patience.count() / 1000) +
                " ms: a broker's id is one process's; stop that one, or start this one with "
                "another --id"});
    return;
  }
  WaitFor(who);
  Retry(&Registration::ReadHolder);
}

void Registration::ReadSince(BrokerEpoch epoch) {
  client_->Get(
      claim_path_, zk::Watch::kNone,
      [this, alive = alive_, attempt = attempt_, epoch](const zk::Outcome<zk::Node>& claim) {
        if (!*alive || attempt != attempt_ || stopped_) {
          return;
        }
        if (!claim.ok() && !claim.Is(ErrorKind::kNoNode)) {
          WaitFor("ZooKeeper: " + claim.ToText());
          Retry(&Registration::ReadHolder);
          return;
        }
        // Somebody has laid hands on it: at least this registration is with this directory.
        const bool ours = claim.ok() && IsOurs(claim.value());
        directories_since_ = Zxid(ours ? claim.value().stat.mzxid : epoch.value());
        ReadControllerEpoch(epoch);
      });
}

void Registration::ReadControllerEpoch(BrokerEpoch epoch) {
  client_->Get(
      zk::ControllerEpochPath(), zk::Watch::kNone,
      [this, alive = alive_, attempt = attempt_, epoch](const zk::Outcome<zk::Node>& outcome) {
        if (*alive && attempt == attempt_ && !stopped_) {
          BecomeRegistered(epoch, outcome);
        }
      });
}

void Registration::BecomeRegistered(BrokerEpoch epoch,
                                    const zk::Outcome<zk::Node>& controller_epoch) {
  if (!controller_epoch.ok() && !controller_epoch.Is(ErrorKind::kNoNode)) {
    WaitFor("ZooKeeper: " + controller_epoch.ToText());
    Retry(&Registration::ReadHolder);
    return;
  }
  // One that cannot be read is complained of by who looks for the controller.
  const Result<ControllerEpoch> latest =
      controller_epoch.ok() ? wire::DecodeControllerEpoch(controller_epoch.value().data)
                            : Result<ControllerEpoch>(ControllerEpoch(0));
  broker_epoch_ = epoch;
  registered_ = true;
  holder_seen_.reset();
  LOG(INFO) << "broker registered id=" << options_.self.id << " broker_epoch=" << epoch
            << " cluster_id=" << cluster_id_ << " life=" << options_.self.life;
  WaitFor("");
  hooks_.events(Registered{.broker_epoch = epoch,
                           .cluster_id = cluster_id_,
                           .directories_since = directories_since_,
                           .controller_epoch = latest.ok() ? *latest : ControllerEpoch(0)});
  LookAfterOwnNode();
}

void Registration::LookAfterOwnNode() {
  client_->Exists(
      path_, zk::Watch::kArm,
      [this, alive = alive_, attempt = attempt_](const zk::Outcome<std::optional<zk::Stat>>& o) {
        if (!*alive || attempt != attempt_ || stopped_ || !registered_) {
          return;
        }
        if (!o.ok()) {
          Retry(&Registration::LookAfterOwnNode);
          return;
        }
        if (!o.value() || o.value()->czxid != broker_epoch_.value()) {
          LOG(WARNING) << "broker's znode was deleted by somebody else path=" << path_;
          registered_ = false;
          hooks_.events(SessionLost{});
          ReadClusterId();
        }
      });
}

// --- The controller ------------------------------------------------------------------------------

void Registration::WatchController() {
  ++controller_looks_;
  client_->Get(zk::ControllerPath(), zk::Watch::kArm, InAttempt(&Registration::OnController));
}

void Registration::OnController(const zk::Outcome<zk::Node>& outcome) {
  std::optional<zk::Node> controller;
  if (outcome.ok()) {
    controller = outcome.value();
  } else if (outcome.Is(ErrorKind::kNoNode)) {
    // A get leaves no watch on a node that is not there.
    client_->Exists(
        zk::ControllerPath(), zk::Watch::kArm,
        [this, alive = alive_,
         attempt = attempt_](const zk::Outcome<std::optional<zk::Stat>>& exists) {
          if (*alive && attempt == attempt_ && !stopped_ && (!exists.ok() || exists.value())) {
            Retry(&Registration::WatchController);
          }
        });
  } else {
    Retry(&Registration::WatchController);
    return;
  }
  client_->Get(
      zk::ControllerEpochPath(), zk::Watch::kNone,
      [this, alive = alive_, attempt = attempt_, controller](const zk::Outcome<zk::Node>& epoch) {
        if (*alive && attempt == attempt_ && !stopped_) {
          OnControllerEpoch(controller, epoch);
        }
      });
}

void Registration::OnControllerEpoch(const std::optional<zk::Node>& controller,
                                     const zk::Outcome<zk::Node>& outcome) {
  if (!outcome.ok()) {
    if (outcome.unknown()) {
      Retry(&Registration::WatchController);
    }
    return;  // No controller has ever been elected: the watch on /controller tells.
  }
  const Result<ControllerEpoch> epoch = wire::DecodeControllerEpoch(outcome.value().data);
  if (!epoch.ok()) {
    ControllerNotReadable("controller epoch", epoch.error());
    return;
  }
  if (!controller) {
    TellOfController({.id = kNoBroker, .epoch = *epoch, .endpoint = {}});
    return;
  }
  // One multi makes /controller and raises the epoch: unless both carry its zxid they are of two
  // different elections.
  if (controller->stat.czxid != outcome.value().stat.mzxid) {
    LookAtControllerLater();
    return;
  }
  const Result<ControllerRegistration> holder =
      wire::DecodeControllerRegistration(controller->data);
  if (!holder.ok()) {
    ControllerNotReadable("controller", holder.error());
    return;
  }
  TellOfController({.id = holder->id, .epoch = *epoch, .endpoint = holder->endpoint});
}

void Registration::TellOfController(ControllerSeen seen) {
  controller_failures_ = 0;
  controller_problem_.clear();
  hooks_.events(std::move(seen));
}

void Registration::ControllerNotReadable(const char* what, const Error& error) {
  if (controller_problem_ != error.message) {
    controller_problem_ = error.message;
    LOG(WARNING) << what << " not readable error=\"" << error << '"';
  }
  LookAtControllerLater();
}

/// Whoever mends the epoch need not touch /controller, whose watch would tell.
void Registration::LookAtControllerLater() {
  owner_.PostAt(owner_.Now() + options_.controller_retry.After(++controller_failures_),
                [this, alive = alive_, attempt = attempt_, look = controller_looks_]() {
                  if (*alive && attempt == attempt_ && !stopped_ && look == controller_looks_) {
                    WatchController();
                  }
                });
}

}  // namespace regent
