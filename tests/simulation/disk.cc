#include "tests/simulation/disk.h"

#include <algorithm>
#include <utility>

#include <glog/logging.h>

#include "broker-agent/log/batch_check.h"
#include "broker-agent/log/meta_properties.h"
#include "broker-agent/log/replica_name.h"
#include "broker-agent/log/segment_name.h"

namespace regent::simulation {
namespace {

constexpr const char* kDataDirectory = "/data";
/// Of a file that has not been synced: what the system has written back of its own accord.
constexpr uint64_t kWrittenBackPercent = 40;
constexpr uint64_t kPartlyLeftPercent = 40;  ///< Of the files that have something to lose.
/// Small, as the records are: it is there or not, or torn, as a whole.
constexpr uint64_t kSectorBytes = 64;
constexpr uint64_t kOperationsUntilFailure = 10;
constexpr Duration kSyncJitter = milliseconds(5);

std::string DirectoryOfLog(const TopicPartition& partition) {
  return storage::JoinPath(kDataDirectory, storage::LiveName(partition));
}

}  // namespace

// --- Disk ---

storage::ReplicaLogs::Opened Disk::Open() {
  Mend();
  auto directory = storage::DataDirectory::Open(
      faulty_, {.path = kDataDirectory,
                .broker = broker_,
                .fresh_directory_id =
                    "disk-" + std::to_string(broker_.value()) + '-' + std::to_string(replaced_),
                .boot_id = "boot-" + std::to_string(boots_)});
  CHECK(directory.ok()) << directory.error();
  auto opened = storage::ReplicaLogs::Open(faulty_, std::move(directory).value(), {});
  CHECK(opened.ok()) << opened.error();
  return std::move(opened).value();
}

void Disk::FailSoon(Rng& rng) {
  const uint64_t kind = rng.Below(10);
  faulty_.Set(storage::FaultyFileSystem::Plan{
      .fault = rng.Percent(50) ? storage::DiskFault::kError : storage::DiskFault::kShortWrite,
      .at = rng.Below(kOperationsUntilFailure),
      .only = kind < 3   ? storage::DiskOperation::kSync
              : kind < 5 ? storage::DiskOperation::kRead
                         : storage::DiskOperation::kWrite});
}

uint64_t Disk::CrashMachine(Rng& rng, Mutant mutant) {
  boots_ += mutant == Mutant::kSuspectUnmarked ? 0 : 1;
  WriteBack(kDataDirectory, rng);
  uint64_t torn = 0;
  files_.Crash([&](std::string_view synced, std::string_view content) {
    // Of what was appended some sectors may be there, and the last of those torn.
    const uint64_t whole = synced.size() / kSectorBytes + 1;
    const uint64_t sectors = content.size() / kSectorBytes;
    if (sectors <= whole || !content.starts_with(synced) || !rng.Percent(kPartlyLeftPercent)) {
      return std::string(synced);
    }
    std::string left(content.substr(0, kSectorBytes * rng.Between(whole + 1, sectors)));
    if (rng.Percent(50)) {
      left.replace(left.size() - kSectorBytes, kSectorBytes, kSectorBytes,
                   rng.Percent(50) ? '\0' : 'T');
      ++torn;
    }
    return left;
  });
  return torn;
}

void Disk::Lose() {
  Mend();
  ++replaced_;
  CHECK(files_.RemoveTree(kDataDirectory).ok() && files_.SyncDirectory("/").ok());
}

void Disk::WriteBack(const std::string& directory, Rng& rng) {
  const auto entries = files_.List(directory);
  CHECK(entries.ok()) << entries.error();
  for (const storage::DirectoryEntry& entry : *entries) {
    const std::string path = storage::JoinPath(directory, entry.name);
    if (entry.kind == storage::EntryKind::kDirectory) {
      WriteBack(path, rng);
      continue;
    }
    if (rng.Percent(kWrittenBackPercent)) {
      const auto file = files_.OpenAppend(path, files_.SizeOf(path).value());
      CHECK(file.ok() && (*file)->Sync().ok()) << path;
    }
  }
}

std::vector<std::string> Disk::Directories() {
  std::vector<std::string> names;
  if (const auto entries = files_.List(kDataDirectory); entries.ok()) {
    for (const storage::DirectoryEntry& entry : *entries) {
      if (entry.kind == storage::EntryKind::kDirectory) {
        names.push_back(entry.name);
      }
    }
  }
  return names;
}

std::optional<TopicId> Disk::TopicOf(const std::string& directory) {
  constexpr uint64_t kFileBytesMax = 1000;
  const std::string file = storage::JoinPath(storage::JoinPath(kDataDirectory, directory),
                                             storage::kPartitionMetadataFile);
  const auto text = files_.Read(file, kFileBytesMax);
  const auto topic =
      text.ok() ? storage::ParsePartitionMetadata(*text, file) : Result<TopicId>(text.error());
  return topic.ok() ? std::optional(*topic) : std::nullopt;
}

std::vector<StoredBatch> Disk::BatchesAfter(const TopicPartition& partition,
                                            const StoredBatch* last) {
  const std::string directory = DirectoryOfLog(partition);
  std::vector<StoredBatch> batches;
  std::optional<Offset> segment;
  uint64_t position = 0;
  if (last != nullptr) {
    segment = last->segment;
    position = last->position + last->bytes.size();
  } else if (const auto entries = files_.List(directory); entries.ok()) {
    for (const storage::DirectoryEntry& entry : *entries) {
      const auto base = storage::ParseSegmentFileName(entry.name, storage::kLogSuffix);
      segment = base && (!segment || *base < *segment) ? base : segment;
    }
  }
  Offset next = last != nullptr ? last->header.next() : segment.value_or(Offset(0));
  while (segment) {
    const std::string path =
        storage::JoinPath(directory, storage::SegmentFileName(*segment, storage::kLogSuffix));
    const auto file = files_.OpenRead(path);
    if (!file.ok()) {
      break;
    }
    const uint64_t end = std::max(position, files_.SizeOf(path).value());
    const std::string bytes = (*file)->ReadAt(position, end - position).value();
    for (const storage::RecordBatchView& batch : storage::Split(bytes).batches) {
      batches.push_back({.header = batch.header,
                         .bytes = std::string(batch.bytes),
                         .segment = *segment,
                         .position = position});
      position += batch.bytes.size();
      next = batch.header.next();
    }
    segment = next > *segment ? std::optional(next) : std::nullopt;  // The next one begins there.
    position = 0;
  }
  return batches;
}

// --- SimReplicaStore ---

SimReplicaStore::SimReplicaStore(World& world,
                                 DiskWitness& witness,
                                 std::unique_ptr<storage::ReplicaLogs> logs,
                                 Options options)
    : witness_(witness),
      options_(options),
      disk_(world, options.delay_max),
      sync_(world, std::max(options.delay_max, kSyncJitter)),
      store_(std::move(logs),
             disk_,
             {.wall_clock_ms = [&world] { return world.wall_clock_ms(); }, .sync = &sync_}) {}

void SimReplicaStore::Start(AgentEventSink sink) {
  sink_ = std::move(sink);
  store_.Start([this](AgentEvent event) {
    Observe(event);
    sink_(std::move(event));
  });
}

void SimReplicaStore::SetDelay(Duration delay_max) {
  disk_.SetJitter(delay_max);
  sync_.SetJitter(std::max(delay_max, kSyncJitter));
}

void SimReplicaStore::Do(LogAction action) {
  options_.subscriptions.OnWanted(action);
  const auto note = [this](const auto* one) {
    if (one != nullptr) {
      names_.insert_or_assign(KeyOf(one->partition), one->partition);
    }
  };
  note(std::get_if<AppendToLog>(&action));
  note(std::get_if<SyncLog>(&action));
  note(std::get_if<TruncateLog>(&action));
  note(std::get_if<RestartLog>(&action));
  if (const auto* truncate = std::get_if<TruncateLog>(&action)) {
    cuts_[truncate->op] = {.to = truncate->to};
  }
  if (const auto* restart = std::get_if<RestartLog>(&action)) {
    cuts_[restart->op] = {.anew = restart->at};
  }
  if (const auto* trim = std::get_if<TrimLogs>(&action)) {
    for (const TrimLogs::Item& item : trim->items) {
      trims_.insert_or_assign(KeyOf(item.partition), item);
    }
  }
  if (!Plant(action)) {
    store_.Do(std::move(action));
  }
}

void SimReplicaStore::Observe(const AgentEvent& event) {
  if (const auto* appended = std::get_if<LogAppended>(&event); appended && !appended->error) {
    witness_.OnAppended(options_.broker, names_.at(appended->partition));
  } else if (const auto* cut = std::get_if<LogTruncated>(&event)) {
    Observe(*cut);
  } else if (const auto* synced = std::get_if<LogSynced>(&event); synced && !synced->error) {
    witness_.OnSynced(options_.broker, names_.at(synced->partition), synced->end);
  } else if (const auto* trimmed = std::get_if<LogsTrimmed>(&event)) {
    Observe(*trimmed);
  }
}

void SimReplicaStore::Observe(const LogTruncated& cut) {
  const TopicPartition& partition = names_.at(cut.partition);
  const DiskWitness::FailedCut asked = cuts_.at(cut.op);
  if (cut.error) {
    witness_.OnCutFailed(options_.broker, partition, asked);
  } else if (cut.end) {
    witness_.OnCut(options_.broker, partition, *cut.end);
  } else {
    witness_.OnRestarted(options_.broker, partition, asked.anew);
  }
}

void SimReplicaStore::Observe(const LogsTrimmed& trimmed) {
  for (const LogsTrimmed::Item& item : trimmed.items) {
    witness_.OnTrimmed(options_.broker, trims_.at(item.partition), item.start);
  }
}

bool SimReplicaStore::Plant(LogAction& action) {
  if (options_.mutant == Mutant::kReadsBeyondHighWatermark) {
    if (auto* const read = std::get_if<ReadFromLog>(&action);
        read != nullptr && read->alignment == ReadFromLog::Alignment::kContaining) {
      read->below = Offset(INT64_MAX);
    }
  }
  if (options_.mutant == Mutant::kRetentionAboveHighWatermark) {
    if (auto* const trim = std::get_if<TrimLogs>(&action)) {
      for (TrimLogs::Item& item : trim->items) {
        item.high_watermark = Offset(INT64_MAX);
      }
    }
  }
  if (options_.mutant == Mutant::kTruncationSkipped) {
    if (const auto* truncate = std::get_if<TruncateLog>(&action)) {
      const LogTruncated lie{.partition = KeyOf(truncate->partition),
                             .op = truncate->op,
                             .end = truncate->to,
                             .error = std::nullopt};
      disk_.Post([this, lie] {
        Observe(lie);
        sink_(lie);
      });
      return true;
    }
  }
  return false;
}

}  // namespace regent::simulation
