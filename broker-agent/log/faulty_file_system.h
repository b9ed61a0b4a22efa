#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker-agent/log/file_system.h"
#include "broker-agent/log/memory_file_system.h"
#include "common/base/mutex.h"

namespace regent::storage {

/// How one operation goes wrong.
enum class DiskFault {
  kError,       ///< It does not happen and says so (EIO).
  kShortWrite,  ///< Half of the bytes get there, then an error (ENOSPC). No append: as kError.
  kStopBefore,  ///< The process ends before it: this and everything later fails.
  kStopAfter,   ///< It happens and nobody hears of it: this and everything later fails.
  /// As kStopBefore, with half of the bytes and as many wrong ones on the disk for good.
  kTornWrite,
};

/// A file system that hands everything on to another one, and lets one operation of a plan fail.
/// Thread-safe.
class FaultyFileSystem final : public FileSystem {
 public:
  struct Plan {
    DiskFault fault = DiskFault::kError;
    uint64_t at = 0;                    ///< Which one, counted from 0.
    std::optional<DiskOperation> only;  ///< Counts only these; nothing: all.
  };

  /// `inner` outlives it and every file that it opens.
  explicit FaultyFileSystem(FileSystem& inner) : inner_(inner) {}

  /// Counts anew and lets the operation of `plan` fail; nothing fails without one.
  void Set(std::optional<Plan> plan) EXCLUDES(mutex_);
  /// Whether the operation of the plan has come.
  bool struck() EXCLUDES(mutex_);
  /// From now on no file lies in memory.
  void ForgetCached() { cold_ = true; }
  /// Below which byte a file was prefetched at last, whichever that was.
  uint64_t prefetched_below() const { return prefetched_below_; }
  /// Whether the system reads ahead of whoever opened a file last to read it.
  bool reads_ahead() const { return reads_ahead_; }

  Result<std::vector<DirectoryEntry>> List(const std::string& directory) override;
  Result<bool> Exists(const std::string& path) override;
  Result<uint64_t> SizeOf(const std::string& file) override;
  Result<std::string> Read(const std::string& file, uint64_t bytes_max) override;
  Status Replace(const std::string& file, std::string_view content) override;
  Status Create(const std::string& file, std::string_view content) override;
  Result<std::unique_ptr<AppendFile>> OpenAppend(const std::string& file, uint64_t size) override;
  Result<std::shared_ptr<const ReadFile>> OpenRead(const std::string& file) override;
  Status CreateDirectory(const std::string& directory) override;
  Status Rename(const std::string& from, const std::string& to) override;
  Status RemoveTree(const std::string& path) override;
  Status SyncDirectory(const std::string& directory) override;
  Result<std::unique_ptr<FileLock>> Lock(const std::string& file) override;

 private:
  class FaultyAppendFile;
  class FaultyReadFile;

  /// Counts an operation; yields its fault. What comes after a stop fails with kStopBefore.
  std::optional<DiskFault> Judge(DiskOperation operation) EXCLUDES(mutex_);
  template <class Run>
  auto Do(DiskOperation operation, const std::string& path, Run run) -> decltype(run());

  FileSystem& inner_;
  std::atomic<bool> cold_ = false;
  std::atomic<uint64_t> prefetched_below_ = 0;
  std::atomic<bool> reads_ahead_ = false;
  Mutex mutex_;
  std::optional<Plan> plan_ GUARDED_BY(mutex_);
  uint64_t counted_ GUARDED_BY(mutex_) = 0;
  bool struck_ GUARDED_BY(mutex_) = false;
  bool stopped_ GUARDED_BY(mutex_) = false;
};

}  // namespace regent::storage
