#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "broker-agent/core/agent.h"

namespace regent::testing {

using std::chrono::milliseconds;
using std::chrono::seconds;

inline constexpr const char* kCluster = "cluster-1";
/// As the cluster id of the options: the directory is bound to none yet.
inline constexpr const char* kUnbound = "unbound";

TopicId IdOf(uint64_t number);
LifeId LifeOf(uint64_t number);
TopicRef Topic(const std::string& name, uint64_t id);
/// The topic of most tests: "t", id 1.
TopicRef TheTopic();
TopicPartition P(int32_t index, const TopicRef& topic = TheTopic());
PartitionKey K(int32_t index, const TopicRef& topic = TheTopic());
BrokerList Ids(const std::vector<int32_t>& ids);
BrokerEndpoint PeerAt(int32_t id, int64_t epoch);
std::vector<RecordBatch> Records(int64_t from, std::initializer_list<int32_t> epochs);
/// For tests to which it does not matter who holds the office.
inline constexpr ControllerEpoch kTerm{1};
inline FullStatePart Part(uint64_t number, int32_t part, int32_t parts, bool incomplete = false) {
  return {.number = number, .part = part, .parts = parts, .incomplete = incomplete};
}
/// What a log of these batches knows of its producers.
ProducerStates ProducersOf(const std::vector<RecordBatch>& batches, Offset high_watermark);

/// A partition's state as the controller would send it; everything has a default.
struct StateOf {
  int32_t index = 0;
  int32_t leader = -1;
  int32_t epoch = 0;
  int32_t version = 0;
  std::vector<int32_t> isr = {0, 1, 2};
  std::vector<int32_t> replicas = {0, 1, 2};
  int64_t czxid = 1000;

  LeaderAndIsrPartition Build() const;
};

/// What a follower says first on a stream to broker 0.
inline Hello HelloOf(int32_t follower, int64_t epoch) {
  return {.broker = BrokerId(follower),
          .broker_epoch = BrokerEpoch(epoch),
          .life = LifeOf(7),
          .leader = BrokerId(0),
          .cluster_id = kCluster};
}

/// A partition of brokers 0 and 1, both in sync.
inline StateOf Two(int32_t leader, int32_t epoch, int32_t version) {
  return {.leader = leader, .epoch = epoch, .version = version, .isr = {0, 1}, .replicas = {0, 1}};
}

/// An agent with a disk that keeps bytes in memory and does what it is told at once, unless held.
/// Everything else that the agent wants is kept for the test to take.
class TestBroker {
 public:
  struct Log {
    Offset start{0};
    std::vector<RecordBatch> batches;
    std::vector<EpochStart> epoch_starts;
  };

  explicit TestBroker(int32_t number, AgentState recovered = {}, AgentOptions options = {});
  virtual ~TestBroker() = default;
  TestBroker(const TestBroker&) = delete;
  TestBroker& operator=(const TestBroker&) = delete;

  /// Hands an event in, lets the disk work, and keeps the other actions.
  void Do(const AgentEvent& event);
  /// Registers under `epoch` and tells of controller 9 in `controller_epoch`.
  void Start(int64_t epoch, int32_t controller_epoch = 1);
  /// Lets time pass, one deadline after the other.
  void Advance(Duration by);

  /// Hands in a LeaderAndIsr of the present epochs and returns the answer, if there is one yet.
  ControlResponse Tell(std::vector<LeaderAndIsrPartition> states,
                       std::optional<FullStatePart> full = {});
  ControlResponse Tell(const StateOf& state) { return Tell({state.Build()}); }
  ControlResponse TellTopic(const TopicRef& topic,
                            std::vector<LeaderAndIsrPartition> states,
                            TopicConfig config = {},
                            std::optional<FullStatePart> full = {});
  ControlResponse Stop(const TopicPartition& partition, int32_t epoch, bool delete_files);
  /// The header of the next request; its revision is higher than any before.
  ControlHeader Header();
  std::shared_ptr<LeaderAndIsrRequest> Request(std::vector<LeaderAndIsrPartition> states);
  CallId Send(std::shared_ptr<const LeaderAndIsrRequest> request);
  std::optional<ControlResponse> AnswerTo(CallId call);
  /// The answer for the only partition of a request; kApplied if it was left out as settled.
  static PartitionAnswer Only(const ControlResponse& response);

  /// Takes every kept action of a kind.
  template <class T>
  std::vector<T> Take() {
    std::vector<T> taken;
    std::vector<AgentAction> rest;
    for (AgentAction& action : actions_) {
      if (auto* wanted = std::get_if<T>(&action)) {
        taken.push_back(std::move(*wanted));
      } else {
        rest.push_back(std::move(action));
      }
    }
    actions_ = std::move(rest);
    return taken;
  }

  /// Log actions wait until ReleaseDisk().
  void HoldDisk() { disk_held_ = true; }
  void ReleaseDisk();
  /// Syncs wait until ReleaseSyncs(); nothing else does.
  void HoldSyncs() { syncs_held_ = true; }
  void ReleaseSyncs();
  /// Lets the first one return; later ones go on waiting.
  void ReleaseOneSync();
  /// Lets those that wait fail.
  void FailSyncs();
  /// The next changes of a partition fail.
  void FailChanges(const PartitionKey& key, std::optional<Error> error) {
    change_error_[key] = std::move(error);
  }

  void Produce(const PartitionKey& key, int count, Acks acks = Acks::kLeader);
  virtual std::vector<RecordBatch> Bytes(const PartitionKey& key) { return logs[key].batches; }
  ReplicaStatus Status(int32_t index = 0) const { return agent.Find(K(index)).value(); }

  BrokerId id;
  LifeId life;
  Instant now;
  std::map<PartitionKey, Log> logs;
  std::vector<LogChange> changes;  ///< Every change that the disk was asked for.
  ControllerEpoch controller_epoch{1};
  BrokerEpoch broker_epoch = kNoBrokerEpoch;
  uint64_t next_ticket = 0;
  std::vector<TrimLogs> trims;             ///< Every look for old records that was asked for.
  std::map<PartitionKey, Offset> too_old;  ///< Below it a log's records may go.
  uint64_t syncs = 0;                      ///< That were asked for.
  uint64_t reads = 0;                      ///< Likewise.
  bool slices = false;                     ///< Whether consumers' reads return slices.
  bool tells_stored = false;               ///< Whether appends return with the stored bytes.
  int64_t append_time_ms = -1;             ///< What the disk stamps on a producer's batch.
  Agent agent;

 protected:
  virtual bool IsDiskWork(const AgentAction& action) const;
  virtual std::optional<AgentEvent> Work(const AgentAction& action);
  /// A producer's batch of one record.
  virtual std::string Payload(const std::string& text) const { return text; }

 private:
  LogsTrimmed Trim(const TrimLogs& trim);
  AgentEvent Read(const ReadFromLog& read);
  LogSynced Sync(const SyncLog& sync);

  std::vector<AgentAction> actions_;
  std::deque<AgentAction> disk_queue_;
  bool disk_held_ = false;
  bool syncs_held_ = false;
  std::vector<LogSynced> held_syncs_;  ///< As they were when they began.
  bool disk_busy_ = false;             ///< Results are being handed in already.
  std::map<PartitionKey, std::optional<Error>> change_error_;
  uint64_t revision_ = 0;
  uint64_t next_call_ = 0;
};

/// A replica as a disk would bring it back.
RecoveredReplica Recovered(int32_t index,
                           int32_t leader_epoch,
                           int32_t partition_epoch,
                           const std::vector<RecordBatch>& batches = {},
                           int64_t high_watermark = 0);

}  // namespace regent::testing
