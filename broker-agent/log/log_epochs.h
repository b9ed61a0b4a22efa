#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "broker-agent/core/epoch_history.h"
#include "broker-agent/log/file_system.h"
#include "common/base/mutex.h"
#include "common/base/result.h"
#include "common/model/ids.h"

namespace regent::storage {

/// The epoch file of a log that is in use: the log's own thread writes it, and so do syncs, which
/// run beside it. Thread-safe.
class EpochFile {
 public:
  /// Of a log's history the greater version is the later one.
  using Version = uint64_t;

  /// `files` outlives it.
  EpochFile(FileSystem& files, std::string directory)
      : files_(files), directory_(std::move(directory)) {}

  /// Has the file say durably what `epochs`, which is of that version, or a later one says. Does
  /// nothing once it is retired.
  Status Write(Version version, const EpochHistory& epochs) EXCLUDES(mutex_);
  /// The directory may become another log's. Waits for a write that is under way.
  void Retire() EXCLUDES(mutex_);

 private:
  FileSystem& files_;
  const std::string directory_;
  Mutex mutex_;
  Version written_ GUARDED_BY(mutex_) = 0;
  bool retired_ GUARDED_BY(mutex_) = false;
};

/// What the epoch file is to say, written on any thread while the log goes on. LogEpochs makes it
/// and is told when it has been written.
struct EpochSync {
  std::shared_ptr<EpochFile> file;
  EpochFile::Version version = 0;
  EpochHistory epochs;

  /// Blocks.
  Status Run() const { return file->Write(version, epochs); }
};

/// The leader epochs of a log that is in use. An epoch that begins is in memory at once and in the
/// file later: until then a recovery has to see its first batch, so the recovery point stays below
/// the segment that holds it. Whatever else changes is in the file first.
///
/// Blocks; one thread at a time.
class LogEpochs {
 public:
  /// `unsaved_from`: the file need not be right from there on. `files` outlives it.
  LogEpochs(FileSystem& files,
            const std::string& directory,
            EpochHistory history,
            std::optional<Offset> unsaved_from)
      : file_(std::make_shared<EpochFile>(files, directory)),
        history_(std::move(history)),
        unsaved_from_(unsaved_from) {}
  ~LogEpochs() { file_->Retire(); }
  LogEpochs(const LogEpochs&) = delete;
  LogEpochs& operator=(const LogEpochs&) = delete;

  const EpochHistory& history() const { return history_; }
  /// Where the first epoch begins that the file may not have; nothing: it has all.
  const std::optional<Offset>& unsaved_from() const { return unsaved_from_; }

  /// A later epoch than all has its first batch at `start`.
  void Begin(LeaderEpoch epoch, Offset start);
  /// Has these in memory and, durably, in the file.
  Status Set(EpochHistory history);
  Status Save() { return Set(history_); }

  EpochSync BeginSync() const { return {.file = file_, .version = version_, .epochs = history_}; }
  /// The sync has been written. Meanwhile epochs may have begun, and others been set.
  void FinishSync(const EpochSync& sync);

 private:
  std::shared_ptr<EpochFile> file_;
  EpochHistory history_;
  EpochFile::Version version_ = 1;  ///< Of `history_`.
  EpochFile::Version saved_ = 0;    ///< The file says this one, or a later one.
  std::optional<Offset> unsaved_from_;
};

}  // namespace regent::storage
