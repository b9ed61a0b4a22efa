#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "broker-agent/core/epoch_history.h"
#include "broker-agent/log/file_system.h"
#include "broker-agent/log/log_config.h"
#include "broker-agent/log/segment.h"
#include "broker-agent/log/segment_list.h"
#include "common/base/result.h"
#include "common/model/ids.h"

namespace regent::storage {

/// What is known of a log before it is opened.
struct LogOpening {
  enum class Stop { kClean, kUnclean };
  Stop stop = Stop::kUnclean;
  Offset recovery_point{0};  ///< Below it everything was synced.
  Offset log_start{0};
  /// Gets, in order, each batch from the one that holds `visit_from` on; no batch that is cut off.
  /// If the log turns out to end below `log_start`, what was visited is gone. May be null.
  BatchVisitor visit;
  Offset visit_from{0};
};

/// What was done to a log when it was opened, for people.
struct RecoveryReport {
  uint64_t bytes_cut = 0;  ///< Of batches, those in removed segments included.
  size_t segments_removed = 0;
  std::optional<BadBatch> first_bad;  ///< Why something was cut.
  std::string bad_file;               ///< In which file.
  size_t indexes_rebuilt = 0;         ///< Of segments that were not checked anyway.
  std::string epochs_rebuilt;         ///< Why the epochs come from the batches; empty: they do not.
  bool restarted = false;             ///< It ended below its start, and is empty now.
  bool synced_lost = false;  ///< It ends below its recovery point: the disk broke its word.

  /// Whether everything was as it should be.
  bool nothing_done() const {
    return bytes_cut == 0 && segments_removed == 0 && indexes_rebuilt == 0 &&
           epochs_rebuilt.empty() && !restarted && !synced_lost;
  }
  friend std::ostream& operator<<(std::ostream& out, const RecoveryReport& report);
};

struct LoadedLog {
  std::unique_ptr<SegmentList> segments;
  EpochHistory epochs;
  std::optional<Offset> epochs_unsaved_from;  ///< The epoch file may be wrong from there on.
  Offset start{0};
  RecoveryReport report;
};

/// Opens the files of a log. After a clean stop they are believed, as long as they fit each other:
/// kCorrupt if they do not, and nothing is changed. After an unclean one every batch from the
/// segment of the recovery point on is checked, the log is cut at the first bad one, and later
/// segments are removed, durably. Of leader epochs the batches that were checked decide; for the
/// others the file does, or all batches if it cannot be read. The file is written anew unless it is
/// wrong about the active segment alone, which every such opening checks.
Result<LoadedLog> LoadLog(FileSystem& files,
                          const std::string& directory,
                          const LogConfig& config,
                          const LogOpening& opening);

}  // namespace regent::storage
