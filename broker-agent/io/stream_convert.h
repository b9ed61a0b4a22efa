#pragma once

#include <vector>

#include "regent/v1/replication.pb.h"

#include "broker-agent/core/stream.h"
#include "broker-agent/kafka/pieces.h"
#include "common/base/result.h"

// The messages of a replication stream <-> protobuf. FromProto believes nothing: what breaks a rule
// is kInvalidArgument with the field's name.

namespace regent {

v1::FollowerMessage ToProto(const FollowerMessage& message);
/// The bytes of v1::LeaderMessage, with records where they lie instead of copies of them. A message
/// of more than a few MiB is sent in several.
std::vector<kafka::Pieces> Encode(const LeaderMessage& message);

Result<FollowerMessage> FromProto(const v1::FollowerMessage& message);
/// The records that it returns keep the message's bytes; none of them is copied.
Result<LeaderMessage> FromProto(v1::LeaderMessage message);

}  // namespace regent
