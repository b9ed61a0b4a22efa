#include <utility>

#include <glog/logging.h>

#include "broker-agent/core/role_changes.h"

// The last step of RoleChanges: what the disk has acknowledged becomes memory.

namespace regent {

void RoleChanges::CloseRole(Replica& replica) {
  switch (replica.role) {
    case Role::kLeader: leaders_.Resign(replica); break;
    case Role::kFollower: followers_.Unfollow(replica); break;
    case Role::kLeaderless:
      replica.role = Role::kNone;
      replica.leader = kNoBroker;
      break;
    case Role::kNone:
    case Role::kOffline: break;
  }
}

void RoleChanges::Publish(const Planned& planned) {
  const PartitionKey key = KeyOf(planned.change.partition);
  Replica* replica = replicas_.Find(key);
  switch (planned.change.kind) {
    case LogChange::Kind::kDelete:
      if (replica != nullptr) {
        CloseRole(*replica);
        replicas_.Remove(key);
      }
      replicas_.RemoveStray(key);
      leaders_.Wake(key);
      return;
    case LogChange::Kind::kSetAside:
      CHECK(replica != nullptr) << key << " was set aside twice";
      replica->frozen = false;
      CloseRole(*replica);
      replica->syncing.reset();  // Closed, its log is durable; nobody will say so.
      replicas_.SetAside(key);
      return;
    case LogChange::Kind::kTakeBack: replica = &replicas_.TakeBack(key); break;
    case LogChange::Kind::kCreate:
      if (replica == nullptr) {
        Replica fresh;
        fresh.partition = planned.change.partition;
        fresh.log.emplace();
        replica = &replicas_.Add(std::move(fresh));
      } else {
        replica->log.emplace();
        replica->synced = Offset(0);
        replica->syncing.reset();
        replicas_.HoldName(*replica);
      }
      break;
    case LogChange::Kind::kRecord: break;
  }
  CHECK(replica != nullptr) << key << " vanished while its change was written";
  PublishRole(*replica, *planned.topic, *planned.partition);
}

void RoleChanges::PublishRole(Replica& replica,
                              const LeaderAndIsrTopic& topic,
                              const LeaderAndIsrPartition& p) {
  replica.frozen = false;
  replica.named = full_.stamp();
  if (replica.failure) {
    Answer(replica.key(), PartitionAnswer::kStorageError, replica.failure->message);
    return;
  }
  if (std::pair(p.leader_epoch, p.partition_epoch) <
      std::pair(replica.leader_epoch, replica.partition_epoch)) {
    Answer(replica.key(), PartitionAnswer::kAhead, "");  // An AlterPartition was faster.
    return;
  }
  const bool goes_on = !ChangesRole(replica, p);
  if (goes_on && p.partition_epoch == replica.partition_epoch) {
    // An AlterPartition was as fast, and another may be on its way since: it stays (R5, S36).
    TakeIsr(replica, p);
    TakeUnderEqualEpochs(replica, topic, p);
    leaders_.Wake(replica.key());
    return;
  }
  if (!goes_on) {
    CloseRole(replica);
  }
  replica.leader_epoch = p.leader_epoch;
  replica.partition_epoch = p.partition_epoch;
  replica.replicas = p.replicas;
  TakeIsr(replica, p);
  TakeConfig(replica, topic);
  if (p.leader == context_.self()) {
    replica.confirmed_at = sender_.number();
    if (goes_on) {
      leaders_.TakeState(replica);
    } else {
      replica.log->epochs.Assign(p.leader_epoch, replica.log->end);
      leaders_.TakeLead(replica);
    }
  } else if (!goes_on && p.leader == kNoBroker) {
    replica.role = Role::kLeaderless;
    replica.leader = kNoBroker;
  } else if (!goes_on) {
    followers_.Follow(replica, p.leader);
  }
  leaders_.Wake(replica.key());
  TellOfDoubt(replica, p, PartitionAnswer::kApplied);
}

/// The controller hears of a suspect with every state that is taken: it counts on the others then.
/// Whom it takes for one says where its log ends, so that the longest can be told (R11).
void RoleChanges::TellOfDoubt(const Replica& replica,
                              const LeaderAndIsrPartition& p,
                              PartitionAnswer answer) {
  if (replica.suspect || Contains(p.last_known_elr, context_.self())) {
    Answer(replica.key(), answer, "");
  }
}

void RoleChanges::TakeUnderEqualEpochs(Replica& replica,
                                       const LeaderAndIsrTopic& topic,
                                       const LeaderAndIsrPartition& p) {
  if (ChangesRole(replica, p)) {
    // This life holds no role yet; the disk has had these epochs from an earlier one.
    PublishRole(replica, topic, p);
    return;
  }
  replica.replicas = p.replicas;
  TakeConfig(replica, topic);
  if (replica.leads()) {
    replica.confirmed_at = sender_.number();
    leaders_.TakeMembership(replica);
  }
  TellOfDoubt(replica, p, PartitionAnswer::kAlready);
}

/// A controller may have another default for what the topic does not say; it reckons with its own
/// (R11).
void RoleChanges::TakeDefault(Replica& replica, const TopicConfig& config) {
  if (config.version == replica.config->version &&
      config.min_insync_replicas != replica.config->min_insync_replicas) {
    TopicConfig changed = *replica.config;
    changed.min_insync_replicas = config.min_insync_replicas;
    replica.config = std::make_shared<const TopicConfig>(std::move(changed));
  }
}

void RoleChanges::TakeConfig(Replica& replica, const LeaderAndIsrTopic& topic) {
  if (replica.config != nullptr && topic.config.version <= replica.config->version) {
    TakeDefault(replica, topic.config);
    return;
  }
  Config& shared = current_->configs[&topic];
  if (shared.given == nullptr) {
    shared.given = std::make_shared<const TopicConfig>(topic.config);
    shared.settings = std::make_shared<const TopicSettings>(
        SettingsOf(topic.config.overrides, context_.options.topic_defaults));
  }
  replica.config = shared.given;
  if (replica.settings == nullptr || *replica.settings != *shared.settings) {
    replica.settings = shared.settings;
    current_->configured.items.push_back(
        {.partition = replica.partition, .settings = shared.settings});
  }
  if (replica.log && replica.log->start < replica.log->end) {
    context_.WatchRetention();
  }
}

/// Before anything that the replicas concerned may ask of their logs in their new roles.
void RoleChanges::ConfigureLogsNow() {
  if (!current_->configured.items.empty()) {
    context_.Do(std::exchange(current_->configured, {}));
  }
}

void RoleChanges::TakeIsr(Replica& replica, const LeaderAndIsrPartition& p) {
  const bool stays = StaysSuspect(replica, p, context_.self());
  LOG_IF(INFO, replica.suspect != stays)
      << "suspect no longer partition=" << replica.partition << " leader_epoch=" << p.leader_epoch;
  replica.suspect = stays;
  replica.isr = p.isr;
  replica.left_isr = !Contains(p.isr, context_.self());
}

}  // namespace regent
