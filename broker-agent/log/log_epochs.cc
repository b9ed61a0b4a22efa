#include "broker-agent/log/log_epochs.h"

#include <algorithm>

#include "broker-agent/log/epoch_file.h"

namespace regent::storage {

Status EpochFile::Write(Version version, const EpochHistory& epochs) {
  const MutexLock lock(mutex_);
  if (retired_ || version <= written_) {
    return Success{};
  }
  Status written = WriteEpochFile(files_, directory_, epochs);
  if (written.ok()) {
    written_ = version;
  }
  return written;
}

void EpochFile::Retire() {
  const MutexLock lock(mutex_);
  retired_ = true;
}

void LogEpochs::Begin(LeaderEpoch epoch, Offset start) {
  history_.Assign(epoch, start);
  ++version_;
  if (!unsaved_from_) {
    unsaved_from_ = start;
  }
}

Status LogEpochs::Set(EpochHistory history) {
  const bool same = history == history_;
  if (same && !unsaved_from_) {
    return Success{};
  }
  const EpochFile::Version version = same ? version_ : version_ + 1;
  if (Status written = file_->Write(version, history); !written.ok()) {
    return written;
  }
  history_ = std::move(history);
  version_ = version;
  saved_ = version;
  unsaved_from_.reset();
  return Success{};
}

void LogEpochs::FinishSync(const EpochSync& sync) {
  if (sync.version <= saved_) {
    return;
  }
  saved_ = sync.version;
  unsaved_from_.reset();
  // Since then epochs have begun and nothing else has changed: that would have been saved.
  const auto since = std::ranges::upper_bound(history_.entries(), sync.epochs.latest(), {},
                                              [](const EpochStart& entry) { return entry.epoch; });
  if (since != history_.entries().end()) {
    unsaved_from_ = since->start;
  }
}

}  // namespace regent::storage
