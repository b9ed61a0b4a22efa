#pragma once

#include <functional>
#include <memory>
#include <string>

#include "broker-agent/io/agent_runner.h"
#include "broker-agent/kafka/backend.h"
#include "common/model/ids.h"
#include "common/runtime/loop.h"

namespace regent {

/// The agent, as the client protocol sees it.
class ClientBackend final : public kafka::Backend {
 public:
  struct Parts {
    BrokerId self = kNoBroker;
    AgentRunner& runner;
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
    std::shared_ptr<const MetadataView> view = parts_.runner.metadata();
    return view != nullptr && view->whole() ? view : nullptr;
  }
  Instant Now() const override { return parts_.executor.Now(); }
  kafka::ClusterAdmin& admin() override { return parts_.admin; }

  void Append(AppendRequested request, std::function<void(const Result<Offset>&)> done) override {
    parts_.runner.Append(std::move(request), std::move(done));
  }
  FetchTicket Fetch(FetchRequested request, std::function<void(const AnswerFetch&)> done) override {
    return parts_.runner.Fetch(std::move(request), std::move(done));
  }
  void Abandon(FetchTicket ticket) override { parts_.runner.Abandon(ticket); }
  void FindOffset(OffsetRequested request, std::function<void(const AnswerOffset&)> done) override {
    parts_.runner.FindOffset(request, std::move(done));
  }
  void FindEpochEnd(EpochEndRequested request,
                    std::function<void(const AnswerEpochEnd&)> done) override {
    parts_.runner.FindEpochEnd(request, std::move(done));
  }
  void DrawProducerId(std::function<void(const Result<int64_t>&)> done) override {
    parts_.draw_producer_id(std::move(done));
  }

 private:
  Parts parts_;
};

}  // namespace regent
