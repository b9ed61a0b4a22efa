#include <algorithm>
#include <optional>
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

// ClientService: topics made, deleted and extended, leaders elected. What the protocol has an error
// of its own for is checked here; the controller checks everything again.

namespace regent::kafka {
namespace {

constexpr int32_t kByDefault = -1;

using AskedTopic = CreateTopicsRequest::Topic;

/// The assignment by partition; a refusal if it has gaps or partitions of unlike size.
Result<std::vector<BrokerList>> AssignmentOf(const AskedTopic& topic) {
  std::vector<BrokerList> assignment(topic.assignments.size());
  std::vector<bool> seen(topic.assignments.size(), false);
  for (const CreateTopicsRequest::Assignment& each : topic.assignments) {
    if (each.partition < 0 || static_cast<size_t>(each.partition) >= assignment.size() ||
        seen[static_cast<size_t>(each.partition)]) {
      return Error{ErrorCode::kInvalidArgument,
                   "partitions must be numbered from 0 without a gap, each once; there is " +
                       std::to_string(each.partition)};
    }
    seen[static_cast<size_t>(each.partition)] = true;
    assignment[static_cast<size_t>(each.partition)] = each.brokers;
  }
  return assignment;
}

std::optional<Refusal> CheckCounts(const AskedTopic& topic) {
  if (!topic.assignments.empty()) {
    if (topic.num_partitions != kByDefault || topic.replication_factor != kByDefault) {
      return Refusal{KafkaError::kInvalidRequest,
                     "an assignment was given, and numbers of partitions or replicas beside it: "
                     "give one of them"};
    }
    return std::nullopt;
  }
  if (topic.num_partitions <= 0 && topic.num_partitions != kByDefault) {
    return Refusal{KafkaError::kInvalidPartitions,
                   "Number of partitions was set to an invalid non-positive value."};
  }
  if (topic.replication_factor <= 0 && topic.replication_factor != kByDefault) {
    return Refusal{KafkaError::kInvalidReplicationFactor,
                   "Replication factor must be larger than 0."};
  }
  return std::nullopt;
}

std::optional<Refusal> CheckConfigs(const std::map<std::string, std::string>& configs) {
  for (const auto& [name, value] : configs) {
    if (const Status legal = CheckTopicSetting(name, value); !legal.ok()) {
      return Refusal{KafkaError::kInvalidConfig, legal.error().message};
    }
  }
  return std::nullopt;
}

struct Planned {
  std::optional<Refusal> refusal;
  NewTopic topic;
};

Planned Plan(const AskedTopic& asked, const TopicDefaults& defaults, const MetadataView* view) {
  if (!LegalTopicName(asked.name)) {
    return {.refusal = Refusal{KafkaError::kInvalidTopicException,
                               "'" + asked.name +
                                   "' is not a topic's name: 1 to 249 letters, digits, '.', '_' "
                                   "and '-', and not '.' or '..'"},
            .topic = {}};
  }
  if (view != nullptr && view->Find(asked.name) != nullptr) {
    return {.refusal = Refusal{KafkaError::kTopicAlreadyExists,
                               "Topic '" + asked.name + "' already exists."},
            .topic = {}};
  }
  Planned planned;
  planned.topic.name = asked.name;
  for (const CreateTopicsRequest::Config& config : asked.configs) {
    planned.topic.configs[config.name] = config.value.value_or("");
  }
  planned.refusal = CheckCounts(asked);
  if (!planned.refusal) {
    planned.refusal = CheckConfigs(planned.topic.configs);
  }
  if (planned.refusal) {
    return planned;
  }
  if (asked.assignments.empty()) {
    planned.topic.partitions =
        asked.num_partitions == kByDefault ? defaults.partitions : asked.num_partitions;
    planned.topic.replication_factor = asked.replication_factor == kByDefault
                                           ? defaults.replication_factor
                                           : asked.replication_factor;
    return planned;
  }
  auto assignment = AssignmentOf(asked);
  if (assignment.ok()) {
    planned.topic.assignment = std::move(assignment).value();
  } else {
    planned.refusal = Refusal{KafkaError::kInvalidReplicaAssignment, assignment.error().message};
  }
  return planned;
}

/// Which error an invalid argument is, after the checks of Plan().
KafkaError InvalidAs(const NewTopic& topic) {
  return topic.assignment.empty() ? KafkaError::kInvalidReplicationFactor
                                  : KafkaError::kInvalidReplicaAssignment;
}

std::vector<CreateTopicsResponse::Config> ConfigsOf(
    const std::map<std::string, std::string>& overrides) {
  std::vector<CreateTopicsResponse::Config> configs;
  configs.reserve(TopicSettingSpecs().size());
  for (const TopicSettingSpec& spec : TopicSettingSpecs()) {
    const auto given = overrides.find(std::string(spec.name));
    const bool is_given = given != overrides.end();
    configs.push_back({.name = std::string(spec.name),
                       .value = is_given ? given->second : std::string(spec.default_value),
                       .source = is_given ? ConfigSource::kTopic : ConfigSource::kDefault});
  }
  return configs;
}

void Fill(const NewTopic& asked,
          const Result<CreatedTopic>& created,
          CreateTopicsResponse::Topic& answer) {
  if (!created.ok()) {
    const Refusal refusal = RefusalOf(created.error(), InvalidAs(asked));
    answer.error = refusal.error;
    answer.error_message = refusal.message;
    return;
  }
  answer.id = created->id;
  answer.num_partitions = static_cast<int32_t>(created->assignment.size());
  answer.replication_factor = created->assignment.empty()
                                  ? int16_t{-1}
                                  : static_cast<int16_t>(created->assignment.front().size());
  answer.configs = ConfigsOf(asked.configs);
}

void Fill(const Result<DoomedTopic>& deleted, bool by_id, DeleteTopicsResponse::Topic& answer) {
  if (deleted.ok()) {
    answer.name = deleted->name;
    answer.id = deleted->id;
    return;
  }
  Take(RefusalOf(deleted.error(), KafkaError::kInvalidRequest), answer);
  if (by_id && deleted.error().code == ErrorCode::kNotFound) {
    answer.error = KafkaError::kUnknownTopicId;
  }
}

/// Names that a request has more than once.
template <class Topics>
std::set<std::string> Repeated(const Topics& topics) {
  std::set<std::string> seen;
  std::set<std::string> repeated;
  for (const auto& topic : topics) {
    if (!seen.insert(topic.name).second) {
      repeated.insert(topic.name);
    }
  }
  return repeated;
}

const Refusal& TwiceRefused() {
  static const Refusal refusal{KafkaError::kInvalidRequest, "the request names the topic twice"};
  return refusal;
}

KafkaError ErrorOf(Election::Outcome outcome) {
  switch (outcome) {
    case Election::Outcome::kElected: return KafkaError::kNone;
    case Election::Outcome::kNotNeeded: return KafkaError::kElectionNotNeeded;
    case Election::Outcome::kPreferredNotAvailable: return KafkaError::kPreferredLeaderNotAvailable;
    case Election::Outcome::kEligibleNotAvailable: return KafkaError::kEligibleLeadersNotAvailable;
    case Election::Outcome::kUnknownPartition: return KafkaError::kUnknownTopicOrPartition;
    case Election::Outcome::kUnknownOutcome: return KafkaError::kRequestTimedOut;
    case Election::Outcome::kFailed: break;
  }
  return KafkaError::kUnknownServerError;
}

ElectLeadersResponse ResponseOf(const std::vector<Election>& elections, bool all) {
  std::map<std::string, std::vector<ElectLeadersResponse::Partition>> by_topic;
  for (const Election& election : elections) {
    if (all && election.outcome == Election::Outcome::kNotNeeded) {
      continue;  // As Kafka: of all partitions, those that needed one.
    }
    by_topic[election.topic].push_back({.index = election.partition,
                                        .error = ErrorOf(election.outcome),
                                        .error_message = election.message.empty()
                                                             ? std::nullopt
                                                             : std::optional(election.message)});
  }
  ElectLeadersResponse response;
  for (auto& [topic, partitions] : by_topic) {
    response.topics.push_back({.name = topic, .partitions = std::move(partitions)});
  }
  return response;
}

}  // namespace

void ClientService::Do(const RequestHeader& header,
                       const CreateTopicsRequest& ask,
                       const CallRef& call) const {
  const std::shared_ptr<const MetadataView> view = backend_.metadata();
  const std::set<std::string> repeated = Repeated(ask.topics);
  CreateTopicsResponse response;
  for (const AskedTopic& topic : ask.topics) {
    response.topics.push_back({.name = topic.name});
  }
  const auto gather = Gather<CreateTopicsResponse>::For(
      ask.topics.size(), std::move(response), [header, call](const CreateTopicsResponse& answer) {
        call->Answer(EncodeResponse(header, answer));
      });
  for (size_t i = 0; i < ask.topics.size(); ++i) {
    Planned planned = Plan(ask.topics[i], options_.topic_defaults, view.get());
    if (repeated.contains(ask.topics[i].name)) {
      planned.refusal = TwiceRefused();
    }
    if (planned.refusal) {
      Take(*planned.refusal, gather->value().topics[i]);
      gather->Arrived();
      continue;
    }
    const NewTopic topic = std::move(planned.topic);
    backend_.admin().Create(topic, OptionsOf(ask.timeout_ms, ask.validate_only),
                            [gather, i, topic](const Result<CreatedTopic>& created) {
                              Fill(topic, created, gather->value().topics[i]);
                              gather->Arrived();
                            });
  }
}

void ClientService::Do(const RequestHeader& header,
                       const DeleteTopicsRequest& ask,
                       const CallRef& call) const {
  std::vector<DoomedTopic> doomed;
  for (const std::string& name : ask.topic_names) {
    doomed.push_back({.name = name});
  }
  for (const DeleteTopicsRequest::Topic& topic : ask.topics) {
    doomed.push_back({.name = topic.name.value_or(""), .id = topic.id});
  }
  DeleteTopicsResponse response;
  for (const DoomedTopic& topic : doomed) {
    response.topics.push_back(
        {.name = topic.name.empty() ? std::nullopt : std::optional(topic.name), .id = topic.id});
  }
  const auto gather = Gather<DeleteTopicsResponse>::For(
      doomed.size(), std::move(response), [header, call](const DeleteTopicsResponse& answer) {
        call->Answer(EncodeResponse(header, answer));
      });
  for (size_t i = 0; i < doomed.size(); ++i) {
    const bool by_id = doomed[i].name.empty();
    backend_.admin().Delete(std::move(doomed[i]), OptionsOf(ask.timeout_ms, false),
                            [gather, i, by_id](const Result<DoomedTopic>& deleted) {
                              Fill(deleted, by_id, gather->value().topics[i]);
                              gather->Arrived();
                            });
  }
}

void ClientService::Do(const RequestHeader& header,
                       const CreatePartitionsRequest& ask,
                       const CallRef& call) const {
  const std::set<std::string> repeated = Repeated(ask.topics);
  CreatePartitionsResponse response;
  for (const CreatePartitionsRequest::Topic& topic : ask.topics) {
    response.topics.push_back({.name = topic.name});
  }
  const auto gather =
      Gather<CreatePartitionsResponse>::For(ask.topics.size(), std::move(response),
                                            [header, call](const CreatePartitionsResponse& answer) {
                                              call->Answer(EncodeResponse(header, answer));
                                            });
  for (size_t i = 0; i < ask.topics.size(); ++i) {
    const CreatePartitionsRequest::Topic& topic = ask.topics[i];
    if (repeated.contains(topic.name)) {
      Take(TwiceRefused(), gather->value().topics[i]);
      gather->Arrived();
      continue;
    }
    NewPartitions more{.topic = topic.name, .total = topic.count};
    for (const auto& each :
         topic.assignments.value_or(std::vector<CreatePartitionsRequest::Assignment>{})) {
      more.assignment.push_back(each.brokers);
    }
    const KafkaError invalid_as = more.assignment.empty() ? KafkaError::kInvalidPartitions
                                                          : KafkaError::kInvalidReplicaAssignment;
    backend_.admin().Extend(std::move(more), OptionsOf(ask.timeout_ms, ask.validate_only),
                            [gather, i, invalid_as](const Status& extended) {
                              if (!extended.ok()) {
                                Take(RefusalOf(extended.error(), invalid_as),
                                     gather->value().topics[i]);
                              }
                              gather->Arrived();
                            });
  }
}

void ClientService::Do(const RequestHeader& header,
                       const ElectLeadersRequest& ask,
                       const CallRef& call) const {
  std::vector<std::pair<std::string, int32_t>> partitions;
  for (const auto& topic : ask.topics.value_or(std::vector<ElectLeadersRequest::Topic>{})) {
    for (const int32_t partition : topic.partitions) {
      partitions.emplace_back(topic.name, partition);
    }
  }
  const bool all = !ask.topics;
  const bool known =
      ask.election_type == ElectionType::kPreferred || ask.election_type == ElectionType::kUnclean;
  if (!known || (!all && partitions.empty())) {
    ElectLeadersResponse response;
    if (!known) {
      response.error = KafkaError::kInvalidRequest;  // The API has no message for all of it.
    }
    call->Answer(EncodeResponse(header, response));
    return;
  }
  backend_.admin().Elect(ask.election_type, std::move(partitions), OptionsOf(ask.timeout_ms, false),
                         [header, call, all](const Result<std::vector<Election>>& elected) {
                           ElectLeadersResponse response;
                           if (elected.ok()) {
                             response = ResponseOf(*elected, all);
                           } else {
                             response.error =
                                 RefusalOf(elected.error(), KafkaError::kInvalidRequest).error;
                           }
                           call->Answer(EncodeResponse(header, response));
                         });
}

}  // namespace regent::kafka
