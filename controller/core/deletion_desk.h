#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "controller/core/announcer.h"
#include "controller/core/term.h"

namespace regent::controller {

/// Hears what a deletion does to the term's topics.
class DeletionListener {
 public:
  virtual ~DeletionListener() = default;
  /// The deletion stands in ZooKeeper: the topic is gone for everybody.
  virtual void OnDeletionBegun(uint32_t topic) = 0;
  /// Nothing of the deleted topic is left in ZooKeeper: another one may bear its name.
  virtual void OnNameFree(const std::string& name) = 0;
};

/// Deletions of topics (R9), asked for by callers or by Kafka's tools under /admin/delete_topics.
///
///     marking ─► /regent/deletions/<id> stands: gone for clients, replicas are deleted
///        ─► clearing ─► config, states and node are gone from ZooKeeper: the name is free
///        ─► owed ─► every broker that had replicas has said that they are deleted: the mark goes
///
/// Each step begins with what stands in ZooKeeper, so that any controller completes what another
/// has begun, and a lost answer is settled by looking (R3). Brokers that are away hold up nothing
/// but the mark.
class DeletionDesk {
 public:
  DeletionDesk(Term& term, Announcer& announcer, DeletionListener& listener)
      : term_(term), announcer_(announcer), listener_(listener) {}

  /// What the load has found.
  void Begin(const std::vector<DeletionMark>& marks, const std::vector<std::string>& requests);
  void Take(const DeleteTopicAsked& event);
  void Take(const DeletionsRequested& event);
  /// Whether a topic that was read, and is not in memory, is to be deleted rather than adopted.
  bool Claims(const TopicRead& read);
  /// Whether a topic of that name is being deleted and still stands in ZooKeeper.
  bool Holds(const std::string& name) const { return names_.contains(name); }
  /// Brokers have come or gone: what they owe may be all that is waited for.
  void BrokersChanged();
  /// What an agent says of replicas that it was told to delete.
  void Take(const Announcer::Digest& digest);
  void Pump();
  void Tick();
  void Abandon();
  size_t open() const { return waiters_; }
  /// Deletions of which something is left.
  size_t size() const { return deletions_.size(); }

 private:
  enum class Stage { kMarking, kWaiting, kClearing, kOwed };
  struct Waiter {
    RequestId request;
    Instant deadline;
  };
  struct Deletion {
    DeletionMark mark;
    Stage stage = Stage::kMarking;
    std::optional<uint32_t> topic;
    std::map<BrokerId, size_t> left;  ///< Replicas that are not deleted yet.
    std::vector<Waiter> waiters;
    std::vector<std::string> below;  ///< Nodes that are still to be removed.
    BrokerList written;              ///< Those that the mark in ZooKeeper names.
    bool mark_write_out = false;
    bool mark_gone = false;
  };
  /// Topics that are not in memory are read first.
  struct Look {
    TopicId spare;
    std::vector<Waiter> waiters;
  };

  void Mark(DeletionMark mark, std::vector<Waiter> waiters);
  void WriteMark(TopicId id);
  void MarkWritten(TopicId id, const WriteOutcome& outcome);
  void Marked(TopicId id);
  void MarkReplicas(Deletion& deletion);
  void LookFor(const std::string& name, TopicId spare, std::vector<Waiter> waiters);
  void Read(const std::string& name);
  void Found(const std::string& name, Result<std::vector<TopicRead>> topics);
  void MarkFound(const TopicRead& read, TopicId spare, std::vector<Waiter> waiters);
  void Obey(const std::string& name);
  void DropRequest(const std::string& name);

  void Clear(TopicId id);
  void Cleared(TopicId id, const Result<TopicTreeRead>& read);
  void DeleteBelow(TopicId id, const TopicTreeRead& tree);
  void DeleteRest(TopicId id, const TopicTreeRead& tree);
  void ClearAgain(TopicId id);
  void NodesGone(TopicId id);
  void SettleOwed(TopicId id);
  void RemoveMark(TopicId id);
  void WriteOwed(TopicId id);
  void RemarkOwed(const Deletion& deletion);
  void Answer(std::vector<Waiter>& waiters, const DeleteTopicResult& result);
  DeleteTopicResult ResultOf(const Deletion& deletion) const;
  Instant DeadlineOf(const DeleteTopicSpec& spec) const;

  Term& term_;
  Announcer& announcer_;
  DeletionListener& listener_;
  std::map<TopicId, Deletion> deletions_;
  std::map<std::string, TopicId> names_;  ///< Of those that may still stand in ZooKeeper.
  std::map<uint32_t, TopicId> by_topic_;
  std::map<std::string, Look> looks_;
  std::set<std::string> requested_;  ///< Stand under /admin/delete_topics.
  std::set<std::string> wanted_;     ///< Of these, those that wait for their turn.
  std::deque<TopicId> to_clear_;     ///< Wait for theirs.
  size_t busy_ = 0;                  ///< Under way in ZooKeeper.
  size_t waiters_ = 0;
};

}  // namespace regent::controller
