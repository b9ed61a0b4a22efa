#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "broker-agent/core/role_table.h"
#include "broker-agent/kafka/admin_errors.h"
#include "broker-agent/kafka/client_service.h"
#include "broker-agent/kafka/frame.h"
#include "broker-agent/kafka/gather.h"
#include "common/model/topic_settings.h"

// ClientService: configs of topics, described as the controller has sent them to this broker
// (architecture §7, "one road"), altered by the controller. A broker's own are its flags.

namespace regent::kafka {
namespace {

using Described = DescribeConfigsResponse::Resource;

constexpr const char* kBrokersHaveFlags =
    "a broker's configs are the flags that it was started with";

ConfigType TypeOf(TopicSettingSpec::Kind kind) {
  switch (kind) {
    case TopicSettingSpec::Kind::kInt: return ConfigType::kInt;
    case TopicSettingSpec::Kind::kLong: return ConfigType::kLong;
    case TopicSettingSpec::Kind::kBool: return ConfigType::kBoolean;
    case TopicSettingSpec::Kind::kChoice: break;
  }
  return ConfigType::kString;
}

DescribeConfigsResponse::Config Describe(const TopicSettingSpec& spec,
                                         const TopicConfig& config,
                                         const DescribeConfigsRequest& ask) {
  const std::string name(spec.name);
  const std::string default_value =
      spec.name == "min.insync.replicas" && !config.overrides.contains(name)
          ? std::to_string(config.min_insync_replicas)
          : std::string(spec.default_value);
  const auto given = config.overrides.find(name);
  const bool is_given =
      given != config.overrides.end() && CheckTopicSetting(name, given->second).ok();
  DescribeConfigsResponse::Config described{
      .name = name,
      .value = is_given ? given->second : default_value,
      .is_default = !is_given,
      .source = is_given ? ConfigSource::kTopic : ConfigSource::kDefault,
      .type = TypeOf(spec.kind)};
  if (ask.include_documentation) {
    described.documentation = std::string(spec.documentation);
  }
  if (ask.include_synonyms) {
    if (is_given) {
      described.synonyms.push_back(
          {.name = name, .value = given->second, .source = ConfigSource::kTopic});
    }
    described.synonyms.push_back(
        {.name = name, .value = default_value, .source = ConfigSource::kDefault});
  }
  return described;
}

Described Describe(const DescribeConfigsRequest::Resource& asked,
                   const DescribeConfigsRequest& ask,
                   const MetadataView* view) {
  Described described{.type = asked.type, .name = asked.name};
  if (asked.type == ConfigResource::kBroker) {
    return described;  // Nothing that could be altered while it runs.
  }
  if (asked.type != ConfigResource::kTopic) {
    Take({KafkaError::kInvalidRequest, "configs of topics and brokers can be described"},
         described);
    return described;
  }
  if (!LegalTopicName(asked.name)) {
    Take({KafkaError::kInvalidTopicException, "'" + asked.name + "' is not a topic's name"},
         described);
    return described;
  }
  if (view == nullptr) {
    Take({KafkaError::kLeaderNotAvailable,
          "this broker has yet to be told of the topics: ask again"},
         described);
    return described;
  }
  const auto topic = view->Find(asked.name);
  if (topic == nullptr) {
    Take({KafkaError::kUnknownTopicOrPartition, "there is no topic '" + asked.name + "'"},
         described);
    return described;
  }
  for (const TopicSettingSpec& spec : TopicSettingSpecs()) {
    if (!asked.keys || std::ranges::find(*asked.keys, spec.name) != asked.keys->end()) {
      described.configs.push_back(Describe(spec, topic->config, ask));
    }
  }
  return described;
}

/// A change, or why it is none.
struct PlannedChange {
  std::optional<Refusal> refusal;
  ConfigChange change;
};

std::optional<Refusal> CheckResource(ConfigResource type, const std::string& name) {
  if (type == ConfigResource::kBroker) {
    return Refusal{KafkaError::kInvalidRequest, kBrokersHaveFlags};
  }
  if (type != ConfigResource::kTopic) {
    return Refusal{KafkaError::kInvalidRequest, "only configs of topics can be altered"};
  }
  if (!LegalTopicName(name)) {
    return Refusal{KafkaError::kInvalidTopicException, "'" + name + "' is not a topic's name"};
  }
  return std::nullopt;
}

std::optional<Refusal> CheckSet(const ConfigChange& change) {
  for (const auto& [name, value] : change.set) {
    if (const Status legal = CheckTopicSetting(name, value); !legal.ok()) {
      return Refusal{KafkaError::kInvalidConfig, legal.error().message};
    }
  }
  return std::nullopt;
}

PlannedChange Plan(const AlterConfigsRequest::Resource& resource) {
  PlannedChange plan{.refusal = CheckResource(resource.type, resource.name),
                     .change = {.topic = resource.name, .replace = true}};
  for (const AlterConfigsRequest::Config& config : resource.configs) {
    if (config.value) {
      plan.change.set[config.name] = *config.value;
    }
  }
  if (!plan.refusal) {
    plan.refusal = CheckSet(plan.change);
  }
  return plan;
}

std::optional<Refusal> Add(const IncrementalAlterConfigsRequest::Config& config,
                           ConfigChange& change) {
  switch (config.operation) {
    case ConfigOperation::kSet:
      if (!config.value) {
        return Refusal{KafkaError::kInvalidRequest, "no value was given to set " + config.name};
      }
      change.set[config.name] = *config.value;
      return std::nullopt;
    case ConfigOperation::kDelete: change.reset.push_back(config.name); return std::nullopt;
    case ConfigOperation::kAppend:
    case ConfigOperation::kSubtract: break;
  }
  return Refusal{KafkaError::kInvalidConfig,
                 config.name + " is no list: nothing can be appended to it or taken from it"};
}

PlannedChange Plan(const IncrementalAlterConfigsRequest::Resource& resource) {
  PlannedChange plan{.refusal = CheckResource(resource.type, resource.name),
                     .change = {.topic = resource.name}};
  std::set<std::string> names;
  for (const IncrementalAlterConfigsRequest::Config& config : resource.configs) {
    if (!plan.refusal && !names.insert(config.name).second) {
      plan.refusal = Refusal{KafkaError::kInvalidRequest, config.name + " is named twice"};
    }
    if (!plan.refusal) {
      plan.refusal = Add(config, plan.change);
    }
  }
  if (!plan.refusal) {
    plan.refusal = CheckSet(plan.change);
  }
  return plan;
}

/// Both APIs that alter configs: they differ in what Plan() makes of a resource.
template <class Response, class Ask>
void AlterAll(const RequestHeader& header,
              const Ask& ask,
              ClusterAdmin& admin,
              const std::shared_ptr<Call>& call) {
  constexpr int32_t kTimeoutMs = 30'000;  // The requests carry none.
  Response response;
  for (const auto& resource : ask.resources) {
    response.resources.push_back({.type = resource.type, .name = resource.name});
  }
  const auto gather = Gather<Response>::For(
      ask.resources.size(), std::move(response),
      [header, call](const Response& answer) { call->Answer(EncodeResponse(header, answer)); });
  for (size_t i = 0; i < ask.resources.size(); ++i) {
    PlannedChange plan = Plan(ask.resources[i]);
    if (plan.refusal) {
      Take(*plan.refusal, gather->value().resources[i]);
      gather->Arrived();
      continue;
    }
    admin.Alter(std::move(plan.change), OptionsOf(kTimeoutMs, ask.validate_only),
                [gather, i](const Status& altered) {
                  if (!altered.ok()) {
                    Take(RefusalOf(altered.error(), KafkaError::kInvalidConfig),
                         gather->value().resources[i]);
                  }
                  gather->Arrived();
                });
  }
}

}  // namespace

void ClientService::Do(const RequestHeader& header,
                       const DescribeConfigsRequest& ask,
                       const CallRef& call) const {
  const std::shared_ptr<const MetadataView> view = backend_.metadata();
  DescribeConfigsResponse response;
  for (const DescribeConfigsRequest::Resource& resource : ask.resources) {
    response.resources.push_back(Describe(resource, ask, view.get()));
  }
  call->Answer(EncodeResponse(header, response));
}

void ClientService::Do(const RequestHeader& header,
                       const AlterConfigsRequest& ask,
                       const CallRef& call) const {
  AlterAll<AlterConfigsResponse>(header, ask, backend_.admin(), call);
}

void ClientService::Do(const RequestHeader& header,
                       const IncrementalAlterConfigsRequest& ask,
                       const CallRef& call) const {
  AlterAll<IncrementalAlterConfigsResponse>(header, ask, backend_.admin(), call);
}

}  // namespace regent::kafka
