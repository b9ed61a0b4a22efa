#pragma once

#include <optional>
#include <string>
#include <vector>

#include "broker-agent/core/agent_options.h"
#include "broker-agent/core/replica.h"
#include "common/model/control.h"

namespace regent {

/// What one partition of a LeaderAndIsr needs (R4, R5, R10).
struct RoleVerdict {
  enum class Work {
    kNone,      ///< The answer stands.
    kMemory,    ///< Nothing to write: the disk has these epochs already.
    kRecord,    ///< Journal, then take the role.
    kCreate,    ///< Make the log, then as kRecord.
    kTakeBack,  ///< Fetch the stray back, then as kRecord.
  };
  Work work = Work::kNone;
  PartitionAnswer answer = PartitionAnswer::kApplied;
  std::string reason;

  friend bool operator==(const RoleVerdict&, const RoleVerdict&) = default;
};

/// What the verdict is reached on.
struct RoleQuestion {
  BrokerId self = kNoBroker;
  const LeaderAndIsrTopic& topic;
  const LeaderAndIsrPartition& partition;
  const Replica* replica = nullptr;       ///< Hosted under this topic id, or null.
  const Replica* stray = nullptr;         ///< Set aside under this topic id, or null.
  std::optional<TopicId> name_holder;     ///< Whose directory bears this name.
  std::optional<Zxid> directories_since;  ///< As in Registered.
};

RoleVerdict JudgeRole(const RoleQuestion& question);

/// Whether `held` may still have lost its tail once it has the state (R11): no longer if that takes
/// it into the ISR anew, or has it lead after an election that accepts the loss.
bool StaysSuspect(const Replica& held, const LeaderAndIsrPartition& state, BrokerId self);

/// Whether a topic's name may become a directory's: Kafka's rule.
bool LegalTopicName(const std::string& name);

}  // namespace regent
