#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "broker-agent/core/file_slice.h"
#include "broker-agent/log/file_system.h"
#include "common/base/result.h"
#include "common/model/ids.h"

namespace regent::storage {

/// What a reader must know of a batch without looking into it.
struct BatchHead {
  Offset base{0};
  Offset next{0};
  LeaderEpoch epoch = kNoLeaderEpoch;
  uint64_t bytes = 0;

  friend bool operator==(const BatchHead&, const BatchHead&) = default;
};

/// Bytes of whole batches and the head of each.
struct ReadBatches {
  std::string bytes;
  std::vector<BatchHead> heads;
};

struct ReadRequest {
  Offset from{0};
  Offset below{0};
  uint64_t bytes_max = 0;
};

/// Whoever reads `bytes` of a log in one go may read on soon: the device is asked for so many more
/// behind them, and works while they are on their way.
uint64_t BytesToPrefetchBehind(uint64_t bytes);

/// A read of a log that is under way (PartitionLog::BeginRead): it may be done bit by bit, while
/// others use the log. What becomes of the log meanwhile it does not notice: if its end is cut off
/// and grows again, there may be bytes of both in a batch.
///
/// Blocks; one thread at a time. Outlives its log.
class LogReading {
 public:
  /// Of a log that has nothing for the reader.
  LogReading() = default;
  /// `stretch` begins with a batch and holds at least that one; `end` is where the segment's
  /// batches end in its file, not before the stretch does.
  LogReading(const ReadRequest& request, FileSlice stretch, uint64_t end)
      : request_(request), stretch_(std::move(stretch)), end_(end) {}

  /// Reads no more than `bytes_max`, which is not 0. False: there is more to be read.
  Result<bool> ReadSome(uint64_t bytes_max);
  /// Yields the batches, once all is read. Nothing is left of it.
  Result<ReadBatches> Finish();

 private:
  void PrefetchBehind(uint64_t read);

  ReadRequest request_;
  FileSlice stretch_;
  uint64_t end_ = 0;
  uint64_t prefetched_ = 0;  ///< Of the stretch and what lies behind it.
  std::string bytes_;
};

}  // namespace regent::storage
