#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "broker-agent/log/file_system.h"
#include "common/base/mutex.h"

namespace regent::storage {

enum class DiskOperation { kRead, kWrite, kSync, kRename, kRemove, kLock };

/// A file system in memory that fails when told to, and forgets in a crash what was not synced.
///
/// Its crash is that of a journalling file system: names are durable once their directory has been
/// synced and, being one journal, those of every directory with it; bytes are durable once their
/// file has been.
class MemoryFileSystem final : public FileSystem {
 public:
  MemoryFileSystem();
  ~MemoryFileSystem() override;

  Result<std::vector<DirectoryEntry>> List(const std::string& directory) override EXCLUDES(mutex_);
  Result<bool> Exists(const std::string& path) override EXCLUDES(mutex_);
  Result<uint64_t> SizeOf(const std::string& file) override EXCLUDES(mutex_);
  Result<std::string> Read(const std::string& file, uint64_t bytes_max) override EXCLUDES(mutex_);
  Status Replace(const std::string& file, std::string_view content) override EXCLUDES(mutex_);
  Status Create(const std::string& file, std::string_view content) override EXCLUDES(mutex_);
  Result<std::unique_ptr<AppendFile>> OpenAppend(const std::string& file, uint64_t size) override
      EXCLUDES(mutex_);
  Result<std::shared_ptr<const ReadFile>> OpenRead(const std::string& file) override
      EXCLUDES(mutex_);
  Status CreateDirectory(const std::string& directory) override EXCLUDES(mutex_);
  Status Rename(const std::string& from, const std::string& to) override EXCLUDES(mutex_);
  Status RemoveTree(const std::string& path) override EXCLUDES(mutex_);
  Status SyncDirectory(const std::string& directory) override EXCLUDES(mutex_);
  Result<std::unique_ptr<FileLock>> Lock(const std::string& file) override EXCLUDES(mutex_);

  // --- faults ------------------------------------------------------------------------------------

  /// Asked before each operation; a returned error is its result and nothing else happens.
  using Fault =
      std::function<std::optional<Error>(DiskOperation operation, const std::string& path)>;
  void SetFault(Fault fault) EXCLUDES(mutex_);
  /// Returns what is left of a file that had `content`, of which `synced` is durable.
  using Survives = std::function<std::string(std::string_view synced, std::string_view content)>;
  /// The machine crashes: what was not synced is gone, or what `survives` says is left; locks are
  /// free, open files are dead.
  void Crash(const Survives& survives = nullptr) EXCLUDES(mutex_);
  /// Returns how many bytes of a file the device was given ahead of any sync.
  uint64_t WrittenBack(const std::string& file) EXCLUDES(mutex_);
  /// Returns below which byte a file was let go of at last.
  uint64_t LetGoBelow(const std::string& file) EXCLUDES(mutex_);
  /// Changes a file behind everybody's back, durably.
  void Overwrite(const std::string& file, std::string content) EXCLUDES(mutex_);

 private:
  struct File {
    std::string content;
    std::string synced;
    uint64_t let_go = 0;
    uint64_t given = 0;  ///< To the device, ahead of a sync: of no use to a crash.
  };
  /// A file, or null for a directory.
  using Names = std::map<std::string, std::shared_ptr<File>, std::less<>>;
  class OpenFile;
  class OpenReadFile;
  class HeldLock;

  std::optional<Error> Check(DiskOperation operation, const std::string& path) REQUIRES(mutex_);
  std::shared_ptr<File> FindFile(const std::string& path) REQUIRES(mutex_);
  Status Make(const std::string& path, std::shared_ptr<File> file) REQUIRES(mutex_);

  Mutex mutex_;
  Names names_ GUARDED_BY(mutex_);
  Names durable_names_ GUARDED_BY(mutex_);
  std::set<std::string, std::less<>> locked_ GUARDED_BY(mutex_);
  Fault fault_ GUARDED_BY(mutex_);
  uint64_t crashes_ GUARDED_BY(mutex_) = 0;
};

}  // namespace regent::storage
