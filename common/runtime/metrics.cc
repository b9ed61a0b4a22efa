#include "common/runtime/metrics.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <netdb.h>
#include <poll.h>
#include <thread>
#include <unistd.h>
#include <utility>

#include <glog/logging.h>
#include <prometheus/collectable.h>
#include <prometheus/counter.h>
#include <prometheus/exposer.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>
#include <sys/socket.h>

#include "common/base/mutex.h"

namespace regent {
namespace {

using prometheus::MetricType;

void CheckName(const std::string& name) {
  const bool sound =
      !name.empty() && !(name[0] >= '0' && name[0] <= '9') && std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_';
      });
  CHECK(sound) << "a metric cannot be called \"" << name << '"';
}

}  // namespace

void Counter::Increment(double by) const {
  counter_->Increment(by);
}
void Gauge::Set(double value) const {
  gauge_->Set(value);
}
void Gauge::Add(double by) const {
  gauge_->Increment(by);
}
void Histogram::Observe(double value) const {
  histogram_->Observe(value);
}

/// What a scrape collects: the library's own families, then those that are sampled.
class MetricsRegistry::Families final : public prometheus::Collectable {
 public:
  prometheus::Registry& owned() { return owned_; }

  /// Notes that `name` is of this type. Two families of one name would make a scrape unreadable.
  void Claim(const std::string& name, MetricType type) EXCLUDES(mutex_) {
    CheckName(name);
    const MutexLock lock(mutex_);
    const auto [found, added] = types_.emplace(name, type);
    CHECK(added || found->second == type) << "metric " << name << " has another type already";
  }
  void Sample(const std::string& name, const std::string& help, MetricType type, Sampler sample)
      EXCLUDES(mutex_) {
    Claim(name, type);
    const MutexLock lock(mutex_);
    sampled_.insert_or_assign(name, Sampled{help, type, std::move(sample)});
  }

  std::vector<prometheus::MetricFamily> Collect() const override EXCLUDES(mutex_) {
    std::vector<prometheus::MetricFamily> families = owned_.Collect();
    // Held while samplers run: a sampler that is replaced does not run again after that.
    const MutexLock lock(mutex_);
    for (const auto& [name, sampled] : sampled_) {
      families.push_back({name, sampled.help, sampled.type, {}});
      for (const MetricSample& sample : sampled.sample()) {
        prometheus::ClientMetric& metric = families.back().metric.emplace_back();
        for (const auto& [label, value] : sample.labels) {
          metric.label.push_back({label, value});
        }
        (sampled.type == MetricType::Counter ? metric.counter.value : metric.gauge.value) =
            sample.value;
      }
    }
    return families;
  }

 private:
  struct Sampled {
    std::string help;
    MetricType type;
    Sampler sample;
  };

  prometheus::Registry owned_;
  mutable Mutex mutex_;
  std::map<std::string, MetricType> types_ GUARDED_BY(mutex_);
  std::map<std::string, Sampled> sampled_ GUARDED_BY(mutex_);
};

MetricsRegistry::MetricsRegistry() : families_(std::make_shared<Families>()) {}
MetricsRegistry::~MetricsRegistry() = default;

Counter MetricsRegistry::AddCounter(const std::string& name,
                                    const std::string& help,
                                    const MetricLabels& labels) {
  families_->Claim(name, MetricType::Counter);
  auto& family = prometheus::BuildCounter().Name(name).Help(help).Register(families_->owned());
  return Counter(family.Add(labels));
}

Gauge MetricsRegistry::AddGauge(const std::string& name,
                                const std::string& help,
                                const MetricLabels& labels) {
  families_->Claim(name, MetricType::Gauge);
  auto& family = prometheus::BuildGauge().Name(name).Help(help).Register(families_->owned());
  return Gauge(family.Add(labels));
}

Histogram MetricsRegistry::AddHistogram(const std::string& name,
                                        const std::string& help,
                                        const std::vector<double>& bounds,
                                        const MetricLabels& labels) {
  families_->Claim(name, MetricType::Histogram);
  CHECK(std::ranges::is_sorted(bounds)) << name;
  auto& family = prometheus::BuildHistogram().Name(name).Help(help).Register(families_->owned());
  return Histogram(family.Add(labels, bounds));
}

void MetricsRegistry::SampleGauges(const std::string& name,
                                   const std::string& help,
                                   Sampler sample) {
  families_->Sample(name, help, MetricType::Gauge, std::move(sample));
}

void MetricsRegistry::SampleCounters(const std::string& name,
                                     const std::string& help,
                                     Sampler sample) {
  families_->Sample(name, help, MetricType::Counter, std::move(sample));
}

void MetricsRegistry::SampleGauge(const std::string& name,
                                  const std::string& help,
                                  std::function<double()> sample) {
  SampleGauges(name, help, [sample = std::move(sample)] {
    return std::vector<MetricSample>{{.labels = {}, .value = sample()}};
  });
}

std::string MetricsRegistry::ToText() const {
  return prometheus::TextSerializer().Serialize(families_->Collect());
}

Result<std::unique_ptr<MetricsServer>> MetricsServer::Start(const std::string& host,
                                                            int port,
                                                            const MetricsRegistry& registry) {
  const std::string address =
      (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" + std::to_string(port);
  // The library tells of a port in use by an exception, which goes no further.
  try {
    auto exposer = std::make_unique<prometheus::Exposer>(address, 2);
    exposer->RegisterCollectable(registry.families_);
    const std::vector<int> ports = exposer->GetListeningPorts();
    CHECK(!ports.empty()) << address;
    return std::unique_ptr<MetricsServer>(
        new MetricsServer(std::move(exposer), host, ports.front()));
  } catch (const std::exception& fault) {
    return Error{ErrorCode::kUnavailable,
                 "cannot serve metrics at " + address + " (" + fault.what() +
                     "): the port is in use or the host is not this machine's; choose another"};
  }
}

MetricsServer::MetricsServer(std::unique_ptr<prometheus::Exposer> exposer,
                             std::string host,
                             int port)
    : exposer_(std::move(exposer)), host_(std::move(host)), port_(port) {}

MetricsServer::~MetricsServer() {
  // The library's listening thread looks whether it is to stop only every two seconds, and when
  // somebody connects.
  std::atomic<bool> ended{false};
  std::thread knocking([this, &ended] {
    constexpr int kPauseMs = 10;
    while (!ended) {
      Knock();
      poll(nullptr, 0, kPauseMs);
    }
  });
  exposer_.reset();
  ended = true;
  knocking.join();
}

void MetricsServer::Knock() const {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host_.c_str(), std::to_string(port_).c_str(), &hints, &found) != 0) {
    return;
  }
  const int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd >= 0) {
    (void)connect(fd, found->ai_addr, found->ai_addrlen);
    close(fd);
  }
  freeaddrinfo(found);
}

const std::vector<double>& LatencyBounds() {
  static const std::vector<double> bounds = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
                                             0.01,   0.025,   0.05,   0.1,   0.25,   0.5,
                                             1,      2.5,     5,      10,    30};
  return bounds;
}

}  // namespace regent
