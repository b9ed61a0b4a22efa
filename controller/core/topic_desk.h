#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "controller/core/config_desk.h"
#include "controller/core/deletion_desk.h"
#include "controller/core/partition_writer.h"
#include "controller/core/term.h"

namespace regent::controller {

/// Topics: created by a caller, found in ZooKeeper where a Kafka tool has written them, completed
/// when somebody began and did not finish. All three end in the same place: a topic with an id in
/// memory, whose partitions without a state are queued.
class TopicDesk {
 public:
  TopicDesk(Term& term,
            Announcer& announcer,
            PartitionWriter& writer,
            ConfigDesk& configs,
            DeletionDesk& deletions)
      : term_(term),
        announcer_(announcer),
        writer_(writer),
        configs_(configs),
        deletions_(deletions) {}

  void Take(const CreateTopicAsked& event);
  /// What stands under /brokers/topics now.
  void Take(const TopicsListed& event);
  /// Takes a topic that was read into memory, or says why not.
  void Adopt(TopicRead read);
  void FirstState(PartitionRef ref);
  /// Something is not as memory has it: the topic is read again.
  void LookAgain(uint32_t topic) { Read({term_.cluster.topic(topic).identity->name}); }
  /// The topic's deletion stands in ZooKeeper.
  void Delete(uint32_t topic);
  /// A topic has been deleted; another one of its name may be there.
  void LookFor(const std::string& name);
  bool IsBeingDeleted(const std::string& name) const { return deletions_.Holds(name); }
  /// A creation of it is under way, and it is not in memory yet.
  bool IsBeingCreated(const std::string& name) const {
    return creations_.contains(name) && !term_.cluster.FindTopic(name);
  }
  void Tick();
  void Abandon();
  size_t open() const { return creations_.size(); }

 private:
  struct Creation {
    RequestId request;
    CreateTopicSpec spec;
    std::vector<BrokerList> assignment;
    TopicRef identity;
    bool config_exists = false;
    bool begun = false;  ///< A write has been sent.
    std::optional<uint32_t> topic;
    size_t partitions_left = 0;
    Instant deadline;
  };

  Result<std::vector<BrokerList>> Plan(const CreateTopicSpec& spec) const;
  Status CheckName(const std::string& name) const;
  void WriteCreation(const std::string& name);
  Creation* FindCreation(const TopicRef& topic);
  void CreationWritten(const TopicRef& topic,
                       std::vector<PartitionState> states,
                       const WriteOutcome& outcome);
  bool ClaimedByDeletion(const TopicRead& read);
  void CreationApplied(Creation& creation, const std::vector<PartitionState>& states, Zxid zxid);
  void CreationRefused(Creation& creation, const WriteRefused& refused);
  void LookAfter(const TopicRef& topic);
  void LookedAfter(const TopicRef& topic, Result<std::vector<TopicRead>> topics);
  void Answer(const std::string& name, std::optional<Error> error);

  uint32_t Include(TopicRef identity, TopicRead read);
  void LeaveAlone(const std::string& name, const std::string& problem);
  void SetGone(uint32_t topic);
  void GiveId(TopicRead read);
  void Read(std::vector<std::string> names);
  void ReadDone(const std::vector<std::string>& names, Result<std::vector<TopicRead>> topics);
  std::string WhyUnusable(const TopicRead& read) const;
  void WatchCreation(uint32_t topic);

  Term& term_;
  Announcer& announcer_;
  PartitionWriter& writer_;
  ConfigDesk& configs_;
  DeletionDesk& deletions_;
  std::map<std::string, Creation> creations_;
  std::map<uint32_t, std::string> completing_;  ///< Topics whose creation waits for its states.
  /// Asked for, not yet answered.
  struct Reading {
    bool again = false;  ///< Something may have changed since: to be read once more…
    bool stale = false;  ///< … and what this one finds is not to be believed.
  };
  std::map<std::string, Reading> reading_;
  std::multimap<Instant, std::vector<std::string>> reads_due_;
};

}  // namespace regent::controller
