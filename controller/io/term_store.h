#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/base/rng.h"
#include "common/runtime/loop.h"
#include "common/zk/client.h"
#include "controller/core/actions.h"
#include "controller/core/events.h"
#include "controller/io/patient_reader.h"
#include "controller/io/store_tools.h"
#include "controller/io/topic_reads.h"
#include "controller/io/topic_tree_read.h"

namespace regent::controller {

/// The store of one term: its licence, its reads, its writes, its watches. It ends with the term,
/// and no event of it comes after that.
///
/// Watches only say "read again": of the brokers, of the list of topics (at most once a second), of
/// the preferred election asked for, of the changes of configs, of the
/// deletions asked for. What is read arms them again.
class TermStore {
 public:
  using Emit = std::function<void(Event)>;
  static constexpr Duration kTopicsListedEvery = std::chrono::seconds(1);
  /// Between tries to read a list that ZooKeeper refuses to show.
  static constexpr Duration kRefusedRetry = std::chrono::seconds(1);

  struct Counters {
    int64_t multis = 0;
    int64_t operations = 0;  ///< Inside the multis, licences included.
    int64_t writes_fenced = 0;
  };

  /// `counters` outlives the store.
  TermStore(BeginTerm term, const StoreTools& tools, Counters& counters, Emit emit);
  ~TermStore();
  TermStore(const TermStore&) = delete;
  TermStore& operator=(const TermStore&) = delete;

  void Do(const LoadCluster& action);
  void Do(const ReadBrokers& action);
  void Do(const ReadPreferredElection& action);
  void Do(const ReadTopics& ask);
  void Do(const ReadPartitions& ask);
  void Do(const StatTopics& ask);
  void Do(const ReadTopicTree& ask);
  void Do(const Write& write);

  void OnWatch(const std::string& path);
  /// The connection is back: watches may have been lost with it.
  void OnReconnected();
  /// No event comes after it.
  void Close();

 private:
  struct BrokerReading;
  struct Loading;
  struct PartitionReading;

  using BrokersOrError = Result<std::vector<BrokerRead>>;

  void FetchBroker(const std::shared_ptr<BrokerReading>& list, size_t index);
  /// Reads the children of /brokers/ids and what stands in them, arming the watches. A list that
  /// cannot be read is an error, never an empty list: absence is a death (R4).
  void FetchBrokers(std::function<void(BrokersOrError)> done);
  /// The names under a directory, arming the watch; nothing if it is not there or not shown.
  void FetchNames(const std::string& directory, std::function<void(std::vector<std::string>)> done);
  /// Nothing if ZooKeeper refuses to show it.
  void FetchPreferredElection(std::function<void(std::optional<PreferredElectionRead>)> done);

  void LoadBehindSync();
  void LoadMarks(const std::string& directory, std::function<Status(const std::string& data)> take);
  void LoadMark(const std::string& path, const std::function<Status(const std::string&)>& take);
  void LoadClusterId();
  void LoadTopics();
  void Loaded();

  void RereadBrokers();
  void OnBrokersReread(BrokersOrError brokers);
  void ListTopics();
  void OnTopicsListed(zk::Outcome<std::vector<std::string>> names);
  void CheckPreferredElection();
  void CheckConfigChanges();
  void CheckDeletionRequests();
  void FetchConfigChanges(const std::vector<std::string>& names);
  /// Runs `task` after `wait`, unless the term has ended.
  void Later(Duration wait, std::function<void()> task);
  void FetchStates(const std::shared_ptr<PartitionReading>& reading);
  void FinishWrite(WriteId id, WriteOutcome outcome, const std::string& created_path);

  const BeginTerm term_;
  zk::Client& client_;
  Executor& executor_;
  Rng& rng_;
  SlowestRequest& slowest_;
  PatientReader reader_;
  Counters& counters_;
  Emit emit_;

  std::unique_ptr<Loading> loading_;
  bool changed_while_loading_ = false;

  bool brokers_reading_ = false;
  bool brokers_again_ = false;
  bool topics_reading_ = false;
  bool topics_again_ = false;
  Instant topics_not_before_;
  bool election_reading_ = false;
  bool election_again_ = false;
  bool requests_reading_ = false;
  bool requests_again_ = false;
  bool changes_reading_ = false;
  bool changes_again_ = false;
  std::set<std::string> changes_known_;  ///< Of those that still stand.

  uint64_t next_reading_ = 0;
  std::map<uint64_t, std::unique_ptr<TopicReads>> topic_reads_;
  std::map<uint64_t, std::unique_ptr<TopicTreeReading>> tree_reads_;
  std::shared_ptr<int> alive_;
};

}  // namespace regent::controller
