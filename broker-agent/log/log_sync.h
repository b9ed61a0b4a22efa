#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker-agent/log/file_system.h"
#include "broker-agent/log/log_epochs.h"
#include "common/base/result.h"
#include "common/model/ids.h"

namespace regent::storage {

/// What of a segment is to be made durable.
struct SegmentSync {
  Offset base{0};
  Offset end{0};
  bool whole = false;  ///< With its indexes.
  std::vector<std::shared_ptr<AppendFile>> files;
};

/// Who will read what is appended.
enum class Readers {
  kSoon,    ///< Consumers, followers.
  kHardly,  ///< A follower catches up with it: it is old, and they have another broker to read
            ///< from.
};

/// What of a segment the device is given ahead of any sync: it runs on any thread, while the log
/// goes on. PartitionLog::TakeWriteback makes it, FailedWriteback takes an error.
struct Writeback {
  std::shared_ptr<AppendFile> file;
  uint64_t offset = 0;
  uint64_t bytes = 0;
  /// What was given earlier and need not stay in memory.
  uint64_t let_go_offset = 0;
  uint64_t let_go_bytes = 0;
  std::shared_ptr<const int> log;  ///< Nobody else's.

  /// May block.
  Status Run() const {
    if (let_go_bytes != 0) {
      file->LetGo(let_go_offset, let_go_bytes);
    }
    return file->BeginWriteback(offset, bytes);
  }
};

/// The part of a log's sync that takes its time: it runs on any thread, while the log goes on.
/// PartitionLog::BeginSync makes it of what is written by then, FinishSync takes its outcome.
struct LogSync {
  FileSystem* files = nullptr;  ///< Outlives it.
  std::string directory;        ///< Its names are to be synced too; empty: they are durable.
  uint64_t names = 0;           ///< How often the names had changed.
  std::vector<SegmentSync> segments;
  std::optional<EpochSync> epochs;
  std::shared_ptr<const int> log;  ///< Nobody else's.
  uint64_t cuts = 0;               ///< How often it had been cut.

  /// Blocks.
  Status Run() const;
};

}  // namespace regent::storage
