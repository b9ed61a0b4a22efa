#include "broker-agent/io/metrics.h"

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace regent {
namespace {

struct GaugeOf {
  const char* name;
  const char* help;
  int64_t AgentCounters::*value;
};

constexpr std::array kGauges = {
    GaugeOf{"leaders", "Partitions that this broker leads.", &AgentCounters::leaders},
    GaugeOf{"followers", "Partitions that it follows, without a leader included.",
            &AgentCounters::followers},
    GaugeOf{"offline_replicas", "Replicas whose log cannot be used.", &AgentCounters::offline},
    GaugeOf{"suspect_replicas", "Replicas that may have lost their tails and refuse to lead.",
            &AgentCounters::suspects},
    GaugeOf{"stray_replicas", "Replicas set aside.", &AgentCounters::strays},
    GaugeOf{"pending_isr_changes", "ISR proposals without a settled answer.",
            &AgentCounters::pending_isr_changes},
    GaugeOf{"parked_subscriptions", "Followers' subscriptions to an epoch not heard of yet.",
            &AgentCounters::parked_subscriptions},
    GaugeOf{"under_replicated_partitions", "Led here, with an ISR smaller than the replicas.",
            &AgentCounters::under_replicated},
    GaugeOf{"under_min_isr_partitions", "Led here, with an ISR below min.insync.replicas.",
            &AgentCounters::under_min_isr},
};

struct CounterOf {
  const char* name;
  const char* help;
  uint64_t AgentCounters::*value;
};

constexpr std::array kCounters = {
    CounterOf{"isr_shrinks_total", "ISR members that this leader removed.",
              &AgentCounters::isr_shrinks},
    CounterOf{"isr_expands_total", "ISR members that this leader added.",
              &AgentCounters::isr_expands},
    CounterOf{"refused_controller_epochs_total", "Requests of deposed controllers.",
              &AgentCounters::refused_controller_epochs},
    CounterOf{"refused_broker_epochs_total", "Requests meant for another registration.",
              &AgentCounters::refused_broker_epochs},
    CounterOf{"refused_cluster_total", "Requests of another cluster.",
              &AgentCounters::refused_cluster},
    CounterOf{"superseded_requests_total", "Requests overtaken by a newer one.",
              &AgentCounters::superseded},
    CounterOf{"malformed_values_total", "Values that no sender of ours makes.",
              &AgentCounters::malformed},
    CounterOf{"alter_partition_retries_total", "AlterPartition requests sent again.",
              &AgentCounters::alter_partition_retries},
    CounterOf{"truncations_total", "Logs cut back.", &AgentCounters::truncations},
    CounterOf{"truncations_below_high_watermark_total", "Logs cut back below the high watermark.",
              &AgentCounters::truncations_below_high_watermark},
    CounterOf{"refused_subscriptions_total", "Followers' subscriptions refused.",
              &AgentCounters::refused_subscriptions},
    CounterOf{"catch_up_bytes_total",
              "Bytes read from logs that followers outside the ISR have acknowledged.",
              &AgentCounters::catch_up_bytes},
    CounterOf{"stepped_down_total", "Leaderships given up without being told.",
              &AgentCounters::stepped_down},
};

std::string Named(const char* name) {
  return std::string("regent_broker_") + name;
}

double Seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

void ShowMetrics(MetricsRegistry& registry,
                 const std::function<AgentMetrics()>& read,
                 std::function<Duration()> longest_wait,
                 std::function<Duration()> rested) {
  for (const GaugeOf& gauge : kGauges) {
    registry.SampleGauge(Named(gauge.name), gauge.help, [read, value = gauge.value]() {
      return static_cast<double>(read().counters.*value);
    });
  }
  for (const CounterOf& counter : kCounters) {
    registry.SampleCounters(Named(counter.name), counter.help, [read, value = counter.value]() {
      return std::vector<MetricSample>{
          {.labels = {}, .value = static_cast<double>(read().counters.*value)}};
    });
  }
  registry.SampleCounters(
      Named("catch_up_rest_seconds_total"),
      "How long streams with more for followers outside the ISR have rested, added up.",
      [rested = std::move(rested)]() {
        return std::vector<MetricSample>{{.labels = {}, .value = Seconds(rested())}};
      });
  registry.SampleGauges(Named("registered"), "1 if registered; else what it waits for.", [read]() {
    const AgentMetrics metrics = read();
    MetricLabels labels;
    if (!metrics.registered) {
      labels["waiting_for"] = metrics.waiting_for;
    }
    return std::vector<MetricSample>{
        {.labels = std::move(labels), .value = metrics.registered ? 1.0 : 0.0}};
  });
  registry.SampleGauge(Named("epoch"), "czxid of the registration; -1: none yet.",
                       [read]() { return static_cast<double>(read().broker_epoch.value()); });
  registry.SampleGauge(Named("controller_epoch"), "The highest that it has heard of.",
                       [read]() { return static_cast<double>(read().controller.epoch.value()); });
  registry.SampleGauges(Named("zookeeper_session_state"), "1 for the state of the session.",
                        [read]() {
                          return std::vector<MetricSample>{
                              {.labels = {{"state", zk::Name(read().session)}}, .value = 1}};
                        });
  registry.SampleCounters(Named("zookeeper_sessions_total"), "Sessions begun.", [read]() {
    return std::vector<MetricSample>{{.labels = {}, .value = static_cast<double>(read().sessions)}};
  });
  registry.SampleGauge(Named("zookeeper_latency_seconds"),
                       "From a request to its answer, at registration or later.",
                       [read]() { return Seconds(read().zookeeper_latency); });
  registry.SampleGauge(
      Named("event_queue_wait_seconds"), "Longest wait of an event since the last scrape.",
      [longest_wait = std::move(longest_wait)]() { return Seconds(longest_wait()); });
}

void ShowMetrics(MetricsRegistry& registry, const std::function<ClientServerCounters()>& read) {
  const auto counter = [&](const char* name, const char* help,
                           uint64_t ClientServerCounters::*value) {
    registry.SampleCounters(Named(name), help, [read, value]() {
      return std::vector<MetricSample>{{.labels = {}, .value = static_cast<double>(read().*value)}};
    });
  };
  registry.SampleGauge(Named("client_connections"), "Connections of clients.",
                       [read]() { return static_cast<double>(read().connections); });
  registry.SampleGauge(Named("client_held_bytes"), "Of clients' requests and answers not sent yet.",
                       [read]() { return static_cast<double>(read().held_bytes); });
  counter("client_requests_total", "Requests of clients.", &ClientServerCounters::requests);
  counter("client_refused_connections_total", "Connections above the limit.",
          &ClientServerCounters::refused_connections);
  counter("client_broken_connections_total", "Connections ended for what the client sent.",
          &ClientServerCounters::broken_connections);
}

}  // namespace regent
