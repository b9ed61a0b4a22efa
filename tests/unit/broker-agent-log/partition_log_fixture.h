#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <glog/logging.h>
#include <gtest/gtest.h>

#include "broker-agent/log/faulty_file_system.h"
#include "broker-agent/log/memory_file_system.h"
#include "broker-agent/log/partition_log.h"
#include "tests/unit/broker-agent-log/log_checks.h"
#include "tests/unit/broker-agent-log/test_batches.h"

namespace regent::storage {

/// A log of three batches a segment, on files in memory that fail when told to.
class PartitionLogTest : public ::testing::Test {
 protected:
  void Make(int64_t start) {
    CHECK(memory_.CreateDirectory("/p").ok());
    auto made = PartitionLog::Create(files_, "/p", config_, Offset(start));
    CHECK(made.ok()) << made.error();
    log_ = std::move(made).value();
  }
  /// Appends batches of 10 records each; every one takes `kTenBytes`.
  void AppendTens(int count, int32_t epoch = 0, int64_t timestamp = 1000) {
    for (int i = 0; i < count; ++i) {
      const auto appended = AppendOne(*log_, Ten(log_->end().value(), epoch, timestamp));
      CHECK(appended.ok()) << appended.error();
    }
  }
  static std::string Ten(int64_t base, int32_t epoch = 0, int64_t timestamp = 1000) {
    return Encode({.base = base, .count = 10, .epoch = epoch, .timestamp = timestamp});
  }
  Result<ReadBatches> Read(int64_t from, int64_t below, uint64_t bytes_max) {
    return log_->Read({.from = Offset(from), .below = Offset(below), .bytes_max = bytes_max});
  }
  std::string BytesOfSlice(const ReadRequest& request) {
    const FileSlice slice = log_->ReadSlice(request).value();
    return slice.file == nullptr ? "" : slice.file->ReadAt(slice.position, slice.length).value();
  }
  std::vector<std::string> Names() {
    std::vector<std::string> names;
    const auto entries = memory_.List("/p");
    for (const DirectoryEntry& entry : *entries) {
      names.push_back(entry.name);
    }
    return names;
  }

  const uint64_t ten_bytes_ = Ten(0).size();
  MemoryFileSystem memory_;
  FaultyFileSystem files_{memory_};
  LogConfig config_{.segment_bytes = 3 * Ten(0).size(), .index_interval_bytes = 100};
  std::unique_ptr<PartitionLog> log_;
};

}  // namespace regent::storage
