#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "broker-agent/log/file_system.h"
#include "broker-agent/log/record_batch_view.h"
#include "common/base/result.h"

namespace regent::storage {

/// A batch and where in its file it begins.
struct PlacedBatch {
  BatchHeader header;
  uint64_t position = 0;
};

/// Walks over the batches in a stretch of a segment's file.
class BatchWalk {
 public:
  enum class Depth {
    kHeads,  ///< Decodes the headers and reads little else.
    kWhole,  ///< Reads every byte and checks each batch by itself (StoredFault).
  };
  struct Stretch {
    uint64_t position = 0;  ///< Where a batch begins.
    uint64_t end = 0;
  };

  BatchWalk(std::shared_ptr<const ReadFile> file, Stretch stretch, Depth depth);

  /// Returns the next batch; nothing at the end. kCorrupt says what is wrong with the batch at
  /// position(); any other error is the file's.
  Result<std::optional<PlacedBatch>> Next();

  /// Where the next batch begins.
  uint64_t position() const { return position_; }

 private:
  /// Returns `length` bytes from position_ on, valid until the next call.
  Result<std::string_view> Peek(uint64_t length);
  uint64_t ReadAheadBytes() const;

  std::shared_ptr<const ReadFile> file_;
  uint64_t position_;
  uint64_t end_;
  Depth depth_;
  std::string buffer_;
  uint64_t buffer_at_ = 0;
  uint64_t last_bytes_ = 0;  ///< Of the last batch: the next one is likely to be as large.
};

}  // namespace regent::storage
