#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "common/runtime/loop.h"
#include "controller/io/agent_transport.h"

namespace regent::controller {

/// Agents that obey everything at once, unless they are silent; it keeps what they were told.
class FakeTransport final : public AgentTransport {
 public:
  explicit FakeTransport(Executor& executor) : executor_(executor) {}

  void Open(BrokerId broker, const Endpoint& endpoint) override { open[broker] = endpoint; }
  void Close(BrokerId broker) override { open.erase(broker); }
  void CloseAll() override { open.clear(); }
  void LeaderAndIsr(BrokerId broker,
                    std::shared_ptr<const LeaderAndIsrRequest> request,
                    Done done) override {
    leader_and_isr.emplace_back(broker, std::move(request));
    Answer(broker, std::move(done));
  }
  void StopReplica(BrokerId broker, std::shared_ptr<const StopReplicaRequest>, Done done) override {
    Answer(broker, std::move(done));
  }
  void UpdateMetadata(BrokerId broker,
                      std::shared_ptr<const UpdateMetadataRequest> request,
                      Done done) override {
    update_metadata.emplace_back(broker, std::move(request));
    Answer(broker, std::move(done));
  }

  /// What `broker` was told last about a partition.
  const LeaderAndIsrPartition* Told(BrokerId broker, const std::string& topic, int32_t index) {
    for (auto sent = leader_and_isr.rbegin(); sent != leader_and_isr.rend(); ++sent) {
      if (sent->first != broker) {
        continue;
      }
      const auto& topics = sent->second->topics;
      const auto about = std::ranges::find_if(
          topics, [&](const LeaderAndIsrTopic& each) { return each.topic->name == topic; });
      if (about == topics.end()) {
        continue;
      }
      const auto found = std::ranges::find(about->partitions, index, &LeaderAndIsrPartition::index);
      if (found != about->partitions.end()) {
        return &*found;
      }
    }
    return nullptr;
  }

  std::map<BrokerId, Endpoint> open;
  std::vector<std::pair<BrokerId, std::shared_ptr<const LeaderAndIsrRequest>>> leader_and_isr;
  std::vector<std::pair<BrokerId, std::shared_ptr<const UpdateMetadataRequest>>> update_metadata;
  std::set<BrokerId> silent;

 private:
  void Answer(BrokerId broker, Done done) {
    executor_.Post([this, broker, done = std::move(done)] {
      if (silent.contains(broker) || !open.contains(broker)) {
        done(Error{ErrorCode::kUnknownOutcome, "no answer"});
      } else {
        done(ControlResponse{});
      }
    });
  }

  Executor& executor_;
};

}  // namespace regent::controller
