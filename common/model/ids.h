#pragma once

#include <cstdint>
#include <limits>

#include "common/base/strong_id.h"
#include "common/base/uuid.h"

namespace regent {

/// A broker or a controller: both share one space of ids (architecture §7). −1 is "none".
using BrokerId = StrongId<struct BrokerIdTag, int32_t>;
inline constexpr BrokerId kNoBroker{-1};

// The five epochs of architecture §4. They are never mixed, so each is its own type.

/// Value of /controller_epoch. Raised by the winner of an election.
using ControllerEpoch = StrongId<struct ControllerEpochTag, int32_t>;
/// The highest that is ever written or read. One below the number's end: it can be followed without
/// an overflow, by one that is refused.
inline constexpr ControllerEpoch kControllerEpochMax{std::numeric_limits<int32_t>::max() - 1};
/// Version of the znode /controller_epoch: what every controller write checks first (R2).
using ControllerEpochVersion = StrongId<struct ControllerEpochVersionTag, int32_t>;
/// czxid of /brokers/ids/<id>. Raised by each registration.
using BrokerEpoch = StrongId<struct BrokerEpochTag, int64_t>;
inline constexpr BrokerEpoch kNoBrokerEpoch{-1};
/// Raised by the controller with every change of a partition's leader.
using LeaderEpoch = StrongId<struct LeaderEpochTag, int32_t>;
inline constexpr LeaderEpoch kNoLeaderEpoch{-1};
/// As kControllerEpochMax.
inline constexpr LeaderEpoch kLeaderEpochMax{std::numeric_limits<int32_t>::max() - 1};
/// Version of a partition's state znode. Raised by each write of it.
using PartitionEpoch = StrongId<struct PartitionEpochTag, int32_t>;
inline constexpr PartitionEpoch kNoPartitionEpoch{-1};

/// Orders what one term sends (R5): rises with every change of the term's memory.
using Revision = StrongId<struct RevisionTag, uint64_t>;
/// A ZooKeeper transaction id.
using Zxid = StrongId<struct ZxidTag, int64_t>;
/// A position in a partition's log.
using Offset = StrongId<struct OffsetTag, int64_t>;
/// mzxid of /config/topics/<t>; 0 while the topic has no config node.
using ConfigVersion = StrongId<struct ConfigVersionTag, int64_t>;

/// What tells a topic from a later one of the same name.
using TopicId = Uuid;
/// One run of a process: drawn at its start, kept until it ends (R4).
using LifeId = Uuid;

}  // namespace regent
