#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/instant.h"
#include "controller/core/actions.h"
#include "controller/core/admin.h"
#include "controller/core/events.h"

namespace regent::controller {

struct TermOptions {
  int write_ops_max = 400;  ///< ZooKeeper operations in one multi, the licence apart; 1–499.
  size_t write_bytes_max = kWriteBytesMax;
  int writes_in_flight_max = 8;                         ///< Multis of partition states at a time.
  int part_partitions_max = 8000;                       ///< Partitions in one request to an agent.
  size_t part_bytes_max = (size_t{1} << 20U) - 2048;    ///< And bytes, the header apart (R9).
  Duration retry_min = std::chrono::milliseconds(100);  ///< Of a control RPC; doubles.
  Duration retry_max = std::chrono::seconds(5);
  Duration problem_retry = std::chrono::seconds(5);  ///< Of a partition that an agent refused.
  Duration request_timeout = std::chrono::seconds(30);
  /// Of an AlterPartition: below the 10 s after which an agent no longer listens.
  Duration alter_timeout = std::chrono::seconds(8);
  int32_t default_min_insync_replicas = 1;
  int32_t partitions_per_topic_max = 10'000;
  /// Topics whose nodes are looked at, for what no watch tells; two nodes each.
  int32_t scrub_topics_per_second_max = 1000;
  Duration scrub_round_min = std::chrono::seconds(10);  ///< Of a small cluster.
  /// Tests only: changes a decision before the core checks it, to see the check bite (R12).
  std::function<void(PartitionState&)> tamper;
};

/// Draws ids that stay unique over the terms of one process.
struct TermIds {
  WriteId write{0};
  ReadId read{0};
  CallId call{0};
  uint64_t full_state = 0;
};

/// Figures that only ever rise, for metrics.
struct TermCounters {
  int64_t elections_initial = 0;
  int64_t elections_offline = 0;  ///< The leader was dead, or its life was over.
  int64_t elections_preferred = 0;
  int64_t elections_shutdown = 0;  ///< The leader had announced that it stops.
  int64_t elections_unclean = 0;  ///< Nobody of the ISR was live, and the topic's config allows it.
  int64_t elections_eligible = 0;  ///< Of a replica that had left the ISR intact (R11).
  int64_t elections_recovery = 0;  ///< Of the longest log, as all were suspect: a loss is possible.
  int64_t isr_shrinks = 0;
  int64_t isr_expands = 0;
  int64_t alters_refused = 0;
  int64_t multis = 0;
  int64_t operations = 0;  ///< Inside the multis, licences apart.
  int64_t read_backs = 0;  ///< Partitions read after an unknown or refused write.
};

class Cluster;

/// One term of office: loads the cluster, keeps it led, tells the agents, answers callers. Lives
/// from the won claim to the end of the term; nothing of it survives (KAFKA-5310).
///
/// Data walks one way: an event changes memory or intent, partitions that may need a decision are
/// queued, the queue is turned into writes, and what ZooKeeper has acknowledged is announced (R1).
class Controller {
 public:
  struct Options {
    TermOptions term;
    ControllerRegistration self;
    ControllerEpoch epoch{0};
    ControllerEpochVersion licence{0};
    /// Of the root that the candidate has taken for its own: what the term goes by where
    /// /cluster/id cannot be read.
    std::string cluster_id;
  };
  /// `ids` must outlive the term.
  Controller(Options options, TermIds& ids, Instant now, Actions& out);
  ~Controller();
  Controller(const Controller&) = delete;
  Controller& operator=(const Controller&) = delete;

  /// Digests one event of the term. Throws InvariantBroken when its memory breaks a promise (R12).
  void Handle(Event event, Instant now, Actions& out);
  /// Stops sending and writing (R4), and takes it up again.
  void SetFenced(bool fenced, Instant now, Actions& out);
  /// Answers every open request: it will not be served any more (R8).
  void AbandonRequests(Actions& out);

  /// A write came back fenced, or an agent or a znode spoke of a newer controller: the office is
  /// to be read again.
  bool office_in_doubt() const;
  /// ZooKeeper has refused a write because of a newer controller.
  bool write_fenced() const;
  /// The office has been read, and is still ours under our licence.
  void SettleDoubt();
  bool loaded() const;
  /// Why the cluster could not be loaded when last tried; empty if it is loading, or loaded.
  const std::string& load_problem() const;
  ControllerEpoch epoch() const;
  ControllerEpochVersion licence() const;

  // --- Queries, for the loop's thread ---

  ClusterStatus Status() const;
  const ClusterCounts& counts() const;
  /// Whether no agent has anything to acknowledge. Costs little while one has.
  bool all_acknowledged() const;
  const TermCounters& counters() const;
  std::vector<BrokerStatus> Brokers() const;
  /// Goes on with a list, by whole topics, until some `partitions` have been looked at; true when
  /// it is complete.
  bool ListTopics(ListTopicsWalk& walk, size_t partitions) const;
  std::vector<TopicSummary> Topics() const;
  /// kNotFound names the topic (or the partition) that does not exist.
  Result<DescribeWalk> BeginDescription(DescribeSpec spec) const;
  /// Goes on with a description until `partitions` have been looked at; true when it is complete.
  bool Describe(DescribeWalk& walk, Instant now, size_t partitions) const;
  Result<std::vector<TopicDescription>> Describe(const DescribeSpec& spec, Instant now) const;
  /// Every setting of a topic, ordered by name; also overrides that Regent does not obey.
  Result<std::vector<TopicSetting>> TopicSettings(const std::string& name) const;
  /// Deletions of topics of which something is left to do.
  size_t deletions() const;
  size_t requests_open() const;
  /// Whether the broker is still registered in this term's memory.
  bool KnowsBroker(BrokerId broker) const;
  /// The term's memory, for checkers.
  const Cluster& cluster() const;
  /// Nothing is left to decide, write or announce.
  bool quiet() const;

  class Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace regent::controller
