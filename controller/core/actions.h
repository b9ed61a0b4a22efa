#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/base/out_of_line.h"
#include "common/model/control.h"
#include "controller/core/admin.h"
#include "controller/core/events.h"
#include "controller/core/store.h"

// What a controller candidate wants done. The shell carries actions out in order and reports back
// by events; it decides nothing.

namespace regent::controller {

// --- The session and the office ---

/// Read what stands in the root: RootRead follows.
struct ReadRoot {};
/// Create the base paths, /regent/format and, if absent, /cluster/id: RootPrepared follows.
struct PrepareRoot {
  std::string cluster_id;  ///< Empty: the shell draws one.
};
/// Read /controller, arming its watch, and /controller_epoch: OfficeRead follows, and again
/// whenever the watch fires.
struct ReadOffice {};
/// One multi: create /controller with our registration, raise /controller_epoch from `epoch` at
/// `epoch_version` (creating it with 0 before, if there is none). ClaimDone follows.
struct ClaimOffice {
  ControllerEpoch epoch{0};
  std::optional<ControllerEpochVersion> epoch_version;
};
/// Delete /controller in a fenced multi, with the item under quarantine written beside it (R12).
/// ResignDone follows.
struct ResignOffice {
  ControllerEpochVersion licence{0};
  std::optional<QuarantineEntry> quarantine;
};
/// A term begins: from here on writes carry this licence, and the term's watches are armed.
struct BeginTerm {
  ControllerEpoch epoch{0};
  ControllerEpochVersion licence{0};
};
/// The term is over: watches, channels and everything else of it go.
struct EndTerm {
  ControllerEpoch epoch{0};
  std::string reason;
};
/// The office as this candidate knows it has changed; for watchers, redirects and metrics.
struct PublishOffice {
  std::optional<ControllerRegistration> holder;  ///< Nothing: nobody that we know of.
  ControllerEpoch epoch{0};
  bool active_here = false;  ///< We hold it, have loaded the cluster and are not fenced.
  std::string reason;
  Duration failover{-1};  ///< From the predecessor's disappearance, as seen here, to active.
};
/// The candidate has left for good after StopRequested.
struct OfficeLeft {};

// --- The term's store ---

/// Read everything: ClusterLoaded follows. Arms the term's watches, which then lead to BrokersRead,
/// TopicsListed, PreferredElectionFound, DeletionsRequested and ConfigChangesFound.
struct LoadCluster {
  ControllerEpoch term{0};
};
/// Read the brokers again without waiting for the watch: BrokersRead follows.
struct ReadBrokers {
  ControllerEpoch term{0};
};
/// Read the preferred election behind a sync: PreferredElectionFound follows, there or not.
struct ReadPreferredElection {
  ControllerEpoch term{0};
};
/// Read topics behind a sync: TopicsRead follows.
struct ReadTopics {
  ReadId id;
  std::vector<std::string> names;
  TopicDepth depth = TopicDepth::kAll;
};
/// Look whether topics' nodes have changed, not behind a sync: TopicsStated follows.
struct StatTopics {
  ReadId id;
  std::vector<std::string> names;
};
/// Read what stands of a topic under deletion behind a sync: TopicTreeFound follows.
struct ReadTopicTree {
  ReadId id;
  std::string topic;
  TopicId deletion;
};
/// Read states behind a sync: PartitionsRead follows.
struct ReadPartitions {
  ReadId id;
  std::vector<TopicPartition> partitions;
};
/// One multi, behind the licence: WriteDone follows.
struct Write {
  WriteId id;
  std::vector<StoreOp> ops;
};

// --- Agents ---

/// Open a channel for a registration, closing an earlier one of the same broker.
struct OpenChannel {
  BrokerId broker = kNoBroker;
  Endpoint endpoint;
};
struct CloseChannel {
  BrokerId broker = kNoBroker;
};
/// Send a control RPC; ControlAnswered follows, with an error if the deadline passes.
struct SendLeaderAndIsr {
  BrokerId broker = kNoBroker;
  CallId call;
  std::shared_ptr<const LeaderAndIsrRequest> request;
};
struct SendStopReplica {
  BrokerId broker = kNoBroker;
  CallId call;
  std::shared_ptr<const StopReplicaRequest> request;
};
struct SendUpdateMetadata {
  BrokerId broker = kNoBroker;
  CallId call;
  std::shared_ptr<const UpdateMetadataRequest> request;
};

// --- Callers ---

struct AnswerAlterPartition {
  RequestId request;
  AlterPartitionResponse response;
};
struct AnswerControlledShutdown {
  RequestId request;
  ControlledShutdownResponse response;
};
struct AnswerCreateTopic {
  RequestId request;
  CreateTopicResult result;
};
struct AnswerElectLeaders {
  RequestId request;
  ElectLeadersResult result;
};
struct AnswerDeleteTopic {
  RequestId request;
  DeleteTopicResult result;
};
struct AnswerExtendTopic {
  RequestId request;
  ExtendTopicResult result;
};
struct AnswerAlterTopicConfig {
  RequestId request;
  AlterTopicConfigResult result;
};

struct ActionTypes {
  using Variant = std::variant<ReadRoot,
                               PrepareRoot,
                               ReadOffice,
                               ClaimOffice,
                               ResignOffice,
                               BeginTerm,
                               EndTerm,
                               PublishOffice,
                               OfficeLeft,
                               LoadCluster,
                               ReadBrokers,
                               ReadPreferredElection,
                               ReadTopics,
                               StatTopics,
                               ReadTopicTree,
                               ReadPartitions,
                               Write,
                               OpenChannel,
                               CloseChannel,
                               SendLeaderAndIsr,
                               SendStopReplica,
                               SendUpdateMetadata,
                               AnswerAlterPartition,
                               AnswerControlledShutdown,
                               AnswerCreateTopic,
                               AnswerElectLeaders,
                               AnswerDeleteTopic,
                               AnswerExtendTopic,
                               AnswerAlterTopicConfig>;
};
using Action = OutOfLine<ActionTypes>;
using Actions = std::vector<Action>;

}  // namespace regent::controller

namespace regent {
extern template class OutOfLine<controller::ActionTypes>;
}  // namespace regent
