#include "controller/io/metrics.h"

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/base/mutex.h"
#include "common/runtime/loop.h"

namespace regent::controller {

namespace {

/// A scrape asks once per family; all of them see one reading.
class Reading {
 public:
  explicit Reading(std::function<ControllerMetrics()> read) : read_(std::move(read)) {}

  ControllerMetrics Get() EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    const Instant now = MonotonicNow();
    if (!fresh_until_ || now >= *fresh_until_) {
      last_ = read_();
      fresh_until_ = now + kFresh;
    }
    return last_;
  }

 private:
  static constexpr Duration kFresh = std::chrono::milliseconds(200);

  const std::function<ControllerMetrics()> read_;
  Mutex mutex_;
  ControllerMetrics last_ GUARDED_BY(mutex_);
  std::optional<Instant> fresh_until_ GUARDED_BY(mutex_);
};

double Seconds(Duration d) {
  return std::chrono::duration<double>(d).count();
}

double Count(int64_t value) {
  return static_cast<double>(value);
}

int SessionNumber(zk::SessionState state) {
  switch (state) {
    case zk::SessionState::kConnected: return 1;
    case zk::SessionState::kDisconnected: return 0;
    case zk::SessionState::kLeaseEnded: return -1;
    case zk::SessionState::kExpired: return -2;
    case zk::SessionState::kAuthFailed: return -3;
  }
  return 0;
}

using Value = double (*)(const ControllerMetrics&);
using Samples = std::vector<MetricSample> (*)(const ControllerMetrics&);

struct Single {
  const char* name;
  const char* help;
  Value value;
};

constexpr Single kGauges[] = {
    {"active", "1 in the process that is the active controller",
     [](const ControllerMetrics& m) { return m.active ? 1.0 : 0.0; }},
    {"epoch", "Controller epoch, as this process knows it",
     [](const ControllerMetrics& m) { return Count(m.epoch.value()); }},
    {"topics", "Topics", [](const ControllerMetrics& m) { return Count(m.counts.topics); }},
    {"partitions", "Partitions",
     [](const ControllerMetrics& m) { return Count(m.counts.partitions); }},
    {"offline_partitions", "Partitions without a leader",
     [](const ControllerMetrics& m) { return Count(m.counts.offline); }},
    {"under_replicated_partitions", "Partitions with replicas outside the ISR",
     [](const ControllerMetrics& m) { return Count(m.counts.under_replicated); }},
    {"under_min_isr_partitions", "Partitions with an ISR below min.insync.replicas",
     [](const ControllerMetrics& m) { return Count(m.counts.under_min_isr); }},
    {"not_preferred_leaders", "Partitions led by another than the preferred replica",
     [](const ControllerMetrics& m) { return Count(m.counts.not_preferred); }},
    {"deletions", "Deletions of topics of which something is left to do",
     [](const ControllerMetrics& m) { return Count(m.deletions); }},
    {"queue_wait_seconds", "Longest wait of an event since the last scrape",
     [](const ControllerMetrics& m) { return Seconds(m.queue_wait_max); }},
    {"zookeeper_session", "1 connected, 0 not, -1 lease ended, -2 expired, -3 not authorised",
     [](const ControllerMetrics& m) { return Count(SessionNumber(m.session)); }},
    {"zookeeper_latency_seconds", "Slowest read or write since the last scrape",
     [](const ControllerMetrics& m) { return Seconds(m.zookeeper_latency_max); }},
};

constexpr Single kCounters[] = {
    {"terms_total", "Terms of office begun by this process",
     [](const ControllerMetrics& m) { return Count(m.terms); }},
    {"alter_partition_refused_total", "Changes asked for by leaders and refused",
     [](const ControllerMetrics& m) { return Count(m.counters.alters_refused); }},
    {"writes_total", "Transactions sent to ZooKeeper",
     [](const ControllerMetrics& m) { return Count(m.counters.multis); }},
    {"write_operations_total", "Operations in them, licences apart",
     [](const ControllerMetrics& m) { return Count(m.counters.operations); }},
    {"writes_fenced_total", "Transactions refused because of a newer controller",
     [](const ControllerMetrics& m) { return Count(m.writes_fenced); }},
};

std::vector<MetricSample> Elections(const ControllerMetrics& m) {
  return {{{{"type", "initial"}}, Count(m.counters.elections_initial)},
          {{{"type", "offline"}}, Count(m.counters.elections_offline)},
          {{{"type", "preferred"}}, Count(m.counters.elections_preferred)},
          {{{"type", "shutdown"}}, Count(m.counters.elections_shutdown)},
          {{{"type", "unclean"}}, Count(m.counters.elections_unclean)},
          {{{"type", "eligible"}}, Count(m.counters.elections_eligible)},
          {{{"type", "recovery"}}, Count(m.counters.elections_recovery)}};
}

std::vector<MetricSample> IsrChanges(const ControllerMetrics& m) {
  return {{{{"type", "shrink"}}, Count(m.counters.isr_shrinks)},
          {{{"type", "expand"}}, Count(m.counters.isr_expands)}};
}

std::vector<MetricSample> ReplicaProblems(const ControllerMetrics& m) {
  std::vector<MetricSample> samples;
  for (const auto& [answer, replicas] : m.replica_problems) {
    samples.push_back({{{"problem", Name(answer)}}, Count(replicas)});
  }
  return samples;
}

std::vector<MetricSample> Unacknowledged(const ControllerMetrics& m) {
  std::vector<MetricSample> samples;
  for (const auto& entry : m.unacknowledged) {
    samples.push_back({{{"broker", std::to_string(entry.first.value())}}, Count(entry.second)});
  }
  return samples;
}

}  // namespace

void ShowMetrics(MetricsRegistry& registry, std::function<ControllerMetrics()> read) {
  const std::string prefix = "regent_controller_";
  const auto reading = std::make_shared<Reading>(std::move(read));
  const auto single = [reading](Value value) -> MetricsRegistry::Sampler {
    return [reading, value]() -> std::vector<MetricSample> {
      return {{{}, value(reading->Get())}};
    };
  };
  const auto several = [reading](Samples samples) -> MetricsRegistry::Sampler {
    return [reading, samples] { return samples(reading->Get()); };
  };
  for (const Single& gauge : kGauges) {
    registry.SampleGauges(prefix + gauge.name, gauge.help, single(gauge.value));
  }
  for (const Single& counter : kCounters) {
    registry.SampleCounters(prefix + counter.name, counter.help, single(counter.value));
  }
  registry.SampleCounters(prefix + "elections_total", "Leaders elected, by reason",
                          several(Elections));
  registry.SampleCounters(prefix + "isr_changes_total", "Changes of in-sync replica sets",
                          several(IsrChanges));
  registry.SampleGauges(prefix + "unacknowledged_partitions",
                        "Partitions whose state a broker has not acknowledged",
                        several(Unacknowledged));
  registry.SampleGauges(prefix + "replica_problems",
                        "Replicas of live brokers that cannot lead, by what is wrong with them",
                        several(ReplicaProblems));
}

}  // namespace regent::controller
