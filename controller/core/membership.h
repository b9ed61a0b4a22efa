#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "controller/core/alter_desk.h"
#include "controller/core/partition_writer.h"
#include "controller/core/term.h"

namespace regent::controller {

/// Brokers that come, go, come back under another epoch or in another life (R4), and those that
/// announce that they stop.
class Membership {
 public:
  Membership(Term& term, Announcer& announcer, PartitionWriter& writer, AlterDesk& alters)
      : term_(term), announcer_(announcer), writer_(writer), alters_(alters) {}

  /// The term begins with these: nobody has died yet in its eyes.
  void Begin(const std::vector<BrokerRead>& brokers, const std::vector<StoppingMark>& marks);
  void Take(const BrokersRead& event);
  void Take(const ControlledShutdownAsked& event);
  /// Nothing is left to be decided for the partition.
  void Settle(PartitionRef ref);
  void Tick();
  void Abandon();
  size_t open() const { return shutdowns_.size(); }

 private:
  struct Shutdown {
    std::vector<RequestId> requests;
    std::set<PartitionRef> left;
    bool marked = false;
    Instant deadline;
  };

  void See(const BrokerRead& read);
  void Up(BrokerId id, const BrokerRead& read);
  void Down(BrokerId id);
  enum class Presumed { kEverywhere, kWhereNobodyLeads };
  /// Who is not elected before the agent has answered for it: every replica, if the registration
  /// says that some had lost their tails, perhaps, when this life began (they count as suspect
  /// until then, where `presumed` says), else the eligible ones, for the disk may be new (R11).
  void AwaitAnswers(BrokerId id, Presumed presumed);
  void Renewed(BrokerId id, const BrokerRead& read);
  void Reborn(BrokerId id, const BrokerRead& read);
  void SetForeign(BrokerId id, const BrokerRead& read, std::string problem);
  /// Notes on every partition that the broker hosts that the life which served it is over.
  void Depart(BrokerId id);
  void DropMark(LifeId life);
  void WriteMark(BrokerId id);
  void WriteMarkAgain(BrokerId id, LifeId life);
  void MarkWritten(BrokerId id, LifeId life);
  void FinishIfDone(BrokerId id);
  /// Tells a broker that has handed its leaders over to stop the rest. Returns what it still leads
  /// although another replica is live, and may yet catch up: waiting is worth while for these only.
  std::vector<TopicPartition> StopFollowing(BrokerId id);
  void Answer(BrokerId id, std::optional<Error> error);

  Term& term_;
  Announcer& announcer_;
  PartitionWriter& writer_;
  AlterDesk& alters_;
  std::map<LifeId, StoppingMark> marks_;
  std::map<BrokerId, Shutdown> shutdowns_;
};

}  // namespace regent::controller
