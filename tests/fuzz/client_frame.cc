#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <glog/logging.h>

#include "broker-agent/kafka/client_service.h"
#include "broker-agent/kafka/frame.h"
#include "tests/fuzz/target.h"
#include "tests/unit/broker-agent-kafka/fake_backend.h"
#include "tests/unit/broker-agent-kafka/golden.h"

// Frames of Kafka clients: each is answered, hung up on or taken in silence, exactly once, however
// the broker fares with what it asks for.

namespace regent::fuzz {
namespace {

class OneAnswer final : public kafka::Call {
 public:
  void Answer(kafka::Pieces response) override {
    static_cast<void>(response.Flatten());
    End();
  }
  void AnswerNothing() override { End(); }
  void HangUp(const std::string& why) override {
    CHECK(!why.empty());
    End();
  }
  void OnGone(std::function<void()> /*gone*/) override {}
  bool ended() const { return ended_; }

 private:
  void End() {
    CHECK(!ended_) << "answered twice";
    ended_ = true;
  }

  bool ended_ = false;
};

/// Every second question is refused.
class Broker {
 public:
  void AnswerAll() {
    for (auto& [asked, done] : Taken(backend_.appends)) {
      done(Refuses() ? Result<Offset>(Error{ErrorCode::kUnavailable, "no"}) : Offset(7));
    }
    for (auto& [asked, done] : Taken(backend_.fetches)) {
      AnswerFetch answer;
      answer.partitions.resize(
          asked.partitions.size(),
          {.problem = Refuses() ? ReadProblem::kNotLeader : ReadProblem::kNone});
      done(answer);
    }
    for (auto& [asked, done] : Taken(backend_.offsets)) {
      done({.problem = Refuses() ? ReadProblem::kNotLeader : ReadProblem::kNone});
    }
    for (auto& [asked, done] : Taken(backend_.epoch_ends)) {
      done({.problem = Refuses() ? ReadProblem::kNotLeader : ReadProblem::kNone});
    }
  }
  kafka::FakeBackend& backend() { return backend_; }

 private:
  template <class Queue>
  static Queue Taken(Queue& queue) {
    return std::exchange(queue, {});
  }
  bool Refuses() { return (++questions_ % 2) == 0; }

  kafka::FakeBackend backend_;
  uint64_t questions_ = 0;
};

std::shared_ptr<const MetadataView> View() {
  MetadataCache cache;
  MetadataUpdate update;
  update.full = FullStatePart{.number = 1};
  const auto topic =
      std::make_shared<const TopicIdentity>(TopicIdentity{.name = "topic", .id = {}});
  update.topics.push_back({.topic = topic,
                           .partitions = {{.index = 0,
                                           .leader = BrokerId(1),
                                           .leader_epoch = LeaderEpoch(3),
                                           .partition_epoch = PartitionEpoch(4),
                                           .isr = {BrokerId(1)},
                                           .replicas = {BrokerId(1), BrokerId(2)}}}});
  update.brokers = std::vector<BrokerEndpoint>{
      {.id = BrokerId(1),
       .epoch = BrokerEpoch(10),
       .listeners = {{.name = kClientListener, .endpoint = {.host = "one", .port = 9092}},
                     {.name = kRegentListener, .endpoint = {.host = "one", .port = 9192}}}}};
  CHECK(cache.Apply(ControllerEpoch(1), update));
  return cache.Publish();
}

}  // namespace

void Try(std::string_view input) {
  Broker broker;
  broker.backend().view = View();
  kafka::ClientServiceOptions options;
  options.create_topics = true;
  const kafka::ClientService service(broker.backend(), options);
  const auto call = std::make_shared<OneAnswer>();
  service.Serve(Slice(std::string(input)), call);
  broker.AnswerAll();
  CHECK(call->ended()) << "never answered";
}

std::vector<std::string> Seeds() {
  std::vector<std::string> seeds;
  for (const kafka::GoldenFrame& golden : kafka::GoldenData().frames) {
    if (golden.direction == kafka::Direction::kRequest) {
      seeds.push_back(golden.bytes.substr(kafka::kFrameLengthBytes));
    }
  }
  return seeds;
}

}  // namespace regent::fuzz
