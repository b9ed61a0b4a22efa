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
/// A controller that does at once what it is asked, or refuses it with `refusal`.
class FakeClusterAdmin final : public ClusterAdmin {
 public:
  void Create(NewTopic topic, AdminOptions options, Done<CreatedTopic> done) override {
    created.emplace_back(topic, options);
    const size_t count =
        topic.assignment.empty() ? static_cast<size_t>(topic.partitions) : topic.assignment.size();
    Answer<CreatedTopic>(
        {.id = {}, .assignment = std::vector<BrokerList>(count, {BrokerId(1), BrokerId(2)})}, done);
  }
  void Delete(DoomedTopic topic, AdminOptions /*options*/, Done<DoomedTopic> done) override {
    deleted.push_back(topic);
    Answer<DoomedTopic>({.name = topic.name.empty() ? "orders" : topic.name, .id = topic.id}, done);
  }
  void Extend(NewPartitions more, AdminOptions options, Done<Success> done) override {
    extended.emplace_back(std::move(more), options);
    Answer<Success>({}, done);
  }
  void Alter(ConfigChange change, AdminOptions options, Done<Success> done) override {
    altered.emplace_back(std::move(change), options);
    Answer<Success>({}, done);
  }
  void Elect(ElectionType type,
             std::vector<std::pair<std::string, int32_t>> partitions,
             AdminOptions /*options*/,
             Done<std::vector<Election>> done) override {
    election_types.push_back(type);
    elected.push_back(std::move(partitions));
    Answer<std::vector<Election>>(elections, done);
  }

  std::optional<Error> refusal;
  std::vector<Election> elections;
  std::vector<std::pair<NewTopic, AdminOptions>> created;
  std::vector<DoomedTopic> deleted;
  std::vector<std::pair<NewPartitions, AdminOptions>> extended;
  std::vector<std::pair<ConfigChange, AdminOptions>> altered;
  std::vector<std::vector<std::pair<std::string, int32_t>>> elected;
  std::vector<ElectionType> election_types;

 private:
  template <class T>
  void Answer(T value, const Done<T>& done) {
    done(refusal ? Result<T>(*refusal) : Result<T>(std::move(value)));
  }
};

class FakeBackend final : public Backend {
 public:
  BrokerId self() const override { return BrokerId(1); }
  std::string cluster_id() const override { return "cluster"; }
  std::shared_ptr<const MetadataView> metadata() const override { return view; }
  bool AwaitLeaders(const TopicNames& topics, std::function<void()> done) override {
    if (leaders_known) {
      return false;
    }
    awaiting_leaders.emplace_back(topics, std::move(done));
    return true;
  }
  Instant Now() const override { return now; }
  ClusterAdmin& admin() override { return cluster_admin; }
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

  FakeClusterAdmin cluster_admin;
  std::shared_ptr<const MetadataView> view;
  bool leaders_known = true;
  std::deque<std::pair<TopicNames, std::function<void()>>> awaiting_leaders;
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
