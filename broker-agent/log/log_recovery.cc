#include "broker-agent/log/log_recovery.h"

#include <algorithm>
#include <utility>

#include <glog/logging.h>

#include "broker-agent/log/epoch_file.h"
#include "broker-agent/log/segment_name.h"

namespace regent::storage {
namespace {

using Stop = LogOpening::Stop;

class LogLoader {
 public:
  LogLoader(FileSystem& files,
            std::string directory,
            const LogConfig& config,
            const LogOpening& opening)
      : files_(files),
        directory_(std::move(directory)),
        opening_(opening),
        segments_(std::make_unique<SegmentList>(files, directory_, config)) {}

  Result<LoadedLog> Load() {
    for (const auto step : {&LogLoader::List, &LogLoader::ReadEpochs, &LogLoader::LoadSegments,
                            &LogLoader::Clip, &LogLoader::WriteEpochs}) {
      if (Status done = (this->*step)(); !done.ok()) {
        return done.error();
      }
    }
    return LoadedLog{.segments = std::move(segments_),
                     .epochs = std::move(epochs_),
                     .epochs_unsaved_from = epochs_unsaved_from_,
                     .start = start_,
                     .report = std::move(report_)};
  }

 private:
  Status List();
  Status ReadEpochs();
  Status LoadSegments();
  Result<std::optional<BadBatch>> LoadSegment(size_t index, Segment& segment);
  Status Cut(size_t kept, const BadBatch& bad);
  Status Clip();
  Status WriteEpochs();

  bool MustCheck(size_t index) const {
    return opening_.stop == Stop::kUnclean &&
           (index + 1 == bases_.size() || bases_[index + 1] > opening_.recovery_point);
  }
  /// Whether the epoch file is right below `offset`.
  bool SavedBelow(Offset offset) const;
  void See(const BatchHeader& header);
  BatchVisitor Seeing() {
    return [this](const BatchHeader& header) { See(header); };
  }

  FileSystem& files_;
  const std::string directory_;
  const LogOpening& opening_;
  std::unique_ptr<SegmentList> segments_;
  std::vector<Offset> bases_;
  std::optional<EpochHistory> epochs_on_disk_;  ///< Nothing: there are none to be believed.
  EpochHistory epochs_;
  std::optional<Offset> epochs_unsaved_from_;
  Offset start_{0};
  RecoveryReport report_;
};

Status LogLoader::List() {
  const Result<std::vector<DirectoryEntry>> entries = files_.List(directory_);
  if (!entries.ok()) {
    return entries.error();
  }
  std::vector<std::pair<Offset, std::string>> indexes;
  std::vector<std::string> leftovers;
  for (const DirectoryEntry& entry : *entries) {
    if (entry.name.ends_with(kDeletedSuffix)) {
      leftovers.push_back(entry.name);
    } else if (const auto base = ParseSegmentFileName(entry.name, kLogSuffix)) {
      bases_.push_back(*base);
    }
    for (const std::string_view suffix : {kOffsetIndexSuffix, kTimeIndexSuffix}) {
      if (const auto base = ParseSegmentFileName(entry.name, suffix)) {
        indexes.emplace_back(*base, entry.name);
      }
    }
  }
  for (const auto& [base, name] : indexes) {
    if (!std::ranges::binary_search(bases_, base)) {
      leftovers.push_back(name);
    }
  }
  for (const std::string& name : leftovers) {
    if (Status removed = files_.RemoveTree(JoinPath(directory_, name)); !removed.ok()) {
      return removed;
    }
  }
  const bool never_synced =
      opening_.stop == Stop::kUnclean && opening_.recovery_point <= opening_.log_start;
  if (bases_.empty() && !never_synced) {
    return Error{
        ErrorCode::kCorrupt,
        directory_ + " holds no segment, and offsets below " +
            std::to_string(opening_.recovery_point.value()) +
            " were on its disk; restore it, or delete the replica so that it is made anew"};
  }
  return Success{};
}

Status LogLoader::ReadEpochs() {
  const Result<EpochHistory> read = ReadEpochFile(files_, directory_);
  if (read.ok()) {
    epochs_on_disk_ = *read;
    epochs_ = *read;
    return Success{};
  }
  const bool unusable =
      read.error().code == ErrorCode::kNotFound || read.error().code == ErrorCode::kCorrupt;
  if (!unusable) {
    return read.error();
  }
  const bool all_checked = bases_.empty() || MustCheck(0);
  if (read.error().code == ErrorCode::kNotFound && all_checked) {
    epochs_on_disk_.emplace();  // It need not be there before a segment needs no check.
  } else {
    report_.epochs_rebuilt = read.error().message;
  }
  return Success{};
}

void LogLoader::See(const BatchHeader& header) {
  if (header.epoch > epochs_.latest()) {
    epochs_.Assign(header.epoch, header.base);
  }
  if (opening_.visit && header.next() > opening_.visit_from) {
    opening_.visit(header);
  }
}

// --- Segments ------------------------------------------------------------------------------------

Status LogLoader::LoadSegments() {
  if (bases_.empty()) {
    return segments_->Begin(opening_.log_start);
  }
  for (size_t i = 0; i < bases_.size(); ++i) {
    if (i > 0 && bases_[i] != segments_->active().next()) {
      return Cut(i, {.offset = segments_->active().next(),
                     .position = segments_->active().bytes(),
                     .reason = "the next segment begins at " + std::to_string(bases_[i].value())});
    }
    segments_->Add(segments_->Make(bases_[i]));
    Segment& segment = segments_->active();
    const Result<std::optional<BadBatch>> bad = LoadSegment(i, segment);
    if (!bad.ok()) {
      return bad.error();
    }
    if (*bad) {
      return Cut(i + 1, **bad);
    }
    if (i + 1 < bases_.size()) {
      if (Status sealed = segment.Seal(); !sealed.ok()) {
        return sealed;
      }
    }
  }
  return Success{};
}

Result<std::optional<BadBatch>> LogLoader::LoadSegment(size_t index, Segment& segment) {
  if (MustCheck(index)) {
    // From the first segment that is checked on, its batches say which epochs there are.
    const bool first = index == 0 || !MustCheck(index - 1);
    if (first) {
      epochs_.TruncateTo(segment.base());
    }
    return segment.Rebuild(
        {.depth = BatchWalk::Depth::kWhole, .epoch_before = epochs_.latest(), .visit = Seeing()});
  }
  const Status opened = segment.Open();
  if (!opened.ok()) {
    const ErrorCode code = opened.error().code;
    if (code != ErrorCode::kCorrupt && code != ErrorCode::kNotFound) {
      return opened.error();
    }
    ++report_.indexes_rebuilt;
    return segment.Rebuild(
        {.depth = BatchWalk::Depth::kHeads, .epoch_before = kNoLeaderEpoch, .visit = Seeing()});
  }
  if (!epochs_on_disk_ || (opening_.visit && segment.next() > opening_.visit_from)) {
    if (Status visited = segment.Visit(Seeing()); !visited.ok()) {
      return visited.error();
    }
  }
  return std::optional<BadBatch>();
}

Status LogLoader::Cut(size_t kept, const BadBatch& bad) {
  Segment& damaged = segments_->active();
  if (opening_.stop == Stop::kClean) {
    return Error{ErrorCode::kCorrupt, damaged.path() + " at byte " + std::to_string(bad.position) +
                                          ", offset " + std::to_string(bad.offset.value()) +
                                          ", although the stop was clean: " + bad.reason};
  }
  report_.first_bad = bad;
  report_.bad_file = damaged.path();
  const Result<uint64_t> bytes = files_.SizeOf(damaged.path());
  if (!bytes.ok()) {
    return bytes.error();
  }
  report_.bytes_cut = *bytes - damaged.bytes();
  if (Status cut = damaged.CutBadTail(); !cut.ok()) {
    return cut;
  }
  for (size_t i = kept; i < bases_.size(); ++i) {
    segments_->Add(segments_->Make(bases_[i]));
    const Result<uint64_t> removed = files_.SizeOf(segments_->active().path());
    if (!removed.ok()) {
      return removed.error();
    }
    report_.bytes_cut += *removed;
    ++report_.segments_removed;
  }
  if (Status removed = segments_->RemoveFrom(kept); !removed.ok()) {
    return removed;
  }
  return damaged.Unseal();
}

// --- What remains --------------------------------------------------------------------------------

Status LogLoader::Clip() {
  const Offset end = segments_->active().next();
  if (opening_.stop == Stop::kUnclean) {
    report_.synced_lost = end < opening_.recovery_point;
    for (const auto& segment : segments_->all()) {
      segment->NoteSynced(opening_.recovery_point);
    }
  }
  if (end < opening_.log_start) {
    report_.restarted = true;
    epochs_.Clear();
    if (Status restarted = segments_->RestartAt(opening_.log_start); !restarted.ok()) {
      return restarted;
    }
  }
  start_ = std::max(opening_.log_start, segments_->at(0).base());
  return Success{};
}

bool LogLoader::SavedBelow(Offset offset) const {
  if (!epochs_on_disk_) {
    return false;
  }
  const auto below = [&](const EpochHistory& epochs) {
    EpochHistory clipped = ClippedTo(epochs, {.start = start_, .end = offset});
    clipped.TruncateTo(offset);
    return clipped;
  };
  return below(*epochs_on_disk_) == below(epochs_);
}

Status LogLoader::WriteEpochs() {
  epochs_ = ClippedTo(epochs_, {.start = start_, .end = segments_->active().next()});
  const bool none = epochs_.entries().empty();
  if (none) {
    report_.epochs_rebuilt.clear();
  }
  if (epochs_on_disk_ ? *epochs_on_disk_ == epochs_ : none) {
    return Success{};
  }
  if (opening_.stop == Stop::kUnclean && SavedBelow(segments_->active().base())) {
    epochs_unsaved_from_ = segments_->active().base();
    return Success{};
  }
  return WriteEpochFile(files_, directory_, epochs_);
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const RecoveryReport& report) {
  out << "bytes_cut=" << report.bytes_cut << " segments_removed=" << report.segments_removed
      << " indexes_rebuilt=" << report.indexes_rebuilt << " restarted=" << report.restarted
      << " synced_lost=" << report.synced_lost;
  if (report.first_bad) {
    out << " first_bad=" << report.first_bad->offset << " file=" << report.bad_file
        << " byte=" << report.first_bad->position << " reason=\"" << report.first_bad->reason
        << '"';
  }
  if (!report.epochs_rebuilt.empty()) {
    out << " epochs_rebuilt=\"" << report.epochs_rebuilt << '"';
  }
  return out;
}

Result<LoadedLog> LoadLog(FileSystem& files,
                          const std::string& directory,
                          const LogConfig& config,
                          const LogOpening& opening) {
  return LogLoader(files, directory, config, opening).Load();
}

}  // namespace regent::storage
