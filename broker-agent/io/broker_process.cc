#include "broker-agent/io/broker_process.h"

#include <chrono>
#include <fstream>
#include <future>
#include <random>
#include <utility>

#include <glog/logging.h>

#include "broker-agent/io/client_listener.h"
#include "broker-agent/io/control_service.h"
#include "broker-agent/io/disk_replica_store.h"
#include "broker-agent/io/grpc_controller_client.h"
#include "broker-agent/io/grpc_replication_transport.h"
#include "broker-agent/io/metrics.h"
#include "broker-agent/log/data_directory.h"
#include "broker-agent/log/posix_file_system.h"
#include "common/base/rng.h"
#include "common/runtime/loop.h"

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

BrokerRegistration RegistrationOf(const BrokerSettings& settings, LifeId life) {
  BrokerRegistration registration;
  registration.id = settings.id;
  registration.listeners = {{.name = kClientListener, .endpoint = settings.client_advertise},
                            {.name = kRegentListener, .endpoint = settings.rpc_advertise}};
  registration.rack = settings.rack;
  registration.features = {{kRpcFeature, {.min = kRpcVersionMin, .max = kRpcVersionMax}}};
  registration.life = life;
  registration.boot_id = ReadBootId();
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
  return options;
}

}  // namespace

class BrokerProcess::Impl {
 public:
  Impl(const BrokerSettings& settings,
       std::unique_ptr<storage::FileSystem> files,
       std::unique_ptr<storage::DataDirectory> directory,
       std::unique_ptr<ClientListener> client_listener,
       LifeId life)
      : files_(std::move(files)),
        client_listener_(std::move(client_listener)),
        recovered_(RecoverState(*directory)),
        agent_options_(AgentOptionsOf(settings, life, directory->cluster_id())),
        registration_(RegistrationOf(settings, life)),
        disk_("disk"),
        loop_("agent"),
        store_(std::move(directory), disk_),
        transport_(loop_) {
    SetPort(0, client_listener_->port());
  }

  ~Impl() {
    loop_.Close();
    host_ = nullptr;
    transport_.Shutdown();
    controller_.Shutdown();
    disk_.Close();
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
    host_ = std::make_unique<AgentHost>(std::move(options), std::move(recovered_),
                                        AgentRunner::Parts{.executor = loop_,
                                                           .store = store_,
                                                           .transport = transport_,
                                                           .controller = controller_});
    control_ = std::make_unique<ControlService>(host_->runner());
  }

  void Start(Hooks hooks, int rpc_port) {
    SetPort(1, rpc_port);
    hooks_ = std::move(hooks);
    host_->Start(registration_);
  }

  Status Bind(const std::string& cluster_id) {
    auto bound = std::make_shared<std::promise<Status>>();
    store_.Bind(cluster_id, [bound](Status status) { bound->set_value(std::move(status)); });
    return bound->get_future().get();
  }

  Stopped AwaitStopped() { return stopped_future_.get(); }

  std::vector<grpc::Service*> services() { return {control_.get(), &transport_.service()}; }
  std::optional<std::string> cluster_id() const { return store_.cluster_id(); }
  const BrokerRegistration& registration() const { return registration_; }
  AgentHost& host() { return *host_; }
  Loop& loop() { return loop_; }

 private:
  void SetPort(size_t listener, int port) {
    Endpoint& endpoint = registration_.listeners[listener].endpoint;
    endpoint.port = endpoint.port == 0 ? port : endpoint.port;
  }

  std::unique_ptr<storage::FileSystem> files_;
  std::unique_ptr<ClientListener> client_listener_;
  AgentState recovered_;
  AgentOptions agent_options_;
  BrokerRegistration registration_;
  Hooks hooks_;
  std::promise<Stopped> stopped_;
  std::shared_future<Stopped> stopped_future_ = stopped_.get_future().share();
  Loop disk_;
  Loop loop_;
  DiskReplicaStore store_;
  GrpcReplicationTransport transport_;
  GrpcControllerClient controller_;
  std::unique_ptr<AgentHost> host_;
  std::unique_ptr<ControlService> control_;
};

Result<std::unique_ptr<BrokerProcess>> BrokerProcess::Open(const BrokerSettings& settings) {
  std::unique_ptr<storage::FileSystem> files = storage::MakePosixFileSystem();
  Rng rng = SystemRng();
  auto directory =
      storage::DataDirectory::Open(*files, {.path = settings.data_dir,
                                            .broker = settings.id,
                                            .fresh_directory_id = Uuid::Random(rng).ToText()});
  if (!directory.ok()) {
    return Error{directory.error().code,
                 "--data-dir=" + settings.data_dir + ": " + directory.error().message};
  }
  auto listener = ClientListener::Start(settings.client_listen);
  if (!listener.ok()) {
    return listener.error();
  }
  auto impl = std::make_unique<Impl>(settings, std::move(files), std::move(directory).value(),
                                     std::move(listener).value(), LifeId::Random(rng));
  impl->Prepare();
  return std::unique_ptr<BrokerProcess>(new BrokerProcess(std::move(impl)));
}

BrokerProcess::BrokerProcess(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
BrokerProcess::~BrokerProcess() = default;

std::vector<grpc::Service*> BrokerProcess::services() {
  return impl_->services();
}
std::optional<std::string> BrokerProcess::cluster_id() const {
  return impl_->cluster_id();
}
Status BrokerProcess::Bind(const std::string& cluster_id) {
  return impl_->Bind(cluster_id);
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
      [this]() { return impl_->loop().TakeLongestWait(); });
}

std::string ReadBootId() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string boot_id;
  file >> boot_id;
  return boot_id;
}

}  // namespace regent
