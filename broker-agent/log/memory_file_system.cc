#include "broker-agent/log/memory_file_system.h"

#include <utility>

namespace regent::storage {
namespace {

Error NotThere(const std::string& path) {
  return {ErrorCode::kNotFound, path + ": No such file or directory"};
}

}  // namespace

class MemoryFileSystem::OpenFile final : public AppendFile {
 public:
  OpenFile(MemoryFileSystem& system,
           std::shared_ptr<File> file,
           std::string path,
           uint64_t crashes,
           uint64_t size)
      : system_(system),
        file_(std::move(file)),
        path_(std::move(path)),
        crashes_(crashes),
        size_(size) {}

  Status AppendAll(std::span<const std::string_view> pieces) override {
    std::string bytes;
    for (const std::string_view piece : pieces) {
      bytes.append(piece);
    }
    const MutexLock lock(system_.mutex_);
    if (auto error = Check(DiskOperation::kWrite)) {
      // Half of it gets there, as with a full disk.
      file_->content.append(bytes, 0, bytes.size() / 2);
      return *error;
    }
    file_->content.append(bytes);
    size_ += bytes.size();
    return Success{};
  }

  Status Sync() override {
    const MutexLock lock(system_.mutex_);
    if (auto error = Check(DiskOperation::kSync)) {
      return *error;
    }
    file_->synced = file_->content;
    return Success{};
  }

  Status BeginWriteback(uint64_t /*offset*/, uint64_t bytes) override {
    const MutexLock lock(system_.mutex_);
    if (auto error = Check(DiskOperation::kSync)) {
      return *error;
    }
    file_->given += bytes;
    return Success{};
  }

  void LetGo(uint64_t offset, uint64_t bytes) override {
    const MutexLock lock(system_.mutex_);
    file_->let_go = offset + bytes;
  }

  uint64_t size() const override { return size_; }

 private:
  std::optional<Error> Check(DiskOperation operation) REQUIRES(system_.mutex_) {
    if (crashes_ != system_.crashes_) {
      return Error{ErrorCode::kUnavailable, path_ + ": opened before the crash"};
    }
    return system_.Check(operation, path_);
  }

  MemoryFileSystem& system_;
  std::shared_ptr<File> file_;
  std::string path_;
  uint64_t crashes_;
  uint64_t size_;
};

class MemoryFileSystem::OpenReadFile final : public ReadFile {
 public:
  OpenReadFile(MemoryFileSystem& system,
               std::shared_ptr<File> file,
               std::string path,
               uint64_t crashes)
      : system_(system), file_(std::move(file)), path_(std::move(path)), crashes_(crashes) {}

  Result<size_t> ReadInto(uint64_t offset, std::span<char> into) const override {
    const MutexLock lock(system_.mutex_);
    if (crashes_ != system_.crashes_) {
      return Error{ErrorCode::kUnavailable, path_ + ": opened before the crash"};
    }
    if (auto error = system_.Check(DiskOperation::kRead, path_)) {
      return *error;
    }
    const std::string& content = file_->content;
    return offset < content.size() ? content.copy(into.data(), into.size(), offset) : 0;
  }

  void StopReadingAhead() const override {}
  void Prefetch(uint64_t /*offset*/, uint64_t /*length*/) const override {}
  const std::string& path() const override { return path_; }
  int descriptor() const override { return -1; }
  bool InMemory(uint64_t /*offset*/, size_t /*length*/) const override { return true; }

 private:
  MemoryFileSystem& system_;
  std::shared_ptr<File> file_;
  std::string path_;
  uint64_t crashes_;
};

class MemoryFileSystem::HeldLock final : public FileLock {
 public:
  HeldLock(MemoryFileSystem& system, std::string path, uint64_t crashes)
      : system_(system), path_(std::move(path)), crashes_(crashes) {}
  ~HeldLock() override {
    const MutexLock lock(system_.mutex_);
    if (crashes_ == system_.crashes_) {
      system_.locked_.erase(path_);
    }
  }
  HeldLock(const HeldLock&) = delete;
  HeldLock& operator=(const HeldLock&) = delete;

 private:
  MemoryFileSystem& system_;
  std::string path_;
  uint64_t crashes_;
};

MemoryFileSystem::MemoryFileSystem() {
  names_["/"] = nullptr;
  durable_names_ = names_;
}

MemoryFileSystem::~MemoryFileSystem() = default;

std::optional<Error> MemoryFileSystem::Check(DiskOperation operation, const std::string& path) {
  return fault_ ? fault_(operation, path) : std::nullopt;
}

std::shared_ptr<MemoryFileSystem::File> MemoryFileSystem::FindFile(const std::string& path) {
  const auto found = names_.find(path);
  return found == names_.end() ? nullptr : found->second;
}

Status MemoryFileSystem::Make(const std::string& path, std::shared_ptr<File> file) {
  const auto parent = names_.find(DirectoryOf(path));
  if (parent == names_.end() || parent->second != nullptr) {
    return NotThere(path);
  }
  if (!names_.emplace(path, std::move(file)).second) {
    return Error{ErrorCode::kAlreadyExists, path + ": File exists"};
  }
  return Success{};
}

Result<std::vector<DirectoryEntry>> MemoryFileSystem::List(const std::string& directory) {
  const MutexLock lock(mutex_);
  if (auto error = Check(DiskOperation::kRead, directory)) {
    return *error;
  }
  const auto found = names_.find(directory);
  if (found == names_.end() || found->second != nullptr) {
    return NotThere(directory);
  }
  std::vector<DirectoryEntry> entries;
  for (const auto& [path, file] : names_) {
    if (path != "/" && DirectoryOf(path) == directory) {
      entries.push_back({.name = path.substr(path.rfind('/') + 1),
                         .kind = file == nullptr ? EntryKind::kDirectory : EntryKind::kFile});
    }
  }
  return entries;
}

Result<bool> MemoryFileSystem::Exists(const std::string& path) {
  const MutexLock lock(mutex_);
  if (auto error = Check(DiskOperation::kRead, path)) {
    return *error;
  }
  return names_.contains(path);
}

Result<uint64_t> MemoryFileSystem::SizeOf(const std::string& file) {
  const MutexLock lock(mutex_);
  if (auto error = Check(DiskOperation::kRead, file)) {
    return *error;
  }
  const std::shared_ptr<File> found = FindFile(file);
  if (found == nullptr) {
    return NotThere(file);
  }
  return static_cast<uint64_t>(found->content.size());
}

Result<std::string> MemoryFileSystem::Read(const std::string& file, uint64_t bytes_max) {
  const MutexLock lock(mutex_);
  if (auto error = Check(DiskOperation::kRead, file)) {
    return *error;
  }
  const std::shared_ptr<File> found = FindFile(file);
  if (found == nullptr) {
    return NotThere(file);
  }
  if (found->content.size() > bytes_max) {
    return Error{ErrorCode::kCorrupt,
                 file + " is larger than " + std::to_string(bytes_max) + " bytes"};
  }
  return found->content;
}

Status MemoryFileSystem::Replace(const std::string& file, std::string_view content) {
  const MutexLock lock(mutex_);
  for (const DiskOperation operation : {DiskOperation::kWrite, DiskOperation::kSync}) {
    if (auto error = Check(operation, file)) {
      return *error;
    }
  }
  auto fresh =
      std::make_shared<File>(File{.content = std::string(content), .synced = std::string(content)});
  if (names_.contains(file)) {
    names_[file] = std::move(fresh);
  } else if (Status made = Make(file, std::move(fresh)); !made.ok()) {
    return made;
  }
  durable_names_ = names_;
  return Success{};
}

Status MemoryFileSystem::Create(const std::string& file, std::string_view content) {
  const MutexLock lock(mutex_);
  if (auto error = Check(DiskOperation::kWrite, file)) {
    return *error;
  }
  return Make(file, std::make_shared<File>(File{.content = std::string(content), .synced = ""}));
}

Result<std::unique_ptr<AppendFile>> MemoryFileSystem::OpenAppend(const std::string& file,
                                                                 uint64_t size) {
  const MutexLock lock(mutex_);
  if (auto error = Check(DiskOperation::kWrite, file)) {
    return *error;
  }
  const std::shared_ptr<File> found = FindFile(file);
  if (found == nullptr) {
    return NotThere(file);
  }
  found->content.resize(size);
  return std::unique_ptr<AppendFile>(
      std::make_unique<OpenFile>(*this, found, file, crashes_, size));
}

Result<std::shared_ptr<const ReadFile>> MemoryFileSystem::OpenRead(const std::string& file) {
  const MutexLock lock(mutex_);
  if (auto error = Check(DiskOperation::kRead, file)) {
    return *error;
  }
  const std::shared_ptr<File> found = FindFile(file);
  if (found == nullptr) {
    return NotThere(file);
  }
  return std::shared_ptr<const ReadFile>(
      std::make_shared<OpenReadFile>(*this, found, file, crashes_));
}

Status MemoryFileSystem::CreateDirectory(const std::string& directory) {
  const MutexLock lock(mutex_);
  if (auto error = Check(DiskOperation::kWrite, directory)) {
    return *error;
  }
  return Make(directory, nullptr);
}

Status MemoryFileSystem::Rename(const std::string& from, const std::string& to) {
  const MutexLock lock(mutex_);
  if (auto error = Check(DiskOperation::kRename, from)) {
    return *error;
  }
  if (!names_.contains(from)) {
    return NotThere(from);
  }
  if (const auto target = names_.find(to); target != names_.end()) {
    if (target->second == nullptr) {
      return Error{ErrorCode::kAlreadyExists, to + ": Directory not empty"};
    }
    names_.erase(target);
  }
  Names moved;
  for (auto entry = names_.begin(); entry != names_.end();) {
    const std::string& path = entry->first;
    if (path == from || path.starts_with(from + "/")) {
      moved[to + path.substr(from.size())] = entry->second;
      entry = names_.erase(entry);
    } else {
      ++entry;
    }
  }
  names_.merge(moved);
  return Success{};
}

Status MemoryFileSystem::RemoveTree(const std::string& path) {
  const MutexLock lock(mutex_);
  if (auto error = Check(DiskOperation::kRemove, path)) {
    return *error;
  }
  std::erase_if(names_, [&](const auto& entry) {
    return entry.first == path || entry.first.starts_with(path + "/");
  });
  return Success{};
}

Status MemoryFileSystem::SyncDirectory(const std::string& directory) {
  const MutexLock lock(mutex_);
  if (auto error = Check(DiskOperation::kSync, directory)) {
    return *error;
  }
  if (!names_.contains(directory)) {
    return NotThere(directory);
  }
  durable_names_ = names_;
  return Success{};
}

Result<std::unique_ptr<FileLock>> MemoryFileSystem::Lock(const std::string& file) {
  const MutexLock lock(mutex_);
  if (auto error = Check(DiskOperation::kLock, file)) {
    return *error;
  }
  if (!names_.contains(file)) {
    if (Status made = Make(file, std::make_shared<File>()); !made.ok()) {
      return made.error();
    }
  }
  if (!locked_.insert(file).second) {
    return Error{ErrorCode::kRefused, "lock " + file + ": Resource temporarily unavailable"};
  }
  return std::unique_ptr<FileLock>(std::make_unique<HeldLock>(*this, file, crashes_));
}

void MemoryFileSystem::SetFault(Fault fault) {
  const MutexLock lock(mutex_);
  fault_ = std::move(fault);
}

void MemoryFileSystem::Crash(const Survives& survives) {
  const MutexLock lock(mutex_);
  ++crashes_;
  names_ = durable_names_;
  locked_.clear();
  for (auto& [path, file] : names_) {
    if (file != nullptr) {
      const std::string left = survives ? survives(file->synced, file->content) : file->synced;
      file = std::make_shared<File>(File{.content = left, .synced = left});
    }
  }
  durable_names_ = names_;
}

uint64_t MemoryFileSystem::WrittenBack(const std::string& file) {
  const MutexLock lock(mutex_);
  const std::shared_ptr<File> found = FindFile(file);
  return found == nullptr ? 0 : found->given;
}

uint64_t MemoryFileSystem::LetGoBelow(const std::string& file) {
  const MutexLock lock(mutex_);
  const std::shared_ptr<File> found = FindFile(file);
  return found == nullptr ? 0 : found->let_go;
}

void MemoryFileSystem::Overwrite(const std::string& file, std::string content) {
  const MutexLock lock(mutex_);
  const std::shared_ptr<File> found = FindFile(file);
  CHECK(found != nullptr) << file;
  found->content = content;
  found->synced = std::move(content);
  durable_names_[file] = found;
}

}  // namespace regent::storage
