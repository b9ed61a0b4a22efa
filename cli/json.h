#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "regent/v1/admin.pb.h"

#include "cli/exit_code.h"
#include "cli/render.h"
#include "common/base/result.h"

namespace regent::cli {

// Answers as JSON for programs: one object with apiVersion and kind, whatever happened. Fields are
// added, never renamed or removed. Ids and times are absent when they are not known.

using Json = nlohmann::ordered_json;

Json ErrorJson(const Error& error, ExitCode exit);
Json ControllerJson(const v1::GetControllerResponse& response);
Json ChangeJson(const v1::ControllerChange& change);
Json ClusterStatusJson(const v1::GetClusterStatusResponse& status);
/// The status of a cluster in which nobody holds the office.
Json VacantClusterJson(const Error& why);
Json BrokersJson(const v1::ListBrokersResponse& brokers);
Json TopicsJson(const v1::ListTopicsResponse& topics);
Json DescriptionJson(const v1::DescribeTopicsResponse& topics);
Json PartitionJson(const v1::DescribeTopicsResponse& topics);
Json CreatedJson(const std::string& name, const v1::CreateTopicResponse& created);
Json DeletedJson(const v1::DeleteTopicResponse& deleted);
Json ExtendedJson(const Extension& extension, const v1::ExtendTopicResponse& extended);
Json TopicConfigJson(const std::string& name, const v1::DescribeTopicConfigResponse& config);
Json ElectionsJson(const v1::ElectLeadersResponse& elections);

/// Returns the object as text; what is not UTF-8 is replaced, never an exception.
std::string JsonText(const Json& json, int indent);

}  // namespace regent::cli
