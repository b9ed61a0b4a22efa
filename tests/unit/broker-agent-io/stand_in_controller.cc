#include "tests/unit/broker-agent-io/stand_in_controller.h"

#include <algorithm>
#include <future>
#include <utility>

#include <glog/logging.h>

namespace regent::testing {
namespace {

constexpr ControllerEpoch kEpoch{1};

/// What a broker's sink and its controller share: whether the sink still listens.
struct Ear {
  Mutex mutex;
  AgentEventSink sink GUARDED_BY(mutex);

  void Hear(AgentEvent event) EXCLUDES(mutex) {
    const MutexLock lock(mutex);
    if (sink != nullptr) {
      sink(std::move(event));
    }
  }
};

/// Sends a request and waits for the answer, which must be that everything asked is in force.
template <class Request>
void Tell(AgentShards& agents, Request request) {
  std::promise<ControlResponse> promise;
  agents.Control(std::move(request),
                 [&](const ControlResponse& given) { promise.set_value(given); });
  const ControlResponse response = promise.get_future().get();
  CHECK_EQ(response.answer, ControlAnswer::kDone);
  for (const PartitionAnswerEntry& entry : response.partitions) {
    CHECK(Settles(entry.answer)) << entry.answer << ' ' << entry.reason;
  }
}

}  // namespace

class StandInController::Client final : public ControllerClient {
 public:
  explicit Client(StandInController& controller) : controller_(controller) {}

  void Start(AgentEventSink sink) override {
    const MutexLock lock(ear_->mutex);
    ear_->sink = std::move(sink);
  }
  void Send(SendAlterPartition send) override {
    controller_.loop_.Post([&controller = controller_, ear = ear_, send = std::move(send)]() {
      ear->Hear(AlterPartitionAnswered{.number = send.request.number,
                                       .response = controller.Alter(send.request)});
    });
  }
  void Send(SendControlledShutdown send) override {
    controller_.loop_.Post([ear = ear_, number = send.number]() {
      ear->Hear(ControlledShutdownAnswered{.number = number, .response = {}});
    });
  }
  void Shutdown() override {
    const MutexLock lock(ear_->mutex);
    ear_->sink = nullptr;
  }

 private:
  StandInController& controller_;
  std::shared_ptr<Ear> ear_ = std::make_shared<Ear>();
};

std::unique_ptr<ControllerClient> StandInController::MakeClient() {
  return std::make_unique<Client>(*this);
}

// --- What the brokers are told -------------------------------------------------------------------

void StandInController::Begin(std::vector<Broker> brokers) {
  {
    const MutexLock lock(mutex_);
    const auto newest = std::ranges::max_element(brokers, {}, &Broker::epoch);
    const Zxid created(newest->epoch.value() + 1);
    brokers_ = std::move(brokers);
    for (int32_t index = 0; index < options_.partitions; ++index) {
      const BrokerId leader(index % 2);
      partitions_.push_back({.index = index,
                             .leader = leader,
                             .leader_epoch = LeaderEpoch(0),
                             .partition_epoch = PartitionEpoch(0),
                             .isr = {leader},
                             .replicas = {BrokerId(0), BrokerId(1)},
                             .state_czxid = created});
    }
  }
  TellAll(Full::kYes);
}

void StandInController::MoveLeaders() {
  {
    const MutexLock lock(mutex_);
    for (LeaderAndIsrPartition& partition : partitions_) {
      CHECK_EQ(partition.isr.size(), 2U);
      partition.leader = BrokerId(1 - partition.leader.value());
      partition.leader_epoch = partition.leader_epoch.Next();
      partition.partition_epoch = partition.partition_epoch.Next();
    }
  }
  TellAll(Full::kNo);
}

void StandInController::ShrinkIsrs() {
  {
    const MutexLock lock(mutex_);
    for (LeaderAndIsrPartition& partition : partitions_) {
      partition.isr = {partition.leader};
      partition.partition_epoch = partition.partition_epoch.Next();
    }
  }
  TellAll(Full::kNo);
}

void StandInController::TellAll(Full full) {
  std::vector<Broker> brokers;
  {
    const MutexLock lock(mutex_);
    brokers = brokers_;
  }
  for (const Broker& broker : brokers) {
    Tell(*broker.agents, std::make_shared<const LeaderAndIsrRequest>(StateFor(broker, full)));
  }
  // Nobody hears of a leader who has not answered (R1).
  for (const Broker& broker : brokers) {
    Tell(*broker.agents, MetadataFor(broker, full));
  }
}

LeaderAndIsrRequest StandInController::StateFor(const Broker& broker, Full full) {
  const MutexLock lock(mutex_);
  LeaderAndIsrRequest request;
  request.header = HeaderFor(broker);
  request.full = PartOf(full);
  request.topics = {{.topic = options_.topic,
                     .config = {.min_insync_replicas = options_.min_insync_replicas},
                     .partitions = partitions_}};
  request.leaders = Endpoints();
  return request;
}

UpdateMetadataRequest StandInController::MetadataFor(const Broker& broker, Full full) {
  const MutexLock lock(mutex_);
  MetadataTopic topic{.topic = options_.topic};
  for (const LeaderAndIsrPartition& partition : partitions_) {
    topic.partitions.push_back({.index = partition.index,
                                .leader = partition.leader,
                                .leader_epoch = partition.leader_epoch,
                                .partition_epoch = partition.partition_epoch,
                                .isr = partition.isr,
                                .replicas = partition.replicas});
  }
  const ControlHeader header = HeaderFor(broker);
  return {.header = header,
          .update = std::make_shared<const MetadataUpdate>(MetadataUpdate{
              .full = PartOf(full), .topics = {std::move(topic)}, .brokers = Endpoints()})};
}

ControlHeader StandInController::HeaderFor(const Broker& broker) {
  return {.controller = options_.id,
          .controller_endpoint = {.host = "127.0.0.1", .port = 9190},
          .controller_epoch = kEpoch,
          .broker = broker.registration.id,
          .broker_epoch = broker.epoch,
          .revision = Revision(++revision_),
          .cluster_id = options_.cluster_id};
}

std::optional<FullStatePart> StandInController::PartOf(Full full) const {
  switch (full) {
    case Full::kYes: return FullStatePart{.number = revision_};
    case Full::kNo: return std::nullopt;
  }
  return std::nullopt;
}

std::vector<BrokerEndpoint> StandInController::Endpoints() const {
  std::vector<BrokerEndpoint> endpoints;
  for (const Broker& broker : brokers_) {
    endpoints.push_back({.id = broker.registration.id,
                         .epoch = broker.epoch,
                         .listeners = broker.registration.listeners});
  }
  return endpoints;
}

// --- What the brokers ask ------------------------------------------------------------------------

AlterAnswer StandInController::Judge(const AlterPartitionItem& item, BrokerId sender) const {
  const LeaderAndIsrPartition& partition = partitions_.at(static_cast<size_t>(item.index));
  if (item.leader_epoch < partition.leader_epoch) {
    return AlterAnswer::kFencedLeaderEpoch;
  }
  if (sender != partition.leader) {
    return AlterAnswer::kNotLeader;
  }
  if (item.partition_epoch != partition.partition_epoch) {
    return AlterAnswer::kStalePartitionEpoch;
  }
  return AlterAnswer::kDone;
}

AlterPartitionResponse StandInController::Alter(const AlterPartitionRequest& request) {
  const MutexLock lock(mutex_);
  AlterPartitionResponse response{.controller_epoch = kEpoch};
  for (const AlterPartitionItem& item : request.items) {
    LeaderAndIsrPartition& partition = partitions_.at(static_cast<size_t>(item.index));
    const AlterAnswer answer = Judge(item, request.broker);
    if (answer == AlterAnswer::kDone) {
      partition.partition_epoch = partition.partition_epoch.Next();
      partition.isr.clear();
      for (const IsrMember& member : item.isr) {
        partition.isr.push_back(member.id);
      }
    }
    response.results.push_back({.topic = item.topic,
                                .index = item.index,
                                .answer = answer,
                                .leader = partition.leader,
                                .leader_epoch = partition.leader_epoch,
                                .partition_epoch = partition.partition_epoch,
                                .isr = partition.isr});
  }
  changed_.notify_all();
  return response;
}

void StandInController::AwaitFullIsrs() {
  const MutexLock lock(mutex_);
  const auto full = [](const LeaderAndIsrPartition& p) { return p.isr.size() == 2; };
  while (!std::ranges::all_of(partitions_, full)) {
    changed_.wait(mutex_);
  }
}

}  // namespace regent::testing
