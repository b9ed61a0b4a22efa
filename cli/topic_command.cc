#include <algorithm>

#include "cli/commands.h"
#include "common/base/uuid.h"

namespace regent::cli {
namespace {

v1::DescribeTopicsRequest::Filter FilterOf(TopicFilter filter) {
  switch (filter) {
    case TopicFilter::kAll: return v1::DescribeTopicsRequest::ALL;
    case TopicFilter::kUnderReplicated: return v1::DescribeTopicsRequest::UNDER_REPLICATED;
    case TopicFilter::kUnderMinIsr: return v1::DescribeTopicsRequest::UNDER_MIN_ISR;
    case TopicFilter::kUnavailable: return v1::DescribeTopicsRequest::UNAVAILABLE;
  }
  return v1::DescribeTopicsRequest::ALL;
}

bool Passes(const v1::TopicSummary& topic, TopicFilter filter) {
  switch (filter) {
    case TopicFilter::kAll: return true;
    case TopicFilter::kUnderReplicated: return topic.under_replicated() > 0;
    case TopicFilter::kUnderMinIsr: return topic.under_min_isr() > 0;
    case TopicFilter::kUnavailable: return topic.offline() > 0;
  }
  return true;
}

/// The first of `names` that the answer does not hold; "" if it holds them all.
std::string Missing(const std::vector<std::string>& names,
                    const v1::DescribeTopicsResponse& answer) {
  for (const std::string& name : names) {
    const bool there = std::ranges::any_of(
        answer.topics(), [&](const v1::TopicDescription& topic) { return topic.name() == name; });
    if (!there) {
      return name;
    }
  }
  return "";
}

}  // namespace

ExitCode TopicCreate(Client& client, const Console& console, const CreateTopicOptions& options) {
  v1::CreateTopicRequest request;
  request.set_name(options.name);
  request.set_partitions(options.partitions.value_or(0));
  request.set_replication_factor(options.replication_factor.value_or(0));
  for (const std::vector<int32_t>& replicas : options.assignment) {
    request.add_assignment()->mutable_brokers()->Add(replicas.begin(), replicas.end());
  }
  request.mutable_configs()->insert(options.configs.begin(), options.configs.end());
  request.set_validate_only(options.validate_only);
  const Result<v1::CreateTopicResponse> created = client.CreateTopic(std::move(request));
  if (!created.ok()) {
    return console.Fail(created.error());
  }
  if (console.json()) {
    console.PrintJson(CreatedJson(options.name, *created));
  } else {
    console.Print(RenderCreated(options.name, *created, console.style()));
  }
  if (options.validate_only) {
    console.Talk("topic '" + options.name + "' could be created so; nothing was written");
  }
  return ExitCode::kOk;
}

ExitCode TopicDelete(Client& client, const Console& console, const std::string& topic, bool by_id) {
  v1::DeleteTopicRequest request;
  if (by_id) {
    const std::optional<Uuid> id = Uuid::Parse(topic);
    if (!id) {
      return console.Fail(
          Error{ErrorCode::kInvalidArgument,
                "'" + topic + "' is no topic id; `regentctl topic list` shows them"});
    }
    request.set_topic_id(id->ToBytes());
  } else {
    request.set_name(topic);
  }
  const Result<v1::DeleteTopicResponse> deleted = client.DeleteTopic(std::move(request));
  if (!deleted.ok()) {
    return console.Fail(deleted.error());
  }
  if (console.json()) {
    console.PrintJson(DeletedJson(*deleted));
  } else {
    console.Print(RenderDeleted(*deleted, console.style()));
  }
  return ExitCode::kOk;
}

ExitCode TopicExtend(Client& client, const Console& console, const ExtendTopicOptions& options) {
  v1::ExtendTopicRequest request;
  request.set_name(options.name);
  request.set_partitions(options.partitions);
  for (const std::vector<int32_t>& replicas : options.assignment) {
    request.add_assignment()->mutable_brokers()->Add(replicas.begin(), replicas.end());
  }
  request.set_validate_only(options.validate_only);
  const Result<v1::ExtendTopicResponse> extended = client.ExtendTopic(std::move(request));
  if (!extended.ok()) {
    return console.Fail(extended.error());
  }
  const Extension extension{.name = options.name, .partitions = options.partitions};
  if (console.json()) {
    console.PrintJson(ExtendedJson(extension, *extended));
  } else {
    console.Print(RenderExtended(extension, *extended, console.style()));
  }
  if (options.validate_only) {
    console.Talk("topic '" + options.name + "' could be extended so; nothing was written");
  }
  return ExitCode::kOk;
}

ExitCode TopicConfig(Client& client, const Console& console, const TopicConfigOptions& options) {
  if (!options.set.empty() || !options.reset.empty()) {
    v1::AlterTopicConfigRequest request;
    request.set_name(options.name);
    request.mutable_set()->insert(options.set.begin(), options.set.end());
    request.mutable_reset()->Add(options.reset.begin(), options.reset.end());
    request.set_validate_only(options.validate_only);
    const Result<v1::AlterTopicConfigResponse> altered =
        client.AlterTopicConfig(std::move(request));
    if (!altered.ok()) {
      return console.Fail(altered.error());
    }
    if (options.validate_only) {
      console.Talk("the config of topic '" + options.name +
                   "' could be changed so; nothing was written");
    }
  }
  const Result<v1::DescribeTopicConfigResponse> config = client.DescribeTopicConfig(options.name);
  if (!config.ok()) {
    return console.Fail(config.error());
  }
  if (console.json()) {
    console.PrintJson(TopicConfigJson(options.name, *config));
  } else {
    console.Print(RenderTopicConfig(*config, console.style()));
  }
  return ExitCode::kOk;
}

ExitCode TopicListing(Client& client, const Console& console, TopicFilter filter) {
  Result<v1::ListTopicsResponse> topics = client.ListTopics();
  if (!topics.ok()) {
    return console.Fail(topics.error());
  }
  auto& list = *topics->mutable_topics();
  const auto rejected =
      std::stable_partition(list.begin(), list.end(),
                            [&](const v1::TopicSummary& topic) { return Passes(topic, filter); });
  list.erase(rejected, list.end());
  if (console.json()) {
    console.PrintJson(TopicsJson(*topics));
  } else {
    console.Print(RenderTopics(*topics, console.style()));
  }
  return ExitCode::kOk;
}

ExitCode TopicDescribe(Client& client,
                       const Console& console,
                       const std::vector<std::string>& names,
                       TopicFilter filter) {
  v1::DescribeTopicsRequest request;
  request.mutable_names()->Add(names.begin(), names.end());
  request.set_filter(FilterOf(filter));
  const Result<v1::DescribeTopicsResponse> topics = client.DescribeTopics(request);
  if (!topics.ok()) {
    return console.Fail(topics.error());
  }
  const std::string missing = filter == TopicFilter::kAll ? Missing(names, *topics) : "";
  const Error not_found{ErrorCode::kNotFound, "topic '" + missing +
                                                  "' does not exist; `regentctl topic list` shows "
                                                  "those that do"};
  if (!missing.empty() && topics->topics().empty()) {
    return console.Fail(not_found);
  }
  if (console.json()) {
    console.PrintJson(DescriptionJson(*topics));
  } else {
    console.Print(RenderDescription(*topics, console.style()));
  }
  if (!missing.empty()) {
    console.Talk(not_found.message);
    return ExitCode::kSomeFailed;
  }
  return ExitCode::kOk;
}

}  // namespace regent::cli
