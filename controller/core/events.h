#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/base/out_of_line.h"
#include "common/base/result.h"
#include "common/model/control.h"
#include "controller/core/admin.h"
#include "controller/core/store.h"

// What happens to a controller candidate. Events that belong to a term carry its controller epoch,
// or an id that only that term knows; those of an earlier term are ignored.

namespace regent::controller {

/// Names a caller's request until it is answered; chosen by the shell.
using RequestId = StrongId<struct RequestIdTag, uint64_t>;
/// Names a control RPC until it is answered; chosen by the core.
using CallId = StrongId<struct CallIdTag, uint64_t>;

// --- The session and the office ---

/// A ZooKeeper session stands (new, or found alive again).
struct SessionConnected {
  uint64_t generation = 0;
  int64_t session_id = 0;
};
/// By our own clock the session may have expired elsewhere: stop acting (R4).
struct LeaseEnded {
  uint64_t generation = 0;
};
struct SessionExpired {
  uint64_t generation = 0;
};

/// What stands in the root of ZooKeeper that we were given.
struct RootRead {
  uint64_t generation = 0;
  bool readable = false;  ///< False: ask again; `problem` says what went wrong.
  std::optional<std::string> cluster_id;
  bool has_format = false;     ///< /regent/format is there.
  bool holds_cluster = false;  ///< Brokers, topics, a controller or a cluster id are there.
  bool base_paths = false;     ///< All base paths are there.
  std::string problem;
};
/// The base paths asked for by PrepareRoot are there, or not.
struct RootPrepared {
  uint64_t generation = 0;
  bool done = false;
  std::string problem;
};

/// The office as it stands; read at the core's request and again whenever its watch fires.
struct OfficeRead {
  uint64_t generation = 0;
  bool readable = false;  ///< False: ask again; `problem` says what went wrong, and what helps.
  bool taken = false;
  /// The holder; nothing if its node cannot be read (then somebody holds it all the same).
  std::optional<ControllerRegistration> holder;
  int64_t holder_session = 0;  ///< The ephemeral's owner.
  ControllerEpoch epoch{0};    ///< Value of /controller_epoch, 0 if absent.
  std::optional<ControllerEpochVersion> epoch_version;  ///< Nothing if the node is absent.
  /// Also of what is readable: why nobody can be believed to hold it, though it is taken.
  std::string problem;
};

struct ClaimDone {
  uint64_t generation = 0;
  enum class Outcome { kWon, kLost, kUnknown } outcome = Outcome::kUnknown;
  ControllerEpoch epoch{0};
  ControllerEpochVersion epoch_version{0};
  /// With kLost: why ZooKeeper refused the claim, if not because of another one.
  std::string problem;
};
/// The fenced resignation has been answered, one way or the other.
struct ResignDone {
  uint64_t generation = 0;
};
/// The process ends: resign, answer everybody, then say OfficeLeft.
struct StopRequested {};
/// A person asks the controller to give up the office (also used by tests).
struct ResignRequested {
  std::string reason;
};

// --- The term's store ---

struct ClusterLoaded {
  ControllerEpoch term{0};
  Result<ClusterSnapshot> snapshot{ClusterSnapshot{}};
};
/// The children of /brokers/ids and their contents; comes again whenever they change.
struct BrokersRead {
  ControllerEpoch term{0};
  std::vector<BrokerRead> brokers;
};
/// The children of /brokers/topics; comes again, at most once a second, when they change.
struct TopicsListed {
  ControllerEpoch term{0};
  std::vector<std::string> names;
};
struct TopicsRead {
  ReadId id;
  Result<std::vector<TopicRead>> topics{std::vector<TopicRead>{}};
};
struct PartitionsRead {
  ReadId id;
  /// In the order asked for; an error if ZooKeeper could not be read: ask again.
  Result<std::vector<PartitionStateRead>> states{std::vector<PartitionStateRead>{}};
};
/// Comes again whenever the node appears or goes.
struct PreferredElectionFound {
  ControllerEpoch term{0};
  PreferredElectionRead election;
};
struct TopicsStated {
  ReadId id;
  /// In the order asked for.
  Result<std::vector<TopicStat>> topics{std::vector<TopicStat>{}};
};
struct TopicTreeFound {
  ReadId id;
  Result<TopicTreeRead> tree{TopicTreeRead{}};
};
/// The children of /admin/delete_topics; comes again whenever they change.
struct DeletionsRequested {
  ControllerEpoch term{0};
  std::vector<std::string> names;
};
/// What has been added to /config/changes since the load, or since the last such event.
struct ConfigChangesFound {
  ControllerEpoch term{0};
  std::vector<ConfigChange> changes;
};
struct WriteDone {
  WriteId id;
  WriteOutcome outcome;
};

// --- Agents ---

/// A control RPC came back: an answer, or no answer (then it may or may not have been obeyed).
struct ControlAnswered {
  BrokerId broker = kNoBroker;
  CallId call;
  Result<ControlResponse> response{ControlResponse{}};
};

// --- Callers ---

struct AlterPartitionAsked {
  RequestId request;
  AlterPartitionRequest ask;
};
struct ControlledShutdownAsked {
  RequestId request;
  ControlledShutdownRequest ask;
};
struct CreateTopicAsked {
  RequestId request;
  CreateTopicSpec spec;
};
struct ElectLeadersAsked {
  RequestId request;
  ElectLeadersSpec spec;
};
struct DeleteTopicAsked {
  RequestId request;
  DeleteTopicSpec spec;
};
struct ExtendTopicAsked {
  RequestId request;
  ExtendTopicSpec spec;
};
struct AlterTopicConfigAsked {
  RequestId request;
  AlterTopicConfigSpec spec;
};

/// Time has passed; comes at least every 100 ms.
struct Ticked {};

struct EventTypes {
  using Variant = std::variant<SessionConnected,
                               LeaseEnded,
                               SessionExpired,
                               RootRead,
                               RootPrepared,
                               OfficeRead,
                               ClaimDone,
                               ResignDone,
                               StopRequested,
                               ResignRequested,
                               ClusterLoaded,
                               BrokersRead,
                               TopicsListed,
                               TopicsRead,
                               PartitionsRead,
                               PreferredElectionFound,
                               TopicsStated,
                               TopicTreeFound,
                               DeletionsRequested,
                               ConfigChangesFound,
                               WriteDone,
                               ControlAnswered,
                               AlterPartitionAsked,
                               ControlledShutdownAsked,
                               CreateTopicAsked,
                               ElectLeadersAsked,
                               DeleteTopicAsked,
                               ExtendTopicAsked,
                               AlterTopicConfigAsked,
                               Ticked>;
};
using Event = OutOfLine<EventTypes>;

}  // namespace regent::controller

namespace regent {
extern template class OutOfLine<controller::EventTypes>;
}  // namespace regent
