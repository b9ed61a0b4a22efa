#pragma once

#include <cstdint>
#include <string>

#include "regent/v1/admin.pb.h"

#include "cli/table.h"

namespace regent::cli {

// Answers as text for people. Pure: the same answer and the same `now_ms` give the same text.

struct TableStyle {
  Headers headers = Headers::kShow;
  int64_t now_ms = 0;  ///< Wall clock, for "since" columns.
};

/// How a cluster is doing, worst first.
enum class Health {
  kUnhealthy,  ///< Partitions without a leader or below min.insync.replicas.
  kDegraded,   ///< All can be written, but something is not as it should be.
  kHealthy,
};

Health HealthOf(const v1::GetClusterStatusResponse& status);
const char* HealthName(Health health);

std::string RenderController(const v1::ControllerInfo& controller, const TableStyle& style);
/// One line of `controller watch`, or its headings.
std::string RenderChangeHeadings();
std::string RenderChange(const v1::ControllerChange& change);
std::string RenderClusterStatus(const v1::GetClusterStatusResponse& status);
std::string RenderBrokers(const v1::ListBrokersResponse& brokers, const TableStyle& style);
std::string RenderTopics(const v1::ListTopicsResponse& topics, const TableStyle& style);
/// Per topic a line about the topic, then a row per partition.
std::string RenderDescription(const v1::DescribeTopicsResponse& topics, const TableStyle& style);
/// One partition, a line per fact.
std::string RenderPartition(const v1::TopicDescription& topic, const TableStyle& style);
std::string RenderCreated(const std::string& name,
                          const v1::CreateTopicResponse& created,
                          const TableStyle& style);
std::string RenderDeleted(const v1::DeleteTopicResponse& deleted, const TableStyle& style);
/// What was asked for: the answer holds the new partitions alone.
struct Extension {
  std::string name;
  int32_t partitions = 0;  ///< In total.
};
std::string RenderExtended(const Extension& extension,
                           const v1::ExtendTopicResponse& extended,
                           const TableStyle& style);
std::string RenderTopicConfig(const v1::DescribeTopicConfigResponse& config,
                              const TableStyle& style);
std::string RenderElections(const v1::ElectLeadersResponse& elections, const TableStyle& style);

/// Returns "ELECTED", "ALREADY_PREFERRED", …
std::string OutcomeName(v1::ElectOutcome outcome);
/// Returns e.g. "2026-01-31T08:15:00Z"; "" for 0.
std::string UtcTime(int64_t ms);
/// Returns a topic's id as Kafka prints it; "" if there is none.
std::string TopicIdText(const std::string& bytes);

}  // namespace regent::cli
