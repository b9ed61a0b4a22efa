#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "broker-agent/io/agent_shards.h"
#include "broker-agent/kafka/backend.h"
#include "common/model/ids.h"
#include "common/runtime/loop.h"

namespace regent {

/// The agents, as the client protocol sees them.
class ClientBackend final : public kafka::Backend {
 public:
  struct Parts {
    BrokerId self = kNoBroker;
    AgentShards& agents;
    const Executor& executor;
    kafka::ClusterAdmin& admin;
    std::function<std::string()> cluster_id;
    std::function<void(std::function<void(const Result<int64_t>&)>)> draw_producer_id;
  };

  /// The parts outlive it.
  explicit ClientBackend(Parts parts) : parts_(std::move(parts)) {}

  BrokerId self() const override { return parts_.self; }
  std::string cluster_id() const override { return parts_.cluster_id(); }
  std::shared_ptr<const MetadataView> metadata() const override {
    std::shared_ptr<const MetadataView> view = parts_.agents.metadata();
    return view != nullptr && view->whole() ? view : nullptr;
  }
  bool AwaitLeaders(const TopicNames& topics, std::function<void()> done) override {
    const std::shared_ptr<const MetadataView> view = parts_.agents.metadata();
    if (view == nullptr || view->NewsExpectedUntil(topics) <= Now()) {
      return false;
    }
    parts_.agents.AwaitLeaders({.topics = topics},
                               [done = std::move(done)](const AnswerLeaders&) { done(); });
    return true;
  }
  Instant Now() const override { return parts_.executor.Now(); }
  kafka::ClusterAdmin& admin() override { return parts_.admin; }

  void Append(AppendRequested request, std::function<void(const Result<Offset>&)> done) override {
    parts_.agents.Append(std::move(request), std::move(done));
  }
  FetchTicket Fetch(FetchRequested request, std::function<void(const AnswerFetch&)> done) override {
    return parts_.agents.Fetch(std::move(request), std::move(done));
  }
  void Abandon(FetchTicket ticket) override { parts_.agents.Abandon(ticket); }
  void FindOffset(OffsetRequested request, std::function<void(const AnswerOffset&)> done) override {
    parts_.agents.FindOffset(request, std::move(done));
  }
  void FindEpochEnd(EpochEndRequested request,
                    std::function<void(const AnswerEpochEnd&)> done) override {
    parts_.agents.FindEpochEnd(request, std::move(done));
  }
  void DrawProducerId(std::function<void(const Result<int64_t>&)> done) override {
    parts_.draw_producer_id(std::move(done));
  }

 private:
  Parts parts_;
};

}  // namespace regent
