#pragma once

#include <vector>

#include "broker-agent/core/slice.h"
#include "broker-agent/core/stream.h"
#include "broker-agent/kafka/pieces.h"
#include "common/base/result.h"

// The messages of a replication stream <-> the frames that carry them, each with its length in
// front:
//
//   of a follower   length (4) │ v1::FollowerMessage
//   of a leader     length (4) │ length of the head (4) │ v1::LeaderMessage │ records
//
// Lengths have the most significant byte first. The records are those of all batches of the head,
// in its order, as they lie in the log.

namespace regent {

kafka::Pieces Encode(const FollowerMessage& message);
struct LeaderFrames {
  std::vector<kafka::Pieces> hurried;
  std::vector<kafka::Pieces> unhurried;  ///< Batches::unhurried; the others may overtake them.
};
/// With records where they lie instead of copies of them. A message of much more than 256 KiB goes
/// in several frames.
LeaderFrames Encode(const LeaderMessage& message);

// Of a frame without its length. They believe nothing: what breaks a rule is kInvalidArgument with
// the field's name.

Result<FollowerMessage> DecodeFollowerMessage(const Slice& frame);
/// The records that it returns keep the frame's bytes; none of them is copied.
Result<LeaderMessage> DecodeLeaderMessage(const Slice& frame);

}  // namespace regent
