#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "broker-agent/log/file_system.h"
#include "common/base/result.h"

namespace regent::storage {

/// A file of sorted entries of one size, which grows at its end: what Kafka's two indexes have in
/// common. New entries stay in memory until there is a block of them or somebody asks, so that most
/// appends to a log cost no write here; what is lost that way is rebuilt from the log.
class IndexFile {
 public:
  IndexFile(FileSystem& files, std::string path, size_t entry_bytes)
      : files_(files), path_(std::move(path)), entry_bytes_(entry_bytes) {}

  /// Takes the file that is there; kCorrupt if it is not whole entries.
  Status Open();
  /// Makes the file empty, or an empty file. Not durable.
  Status Reset();

  void Add(std::string_view entry) { held_.append(entry); }
  /// Writes a full block out. If that fails everything is as before.
  Status FlushBlock();
  Status Flush();
  /// Makes every entry durable. After a failure the file must not be used any more.
  Status Sync();
  /// Writes everything out and returns the file that a sync of it needs; null: everything is
  /// durable already. NoteSynced follows it, if nothing has been written meanwhile.
  Result<std::shared_ptr<AppendFile>> BeginSync();
  void NoteSynced() { dirty_ = false; }
  /// Whether every entry is durable.
  bool synced() const { return !dirty_ && held_.empty(); }
  /// Drops the entries from `count` on. Not durable.
  Status CutTo(size_t count);
  /// Closes the descriptors, after a flush.
  Status Release();

  Result<std::string> At(size_t index);
  /// Returns the number of entries in front that satisfy `before`, which holds for a prefix.
  Result<size_t> CountWhile(const std::function<bool(std::string_view entry)>& before);

  size_t size() const { return written_ + held_.size() / entry_bytes_; }
  const std::string& path() const { return path_; }

 private:
  /// Opens the file for append if it is not; what follows the entries that count is cut off.
  Status OpenWriter();
  Result<std::string> Range(size_t first, size_t count);

  FileSystem& files_;
  std::string path_;
  size_t entry_bytes_;
  size_t written_ = 0;  ///< Entries in the file.
  std::string held_;    ///< Those after them.
  bool dirty_ = false;
  std::shared_ptr<AppendFile> writer_;
  std::shared_ptr<const ReadFile> reader_;
};

}  // namespace regent::storage
