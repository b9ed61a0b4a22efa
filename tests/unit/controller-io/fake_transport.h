#pragma once

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
    const LeaderAndIsrPartition* last = nullptr;
    for (const auto& [to, request] : leader_and_isr) {
      for (const LeaderAndIsrTopic& each : request->topics) {
        for (const LeaderAndIsrPartition& partition : each.partitions) {
          if (to == broker && each.topic->name == topic && partition.index == index) {
            last = &partition;
          }
        }
      }
    }
    return last;
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
