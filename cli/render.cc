#include "cli/render.h"

#include <algorithm>
#include <ctime>
#include <utility>
#include <vector>

#include "cli/client.h"
#include "common/base/uuid.h"

namespace regent::cli {
namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

/// "name: value" lines, the values in one column.
std::string RenderFields(const Fields& fields) {
  size_t width = 0;
  for (const auto& [name, value] : fields) {
    width = std::max(width, name.size());
  }
  std::string out;
  for (const auto& [name, value] : fields) {
    out += name + ":" + std::string(width - name.size() + 2, ' ') +
           (value.empty() ? "-" : Printable(value)) + "\n";
  }
  return out;
}

template <class Range>
std::string Join(const Range& range, const char* separator = ",") {
  std::string out;
  for (const auto& item : range) {
    if constexpr (requires { std::to_string(item); }) {
      out += (out.empty() ? "" : separator) + std::to_string(item);
    } else {
      out += (out.empty() ? "" : separator) + item;
    }
  }
  return out;
}

std::string BrokerOrNone(int32_t id) {
  return id < 0 ? "none" : std::to_string(id);
}

/// A span in its two largest units: "850ms", "12s", "3m20s", "5h4m", "12d3h".
std::string Span(int64_t ms) {
  const int64_t seconds = ms / 1000;
  if (ms < 1000) {
    return std::to_string(std::max<int64_t>(ms, 0)) + "ms";
  }
  if (seconds < 60) {
    return std::to_string(seconds) + "s";
  }
  if (seconds < 3600) {
    return std::to_string(seconds / 60) + "m" + std::to_string(seconds % 60) + "s";
  }
  if (seconds < 86400) {
    return std::to_string(seconds / 3600) + "h" + std::to_string(seconds % 3600 / 60) + "m";
  }
  return std::to_string(seconds / 86400) + "d" + std::to_string(seconds % 86400 / 3600) + "h";
}

/// Who is not in the ISR, since when and why: "0 since 2026-01-31T08:15:00Z (12s): not live".
std::string OutOfSyncText(const v1::PartitionDescription& partition, int64_t now_ms) {
  std::vector<std::string> items;
  for (const v1::OutOfSync& replica : partition.out_of_sync()) {
    std::string text = std::to_string(replica.broker());
    text += replica.since_ms() > 0 ? " since " + UtcTime(replica.since_ms()) + " (" +
                                         Span(now_ms - replica.since_ms()) + ")"
                                   : " since before this controller's term";
    if (!replica.reason().empty()) {
      text += ": " + replica.reason();
    }
    items.push_back(std::move(text));
  }
  return Join(items, "; ");
}

/// Only where there are any: most partitions never have one.
void AddEligible(const v1::PartitionDescription& partition, Fields& fields) {
  if (partition.elr_size() > 0) {
    fields.emplace_back("Eligible", Join(partition.elr()));
  }
  if (partition.last_known_elr_size() > 0) {
    fields.emplace_back("Last known eligible", Join(partition.last_known_elr()));
  }
}

std::string NotesOn(const v1::PartitionDescription& partition) {
  std::vector<std::string> notes;
  if (partition.leader() >= 0 && !partition.leader_confirmed()) {
    notes.emplace_back("leader has not confirmed");
  }
  if (partition.elr_size() > 0) {
    notes.push_back("eligible " + Join(partition.elr()));
  }
  if (partition.last_known_elr_size() > 0) {
    notes.push_back("last known eligible " + Join(partition.last_known_elr()));
  }
  if (!partition.explanation().empty()) {
    notes.push_back(partition.explanation());
  }
  if (!partition.pending().empty()) {
    notes.push_back("not acknowledged by " + Join(partition.pending()));
  }
  return Join(notes, "; ");
}

std::string ListenersOf(const v1::BrokerEndpoint& broker) {
  std::string out;
  for (const v1::Listener& listener : broker.listeners()) {
    out += (out.empty() ? "" : ",") + listener.name() + "://" + AddressOf(listener.endpoint());
  }
  return out;
}

std::string ConfigsOf(const v1::TopicDescription& topic) {
  std::vector<std::string> pairs;
  for (const auto& [key, value] : topic.configs()) {
    pairs.push_back(key + "=" + value);
  }
  std::ranges::sort(pairs);  // A protobuf map has no order.
  return Join(pairs);
}

std::string TopicLine(const v1::TopicDescription& topic) {
  const std::string configs = ConfigsOf(topic);
  return Printable("Topic: " + topic.name() + "  TopicId: " + TopicIdText(topic.topic_id()) +
                   "  PartitionCount: " + std::to_string(topic.partition_count()) +
                   "  ReplicationFactor: " + std::to_string(topic.replication_factor()) +
                   "  MinInsyncReplicas: " + std::to_string(topic.min_insync_replicas()) +
                   "  Configs: " + (configs.empty() ? "-" : configs)) +
         "\n";
}

Table DescriptionTable() {
  return Table(
      {"TOPIC", "PARTITION", "LEADER", "LEADER-EPOCH", "REPLICAS", "ISR", "OUT-OF-SYNC", "NOTES"});
}

void AddPartitions(const v1::TopicDescription& topic, const TableStyle& style, Table& table) {
  for (const v1::PartitionDescription& partition : topic.partitions()) {
    table.Add({topic.name(), std::to_string(partition.index()), BrokerOrNone(partition.leader()),
               std::to_string(partition.leader_epoch()), Join(partition.replicas()),
               Join(partition.isr()), OutOfSyncText(partition, style.now_ms), NotesOn(partition)});
  }
}

}  // namespace

Health HealthOf(const v1::GetClusterStatusResponse& status) {
  if (status.offline_partitions() > 0 || status.under_min_isr_partitions() > 0) {
    return Health::kUnhealthy;
  }
  if (status.under_replicated_partitions() > 0 || status.unacknowledged() > 0 ||
      !status.problems().empty()) {
    return Health::kDegraded;
  }
  return Health::kHealthy;
}

const char* HealthName(Health health) {
  switch (health) {
    case Health::kUnhealthy: return "unhealthy";
    case Health::kDegraded: return "degraded";
    case Health::kHealthy: return "healthy";
  }
  return "?";
}

std::string RenderController(const v1::ControllerInfo& controller, const TableStyle& style) {
  Table table({"CONTROLLER", "EPOCH", "ENDPOINT", "STATE"});
  const char* state = controller.id() < 0        ? "vacant"
                      : controller.active_here() ? "active"
                                                 : "not confirmed";
  table.Add({BrokerOrNone(controller.id()), std::to_string(controller.epoch()),
             AddressOf(controller.endpoint()), state});
  return table.Print(style.headers);
}

namespace {

/// Lines of a stream have columns of a fixed width: the next line is not known yet.
std::string StreamLine(const std::vector<std::string>& cells) {
  static constexpr size_t kWidths[] = {20, 10, 5, 21, 11};
  std::string out;
  for (size_t i = 0; i < cells.size(); ++i) {
    const std::string cell = cells[i].empty() ? "-" : Printable(cells[i]);
    out += cell;
    if (i + 1 < cells.size()) {
      const size_t width = i < std::size(kWidths) ? kWidths[i] : 0;
      out.append(2 + (cell.size() < width ? width - cell.size() : 0), ' ');
    }
  }
  return out + "\n";
}

}  // namespace

std::string RenderChangeHeadings() {
  return StreamLine({"TIME", "CONTROLLER", "EPOCH", "ENDPOINT", "FAILOVER-MS", "REASON"});
}

std::string RenderChange(const v1::ControllerChange& change) {
  const v1::ControllerInfo& controller = change.controller();
  return StreamLine({UtcTime(change.timestamp_ms()), BrokerOrNone(controller.id()),
                     std::to_string(controller.epoch()), AddressOf(controller.endpoint()),
                     change.failover_ms() < 0 ? "" : std::to_string(change.failover_ms()),
                     change.reason()});
}

std::string RenderClusterStatus(const v1::GetClusterStatusResponse& status) {
  const v1::ControllerInfo& controller = status.header().controller();
  const auto count = [](auto value) { return std::to_string(value); };
  std::string out = RenderFields({
      {"Health", HealthName(HealthOf(status))},
      {"Cluster id", status.cluster_id()},
      {"Controller", BrokerOrNone(controller.id()) + " (epoch " + count(controller.epoch()) +
                         ", at " + AddressOf(controller.endpoint()) + ")"},
      {"Brokers live", count(status.brokers_live())},
      {"Brokers stopping", count(status.brokers_stopping())},
      {"Topics", count(status.topics())},
      {"Partitions", count(status.partitions())},
      {"Offline", count(status.offline_partitions())},
      {"Under min ISR", count(status.under_min_isr_partitions())},
      {"Under-replicated", count(status.under_replicated_partitions())},
      {"Leader not preferred", count(status.not_preferred_leaders())},
      {"Not acknowledged", count(status.unacknowledged())},
  });
  for (const std::string& problem : status.problems()) {
    out += "Problem: " + Printable(problem) + "\n";
  }
  return out;
}

std::string RenderBrokers(const v1::ListBrokersResponse& brokers, const TableStyle& style) {
  Table table({"BROKER", "STATE", "EPOCH", "REPLICAS", "LEADERS", "NOT-ACKNOWLEDGED", "RACK",
               "LISTENERS", "PROBLEM"});
  for (const v1::BrokerStatus& broker : brokers.brokers()) {
    const v1::BrokerEndpoint& endpoint = broker.endpoint();
    table.Add({std::to_string(endpoint.id()), broker.state(), std::to_string(endpoint.epoch()),
               std::to_string(broker.replicas()), std::to_string(broker.leaders()),
               std::to_string(broker.unacknowledged()), endpoint.rack(), ListenersOf(endpoint),
               broker.problem()});
  }
  return table.Print(style.headers);
}

std::string RenderTopics(const v1::ListTopicsResponse& topics, const TableStyle& style) {
  Table table({"TOPIC", "TOPIC-ID", "PARTITIONS", "REPLICATION-FACTOR", "OFFLINE", "UNDER-MIN-ISR",
               "UNDER-REPLICATED"});
  for (const v1::TopicSummary& topic : topics.topics()) {
    table.Add({topic.name(), TopicIdText(topic.topic_id()), std::to_string(topic.partitions()),
               std::to_string(topic.replication_factor()), std::to_string(topic.offline()),
               std::to_string(topic.under_min_isr()), std::to_string(topic.under_replicated())});
  }
  return table.Print(style.headers);
}

std::string RenderDescription(const v1::DescribeTopicsResponse& topics, const TableStyle& style) {
  if (style.headers == Headers::kOmit) {
    Table rows = DescriptionTable();
    for (const v1::TopicDescription& topic : topics.topics()) {
      AddPartitions(topic, style, rows);
    }
    return rows.Print(Headers::kOmit);
  }
  std::string out;
  for (const v1::TopicDescription& topic : topics.topics()) {
    Table rows = DescriptionTable();
    AddPartitions(topic, style, rows);
    out += (out.empty() ? "" : "\n") + TopicLine(topic) + rows.Print(Headers::kShow);
  }
  return out;
}

std::string RenderPartition(const v1::TopicDescription& topic, const TableStyle& style) {
  std::string out;
  for (const v1::PartitionDescription& partition : topic.partitions()) {
    const auto& replicas = partition.replicas();
    Fields fields = {
        {"Partition", topic.name() + ":" + std::to_string(partition.index())},
        {"Topic id", TopicIdText(topic.topic_id())},
        {"Leader", BrokerOrNone(partition.leader())},
        {"Preferred leader", replicas.empty() ? "" : std::to_string(replicas.Get(0))},
        {"Confirmed", partition.leader() < 0         ? ""
                      : partition.leader_confirmed() ? "yes"
                                                     : "no"},
        {"Leader epoch", std::to_string(partition.leader_epoch())},
        {"Partition epoch", std::to_string(partition.partition_epoch())},
        {"Controller epoch", std::to_string(partition.controller_epoch())},
        {"Replicas", Join(replicas)},
        {"ISR", Join(partition.isr())},
        {"min.insync.replicas", std::to_string(topic.min_insync_replicas())},
        {"Out of sync", OutOfSyncText(partition, style.now_ms)},
        {"Not acknowledged by", Join(partition.pending())},
        {"Explanation", partition.explanation()},
    };
    AddEligible(partition, fields);
    out += (out.empty() ? "" : "\n") + RenderFields(fields);
  }
  return out;
}

std::string RenderCreated(const std::string& name,
                          const v1::CreateTopicResponse& created,
                          const TableStyle& style) {
  Table table({"TOPIC", "TOPIC-ID", "PARTITION", "REPLICAS"});
  for (int i = 0; i < created.assignment_size(); ++i) {
    table.Add({name, TopicIdText(created.topic_id()), std::to_string(i),
               Join(created.assignment(i).brokers())});
  }
  return table.Print(style.headers);
}

std::string RenderDeleted(const v1::DeleteTopicResponse& deleted, const TableStyle& style) {
  Table table({"TOPIC", "TOPIC-ID"});
  table.Add({deleted.name(), TopicIdText(deleted.topic_id())});
  return table.Print(style.headers);
}

std::string RenderExtended(const Extension& extension,
                           const v1::ExtendTopicResponse& extended,
                           const TableStyle& style) {
  Table table({"TOPIC", "PARTITION", "REPLICAS"});
  const int first = extension.partitions - extended.assignment_size();
  for (int i = 0; i < extended.assignment_size(); ++i) {
    table.Add({extension.name, std::to_string(first + i), Join(extended.assignment(i).brokers())});
  }
  return table.Print(style.headers);
}

std::string RenderTopicConfig(const v1::DescribeTopicConfigResponse& config,
                              const TableStyle& style) {
  Table table({"NAME", "VALUE", "SOURCE"});
  for (const v1::TopicSetting& setting : config.settings()) {
    table.Add({setting.name(), setting.value(), setting.source()});
  }
  return table.Print(style.headers);
}

std::string RenderElections(const v1::ElectLeadersResponse& elections, const TableStyle& style) {
  Table table({"TOPIC", "PARTITION", "OUTCOME", "OLD-LEADER", "NEW-LEADER", "MESSAGE"});
  for (const v1::ElectResult& result : elections.results()) {
    table.Add({result.partition().topic(), std::to_string(result.partition().index()),
               OutcomeName(result.outcome()), BrokerOrNone(result.old_leader()),
               BrokerOrNone(result.new_leader()), result.message()});
  }
  return table.Print(style.headers);
}

std::string OutcomeName(v1::ElectOutcome outcome) {
  std::string name = v1::ElectOutcome_Name(outcome);
  if (name.starts_with("ELECT_")) {
    name.erase(0, 6);
  }
  return name.empty() ? std::to_string(static_cast<int>(outcome)) : name;
}

std::string UtcTime(int64_t ms) {
  if (ms <= 0) {
    return "";
  }
  const std::time_t seconds = ms / 1000;
  std::tm utc{};
  char text[32] = "";
  if (gmtime_r(&seconds, &utc) == nullptr ||
      std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc) == 0) {
    return std::to_string(ms);
  }
  return text;
}

std::string TopicIdText(const std::string& bytes) {
  const std::optional<Uuid> id = Uuid::FromBytes(bytes);
  return id && !id->is_zero() ? id->ToText() : "";
}

}  // namespace regent::cli
