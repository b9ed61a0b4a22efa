#pragma once

#include <vector>

#include "regent/v1/replication.pb.h"

#include "broker-agent/core/stream.h"
#include "common/base/result.h"

// The messages of a replication stream <-> protobuf. FromProto believes nothing: what breaks a rule
// is kInvalidArgument with the field's name.

namespace regent {

v1::FollowerMessage ToProto(const FollowerMessage& message);
/// A message of more than a few MiB is sent in several.
std::vector<v1::LeaderMessage> ToProto(const LeaderMessage& message);

Result<FollowerMessage> FromProto(const v1::FollowerMessage& message);
Result<LeaderMessage> FromProto(const v1::LeaderMessage& message);

}  // namespace regent
