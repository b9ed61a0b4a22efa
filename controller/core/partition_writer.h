#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "controller/core/admin.h"
#include "controller/core/announcer.h"
#include "controller/core/elect.h"
#include "controller/core/left_alone.h"
#include "controller/core/term.h"

namespace regent::controller {

/// Why a state is being written.
enum class WriteCause { kInitial, kLiveness, kAlter, kPreferred, kUnclean, kRecovery };

/// One item of an AlterPartition that waits for its partition (R1).
struct WaitingAlter {
  RequestId request;
  size_t item = 0;  ///< Index in the request.
  BrokerId sender = kNoBroker;
  AlterPartitionItem ask;
};

/// Hears what becomes of what callers have asked of a partition.
class PartitionListener {
 public:
  virtual ~PartitionListener() = default;
  virtual void OnAlterSettled(const WaitingAlter& alter, AlterAnswer answer) = 0;
  /// An election that was wanted has been decided; `elected` tells whether by a new leader. Look
  /// at the partition for the rest.
  virtual void OnElectionSettled(PartitionRef ref, ElectionType type, bool elected) = 0;
  /// Nothing is left to be decided or written for the partition.
  virtual void OnSettled(PartitionRef ref) = 0;
  virtual void OnFirstState(PartitionRef ref) = 0;
  /// The partition's state has disappeared: perhaps its topic has, or is another one now.
  virtual void OnStateMissing(PartitionRef ref) = 0;
};

/// Decides what a partition's state should be and has it written: at most one write per partition
/// at a time, decided when the write is built, on acknowledged memory (R1); hundreds in a multi,
/// several multis in flight, partitions that need a leader first (R6); read back before deciding
/// again whenever an outcome is unknown or refused (R3).
///
///     queued ─► decided ─► writing ─► applied: memory, announced ─► queued again for what is left
///                             ├─ refused ─► the one to blame is read, the rest is queued again
///                             └─ unknown ─► all are read
class PartitionWriter {
 public:
  PartitionWriter(Term& term, Announcer& announcer, PartitionListener& listener)
      : term_(term), announcer_(announcer), listener_(listener) {}

  /// The partition may need a decision. While the term loads nothing is queued: who is urgent can
  /// only be told once the brokers are known (R6).
  void Queue(PartitionRef ref);
  void QueueHosted(BrokerId broker);
  /// Asks for an ISR change; OnAlterSettled follows.
  void WantAlter(PartitionRef ref, WaitingAlter alter);
  /// The request has been answered: what of it still waits for the partition is not wanted any
  /// more.
  void WithdrawAlter(PartitionRef ref, RequestId request);
  /// Asks for an election; OnElectionSettled follows. The permission of an unclean one is for the
  /// next decision only.
  void WantElection(PartitionRef ref, ElectionType type);
  /// The topic has gone: whoever waits for its partitions hears so.
  void Forget(uint32_t topic);
  /// Reads the partitions again, whatever memory says.
  void ReadBack(const std::vector<PartitionRef>& refs);
  /// Builds and sends as many writes as may be in flight.
  void Pump();
  /// Takes up again what had to wait for its time.
  void Tick();

  /// Whether a write or read of the partition is out, or a decision is due.
  bool Settled(PartitionRef ref) const;
  /// Puts a state that was read into memory, unless it is not one that can be obeyed; returns
  /// whether it is usable.
  bool Adopt(PartitionRef ref, const PartitionStateRead& read);
  /// Drops every wish: the term is over. Returns the alters, with whether their write was out.
  std::vector<std::pair<WaitingAlter, bool>> Abandon();
  size_t queue_size() const { return urgent_.size() + normal_.size(); }

 private:
  /// One partition may need three: the topic's directory, its own, and the state.
  static constexpr int kPartitionOpsMax = 3;

  struct Item {
    PartitionRef partition;
    PartitionState next;
    PartitionEpoch expected;
    WriteCause cause = WriteCause::kLiveness;
    uint64_t departed = 0;  ///< The departures that the decision took note of.
    std::optional<WaitingAlter> alter;
    size_t op = 0;
  };
  struct Batch {
    std::vector<StoreOp> ops;
    std::vector<Item> items;
    std::optional<uint32_t> directory_of;  ///< The topic whose /partitions it creates.
    size_t directory_op = 0;               ///< By which operation.
    int zookeeper_ops = 0;
    size_t bytes = 0;
  };
  struct StateVersion {
    PartitionEpoch epoch;
    Zxid czxid{0};
  };
  struct Wishes {
    std::deque<WaitingAlter> alters;
    std::set<ElectionType> elections;

    bool empty() const { return alters.empty() && elections.empty(); }
  };

  bool Urgent(PartitionRef ref) const;
  std::optional<PartitionRef> Next();
  /// Adds the partition's write to the batch, if it needs one; false if the batch is full for it.
  bool Decide(PartitionRef ref, Batch& batch);
  std::optional<Item> Decision(PartitionRef ref);
  Unclean UncleanOf(PartitionRef ref) const;
  bool LeaderMayBeSuspect(PartitionRef ref) const;
  bool MinIsrIsAwaited(PartitionRef ref, const PartitionState& next) const;
  std::optional<Item> FreeConfig(PartitionRef ref) const;
  /// What nobody has asked for by AlterPartition, decided on what is known now.
  Item Decided(PartitionRef ref, PartitionState next, WriteCause cause) const;
  std::optional<Item> LivenessDecision(PartitionRef ref, const std::vector<ReplicaView>& views);
  std::optional<Item> AlterDecision(PartitionRef ref);
  std::optional<Item> PreferredDecision(PartitionRef ref, const std::vector<ReplicaView>& views);
  std::optional<Item> UncleanDecision(PartitionRef ref, const std::vector<ReplicaView>& views);
  bool IsWanted(PartitionRef ref, ElectionType type) const;
  void ElectionDone(PartitionRef ref, ElectionType type, bool elected);
  /// False if the batch is full for it; then it is queued again.
  bool AddToBatch(Item item, Batch& batch);
  bool Fits(const Batch& batch) const;
  void Send(Batch batch);

  void Done(Batch& batch, const WriteOutcome& outcome);
  void Applied(Batch& batch, Zxid zxid);
  void ItemApplied(Item& item, Zxid zxid);
  void Refused(Batch& batch, const WriteRefused& refused);
  void Requeue(Item& item);
  /// ZooKeeper refused the item's write for a reason of its own: people are to see it.
  void Complain(PartitionRef ref, const std::string& reason);
  void EndComplaint(PartitionRef ref);
  /// Nothing is decided about the partition until its node has another version than that (R12).
  void LeaveAlone(PartitionRef ref, const std::string& problem, StateVersion at);
  /// Why what was read cannot be obeyed; empty if it can.
  std::string WhyLeftAlone(PartitionRef ref, const PartitionStateRead& read);
  /// Takes the item's partition out of flight, its wish kept.
  void TakeBack(Item& item);
  /// The partitions are looked at again after a while.
  void QueueLater(PartitionRef ref);
  /// Whether what was read is what the item was to write: then it was written (R3).
  static bool FindsItself(const Item& item, const PartitionStateRead& read);
  /// The partition cannot be decided about any more: whoever waits for it hears so.
  void DropWishes(PartitionRef ref);
  void Release(PartitionRef ref);
  void TellOfRecovery(const Item& item) const;
  void CountElection(const Item& item, const PartitionState& before);
  void EndSuspicions(PartitionRef ref, const PartitionState& next);
  void CheckState(PartitionRef ref, const PartitionState& next) const;
  void TopicDirectoryDone(uint32_t index, bool exists);
  void ReadDone(const std::vector<PartitionRef>& refs,
                const Result<std::vector<PartitionStateRead>>& states);
  void TakeReading(PartitionRef ref, const PartitionStateRead& read);
  bool MayJoin(PartitionRef ref, const IsrMember& member) const;

  Term& term_;
  Announcer& announcer_;
  PartitionListener& listener_;
  std::deque<PartitionRef> urgent_;
  std::deque<PartitionRef> normal_;
  std::map<PartitionRef, Wishes> wishes_;
  /// Partitions that wait for the directory of their topic.
  std::map<uint32_t, std::vector<PartitionRef>> waiting_for_directory_;
  int in_flight_ = 0;
  /// Halved when a write is refused and no operation is to blame, doubled by each that succeeds.
  int batch_ops_max_ = kZooKeeperOpsMax;
  std::multimap<Instant, std::vector<PartitionRef>> reads_due_;
  std::multimap<Instant, PartitionRef> decisions_due_;
  std::map<PartitionRef, WaitingAlter> alters_out_;  ///< Their write is out.
  /// Writes whose outcome is unknown, until the partition has been read (R3).
  std::map<PartitionRef, Item> unsure_;
  static constexpr size_t kStatesLookedAtMax = 100;
  LeftAlone<PartitionRef> left_alone_{kStatesLookedAtMax};
  std::map<PartitionRef, StateVersion> left_alone_at_;
  std::set<PartitionRef> complained_;  ///< ZooKeeper refuses their write.
};

}  // namespace regent::controller
