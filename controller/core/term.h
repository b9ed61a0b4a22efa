#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/base/instant.h"
#include "controller/core/actions.h"
#include "controller/core/cluster.h"
#include "controller/core/controller.h"
#include "controller/core/left_alone.h"

namespace regent::controller {

/// What the parts of a term share: its memory, its clock as an argument, its way out. One writer at
/// a time: the part that is handling the present event.
class Term {
 public:
  using WriteContinuation = std::function<void(const WriteOutcome&)>;
  using PartitionsContinuation =
      std::function<void(const Result<std::vector<PartitionStateRead>>&)>;
  using TopicsContinuation = std::function<void(Result<std::vector<TopicRead>>)>;
  using StatContinuation = std::function<void(const Result<std::vector<TopicStat>>&)>;
  using TreeContinuation = std::function<void(Result<TopicTreeRead>)>;

  Term(Controller::Options options, TermIds& ids) : options_(std::move(options)), ids_(ids) {}
  Term(const Term&) = delete;
  Term& operator=(const Term&) = delete;

  const TermOptions& options() const { return options_.term; }
  const ControllerRegistration& self() const { return options_.self; }
  const std::string& known_cluster_id() const { return options_.cluster_id; }
  ControllerEpoch epoch() const { return options_.epoch; }
  ControllerEpochVersion licence() const { return options_.licence; }
  Instant now() const { return now_; }
  bool fenced() const { return fenced_; }

  /// Opens the handling of one event.
  void Begin(Instant now, Actions& out) {
    now_ = now;
    out_ = &out;
  }
  void Emit(Action action) { out_->push_back(std::move(action)); }
  CallId NextCall() { return ids_.call = ids_.call.Next(); }
  uint64_t NextFullState() { return ++ids_.full_state; }

  /// Sends a write, or keeps it until the term is no longer fenced; `done` hears its outcome.
  void IssueWrite(std::vector<StoreOp> ops, WriteContinuation done);
  void IssueRead(std::vector<TopicPartition> partitions, PartitionsContinuation done);
  void IssueRead(std::vector<std::string> topics, TopicsContinuation done) {
    IssueRead(std::move(topics), TopicDepth::kAll, std::move(done));
  }
  void IssueRead(std::vector<std::string> topics, TopicDepth depth, TopicsContinuation done);
  void IssueStat(std::vector<std::string> topics, StatContinuation done);
  /// Of a topic that is being deleted.
  void IssueTreeRead(std::string topic, TopicId deletion, TreeContinuation done);
  /// Hands an outcome to who waits for it; one that nobody waits for is of an earlier term.
  void Resolve(const WriteDone& event);
  void Resolve(const PartitionsRead& event);
  void Resolve(TopicsRead event);
  void Resolve(const TopicsStated& event);
  void Resolve(TopicTreeFound event);
  size_t writes_out() const { return writes_.size(); }
  /// Does something again after a while: no attempt follows its failure at once (R8).
  void Later(std::function<void()> what) { due_.emplace(now_ + kRetryPause, std::move(what)); }
  /// Does what has become due.
  void Tick();

  void SetFenced(bool fenced);
  /// Something spoke of another controller: the office is to be read again.
  void DoubtOffice() { office_in_doubt_ = true; }
  void SettleDoubt() { office_in_doubt_ = false; }
  bool office_in_doubt() const { return office_in_doubt_; }
  /// ZooKeeper has refused a write because of a newer controller.
  bool write_fenced() const { return write_fenced_; }

  /// Why the item is in quarantine as long as its znode has that version (R12); empty if it is not.
  std::string WhyQuarantined(const std::string& path, int32_t node_version) const;

  Cluster cluster;
  TermCounters counters;
  /// Brokers and topics are in memory: what is urgent can be told (R6).
  bool loaded = false;
  std::map<std::string, QuarantineEntry> quarantine;  ///< By path.
  /// By name: their nodes cannot be used, so that what they hold is not in memory.
  LeftAlone<std::string> topics_left_alone{kTopicsLookedAtMax};

 private:
  static constexpr size_t kTopicsLookedAtMax = 10;
  static constexpr Duration kRetryPause = std::chrono::milliseconds(200);

  Controller::Options options_;
  TermIds& ids_;
  Instant now_;
  Actions* out_ = nullptr;
  bool fenced_ = false;
  bool office_in_doubt_ = false;
  bool write_fenced_ = false;
  std::map<WriteId, WriteContinuation> writes_;
  std::map<ReadId, PartitionsContinuation> partition_reads_;
  std::map<ReadId, TopicsContinuation> topic_reads_;
  std::map<ReadId, StatContinuation> stat_reads_;
  std::map<ReadId, TreeContinuation> tree_reads_;
  std::vector<Write> held_back_;
  std::multimap<Instant, std::function<void()>> due_;
};

/// Path of a partition's state, to name it in problems and quarantine.
std::string StateNode(const TopicPartition& partition);
std::string TopicNode(const std::string& topic);
std::string ConfigNode(const std::string& topic);
std::string DeletionNode(TopicId id);
std::string BrokerNode(BrokerId broker);

}  // namespace regent::controller
