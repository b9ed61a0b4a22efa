#include "broker-agent/log/index_file.h"

#include <algorithm>
#include <utility>

#include <glog/logging.h>

namespace regent::storage {
namespace {

constexpr size_t kBlockBytes = 4096;

}  // namespace

Status IndexFile::Open() {
  const Result<uint64_t> bytes = files_.SizeOf(path_);
  if (!bytes.ok()) {
    return bytes.error();
  }
  if (*bytes % entry_bytes_ != 0) {
    return Error{ErrorCode::kCorrupt, path_ + " has " + std::to_string(*bytes) +
                                          " bytes, which are not whole entries of " +
                                          std::to_string(entry_bytes_)};
  }
  written_ = *bytes / entry_bytes_;
  return Success{};
}

Status IndexFile::Reset() {
  reader_.reset();
  writer_.reset();
  held_.clear();
  written_ = 0;
  dirty_ = true;
  Status emptied = OpenWriter();
  if (!emptied.ok() && emptied.error().code == ErrorCode::kNotFound) {
    return files_.Create(path_, "");
  }
  return emptied;
}

Status IndexFile::OpenWriter() {
  if (writer_ == nullptr) {
    Result<std::unique_ptr<AppendFile>> opened = files_.OpenAppend(path_, written_ * entry_bytes_);
    if (!opened.ok()) {
      return opened.error();
    }
    writer_ = std::move(opened).value();
  }
  return Success{};
}

Status IndexFile::FlushBlock() {
  return held_.size() < kBlockBytes ? Success{} : Flush();
}

Status IndexFile::Flush() {
  if (held_.empty()) {
    return Success{};
  }
  if (Status ready = OpenWriter(); !ready.ok()) {
    return ready;
  }
  dirty_ = true;
  if (Status written = writer_->Append(held_); !written.ok()) {
    // Opening it anew cuts off what got there.
    writer_.reset();
    return written;
  }
  written_ = size();
  held_.clear();
  return Success{};
}

Status IndexFile::Sync() {
  if (Status flushed = Flush(); !flushed.ok()) {
    return flushed;
  }
  if (!dirty_) {
    return Success{};
  }
  if (Status ready = OpenWriter(); !ready.ok()) {
    return ready;
  }
  Status synced = writer_->Sync();
  dirty_ = !synced.ok();
  return synced;
}

Result<std::shared_ptr<AppendFile>> IndexFile::BeginSync() {
  if (Status flushed = Flush(); !flushed.ok()) {
    return flushed.error();
  }
  if (!dirty_) {
    return std::shared_ptr<AppendFile>();
  }
  if (Status ready = OpenWriter(); !ready.ok()) {
    return ready.error();
  }
  return writer_;
}

Status IndexFile::CutTo(size_t count) {
  if (count >= written_) {
    held_.resize(std::min(held_.size(), (count - written_) * entry_bytes_));
    return Success{};
  }
  held_.clear();
  writer_.reset();
  written_ = count;
  dirty_ = true;
  return OpenWriter();
}

Status IndexFile::Release() {
  Status flushed = Flush();
  writer_.reset();
  reader_.reset();
  return flushed;
}

Result<std::string> IndexFile::Range(size_t first, size_t count) {
  std::string entries;
  if (first < written_) {
    if (reader_ == nullptr) {
      Result<std::shared_ptr<const ReadFile>> opened = files_.OpenRead(path_);
      if (!opened.ok()) {
        return opened.error();
      }
      reader_ = std::move(opened).value();
    }
    const size_t bytes = std::min(count, written_ - first) * entry_bytes_;
    Result<std::string> read = reader_->ReadAt(first * entry_bytes_, bytes);
    if (!read.ok()) {
      return read;
    }
    if (read->size() != bytes) {
      return Error{ErrorCode::kCorrupt,
                   path_ + " has become shorter than its " + std::to_string(written_) + " entries"};
    }
    entries = std::move(read).value();
  }
  const size_t held_first = std::max(first, written_);
  if (first + count > held_first) {
    entries.append(held_, (held_first - written_) * entry_bytes_,
                   (first + count - held_first) * entry_bytes_);
  }
  return entries;
}

Result<std::string> IndexFile::At(size_t index) {
  CHECK_LT(index, size());
  return Range(index, 1);
}

Result<size_t> IndexFile::CountWhile(const std::function<bool(std::string_view entry)>& before) {
  size_t low = 0;
  size_t high = size();
  // Halves it by single entries until what is left is one read.
  while ((high - low) * entry_bytes_ > kBlockBytes) {
    const size_t middle = low + (high - low) / 2;
    const Result<std::string> entry = Range(middle, 1);
    if (!entry.ok()) {
      return entry.error();
    }
    if (before(*entry)) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  const Result<std::string> block = Range(low, high - low);
  if (!block.ok()) {
    return block.error();
  }
  while (low < high && before(std::string_view(*block).substr(
                           block->size() - (high - low) * entry_bytes_, entry_bytes_))) {
    ++low;
  }
  return low;
}

}  // namespace regent::storage
