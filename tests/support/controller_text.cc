#include "tests/support/controller_text.h"

#include <map>

#include "common/base/overloaded.h"

namespace regent::controller::toy {
namespace {

template <class Id>
std::string Number(Id id) {
  return std::to_string(id.value());
}

std::string Joined(const std::vector<std::string>& parts, const std::string& separator) {
  std::string text;
  for (const std::string& part : parts) {
    text += (text.empty() ? "" : separator) + part;
  }
  return text;
}

std::string Named(const TopicPartition& p) {
  return p.topic->name + "-" + std::to_string(p.index);
}

std::string PartOf(const std::optional<FullStatePart>& full) {
  if (!full) {
    return "";
  }
  return "full state, part " + std::to_string(full->part + 1) + " of " +
         std::to_string(full->parts) + (full->incomplete ? ", incomplete" : "") + ": ";
}

std::string Said(const std::optional<Error>& error) {
  return error ? ErrorCodeName(error->code) + std::string(": ") + error->message : "done";
}

std::string NameOf(ElectOutcome outcome) {
  switch (outcome) {
    case ElectOutcome::kElected: return "elected";
    case ElectOutcome::kAlreadyPreferred: return "already preferred";
    case ElectOutcome::kPreferredNotAvailable: return "preferred not available";
    case ElectOutcome::kUnknownPartition: return "unknown partition";
    case ElectOutcome::kUnknownOutcome: return "unknown outcome";
    case ElectOutcome::kWouldElect: return "would elect";
    case ElectOutcome::kFailed: return "failed";
    case ElectOutcome::kNotNeeded: return "not needed";
    case ElectOutcome::kEligibleNotAvailable: return "eligible not available";
  }
  return "?";
}

std::string NameOf(WriteRefused::Reason reason) {
  switch (reason) {
    case WriteRefused::Reason::kExists: return "exists";
    case WriteRefused::Reason::kDirectoryExists: return "directory exists";
    case WriteRefused::Reason::kBadVersion: return "bad version";
    case WriteRefused::Reason::kMissing: return "missing";
    case WriteRefused::Reason::kOther: return "other";
  }
  return "?";
}

}  // namespace

std::string ToText(const BrokerList& brokers) {
  std::vector<std::string> ids;
  ids.reserve(brokers.size());
  for (const BrokerId id : brokers) {
    ids.push_back(Number(id));
  }
  return Joined(ids, ",");
}

std::string ToText(const PartitionState& state) {
  std::string text =
      Number(state.leader) + "/[" + ToText(state.isr) + "]/" + Number(state.leader_epoch);
  if (!state.elr.empty()) {
    text += " eligible [" + ToText(state.elr) + "]";
  }
  if (!state.last_known_elr.empty()) {
    text += " last known [" + ToText(state.last_known_elr) + "]";
  }
  return text;
}

std::string ToText(const StoreOp& op) {
  return std::visit(
      Overloaded{
          [](const SetPartitionState& o) {
            return "set " + Named(o.partition) + " " + ToText(o.state) + " over version " +
                   Number(o.expected);
          },
          [](const CreatePartitionState& o) {
            return "create " + Named(o.partition) + " " + ToText(o.state);
          },
          [](const CreatePartitionsDirectory& o) { return "create directory of " + o.topic->name; },
          [](const CreateTopicNode& o) {
            std::vector<std::string> lists;
            for (const BrokerList& replicas : o.assignment) {
              lists.push_back("[" + ToText(replicas) + "]");
            }
            return "create topic " + o.topic->name + " " + Joined(lists, " ");
          },
          [](const SetTopicNode& o) {
            return "set topic " + o.topic->name + " with " + std::to_string(o.assignment.size()) +
                   " partitions over version " + std::to_string(o.expected);
          },
          [](const WriteTopicConfig& o) {
            return std::string(o.exists ? "set" : "create") + " config of " + o.topic;
          },
          [](const DeleteConfigChange& o) { return "delete " + o.node; },
          [](const WriteDeletionMark& o) {
            return std::string(o.exists ? "update" : "create") + " deletion of " + o.mark.topic +
                   (o.mark.znodes_cleared ? ", owed by [" : ", standing, owed by [") +
                   ToText(o.mark.brokers) + "]";
          },
          [](const RemoveDeletionMark&) { return std::string("remove a deletion"); },
          [](const DeleteTopicChild& o) { return "delete " + o.topic + "/" + o.below; },
          [](const DeleteTopicNode& o) {
            return "delete topic " + o.topic + " of version " + std::to_string(o.expected);
          },
          [](const DeleteTopicConfig& o) { return "delete config of " + o.topic; },
          [](const DeleteDeletionRequest& o) { return "delete request for " + o.topic; },
          [](const CreateStoppingMark& o) { return "mark " + Number(o.mark.broker) + " stopping"; },
          [](const DeleteStoppingMark&) { return std::string("unmark a life that has gone"); },
          [](const DeletePreferredElection& o) {
            return "delete preferred election of version " + std::to_string(o.expected);
          },
      },
      op);
}

std::string ToText(const WriteOutcome& outcome) {
  return std::visit(Overloaded{
                        [](const WriteApplied&) { return std::string("applied"); },
                        [](const WriteRefused& o) {
                          return "refused for " +
                                 (o.failed_op ? "operation " + std::to_string(*o.failed_op)
                                              : std::string("no one operation")) +
                                 ": " + NameOf(o.reason);
                        },
                        [](const WriteFenced&) { return std::string("fenced"); },
                        [](const WriteUnknown&) { return std::string("unknown outcome"); },
                    },
                    outcome);
}

std::string ToText(const LeaderAndIsrRequest& request) {
  std::vector<std::string> parts;
  for (const LeaderAndIsrTopic& topic : request.topics) {
    for (const LeaderAndIsrPartition& p : topic.partitions) {
      parts.push_back(topic.topic->name + "-" + std::to_string(p.index) + " " + Number(p.leader) +
                      "/[" + ToText(p.isr) + "]/" + Number(p.leader_epoch));
    }
  }
  return "roles: " + PartOf(request.full) + (parts.empty() ? "nothing" : Joined(parts, ", "));
}

std::string ToText(const StopReplicaRequest& request) {
  std::vector<std::string> parts;
  for (const StopReplicaPartition& p : request.partitions) {
    parts.push_back(Named(p.partition) + (p.delete_files ? " and delete" : ""));
  }
  return "stop: " + Joined(parts, ", ");
}

std::string ToText(const MetadataUpdate& update) {
  std::vector<std::string> parts;
  if (update.brokers) {
    BrokerList ids;
    for (const BrokerEndpoint& broker : *update.brokers) {
      ids.push_back(broker.id);
    }
    parts.push_back("brokers [" + ToText(ids) + "]");
  }
  for (const MetadataTopic& topic : update.topics) {
    if (topic.deleted) {
      parts.push_back(topic.topic->name + " deleted");
    }
    for (const MetadataPartition& p : topic.partitions) {
      parts.push_back(
          topic.topic->name + "-" + std::to_string(p.index) + " " + Number(p.leader) + "/[" +
          ToText(p.isr) + "]/" + Number(p.leader_epoch) +
          (p.offline_replicas.empty() ? "" : " offline [" + ToText(p.offline_replicas) + "]") +
          (p.unconfirmed ? " unconfirmed" : ""));
    }
  }
  return "metadata: " + PartOf(update.full) + (parts.empty() ? "nothing" : Joined(parts, ", "));
}

std::string ToText(const AlterPartitionResponse& response) {
  if (response.answer != AlterAnswer::kDone || response.results.empty()) {
    return Name(response.answer);
  }
  std::vector<std::string> parts;
  for (const AlterPartitionResult& r : response.results) {
    parts.push_back(std::string(Name(r.answer)) + ", in force " + Number(r.leader) + "/[" +
                    ToText(r.isr) + "]/" + Number(r.leader_epoch) + " version " +
                    Number(r.partition_epoch));
  }
  return Joined(parts, "; ");
}

std::string ToText(const ControlledShutdownResponse& response) {
  if (response.error) {
    return ErrorCodeName(response.error->code) + std::string(": ") + response.error->message;
  }
  std::vector<std::string> remaining;
  for (const TopicPartition& p : response.remaining) {
    remaining.push_back(Named(p));
  }
  return "remaining [" + Joined(remaining, ", ") + "]";
}

std::string ToText(const CreateTopicResult& result) {
  if (result.error) {
    return ErrorCodeName(result.error->code) + std::string(": ") + result.error->message;
  }
  return "created";
}

std::string ToText(const ElectLeadersResult& result) {
  if (result.error) {
    return ErrorCodeName(result.error->code) + std::string(": ") + result.error->message;
  }
  std::vector<std::string> parts;
  for (const ElectResult& r : result.results) {
    parts.push_back(r.partition.topic + "-" + std::to_string(r.partition.index) + " " +
                    NameOf(r.outcome) + (r.message.empty() ? "" : " (" + r.message + ")"));
  }
  if (result.already_preferred > 0) {
    parts.push_back(std::to_string(result.already_preferred) + " preferred already");
  }
  return Joined(parts, ", ");
}

BrokerId AddresseeOf(const Action& action) {
  return std::visit(Overloaded{
                        [](const SendLeaderAndIsr& a) { return a.broker; },
                        [](const SendStopReplica& a) { return a.broker; },
                        [](const SendUpdateMetadata& a) { return a.broker; },
                        [](const OpenChannel& a) { return a.broker; },
                        [](const CloseChannel& a) { return a.broker; },
                        [](const auto&) { return kNoBroker; },
                    },
                    action);
}

std::string ToText(const Action& action) {
  return std::visit(
      Overloaded{
          [](const ReadRoot&) { return std::string("read root"); },
          [](const PrepareRoot&) { return std::string("prepare root"); },
          [](const ReadOffice&) { return std::string("read office"); },
          [](const ClaimOffice& a) { return "claim epoch " + Number(a.epoch.Next()); },
          [](const ResignOffice& a) {
            return "resign" + (a.quarantine ? ", quarantine " + a.quarantine->path + " version " +
                                                  std::to_string(a.quarantine->node_version)
                                            : std::string());
          },
          [](const BeginTerm& a) { return "begin term " + Number(a.epoch); },
          [](const EndTerm& a) { return "end term " + Number(a.epoch) + ": " + a.reason; },
          [](const PublishOffice& a) {
            return "office: " + (a.holder ? Number(a.holder->id) : std::string("nobody")) +
                   " epoch " + Number(a.epoch) + (a.active_here ? " active here" : "") + " (" +
                   a.reason + ")";
          },
          [](const OfficeLeft&) { return std::string("office left"); },
          [](const LoadCluster&) { return std::string("load cluster"); },
          [](const ReadBrokers&) { return std::string("read brokers"); },
          [](const ReadPreferredElection&) { return std::string("read preferred election"); },
          [](const ReadTopics& a) { return "read topics " + Joined(a.names, ","); },
          [](const StatTopics& a) { return "look at " + Joined(a.names, ","); },
          [](const ReadTopicTree& a) { return "read all of " + a.topic; },
          [](const ReadPartitions& a) {
            std::vector<std::string> names;
            for (const TopicPartition& p : a.partitions) {
              names.push_back(Named(p));
            }
            return "read " + Joined(names, ", ");
          },
          [](const Write& a) {
            std::vector<std::string> ops;
            for (const StoreOp& op : a.ops) {
              ops.push_back(ToText(op));
            }
            return "write: " + Joined(ops, "; ");
          },
          [](const OpenChannel& a) { return "channel opened to " + a.endpoint.ToText(); },
          [](const CloseChannel&) { return std::string("channel closed"); },
          [](const SendLeaderAndIsr& a) { return ToText(*a.request); },
          [](const SendStopReplica& a) { return ToText(*a.request); },
          [](const SendUpdateMetadata& a) { return ToText(*a.request->update); },
          [](const AnswerAlterPartition& a) { return "answer alter: " + ToText(a.response); },
          [](const AnswerControlledShutdown& a) {
            return "answer shutdown: " + ToText(a.response);
          },
          [](const AnswerCreateTopic& a) { return "answer create: " + ToText(a.result); },
          [](const AnswerDeleteTopic& a) { return "answer delete: " + Said(a.result.error); },
          [](const AnswerExtendTopic& a) { return "answer extend: " + Said(a.result.error); },
          [](const AnswerAlterTopicConfig& a) { return "answer config: " + Said(a.result.error); },
          [](const AnswerElectLeaders& a) { return "answer elect: " + ToText(a.result); },
      },
      action);
}

std::vector<ReplicaView> Views(const std::string& standings, const std::vector<int32_t>& order) {
  const std::map<char, ReplicaStanding> kinds = {
      {'L', ReplicaStanding::kLive},     {'S', ReplicaStanding::kStopping},
      {'R', ReplicaStanding::kReturned}, {'U', ReplicaStanding::kSuspect},
      {'D', ReplicaStanding::kDead},     {'M', ReplicaStanding::kLost},
      {'l', ReplicaStanding::kLive},     {'u', ReplicaStanding::kSuspect}};
  std::vector<ReplicaView> views;
  for (const char standing : standings) {
    views.push_back({.broker = BrokerId(order.at(views.size())),
                     .standing = kinds.at(standing),
                     .unheard = standing == 'l' || standing == 'u'});
  }
  return views;
}

}  // namespace regent::controller::toy
