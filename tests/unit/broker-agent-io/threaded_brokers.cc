#include "tests/unit/broker-agent-io/threaded_brokers.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>
#include <utility>

#include <glog/logging.h>
#include <gtest/gtest.h>

#include "broker-agent/log/data_directory.h"
#include "broker-agent/log/posix_file_system.h"
#include "broker-agent/log/replica_logs.h"
#include "common/base/rng.h"
#include "common/wire/znode_json.h"
#include "common/zk/paths.h"

namespace regent::testing {
namespace {

using std::chrono::milliseconds;

/// As records say that they are made: none is old.
constexpr int64_t kNow = 1000;

/// Of the listener for replication streams; nothing is bound.
int32_t PortOf(int32_t broker) {
  return 9190 + broker;
}

BrokerRegistration RegistrationOf(int32_t id) {
  Rng rng(static_cast<uint64_t>(id));
  BrokerRegistration registration;
  registration.id = BrokerId(id);
  registration.life = LifeId::Random(rng);
  registration.listeners = {
      {.name = kClientListener, .endpoint = {.host = "127.0.0.1", .port = 9092 + id}},
      {.name = kRegentListener, .endpoint = {.host = "127.0.0.1", .port = PortOf(id)}}};
  return registration;
}

/// Limits so small that everything runs into them, and waits that are hardly any: but nobody leaves
/// the ISR by the clock.
AgentOptions AgentOptionsOf(const BrokerRegistration& registration) {
  constexpr BackOff kBrief{.first = milliseconds(1), .max = milliseconds(4)};
  AgentOptions options;
  options.broker = registration.id;
  options.life = registration.life;
  options.replica_lag_time_max = std::chrono::hours(1);
  options.alter_partition = kBrief;
  options.expansion_retry = milliseconds(1);
  options.stream = kBrief;
  options.subscription = kBrief;
  options.credit_window_bytes = 2048;
  options.read_bytes_max = 512;
  options.marks_interval = milliseconds(5);
  options.checkpoint_interval = milliseconds(5);
  options.retention_check_interval = milliseconds(5);
  options.topic_defaults.segment_bytes = 4096;
  return options;
}

storage::ReplicaLogs::Opened OpenLogs(storage::FileSystem& files,
                                      BrokerId id,
                                      const std::string& path) {
  auto directory = storage::DataDirectory::Open(
      files, {.path = path, .broker = id, .fresh_directory_id = "d", .boot_id = "boot"});
  return storage::ReplicaLogs::Open(files, std::move(directory).value(), {}).value();
}

}  // namespace

// --- One broker ----------------------------------------------------------------------------------

ThreadedBroker::ShardParts::ShardParts(std::unique_ptr<storage::ReplicaLogs> logs,
                                       std::unique_ptr<ControllerClient> to_controller,
                                       Executor& journal)
    : store(std::move(logs),
            disk,
            {.wall_clock_ms = []() { return kNow; }, .sync = &sync, .journal = &journal}),
      controller(std::move(to_controller)) {}

ThreadedBroker::Shards ThreadedBroker::MakeShards(std::unique_ptr<storage::ReplicaLogs> logs,
                                                  int32_t count,
                                                  StandInController& controller) {
  Shards shards;
  for (auto& share : storage::ReplicaLogs::Deal(std::move(logs), count)) {
    shards.push_back(
        std::make_unique<ShardParts>(std::move(share), controller.MakeClient(), journal_));
  }
  return shards;
}

std::vector<Executor*> ThreadedBroker::LoopsOfShards() const {
  std::vector<Executor*> loops;
  for (const auto& shard : shards_) {
    loops.push_back(&shard->loop);
  }
  return loops;
}

ThreadedBroker::ThreadedBroker(const Options& options, const World& world)
    : zookeeper_(world.zookeeper),
      registration_(RegistrationOf(options.id)),
      files_(storage::MakePosixFileSystem()),
      opened_(OpenLogs(*files_, BrokerId(options.id), options.directory)),
      recovered_(RecoverState(opened_.replicas)),
      shards_(MakeShards(std::move(opened_.logs), options.shards, world.controller)),
      behind_all_(LoopsOfShards()),
      transport_(world.network, PortOf(options.id), behind_all_),
      sharded_(transport_, options.shards) {
  std::vector<AgentRunner::Parts> parts;
  for (const auto& shard : shards_) {
    parts.push_back({.executor = shard->loop,
                     .store = shard->store,
                     .transport = sharded_.shard(static_cast<int32_t>(parts.size())),
                     .controller = *shard->controller});
  }
  host_ = std::make_unique<AgentHost>(OptionsFor(world.zookeeper), std::move(recovered_),
                                      std::move(parts));
  backend_ = std::make_unique<ClientBackend>(ClientBackend::Parts{
      .self = registration_.id,
      .agents = host_->shards(),
      .executor = shards_.front()->loop,
      .admin = admin_,
      .cluster_id = [this]() { return shards_.front()->store.cluster_id().value_or(""); },
      .draw_producer_id = [this](const ProducerIds::Done& done) { host_->DrawProducerId(done); }});
  host_->Start(registration_);
}

ThreadedBroker::~ThreadedBroker() {
  CloseLoops();
  host_ = nullptr;
  transport_.Shutdown();
  for (const auto& shard : shards_) {
    shard->controller->Shutdown();
    shard->disk.Close();
    shard->sync.Close();
  }
  journal_.Close();
}

void ThreadedBroker::CloseLoops() {
  for (const auto& shard : shards_) {
    shard->loop.Close();
  }
}

AgentHostOptions ThreadedBroker::OptionsFor(zk::InMemoryZooKeeper& zookeeper) {
  AgentHostOptions options;
  options.agent = AgentOptionsOf(registration_);
  options.registration.self = registration_;
  options.make_client = [&zookeeper](
                            Executor& owner,
                            zk::SessionListener& listener) -> Result<std::unique_ptr<zk::Client>> {
    return std::unique_ptr<zk::Client>(
        std::make_unique<zk::InMemoryClient>(zookeeper, owner, listener));
  };
  options.tick = milliseconds(2);
  options.count_interval = milliseconds(4);
  options.status = [this](const std::string& waiting_for) {
    if (waiting_for.empty()) {
      registered_.set_value();  // Its session lasts: once.
    }
  };
  options.finished = [this](const Stopped& stopped) { stopped_.set_value(stopped); };
  return options;
}

StandInController::Broker ThreadedBroker::AwaitRegistered() {
  while (backend_->cluster_id().empty()) {  // Clients ask before it is known.
    std::this_thread::yield();
  }
  registered_.get_future().wait();
  const auto node = zookeeper_.Find(zk::BrokerIdPath(registration_.id.value()));
  return {.registration = registration_,
          .epoch = BrokerEpoch(node.value().stat.czxid),
          .agents = &host_->shards()};
}

// --- Two brokers ---------------------------------------------------------------------------------

namespace {

StandInController::Options ControllerOptionsOf(const TopicRef& topic, int32_t partitions) {
  return {.id = kControllerId,
          .cluster_id = kClusterId,
          .topic = topic,
          .partitions = partitions,
          .min_insync_replicas = 2};
}

TopicRef MakeTopic() {
  Rng rng(9);
  return std::make_shared<const TopicIdentity>(
      TopicIdentity{.name = kTopicName, .id = TopicId::Random(rng)});
}

/// What a controller finds or makes before anybody registers.
std::vector<zk::Op> FirstNodes() {
  std::vector<zk::Op> ops;
  for (const std::string& path : zk::BasePaths()) {
    ops.emplace_back(zk::CreateOp{.path = path});
  }
  const ControllerRegistration controller{.id = kControllerId,
                                          .endpoint = {.host = "127.0.0.1", .port = 9190}};
  ops.emplace_back(
      zk::CreateOp{.path = zk::ClusterIdPath(), .data = wire::EncodeClusterId(kClusterId)});
  ops.emplace_back(zk::CreateOp{.path = zk::ControllerPath(),
                                .data = wire::EncodeControllerRegistration(controller)});
  ops.emplace_back(zk::CreateOp{.path = zk::ControllerEpochPath(),
                                .data = wire::EncodeControllerEpoch(ControllerEpoch(1))});
  return ops;
}

}  // namespace

BrokerCluster::BrokerCluster(int32_t partitions, std::array<int32_t, 2> shards)
    : topic_(MakeTopic()), controller_(ControllerOptionsOf(topic_, partitions)) {
  path_ = ::testing::TempDir() + "regent-threads-XXXXXX";
  CHECK(::mkdtemp(path_.data()) != nullptr);
  CHECK(zookeeper_.Apply(FirstNodes()).ok());
  for (int32_t id = 0; id < 2; ++id) {
    brokers_.push_back(std::make_unique<ThreadedBroker>(
        ThreadedBroker::Options{
            .id = id, .directory = DirectoryOf(id), .shards = shards.at(static_cast<size_t>(id))},
        ThreadedBroker::World{
            .zookeeper = zookeeper_, .network = network_, .controller = controller_}));
  }
  std::vector<StandInController::Broker> registered;
  for (const auto& broker : brokers_) {
    registered.push_back(broker->AwaitRegistered());
  }
  controller_.Begin(std::move(registered));
}

BrokerCluster::~BrokerCluster() {
  if (!stopped_) {
    Stop();
  }
  EndAtOnce();
  std::filesystem::remove_all(path_);
}

MetadataPartition BrokerCluster::Newest(int32_t index) const {
  MetadataPartition newest{.leader = kNoBroker};
  // A broker may not have heard of the topic yet.
  while (newest.leader == kNoBroker) {
    for (const auto& broker : brokers_) {
      const auto view = broker->backend().metadata();
      const auto topic = view == nullptr ? nullptr : view->Find(kTopicName);
      const bool known = topic != nullptr && topic->partitions.contains(index);
      if (known && topic->partitions.at(index).leader_epoch > newest.leader_epoch) {
        newest = topic->partitions.at(index);
      }
    }
    std::this_thread::yield();
  }
  return newest;
}

std::vector<Stopped> BrokerCluster::Stop() {
  stopped_ = true;
  for (const auto& broker : brokers_) {
    broker->RequestStop();
  }
  std::vector<Stopped> stopped;
  for (const auto& broker : brokers_) {
    stopped.push_back(broker->AwaitStopped());
  }
  return stopped;
}

void BrokerCluster::EndAtOnce() {
  stopped_ = true;
  brokers_.clear();
}

std::string BrokerCluster::DirectoryOf(int32_t broker) const {
  return path_ + "/" + std::to_string(broker);
}

std::string BrokerCluster::LogOf(int32_t broker, int32_t index) const {
  const std::string replica = kTopicName + ("-" + std::to_string(index));
  std::vector<std::filesystem::path> segments;
  for (const auto& entry :
       std::filesystem::directory_iterator(DirectoryOf(broker) + "/" + replica)) {
    if (entry.path().extension() == ".log") {
      segments.push_back(entry.path());
    }
  }
  std::ranges::sort(segments);
  std::string bytes;
  for (const std::filesystem::path& segment : segments) {
    std::ifstream file(segment, std::ios::binary);
    bytes.append(std::istreambuf_iterator<char>(file), {});
  }
  return bytes;
}

}  // namespace regent::testing
