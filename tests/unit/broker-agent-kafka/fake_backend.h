#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "broker-agent/core/metadata_cache.h"
#include "broker-agent/kafka/backend.h"
#include "broker-agent/kafka/call.h"

namespace regent::kafka {

/// A broker that keeps what it is asked until the test answers.
class FakeBackend final : public Backend {
 public:
  BrokerId self() const override { return BrokerId(1); }
  std::string cluster_id() const override { return "cluster"; }
  std::shared_ptr<const MetadataView> metadata() const override { return view; }
  Instant Now() const override { return now; }
  void Append(AppendRequested request, std::function<void(const Result<Offset>&)> done) override {
    appends.emplace_back(std::move(request), std::move(done));
  }
  FetchTicket Fetch(FetchRequested request, std::function<void(const AnswerFetch&)> done) override {
    fetches.emplace_back(std::move(request), std::move(done));
    return FetchTicket(fetches.size());
  }
  void Abandon(FetchTicket ticket) override { abandoned.push_back(ticket); }
  void FindOffset(OffsetRequested request, std::function<void(const AnswerOffset&)> done) override {
    offsets.emplace_back(request, std::move(done));
  }
  void FindEpochEnd(EpochEndRequested request,
                    std::function<void(const AnswerEpochEnd&)> done) override {
    epoch_ends.emplace_back(request, std::move(done));
  }
  void DrawProducerId(std::function<void(const Result<int64_t>&)> done) override {
    done(producer_id);
  }

  std::shared_ptr<const MetadataView> view;
  Instant now;
  Result<int64_t> producer_id = int64_t{7};
  std::deque<std::pair<AppendRequested, std::function<void(const Result<Offset>&)>>> appends;
  std::deque<std::pair<FetchRequested, std::function<void(const AnswerFetch&)>>> fetches;
  std::deque<std::pair<OffsetRequested, std::function<void(const AnswerOffset&)>>> offsets;
  std::deque<std::pair<EpochEndRequested, std::function<void(const AnswerEpochEnd&)>>> epoch_ends;
  std::vector<FetchTicket> abandoned;
};

/// A client's call that remembers how it ended.
class FakeCall final : public Call {
 public:
  void Answer(Pieces response) override { answer = response.Flatten(); }
  void AnswerNothing() override { silent = true; }
  void HangUp(const std::string& why) override { hung_up = why; }
  void OnGone(std::function<void()> callback) override { gone = std::move(callback); }

  bool open() const { return !answer && !silent && !hung_up; }

  std::optional<std::string> answer;
  bool silent = false;
  std::optional<std::string> hung_up;
  std::function<void()> gone;
};

}  // namespace regent::kafka
