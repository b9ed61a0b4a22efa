#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace regent::storage {

/// A file that only grows. Closed when it goes.
class AppendFile {
 public:
  virtual ~AppendFile() = default;

  /// Writes all of `pieces` at the end. After an error, or if the process dies meanwhile, some of
  /// it may be there.
  virtual Status AppendAll(std::span<const std::string_view> pieces) = 0;
  Status Append(std::string_view bytes) { return AppendAll({&bytes, 1}); }
  /// What was appended survives a crash of the machine once this has returned success.
  virtual Status Sync() = 0;
  /// Asks the system to begin with writing `bytes` of what was appended, from `offset` on, to the
  /// device, so that Sync finds less to do. An error is as bad as Sync's: the system may have
  /// dropped what it could not write, and need not say so again. Success says nothing. May block
  /// while the device has enough to do. Like Sync it may run on another thread than the appends.
  virtual Status BeginWriteback(uint64_t offset, uint64_t bytes) = 0;
  /// Tells the system that hardly anybody will read these `bytes` from `offset` on soon: those that
  /// the device has need no memory any more. Never fails; may block; on any thread.
  virtual void LetGo(uint64_t offset, uint64_t bytes) = 0;
  virtual uint64_t size() const = 0;
};

/// A file to be read at any place. Closed when it goes; until then it can be read, whatever becomes
/// of its name. Thread-safe.
class ReadFile {
 public:
  virtual ~ReadFile() = default;

  /// Fills `into` with what lies from `offset` on, and returns how many bytes that is: fewer only
  /// where the file ends.
  virtual Result<size_t> ReadInto(uint64_t offset, std::span<char> into) const = 0;
  /// Returns `length` bytes from `offset` on; fewer only where the file ends.
  Result<std::string> ReadAt(uint64_t offset, size_t length) const {
    std::string bytes(length, '\0');
    const Result<size_t> read = ReadInto(offset, bytes);
    if (!read.ok()) {
      return read.error();
    }
    bytes.resize(*read);
    return bytes;
  }
  /// From now on the system fetches nothing from the device but what is read or prefetched. By
  /// itself it reads ahead of whoever reads from one end to the other, up to megabytes in one go.
  virtual void StopReadingAhead() const = 0;
  /// Tells the system that this stretch, or what the file has of it, will be read soon: it may
  /// begin to fetch it. Never fails; does not wait for the device to have done so.
  virtual void Prefetch(uint64_t offset, uint64_t length) const = 0;
  /// The name that it was opened by, for messages.
  virtual const std::string& path() const = 0;
  /// For the system's calls that copy from file to socket; −1 where there is none.
  virtual int descriptor() const = 0;
  /// Whether such a call would find all of that stretch in memory now, and wait for no disk. False
  /// if nobody knows.
  virtual bool InMemory(uint64_t offset, size_t length) const = 0;
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
/// permission or a lock that somebody else holds, kDiskFailed if the device does not do its work
/// (EIO …), kUnavailable for the rest (ENOSPC, EMFILE …).
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
  virtual Result<std::shared_ptr<const ReadFile>> OpenRead(const std::string& file) = 0;

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
