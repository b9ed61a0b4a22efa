#pragma once

#include <optional>
#include <string>
#include <vector>

#include "controller/core/alter_desk.h"
#include "controller/core/announcer.h"
#include "controller/core/config_desk.h"
#include "controller/core/controller.h"
#include "controller/core/deletion_desk.h"
#include "controller/core/election_desk.h"
#include "controller/core/extension_desk.h"
#include "controller/core/membership.h"
#include "controller/core/partition_writer.h"
#include "controller/core/scrub.h"
#include "controller/core/term.h"
#include "controller/core/topic_desk.h"

namespace regent::controller {

/// Wires the parts of a term: hands each event to the part that it concerns, then lets the writer
/// and the announcer send what has become due.
class Controller::Impl final : public PartitionListener, public DeletionListener {
 public:
  Impl(Options options, TermIds& ids);

  void Start(Instant now, Actions& out);
  void Handle(Event event, Instant now, Actions& out);
  void SetFenced(bool fenced, Instant now, Actions& out);
  void AbandonRequests(Actions& out);

  void OnAlterSettled(const WaitingAlter& alter, AlterAnswer answer) override;
  void OnElectionSettled(PartitionRef ref, ElectionType type, bool elected) override;
  void OnSettled(PartitionRef ref) override;
  void OnFirstState(PartitionRef ref) override;
  void OnStateMissing(PartitionRef ref) override;
  void OnDeletionBegun(uint32_t topic) override;
  void OnNameFree(const std::string& name) override;

  Term term;
  Announcer announcer;
  PartitionWriter writer;
  AlterDesk alters;
  ElectionDesk elections;
  ConfigDesk configs;
  DeletionDesk deletions;
  TopicDesk topics;
  ExtensionDesk extensions;
  Scrub scrub;
  Membership membership;
  std::string load_problem;

 private:
  void On(ClusterLoaded& event);
  void On(BrokersRead& event);
  void On(TopicsListed& event);
  void On(PreferredElectionFound& event);
  void On(ConfigChangesFound& event);
  void On(DeletionsRequested& event);
  void On(const ControlAnswered& event);
  void On(const AlterPartitionAsked& event);
  void On(const ControlledShutdownAsked& event);
  void On(const CreateTopicAsked& event);
  void On(const ElectLeadersAsked& event);
  void On(const DeleteTopicAsked& event);
  void On(const ExtendTopicAsked& event);
  void On(const AlterTopicConfigAsked& event);
  void On(const Ticked& event);

  void Load(ClusterSnapshot snapshot);
  void Confirmed(BrokerId broker, const Announcer::Digest::Confirmed& confirmed);
  void Refused(const Announcer::Digest& digest);
  void ReplicaRefused(BrokerId broker, const Announcer::Digest::Refusal& refusal);
  void ReplicaSuspect(BrokerId broker, PartitionRef ref);
  void Flush();

  /// Kept until the cluster has been loaded: they may be newer than the snapshot.
  std::optional<BrokersRead> early_brokers_;
  std::optional<TopicsListed> early_topics_;
  std::optional<PreferredElectionFound> early_election_;
  std::vector<ConfigChange> early_changes_;
  std::optional<DeletionsRequested> early_requests_;
  std::optional<Instant> load_again_at_;
};

}  // namespace regent::controller
