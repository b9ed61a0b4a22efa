#include "broker-agent/io/broker_process.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <future>
#include <random>
#include <utility>

#include <glog/logging.h>

#include "broker-agent/io/behind_all.h"
#include "broker-agent/io/client_backend.h"
#include "broker-agent/io/client_server.h"
#include "broker-agent/io/control_service.h"
#include "broker-agent/io/disk_replica_store.h"
#include "broker-agent/io/grpc_cluster_admin.h"
#include "broker-agent/io/grpc_controller_client.h"
#include "broker-agent/io/metrics.h"
#include "broker-agent/io/sharded_transport.h"
#include "broker-agent/io/tcp_replication_transport.h"
#include "broker-agent/kafka/client_service.h"
#include "broker-agent/log/data_directory.h"
#include "broker-agent/log/posix_file_system.h"
#include "broker-agent/log/replica_logs.h"
#include "common/base/rng.h"
#include "common/runtime/loop.h"
#include "common/runtime/time_slice.h"

namespace regent {
namespace {

Rng SystemRng() {
  std::random_device entropy;
  return Rng((static_cast<uint64_t>(entropy()) << 32U) | entropy());
}

int64_t WallClockMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

/// What this life begins with.
struct Beginning {
  LifeId life;
  std::string boot_id;
};

BrokerRegistration RegistrationOf(const BrokerSettings& settings,
                                  const Beginning& beginning,
                                  const storage::ReplicaLogs::Opened& opened) {
  BrokerRegistration registration;
  registration.id = settings.id;
  registration.listeners = {{.name = kClientListener, .endpoint = settings.client_advertise},
                            {.name = kRegentListener, .endpoint = settings.rpc_advertise}};
  registration.rack = settings.rack;
  registration.features = {{kRpcFeature, {.min = kRpcVersionMin, .max = kRpcVersionMax}}};
  registration.life = beginning.life;
  registration.boot_id = beginning.boot_id;
  registration.clean_stop = opened.stop == storage::LogOpening::Stop::kClean;
  registration.suspect = std::ranges::any_of(
      opened.replicas,
      [](const storage::OpenedReplica& replica) { return replica.found.entry.suspect; });
  return registration;
}

AgentOptions AgentOptionsOf(const BrokerSettings& settings,
                            LifeId life,
                            const std::optional<std::string>& cluster_id) {
  AgentOptions options;
  options.broker = settings.id;
  options.life = life;
  options.cluster_id = cluster_id.value_or("");
  options.replica_lag_time_max = settings.replica_lag_time_max;
  options.topic_defaults = settings.default_topic_settings;
  options.retention_check_interval = settings.retention_check_interval;
  options.catch_up_bytes_per_second = settings.catch_up_bytes_per_second;
  options.unhurried_catch_up = settings.catch_up_rest > 0;
  return options;
}

/// What a shard has to itself. The first one's threads have the plain names.
struct ShardParts {
  ShardParts(int32_t index,
             std::unique_ptr<storage::ReplicaLogs> logs,
             int catch_up_rest,
             Executor& journal)
      : suffix(index == 0 ? "" : "-" + std::to_string(index)),
        store(std::move(logs),
              disk,
              {.wall_clock_ms = WallClockMs,
               .catch_up_rest = catch_up_rest,
               .sync = &sync,
               .journal = &journal}) {
    sync.Post([] { AskForTimeSlice(kLongSlice); });
  }

  const std::string suffix;
  Loop sync{"sync" + suffix};
  Loop disk{"disk" + suffix};
  Loop loop{"agent" + suffix, Loop::Threads::kBorrowed};
  DiskReplicaStore store;
  GrpcControllerClient controller;
};
using Shards = std::vector<std::unique_ptr<ShardParts>>;

Shards MakeShards(std::unique_ptr<storage::ReplicaLogs> logs,
                  const BrokerSettings& settings,
                  Executor& journal) {
  auto shares = storage::ReplicaLogs::Deal(std::move(logs), settings.shards);
  Shards shards;
  shards.reserve(shares.size());
  for (auto& share : shares) {
    shards.push_back(std::make_unique<ShardParts>(
        static_cast<int32_t>(shards.size()), std::move(share), settings.catch_up_rest, journal));
  }
  return shards;
}

std::vector<Executor*> LoopsOf(const Shards& shards) {
  std::vector<Executor*> loops;
  loops.reserve(shards.size());
  for (const auto& shard : shards) {
    loops.push_back(&shard->loop);
  }
  return loops;
}

}  // namespace

class BrokerProcess::Impl {
 public:
  Impl(const BrokerSettings& settings,
       std::unique_ptr<storage::FileSystem> files,
       storage::ReplicaLogs::Opened opened,
       std::unique_ptr<ClientServer> clients,
       const Beginning& beginning)
      : files_(std::move(files)),
        clients_(std::move(clients)),
        recovered_(RecoverState(opened.replicas)),
        agent_options_(
            AgentOptionsOf(settings, beginning.life, opened.logs->directory().cluster_id())),
        registration_(RegistrationOf(settings, beginning, opened)),
        service_options_{.topic_defaults = settings.topic_defaults,
                         .create_topics = settings.auto_create_topics},
        shards_(MakeShards(std::move(opened.logs), settings, journal_)),
        behind_all_(LoopsOf(shards_)),
        transport_(behind_all_, settings.shards, settings.catch_up_rest),
        sharded_(transport_, settings.shards) {
    SetPort(0, clients_->port());
  }

  ~Impl() {
    clients_->Stop();
    for (const auto& shard : shards_) {
      shard->loop.Close();
    }
    admin_.Shutdown();
    host_ = nullptr;
    transport_.Shutdown();
    for (const auto& shard : shards_) {
      shard->controller.Shutdown();
      shard->disk.Close();
      shard->sync.Close();
    }
    journal_.Close();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void Prepare() {
    AgentHostOptions options;
    options.agent = agent_options_;
    options.registration.self = registration_;
    options.registration.wall_clock_ms = WallClockMs;
    options.make_client = [this](Executor& owner, zk::SessionListener& listener) {
      return hooks_.make_client(owner, listener);
    };
    options.on_controller = [this](const ControllerSeen& seen) {
      if (hooks_.on_controller) {
        hooks_.on_controller(seen);
      }
    };
    // Until then they wait where they connect: told that nobody leads, a client would look for
    // leaders elsewhere for a second.
    options.informed = [this]() {
      clients_->Start([this](const Slice& frame, const std::shared_ptr<kafka::Call>& call) {
        service_->Serve(frame, call);
      });
    };
    options.status = [this](const std::string& waiting_for) {
      if (hooks_.on_status) {
        hooks_.on_status(waiting_for);
      }
    };
    options.finished = [this](const Stopped& stopped) {
      stopped_.set_value(stopped);
      if (hooks_.on_stopped) {
        hooks_.on_stopped();
      }
    };
    std::vector<AgentRunner::Parts> parts;
    parts.reserve(shards_.size());
    for (const auto& shard : shards_) {
      parts.push_back({.executor = shard->loop,
                       .store = shard->store,
                       .transport = sharded_.shard(static_cast<int32_t>(parts.size())),
                       .controller = shard->controller});
    }
    host_ =
        std::make_unique<AgentHost>(std::move(options), std::move(recovered_), std::move(parts));
    control_ = std::make_unique<ControlService>(host_->shards());
    backend_ = std::make_unique<ClientBackend>(ClientBackend::Parts{
        .self = agent_options_.broker,
        .agents = host_->shards(),
        .executor = first().loop,
        .admin = admin_,
        .cluster_id = [this]() { return cluster_id().value_or(""); },
        .draw_producer_id =
            [this](const ProducerIds::Done& done) { host_->DrawProducerId(done); }});
    service_ = std::make_unique<kafka::ClientService>(*backend_, service_options_);
  }

  void Start(Hooks hooks, int rpc_port) {
    SetPort(1, rpc_port);
    hooks_ = std::move(hooks);
    host_->Start(registration_);
  }

  void Bind(const std::string& cluster_id, std::function<void(const Status&)> done) {
    first().store.Bind(cluster_id, std::move(done));
  }

  Stopped AwaitStopped() { return stopped_future_.get(); }

  std::vector<grpc::Service*> services() { return {control_.get()}; }
  Duration rested() const { return transport_.rested(); }
  void AcceptFollower(int socket) { transport_.Accept(socket); }
  std::optional<std::string> cluster_id() const { return first().store.cluster_id(); }
  const BrokerRegistration& registration() const { return registration_; }
  AgentHost& host() { return *host_; }
  /// Of an event, on any shard.
  Duration TakeLongestWait() {
    Duration longest{0};
    for (const auto& shard : shards_) {
      longest = std::max(longest, shard->loop.TakeLongestWait());
    }
    return longest;
  }
  const ClientServer& clients() const { return *clients_; }

 private:
  ShardParts& first() const { return *shards_.front(); }

  void SetPort(size_t listener, int port) {
    Endpoint& endpoint = registration_.listeners[listener].endpoint;
    endpoint.port = endpoint.port == 0 ? port : endpoint.port;
  }

  std::unique_ptr<storage::FileSystem> files_;
  std::unique_ptr<ClientServer> clients_;
  AgentState recovered_;
  AgentOptions agent_options_;
  BrokerRegistration registration_;
  Hooks hooks_;
  std::promise<Stopped> stopped_;
  std::shared_future<Stopped> stopped_future_ = stopped_.get_future().share();
  Loop journal_{"journal"};  ///< Of all shards.
  kafka::ClientServiceOptions service_options_;
  Shards shards_;
  BehindAll behind_all_;
  TcpReplicationTransport transport_;
  ShardedTransport sharded_;
  std::unique_ptr<AgentHost> host_;
  GrpcClusterAdmin admin_{first().loop, [this]() { return host_->metrics().controller.endpoint; }};
  std::unique_ptr<ControlService> control_;
  std::unique_ptr<ClientBackend> backend_;
  std::unique_ptr<kafka::ClientService> service_;
};

Result<std::unique_ptr<BrokerProcess>> BrokerProcess::Open(const BrokerSettings& settings) {
  std::unique_ptr<storage::FileSystem> files = storage::MakePosixFileSystem();
  Rng rng = SystemRng();
  const Beginning beginning{.life = LifeId::Random(rng),
                            .boot_id = ReadBootId(settings.boot_id_file)};
  auto directory =
      storage::DataDirectory::Open(*files, {.path = settings.data_dir,
                                            .broker = settings.id,
                                            .fresh_directory_id = Uuid::Random(rng).ToText(),
                                            .boot_id = beginning.boot_id});
  if (!directory.ok()) {
    return Error{directory.error().code,
                 "--data-dir=" + settings.data_dir + ": " + directory.error().message};
  }
  auto clients = ClientServer::Bind(
      {.listen = settings.client_listen, .served_at_once = &kafka::ClientService::ServedAtOnce});
  if (!clients.ok()) {
    return clients.error();
  }
  auto logs = storage::ReplicaLogs::Open(*files, std::move(directory).value(), {});
  if (!logs.ok()) {
    return Error{logs.error().code,
                 "--data-dir=" + settings.data_dir + ": " + logs.error().message};
  }
  for (const std::string& note : logs->notes) {
    LOG(WARNING) << "log recovered note=\"" << note << '"';
  }
  auto impl = std::make_unique<Impl>(settings, std::move(files), std::move(logs).value(),
                                     std::move(clients).value(), beginning);
  impl->Prepare();
  return std::unique_ptr<BrokerProcess>(new BrokerProcess(std::move(impl)));
}

BrokerProcess::BrokerProcess(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
BrokerProcess::~BrokerProcess() = default;

std::vector<grpc::Service*> BrokerProcess::services() {
  return impl_->services();
}
void BrokerProcess::AcceptFollower(int socket) {
  impl_->AcceptFollower(socket);
}
std::optional<std::string> BrokerProcess::cluster_id() const {
  return impl_->cluster_id();
}
void BrokerProcess::Bind(const std::string& cluster_id, std::function<void(const Status&)> done) {
  impl_->Bind(cluster_id, std::move(done));
}
void BrokerProcess::Start(Hooks hooks, int rpc_port) {
  impl_->Start(std::move(hooks), rpc_port);
}
const BrokerRegistration& BrokerProcess::registration() const {
  return impl_->registration();
}
void BrokerProcess::RequestStop() {
  impl_->host().RequestStop();
}
Stopped BrokerProcess::AwaitStopped() {
  return impl_->AwaitStopped();
}
AgentHost& BrokerProcess::host() {
  return impl_->host();
}

void BrokerProcess::ShowMetrics(MetricsRegistry& registry) {
  regent::ShowMetrics(
      registry, [this]() { return impl_->host().metrics(); },
      [this]() { return impl_->TakeLongestWait(); }, [this]() { return impl_->rested(); });
  regent::ShowMetrics(registry, [this]() { return impl_->clients().counters(); });
}

std::string ReadBootId(const std::string& file) {
  std::ifstream stream(file);
  std::string boot_id;
  stream >> boot_id;
  return boot_id;
}

}  // namespace regent
