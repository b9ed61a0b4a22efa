#pragma once

#include "regent/v1/admin.pb.h"

#include "common/base/instant.h"
#include "common/base/result.h"
#include "controller/core/admin.h"
#include "controller/io/office_source.h"

// What operators ask and what the controller's core understands, one into the other. Requests are
// checked field by field: an error names the field, its value and the rule.

namespace regent::controller {

inline constexpr Duration kAskTimeoutMin = std::chrono::seconds(1);
inline constexpr Duration kAskTimeoutMax = std::chrono::seconds(600);

Result<CreateTopicSpec> FromProto(const v1::CreateTopicRequest& request);
Result<DeleteTopicSpec> FromProto(const v1::DeleteTopicRequest& request);
Result<ExtendTopicSpec> FromProto(const v1::ExtendTopicRequest& request);
Result<AlterTopicConfigSpec> FromProto(const v1::AlterTopicConfigRequest& request);
Result<DescribeSpec> FromProto(const v1::DescribeTopicsRequest& request);
Result<ElectLeadersSpec> FromProto(const v1::ElectLeadersRequest& request);

v1::ControllerInfo ToProto(const OfficeView& office);
v1::ControllerChange ToChange(const OfficeView& office);
void Fill(const ClusterStatus& status, v1::GetClusterStatusResponse* response);
void Fill(const BrokerStatus& status, v1::BrokerStatus* proto);
void Fill(const TopicSummary& summary, v1::TopicSummary* proto);
/// `wall_ms` is now: moments that the core knows as "so long ago" become points in time.
void Fill(const TopicDescription& topic, int64_t wall_ms, v1::TopicDescription* proto);
void Fill(const CreateTopicResult& result, v1::CreateTopicResponse* response);
void Fill(const DeleteTopicResult& result, v1::DeleteTopicResponse* response);
void Fill(const ExtendTopicResult& result, v1::ExtendTopicResponse* response);
void Fill(const AlterTopicConfigResult& result, v1::AlterTopicConfigResponse* response);
void Fill(const TopicSetting& setting, v1::TopicSetting* proto);
void Fill(const ElectLeadersResult& result, v1::ElectLeadersResponse* response);

}  // namespace regent::controller
