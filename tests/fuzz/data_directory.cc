#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <glog/logging.h>

#include "broker-agent/log/memory_file_system.h"
#include "broker-agent/log/replica_logs.h"
#include "tests/fuzz/read_on.h"
#include "tests/fuzz/target.h"
#include "tests/unit/broker-agent-log/log_checks.h"
#include "tests/unit/broker-agent-log/test_batches.h"

// What a broker may find in its data directory: the broker starts or is refused with a reason, a
// replica is opened or has failed with one; what is open can be read from end to end, and is no
// other after a clean stop.

namespace regent::fuzz {
namespace {

using storage::DataDirectory;
using storage::MemoryFileSystem;
using storage::OpenedReplica;
using storage::ReplicaLogs;

constexpr std::array kFiles = {"/d/meta.properties",
                               "/d/regent.journal",
                               "/d/.kafka_cleanshutdown",
                               "/d/recovery-point-offset-checkpoint",
                               "/d/log-start-offset-checkpoint",
                               "/d/replication-offset-checkpoint",
                               "/d/t-0/partition.metadata",
                               "/d/t-0/leader-epoch-checkpoint",
                               "/d/t-0/00000000000000000000.log",
                               "/d/t-0/00000000000000000000.index",
                               "/d/t-0/00000000000000000000.timeindex",
                               "/d/t-1/partition.metadata",
                               "/d/t-1/00000000000000000000.log",
                               "/d/t-2-stray/partition.metadata",
                               "/d/t-3-delete/partition.metadata"};

constexpr size_t kJournal = 1;

TopicPartition Partition(int32_t index) {
  Rng rng(1);
  return {.topic = std::make_shared<const TopicIdentity>(
              TopicIdentity{.name = "t", .id = TopicId::Random(rng)}),
          .index = index};
}

Result<ReplicaLogs::Opened> Start(MemoryFileSystem& files) {
  auto directory = DataDirectory::Open(
      files, {.path = "/d", .broker = BrokerId(1), .fresh_directory_id = "x", .boot_id = "boot"});
  if (!directory.ok()) {
    return directory.error();
  }
  return ReplicaLogs::Open(files, std::move(directory).value(), {});
}

using Extents = std::map<storage::ReplicaKey, std::pair<Offset, Offset>>;

/// From a start to a clean stop; nothing if it did not come to that.
std::optional<Extents> Live(MemoryFileSystem& files) {
  auto opened = Start(files);
  if (!opened.ok()) {
    CHECK(!opened.error().message.empty());
    return std::nullopt;
  }
  Extents extents;
  for (const OpenedReplica& replica : opened->replicas) {
    CHECK(!replica.found.failure || !replica.found.failure->message.empty());
    if (!replica.log || replica.found.failure) {
      continue;
    }
    CHECK_LE(replica.log->start, replica.log->end);
    const storage::ReplicaKey key = KeyOf(replica.found.entry.partition);
    const auto log = opened->logs->Find(key);
    CHECK(log.ok()) << log.error();
    CHECK_EQ((*log)->end(), replica.log->end);
    ReadOn(**log);
    static_cast<void>(opened->logs->ProducersOf(key));
    extents[key] = {replica.log->start, replica.log->end};
  }
  return opened->logs->Close().ok() ? std::optional(extents) : std::nullopt;
}

}  // namespace

void Try(std::string_view input) {
  MemoryFileSystem files;
  for (const char* directory : {"/d", "/d/t-0", "/d/t-1", "/d/t-2-stray", "/d/t-3-delete"}) {
    CHECK(files.CreateDirectory(directory).ok());
  }
  Messages messages(input);
  while (const auto message = messages.Next()) {
    static_cast<void>(files.Replace(kFiles.at(message->kind % kFiles.size()), message->bytes));
  }
  const std::optional<Extents> before = Live(files);
  if (!before) {
    return;
  }
  const std::optional<Extents> after = Live(files);
  CHECK(after) << "what was stopped cleanly does not start";
  for (const auto& [key, extent] : *before) {
    // What the disk has spoilt may be found out later: a clean stop completes indexes.
    const auto again = after->find(key);
    CHECK(again == after->end() || again->second == extent);
  }
}

std::vector<std::string> Seeds() {
  MemoryFileSystem files;
  CHECK(files.CreateDirectory("/d").ok());
  const auto content = [&files](bool with_journal) {
    std::string whole;
    for (size_t i = 0; i < kFiles.size(); ++i) {
      const auto bytes = files.Read(kFiles.at(i), 1U << 16U);
      if (bytes.ok() && (with_journal || i != kJournal)) {
        whole += Framed(static_cast<uint8_t>(i), *bytes);
      }
    }
    return whole;
  };
  auto opened = Start(files);
  CHECK(opened.ok()) << opened.error();
  ReplicaLogs& logs = *opened->logs;
  CHECK(logs.directory().Bind("cluster").ok());
  for (const int32_t index : {0, 1}) {
    CHECK(logs.Change({{.kind = storage::ReplicaChange::Kind::kCreate,
                        .partition = Partition(index),
                        .leader_epoch = LeaderEpoch(1),
                        .partition_epoch = PartitionEpoch(1),
                        .epoch_start = std::nullopt,
                        .suspect = false}})
              .empty());
    auto log = logs.Find(KeyOf(Partition(index)));
    CHECK(log.ok());
    const std::string batch =
        storage::Encode({.base = 0, .count = 3, .epoch = 1, .timestamp = 1000});
    CHECK(storage::AppendOne(**log, batch).ok());
  }
  const std::string running = content(true);
  CHECK(logs.TakeCheckpoints()().ok());
  CHECK(logs.Close().ok());
  const std::string stopped = content(true);
  // As Kafka leaves one: its file alone says where a log begins.
  const std::string of_kafka = content(false) + Framed(4, "0\n1\nt 0 2\n");
  return {running, stopped, stopped + Framed(3, "0\n1\nt 0 2\n"), of_kafka};
}

}  // namespace regent::fuzz
