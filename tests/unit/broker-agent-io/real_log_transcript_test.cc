#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "broker-agent/io/disk_replica_store.h"
#include "broker-agent/log/memory_file_system.h"
#include "broker-agent/log/replica_logs.h"
#include "tests/unit/broker-agent-core/transcripts.h"
#include "tests/unit/broker-agent-log/log_checks.h"
#include "tests/unit/broker-agent-log/test_batches.h"
#include "tests/unit/zk/manual_executor.h"

// The hazards H1 and H2 of the replication reference, with the production store and its logs under
// the brokers.

namespace regent::testing {
namespace {

/// A broker whose disk is the real store, on a file system in memory.
class RealLogBroker final : public TestBroker {
 public:
  explicit RealLogBroker(int32_t number) : TestBroker(number) {
    store_.Start([this](AgentEvent event) { event_ = std::move(event); });
    store_.Bind(kCluster, [](const regent::Status& bound) { CHECK(bound.ok()) << bound.error(); });
    RunDisk();
  }

  std::vector<RecordBatch> Bytes(const PartitionKey& key) override {
    const Offset end = agent.Find(key).value().log.end;
    return Ask<LogRead>(ReadFromLog{.partition = {.topic = TheTopic(), .index = key.index},
                                    .below = end,
                                    .max_bytes = kReadMax})
        .batches.value();
  }
  /// What the files hold, without the store that writes them; and what is wrong with them.
  std::vector<std::string> Files(int32_t index) {
    const std::string directory = "/data/t-" + std::to_string(index);
    EXPECT_EQ(storage::DumpComplaints(files_, directory), std::vector<std::string>());
    auto opened = storage::PartitionLog::Open(files_, directory, {}, {});
    CHECK(opened.ok()) << opened.error();
    std::vector<std::string> batches = storage::ReadAll(*opened->log);
    EpochHistory with_records = opened->log->epochs();
    with_records.TruncateTo(opened->log->end());
    EXPECT_EQ(with_records, storage::EpochsOf(batches)) << "S29";
    return batches;
  }
  void Close() {
    store_.Close([](const regent::Status& closed) { CHECK(closed.ok()) << closed.error(); });
    RunDisk();
  }

 private:
  static constexpr int64_t kReadMax = int64_t{1} << 20U;

  static std::unique_ptr<storage::ReplicaLogs> Open(storage::FileSystem& files, BrokerId id) {
    auto directory = storage::DataDirectory::Open(
        files, {.path = "/data", .broker = id, .fresh_directory_id = "d"});
    CHECK(directory.ok()) << directory.error();
    auto opened = storage::ReplicaLogs::Open(files, std::move(directory).value(), {});
    CHECK(opened.ok()) << opened.error();
    return std::move(opened->logs);
  }

  bool IsDiskWork(const AgentAction& action) const override {
    return std::visit(
        [](const auto& one) {
          return std::is_constructible_v<LogAction, std::decay_t<decltype(one)>>;
        },
        action);
  }
  std::optional<AgentEvent> Work(const AgentAction& action) override {
    event_.reset();
    std::visit(
        [&](const auto& one) {
          if constexpr (std::is_constructible_v<LogAction, std::decay_t<decltype(one)>>) {
            store_.Do(one);
          }
        },
        action);
    RunDisk();
    return std::exchange(event_, std::nullopt);
  }
  std::string Payload(const std::string& text) const override {
    return storage::EncodeBatch({.records = {{.key = {}, .value = text, .headers = {}}}});
  }

  template <class Event>
  Event Ask(LogAction action) {
    event_.reset();
    store_.Do(std::move(action));
    RunDisk();
    return std::get<Event>(std::exchange(event_, std::nullopt).value());
  }
  void RunDisk() {
    while (disk_.RunOne() || sync_.RunOne()) {
    }
  }

  storage::MemoryFileSystem files_;
  zk::ManualExecutor disk_;
  zk::ManualExecutor sync_;
  DiskReplicaStore store_{Open(files_, id),
                          disk_,
                          {.wall_clock_ms = [] { return int64_t{1'000'000}; }, .sync = &sync_}};
  std::optional<AgentEvent> event_;
};

/// Brokers with real logs, and who they are.
struct RealLogs {
  explicit RealLogs(int32_t count) {
    for (int32_t id = 0; id < count; ++id) {
      auto broker = std::make_unique<RealLogBroker>(id);
      brokers.push_back(broker.get());
      owned.push_back(std::move(broker));
    }
  }
  /// The files that the story leaves behind are whole and everywhere the same.
  void ExpectSameFiles() {
    for (RealLogBroker* broker : brokers) {
      broker->Close();
    }
    const std::vector<std::string> expected = brokers.front()->Files(0);
    EXPECT_FALSE(expected.empty());
    for (RealLogBroker* broker : brokers) {
      EXPECT_EQ(broker->Files(0), expected) << "broker " << broker->id;
    }
  }

  std::vector<std::unique_ptr<TestBroker>> owned;
  std::vector<RealLogBroker*> brokers;
};

TEST(RealLogTranscript, H1AFollowersEndOfAnEarlierEpochCommitsNothing) {
  RealLogs logs(3);
  TestNetwork net(std::move(logs.owned));
  TellH1(net);
  logs.ExpectSameFiles();
}

TEST(RealLogTranscript, H2ADelayedAnswerOfAnEarlierEpochCutsNothing) {
  RealLogs logs(2);
  TestNetwork net(std::move(logs.owned));
  TellH2(net);
  logs.ExpectSameFiles();
}

}  // namespace
}  // namespace regent::testing
