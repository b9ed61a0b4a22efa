#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "broker-agent/core/agent_options.h"
#include "broker-agent/core/agent_status.h"
#include "broker-agent/core/events.h"
#include "common/model/control.h"

// What comes for a broker, dealt out to its shards, and what they answer, joined. With one shard
// everything is that shard's, as it came.

namespace regent {

/// Deals a controller's request out, one for each shard: each hears of every request, so that each
/// knows the highest controller epoch (R2) and every part of a full state (R9), and finds its own
/// partitions in it.
std::vector<std::shared_ptr<const LeaderAndIsrRequest>> Deal(
    const std::shared_ptr<const LeaderAndIsrRequest>& request, int32_t shards);
std::vector<std::shared_ptr<const StopReplicaRequest>> Deal(
    const std::shared_ptr<const StopReplicaRequest>& request, int32_t shards);
/// The first shard keeps the topics' metadata for the broker's clients; the others hear only where
/// brokers are.
std::vector<UpdateMetadataRequest> Deal(const UpdateMetadataRequest& request, int32_t shards);
/// Joins what the shards answered to one request: it is done when all have done it, and otherwise
/// what the first of them says that has not.
ControlResponse Join(std::vector<ControlResponse> responses);

/// Deals out what a disk remembers.
std::vector<AgentState> Deal(AgentState state, int32_t shards);

/// Deals out what a follower says, but for its credit; nothing for a shard that it does not
/// concern. All hear its hello.
std::vector<FollowerMessage> Deal(const FollowerMessage& message, int32_t shards);

/// Gives a shard its part of what the whole broker may use.
AgentOptions OptionsOf(AgentOptions broker, Shard shard);

/// Adds up the figures of shards.
AgentCounters Sum(const std::vector<AgentCounters>& shards);

/// A fetch that concerns several shards: what each is asked, and where its answers go.
struct DealtFetch {
  struct Part {
    int32_t shard = 0;
    FetchRequested ask;
    std::vector<size_t> places;  ///< In the question as it came, of each partition asked for.
  };
  std::vector<Part> parts;  ///< At least one; of shards that are asked for something, if any is.
};
/// Each part may bring its share of the bytes, and is content with its share of `min_bytes`: one of
/// them has that much as soon as all together have enough.
DealtFetch Deal(const FetchRequested& ask, int32_t shards);

}  // namespace regent
