#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker-agent/log/file_system.h"
#include "broker-agent/log/log_config.h"
#include "broker-agent/log/segment.h"
#include "common/base/result.h"
#include "common/model/ids.h"

namespace regent::storage {

/// The segments of a log, ascending; the last one is the active one. Which files are a log at every
/// moment, also if the machine crashes in between: a prefix of what was there while segments go at
/// the end, a suffix while they go at the start.
///
/// Blocks; one thread at a time.
class SegmentList {
 public:
  /// `files` outlives it.
  SegmentList(FileSystem& files, std::string directory, const LogConfig& config)
      : files_(files), directory_(std::move(directory)), config_(config) {}
  SegmentList(const SegmentList&) = delete;
  SegmentList& operator=(const SegmentList&) = delete;

  /// Returns a segment of this log that is not in the list yet.
  std::unique_ptr<Segment> Make(Offset base) const {
    return std::make_unique<Segment>(files_, directory_, base, config_);
  }
  /// Puts one behind the others that has been opened or created.
  void Add(std::unique_ptr<Segment> segment) { segments_.push_back(std::move(segment)); }
  /// Makes a segment that begins at `base` the active one. Not durable.
  Status Begin(Offset base);
  /// Seals the active segment and begins the next one.
  Status Roll();
  /// Removes the segments from `first` on, the last one first, durably.
  Status RemoveFrom(size_t first);
  /// Removes the first `count` segments, the oldest first.
  Status RemoveOldest(size_t count);
  /// Puts one empty segment at `base` in place of all, durably.
  Status RestartAt(Offset base);

  /// Segments or records at the end have gone, or are about to.
  void NoteCut() { ++cuts_; }
  /// Makes durable what lies below `offset`, and what shares a segment with it. After a failure the
  /// files must not be used any more.
  Status SyncUpTo(Offset offset);
  /// Which segments a sync is about.
  enum class Reach {
    kSealed,  ///< All but the active one, with their indexes.
    kAll,     ///< The active one's records too.
  };
  /// Begins a sync that somebody else carries out; of no segment, if all are durable already.
  Result<LogSync> BeginSync(Reach reach);
  /// The sync has succeeded.
  void FinishSync(const LogSync& sync);
  bool Began(const LogSync& sync) const { return sync.log == identity_; }
  /// What of the active segment the device may be given ahead of a sync (Segment::TakeWriteback).
  std::optional<Writeback> TakeWriteback(uint64_t bytes_min, Readers readers, uint64_t bytes_kept);
  bool Began(const Writeback& writeback) const { return writeback.log == identity_; }
  /// Below it all records are durable.
  Offset synced_to() const;
  /// Below it everything is, indexes included: a log need not be checked from its start.
  Offset recovery_point() const;
  /// Whether a segment that nobody appends to any more is not durable yet.
  bool AnySealedUnsynced() const;
  Status Release();

  /// Returns the index of the segment that holds `offset`, which is not below the first one.
  size_t IndexOf(Offset offset) const;
  Segment& Holding(Offset offset) { return at(IndexOf(offset)); }
  Segment& at(size_t index) { return *segments_[index]; }
  Segment& active() { return *segments_.back(); }
  const Segment& active() const { return *segments_.back(); }
  const std::vector<std::unique_ptr<Segment>>& all() const { return segments_; }
  uint64_t bytes() const;

  void SetConfig(const LogConfig& config) { config_ = config; }
  const LogConfig& config() const { return config_; }
  const std::string& directory() const { return directory_; }

 private:
  Status SyncNames();
  void NamesChanged();

  FileSystem& files_;
  std::string directory_;
  LogConfig config_;
  std::vector<std::unique_ptr<Segment>> segments_;
  /// The directory may know of files that its disk does not: some have been made, or a life before
  /// this one may have made them, and nobody has synced it since.
  bool names_dirty_ = true;
  uint64_t name_changes_ = 0;
  /// Of a sync that began before a cut, nobody knows what it was about.
  uint64_t cuts_ = 0;
  std::shared_ptr<const int> identity_ = std::make_shared<const int>(0);
};

}  // namespace regent::storage
