#include "broker-agent/core/deal.h"

#include <algorithm>
#include <utility>

namespace regent {
namespace {

/// Makes one empty request of the same head for each shard.
template <class Request>
std::vector<std::shared_ptr<Request>> Heads(const Request& request, int32_t shards) {
  std::vector<std::shared_ptr<Request>> dealt;
  dealt.reserve(static_cast<size_t>(shards));
  for (int32_t shard = 0; shard < shards; ++shard) {
    dealt.push_back(std::make_shared<Request>());
    dealt.back()->header = request.header;
  }
  return dealt;
}

template <class Request>
std::vector<std::shared_ptr<const Request>> Finished(std::vector<std::shared_ptr<Request>> dealt) {
  return {std::make_move_iterator(dealt.begin()), std::make_move_iterator(dealt.end())};
}

size_t At(const PartitionKey& partition, int32_t shards) {
  return static_cast<size_t>(ShardOf(partition, shards));
}

/// A part of an amount, but not less than `least`.
template <class Amount>
Amount Part(Amount amount, int32_t parts, Amount least) {
  return std::max(amount / static_cast<Amount>(parts), std::min(amount, least));
}

}  // namespace

std::vector<std::shared_ptr<const LeaderAndIsrRequest>> Deal(
    const std::shared_ptr<const LeaderAndIsrRequest>& request, int32_t shards) {
  if (shards == 1) {
    return {request};
  }
  auto dealt = Heads(*request, shards);
  for (const auto& part : dealt) {
    part->full = request->full;
    part->leaders = request->leaders;
  }
  for (const LeaderAndIsrTopic& topic : request->topics) {
    for (const auto& part : dealt) {
      part->topics.push_back({.topic = topic.topic, .config = topic.config, .partitions = {}});
    }
    for (const LeaderAndIsrPartition& partition : topic.partitions) {
      const size_t shard = At({.topic = topic.topic->id, .index = partition.index}, shards);
      dealt[shard]->topics.back().partitions.push_back(partition);
    }
  }
  dealt.front()->whole = request;
  return Finished(std::move(dealt));
}

std::vector<std::shared_ptr<const StopReplicaRequest>> Deal(
    const std::shared_ptr<const StopReplicaRequest>& request, int32_t shards) {
  if (shards == 1) {
    return {request};
  }
  auto dealt = Heads(*request, shards);
  for (const StopReplicaPartition& each : request->partitions) {
    dealt[At(KeyOf(each.partition), shards)]->partitions.push_back(each);
  }
  return Finished(std::move(dealt));
}

std::vector<UpdateMetadataRequest> Deal(const UpdateMetadataRequest& request, int32_t shards) {
  std::vector<UpdateMetadataRequest> dealt{request};
  if (shards == 1) {
    return dealt;
  }
  UpdateMetadataRequest rest{.header = request.header, .update = nullptr};
  if (request.update != nullptr) {
    rest.update = std::make_shared<const MetadataUpdate>(MetadataUpdate{
        .full = request.update->full, .topics = {}, .brokers = request.update->brokers});
  }
  dealt.resize(static_cast<size_t>(shards), rest);
  return dealt;
}

ControlResponse Join(std::vector<ControlResponse> responses) {
  ControlResponse joined = std::move(responses.front());
  for (size_t i = 1; i < responses.size(); ++i) {
    ControlResponse& each = responses[i];
    if (joined.answer == ControlAnswer::kDone) {
      joined.answer = each.answer;
    }
    joined.highest_controller_epoch =
        std::max(joined.highest_controller_epoch, each.highest_controller_epoch);
    // The one that has heard of fewer registrations makes the controller ask again.
    joined.broker_epoch = std::min(joined.broker_epoch, each.broker_epoch);
    joined.settled_omitted = joined.settled_omitted && each.settled_omitted;
    std::ranges::move(each.partitions, std::back_inserter(joined.partitions));
  }
  return joined;
}

std::vector<AgentState> Deal(AgentState state, int32_t shards) {
  std::vector<AgentState> dealt(static_cast<size_t>(shards));
  for (RecoveredReplica& replica : state.replicas) {
    dealt[At(KeyOf(replica.partition), shards)].replicas.push_back(std::move(replica));
  }
  return dealt;
}

std::vector<FollowerMessage> Deal(const FollowerMessage& message, int32_t shards) {
  std::vector<FollowerMessage> dealt(static_cast<size_t>(shards));
  for (FollowerMessage& part : dealt) {
    part.hello = message.hello;
  }
  for (const Subscribe& subscribe : message.subscribe) {
    dealt[At(subscribe.partition, shards)].subscribe.push_back(subscribe);
  }
  for (const Unsubscribe& unsubscribe : message.unsubscribe) {
    dealt[At(unsubscribe.partition, shards)].unsubscribe.push_back(unsubscribe);
  }
  for (const Ack& ack : message.acks) {
    dealt[At(ack.partition, shards)].acks.push_back(ack);
  }
  return dealt;
}

AgentOptions OptionsOf(AgentOptions broker, Shard shard) {
  AgentOptions options = std::move(broker);
  const int32_t n = shard.count;
  options.shard = shard;
  options.credit_window_bytes = Part(options.credit_window_bytes, n, options.read_bytes_max);
  options.catch_up_bytes_per_second = options.catch_up_bytes_per_second == 0
                                          ? 0
                                          : Part<int64_t>(options.catch_up_bytes_per_second, n, 1);
  options.recent_batches.total_bytes = Part<int64_t>(options.recent_batches.total_bytes, n, 1);
  options.parked_subscriptions_max = Part<size_t>(options.parked_subscriptions_max, n, 1);
  options.appends_waiting_max = Part<size_t>(options.appends_waiting_max, n, 1);
  options.append_bytes_max = Part<int64_t>(options.append_bytes_max, n, 1);
  return options;
}

AgentCounters Sum(const std::vector<AgentCounters>& shards) {
  AgentCounters sum;
  for (const AgentCounters& each : shards) {
    sum.leaders += each.leaders;
    sum.followers += each.followers;
    sum.offline += each.offline;
    sum.suspects += each.suspects;
    sum.strays += each.strays;
    sum.pending_isr_changes += each.pending_isr_changes;
    sum.parked_subscriptions += each.parked_subscriptions;
    sum.under_replicated += each.under_replicated;
    sum.under_min_isr += each.under_min_isr;
    sum.refused_controller_epochs += each.refused_controller_epochs;
    sum.refused_broker_epochs += each.refused_broker_epochs;
    sum.refused_cluster += each.refused_cluster;
    sum.superseded += each.superseded;
    sum.malformed += each.malformed;
    sum.isr_shrinks += each.isr_shrinks;
    sum.isr_expands += each.isr_expands;
    sum.alter_partition_retries += each.alter_partition_retries;
    sum.truncations += each.truncations;
    sum.truncations_below_high_watermark += each.truncations_below_high_watermark;
    sum.stale_answers += each.stale_answers;
    sum.refused_subscriptions += each.refused_subscriptions;
    sum.catch_up_bytes += each.catch_up_bytes;
    sum.stepped_down += each.stepped_down;
    sum.stale_metadata += each.stale_metadata;
  }
  return sum;
}

DealtFetch Deal(const FetchRequested& ask, int32_t shards) {
  std::vector<DealtFetch::Part> all(static_cast<size_t>(shards));
  for (size_t place = 0; place < ask.partitions.size(); ++place) {
    const FetchRequested::Partition& each = ask.partitions[place];
    DealtFetch::Part& part = all[At(each.partition, shards)];
    part.ask.partitions.push_back(each);
    part.places.push_back(place);
  }
  DealtFetch dealt;
  for (size_t shard = 0; shard < all.size(); ++shard) {
    if (!all[shard].places.empty() || (ask.partitions.empty() && shard == 0)) {
      all[shard].shard = static_cast<int32_t>(shard);
      dealt.parts.push_back(std::move(all[shard]));
    }
  }
  const auto parts = static_cast<int64_t>(dealt.parts.size());
  for (DealtFetch::Part& part : dealt.parts) {
    part.ask.min_bytes = (ask.min_bytes + parts - 1) / parts;
    part.ask.max_bytes =
        std::max<int64_t>(ask.max_bytes / parts, std::min<int64_t>(ask.max_bytes, 1));
    part.ask.deadline = ask.deadline;
  }
  return dealt;
}

}  // namespace regent
