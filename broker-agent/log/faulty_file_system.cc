#include "broker-agent/log/faulty_file_system.h"

#include <utility>

namespace regent::storage {
namespace {

Error PlannedError(DiskFault fault, const std::string& path) {
  return fault == DiskFault::kShortWrite
             ? Error{ErrorCode::kUnavailable, path + ": No space left on device (planned)"}
             : Error{ErrorCode::kDiskFailed, path + ": Input/output error (planned)"};
}

}  // namespace

class FaultyFileSystem::FaultyAppendFile final : public AppendFile {
 public:
  FaultyAppendFile(FaultyFileSystem& system, std::unique_ptr<AppendFile> inner, std::string path)
      : system_(system), inner_(std::move(inner)), path_(std::move(path)) {}

  Status AppendAll(std::span<const std::string_view> pieces) override {
    const std::optional<DiskFault> fault = system_.Judge(DiskOperation::kWrite);
    if (!fault) {
      return inner_->AppendAll(pieces);
    }
    std::string bytes;
    for (const std::string_view piece : pieces) {
      bytes.append(piece);
    }
    const size_t half = bytes.size() / 2;
    Status ignored = Success{};
    switch (*fault) {
      case DiskFault::kError:
      case DiskFault::kStopBefore: break;
      case DiskFault::kShortWrite: ignored = inner_->Append(bytes.substr(0, half)); break;
      case DiskFault::kStopAfter: ignored = inner_->Append(bytes); break;
      case DiskFault::kTornWrite:
        ignored =
            inner_->Append(bytes.replace(half, bytes.size() - half, bytes.size() - half, 'T'));
        ignored = inner_->Sync();
        break;
    }
    return PlannedError(*fault, path_);
  }

  Status Sync() override {
    return system_.Do(DiskOperation::kSync, path_, [&] { return inner_->Sync(); });
  }

  Status BeginWriteback(uint64_t offset, uint64_t bytes) override {
    return inner_->BeginWriteback(offset, bytes);
  }

  void LetGo(uint64_t offset, uint64_t bytes) override { inner_->LetGo(offset, bytes); }

  uint64_t size() const override { return inner_->size(); }

 private:
  FaultyFileSystem& system_;
  std::unique_ptr<AppendFile> inner_;
  std::string path_;
};

class FaultyFileSystem::FaultyReadFile final : public ReadFile {
 public:
  FaultyReadFile(FaultyFileSystem& system, std::shared_ptr<const ReadFile> inner, std::string path)
      : system_(system), inner_(std::move(inner)), path_(std::move(path)) {}

  Result<size_t> ReadInto(uint64_t offset, std::span<char> into) const override {
    return system_.Do(DiskOperation::kRead, path_, [&] { return inner_->ReadInto(offset, into); });
  }
  void StopReadingAhead() const override {
    system_.reads_ahead_ = false;
    inner_->StopReadingAhead();
  }
  void Prefetch(uint64_t offset, uint64_t length) const override {
    system_.prefetched_below_ = offset + length;
    inner_->Prefetch(offset, length);
  }
  const std::string& path() const override { return path_; }
  int descriptor() const override { return inner_->descriptor(); }
  bool InMemory(uint64_t offset, size_t length) const override {
    return !system_.cold_ && inner_->InMemory(offset, length);
  }

 private:
  FaultyFileSystem& system_;
  std::shared_ptr<const ReadFile> inner_;
  std::string path_;
};

void FaultyFileSystem::Set(std::optional<Plan> plan) {
  const MutexLock lock(mutex_);
  plan_ = plan;
  counted_ = 0;
  struck_ = false;
  stopped_ = false;
}

bool FaultyFileSystem::struck() {
  const MutexLock lock(mutex_);
  return struck_;
}

std::optional<DiskFault> FaultyFileSystem::Judge(DiskOperation operation) {
  const MutexLock lock(mutex_);
  if (stopped_) {
    return DiskFault::kStopBefore;
  }
  if (!plan_ || (plan_->only && *plan_->only != operation) || counted_++ != plan_->at) {
    return std::nullopt;
  }
  struck_ = true;
  switch (plan_->fault) {
    case DiskFault::kError:
    case DiskFault::kShortWrite: break;
    case DiskFault::kStopBefore:
    case DiskFault::kStopAfter:
    case DiskFault::kTornWrite: stopped_ = true; break;
  }
  return plan_->fault;
}

template <class Run>
auto FaultyFileSystem::Do(DiskOperation operation, const std::string& path, Run run)
    -> decltype(run()) {
  const std::optional<DiskFault> fault = Judge(operation);
  if (!fault) {
    return run();
  }
  if (*fault == DiskFault::kStopAfter) {
    [[maybe_unused]] const auto unheard = run();
  }
  return PlannedError(*fault, path);
}

Result<std::vector<DirectoryEntry>> FaultyFileSystem::List(const std::string& directory) {
  return Do(DiskOperation::kRead, directory, [&] { return inner_.List(directory); });
}

Result<bool> FaultyFileSystem::Exists(const std::string& path) {
  return Do(DiskOperation::kRead, path, [&] { return inner_.Exists(path); });
}

Result<uint64_t> FaultyFileSystem::SizeOf(const std::string& file) {
  return Do(DiskOperation::kRead, file, [&] { return inner_.SizeOf(file); });
}

Result<std::string> FaultyFileSystem::Read(const std::string& file, uint64_t bytes_max) {
  return Do(DiskOperation::kRead, file, [&] { return inner_.Read(file, bytes_max); });
}

Status FaultyFileSystem::Replace(const std::string& file, std::string_view content) {
  return Do(DiskOperation::kWrite, file, [&] { return inner_.Replace(file, content); });
}

Status FaultyFileSystem::Create(const std::string& file, std::string_view content) {
  return Do(DiskOperation::kWrite, file, [&] { return inner_.Create(file, content); });
}

Result<std::unique_ptr<AppendFile>> FaultyFileSystem::OpenAppend(const std::string& file,
                                                                 uint64_t size) {
  Result<std::unique_ptr<AppendFile>> opened =
      Do(DiskOperation::kWrite, file, [&] { return inner_.OpenAppend(file, size); });
  if (!opened.ok()) {
    return opened;
  }
  return std::unique_ptr<AppendFile>(
      std::make_unique<FaultyAppendFile>(*this, std::move(opened).value(), file));
}

Result<std::shared_ptr<const ReadFile>> FaultyFileSystem::OpenRead(const std::string& file) {
  Result<std::shared_ptr<const ReadFile>> opened =
      Do(DiskOperation::kRead, file, [&] { return inner_.OpenRead(file); });
  if (!opened.ok()) {
    return opened;
  }
  reads_ahead_ = true;
  return std::shared_ptr<const ReadFile>(
      std::make_shared<FaultyReadFile>(*this, std::move(opened).value(), file));
}

Status FaultyFileSystem::CreateDirectory(const std::string& directory) {
  return Do(DiskOperation::kWrite, directory, [&] { return inner_.CreateDirectory(directory); });
}

Status FaultyFileSystem::Rename(const std::string& from, const std::string& to) {
  return Do(DiskOperation::kRename, from, [&] { return inner_.Rename(from, to); });
}

Status FaultyFileSystem::RemoveTree(const std::string& path) {
  return Do(DiskOperation::kRemove, path, [&] { return inner_.RemoveTree(path); });
}

Status FaultyFileSystem::SyncDirectory(const std::string& directory) {
  return Do(DiskOperation::kSync, directory, [&] { return inner_.SyncDirectory(directory); });
}

Result<std::unique_ptr<FileLock>> FaultyFileSystem::Lock(const std::string& file) {
  return Do(DiskOperation::kLock, file, [&] { return inner_.Lock(file); });
}

}  // namespace regent::storage
