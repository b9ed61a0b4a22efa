#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace regent::storage {

/// A file that only grows. Closed when it goes.
class AppendFile {
 public:
  virtual ~AppendFile() = default;

  /// Writes all of `bytes` at the end. After an error some of them may be there.
  virtual Status Append(std::string_view bytes) = 0;
  /// What was appended survives a crash of the machine once this has returned success.
  virtual Status Sync() = 0;
  virtual uint64_t size() const = 0;
};

/// A lock on a file, held until it goes.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

enum class EntryKind { kFile, kDirectory, kOther };

struct DirectoryEntry {
  std::string name;
  EntryKind kind = EntryKind::kFile;

  friend bool operator==(const DirectoryEntry&, const DirectoryEntry&) = default;
};

/// Every file access of the log goes through this. Errors name the operation, the path and the
/// system's reason: kNotFound for what is not there, kAlreadyExists, kRefused for want of
/// permission or a lock that somebody else holds, kUnavailable for the rest (EIO, ENOSPC …).
///
/// May block; never called on a loop's thread. Implementations are thread-safe.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  /// Names sorted, without "." and "..".
  virtual Result<std::vector<DirectoryEntry>> List(const std::string& directory) = 0;
  /// Yields false if nothing is there.
  virtual Result<bool> Exists(const std::string& path) = 0;
  virtual Result<uint64_t> SizeOf(const std::string& file) = 0;
  /// The file may have `bytes_max` at most: a larger one is kCorrupt.
  virtual Result<std::string> Read(const std::string& file, uint64_t bytes_max) = 0;
  /// Puts a file of that content in place of what is there, all or nothing, durably.
  virtual Status Replace(const std::string& file, std::string_view content) = 0;
  /// Makes a file of that content that must not be there yet; not durable before SyncDirectory and
  /// perhaps empty after a crash.
  virtual Status Create(const std::string& file, std::string_view content) = 0;
  /// Opens for append; the file must be there. `size` is what it is cut to first.
  virtual Result<std::unique_ptr<AppendFile>> OpenAppend(const std::string& file,
                                                         uint64_t size) = 0;

  virtual Status CreateDirectory(const std::string& directory) = 0;
  virtual Status Rename(const std::string& from, const std::string& to) = 0;
  /// Removes a file, or a directory with everything in it. Absent is fine.
  virtual Status RemoveTree(const std::string& path) = 0;
  /// What was created, renamed or removed in `directory` survives a crash of the machine.
  virtual Status SyncDirectory(const std::string& directory) = 0;

  /// Takes an exclusive lock on `file`, which it creates; kRefused at once if it is held.
  virtual Result<std::unique_ptr<FileLock>> Lock(const std::string& file) = 0;
};

/// Returns `directory`/`name`.
std::string JoinPath(std::string_view directory, std::string_view name);
/// Returns the directory that `path` lies in.
std::string DirectoryOf(std::string_view path);

}  // namespace regent::storage
