#include "tests/unit/broker-agent-log/log_checks.h"

#include <algorithm>

#include <glog/logging.h>

#include "broker-agent/log/batch_check.h"
#include "broker-agent/log/big_endian.h"
#include "broker-agent/log/record_reader.h"
#include "broker-agent/log/segment_name.h"

namespace regent::storage {
namespace {

constexpr uint64_t kFileBytesMax = uint64_t{1} << 30U;

std::string ReadWhole(FileSystem& files, const std::string& path) {
  Result<std::string> content = files.Read(path, kFileBytesMax);
  CHECK(content.ok()) << content.error();
  return std::move(content).value();
}

int64_t GreatestTimestampOf(const RecordBatchView& batch) {
  if (batch.header.timestamp_type() == TimestampType::kLogAppendTime || batch.header.compressed()) {
    return batch.header.max_timestamp.value();
  }
  int64_t greatest = -1;
  RecordReader reader(batch.records());
  while (const auto record = reader.Next()) {
    greatest = std::max(greatest, batch.header.base_timestamp.value() + record->timestamp_delta);
  }
  return greatest;
}

/// One segment as DumpLogSegments sees it.
class SegmentDump {
 public:
  SegmentDump(FileSystem& files, const std::string& directory, Offset base)
      : base_(base),
        log_(ReadWhole(files, JoinPath(directory, SegmentFileName(base, kLogSuffix)))),
        index_(ReadWhole(files, JoinPath(directory, SegmentFileName(base, kOffsetIndexSuffix)))),
        times_(ReadWhole(files, JoinPath(directory, SegmentFileName(base, kTimeIndexSuffix)))),
        split_(Split(log_)) {}

  std::vector<std::string> Complaints() {
    CheckLog();
    CheckIndex();
    CheckTimes();
    return complaints_;
  }

  Offset next() const {
    return split_.batches.empty() ? base_ : split_.batches.back().header.next();
  }

 private:
  void Complain(const std::string& what) {
    complaints_.push_back(SegmentFileName(base_, "") + ": " + what);
  }

  void CheckLog() {
    if (split_.fault) {
      Complain(split_.fault->message);
    }
    Offset expected = base_;
    for (const RecordBatchView& batch : split_.batches) {
      if (StoredFault(batch) || batch.header.base != expected) {
        Complain("bad batch at " + std::to_string(batch.header.base.value()));
      }
      expected = batch.header.next();
    }
  }

  const RecordBatchView* BatchAt(uint64_t position) const {
    const auto found = std::ranges::find_if(split_.batches, [&](const RecordBatchView& batch) {
      return batch.bytes.data() == log_.data() + position;
    });
    return found == split_.batches.end() ? nullptr : &*found;
  }

  void CheckIndex() {
    Offset before(-1);
    for (size_t at = 0; at + 8 <= index_.size(); at += 8) {
      const Offset offset(base_.value() + LoadBigEndian<int32_t>(index_, at));
      const RecordBatchView* const batch = BatchAt(LoadBigEndian<uint32_t>(index_, at + 4));
      if (batch == nullptr || batch->header.last() != offset) {
        Complain("index entry " + std::to_string(offset.value()) + " names no batch");
      }
      if (offset <= before) {
        Complain("index entry " + std::to_string(offset.value()) + " is out of order");
      }
      before = offset;
    }
    if (index_.size() % 8 != 0) {
      Complain("the index has a part of an entry");
    }
  }

  void CheckTimes() {
    int64_t before = -1;
    for (size_t at = 0; at + 12 <= times_.size(); at += 12) {
      const auto timestamp = LoadBigEndian<int64_t>(times_, at);
      const Offset offset(base_.value() + LoadBigEndian<int32_t>(times_, at + 8));
      const auto batch = std::ranges::find_if(
          split_.batches, [&](const auto& b) { return b.header.last() >= offset; });
      if (batch == split_.batches.end() || batch->header.last() != offset) {
        Complain("time index entry " + std::to_string(offset.value()) + " ends no batch");
      } else if (GreatestTimestampOf(*batch) != timestamp) {
        Complain("time index entry " + std::to_string(offset.value()) + " has the wrong time");
      }
      if (timestamp <= before) {
        Complain("time index entry " + std::to_string(offset.value()) + " is out of order");
      }
      before = timestamp;
    }
    if (times_.size() % 12 != 0) {
      Complain("the time index has a part of an entry");
    }
  }

  Offset base_;
  std::string log_;
  std::string index_;
  std::string times_;
  SplitBatches split_;
  std::vector<std::string> complaints_;
};

}  // namespace

std::vector<std::string> ReadAll(PartitionLog& log) {
  std::vector<std::string> batches;
  Offset from = log.start();
  while (from < log.end()) {
    const Result<ReadBatches> read = log.Read({.from = from, .below = log.end(), .bytes_max = 700});
    CHECK(read.ok()) << read.error();
    CHECK(!read->heads.empty());
    for (const RecordBatchView& batch : Split(read->bytes).batches) {
      batches.emplace_back(batch.bytes);
    }
    from = read->heads.back().next;
  }
  return batches;
}

EpochHistory EpochsOf(const std::vector<std::string>& batches) {
  EpochHistory epochs;
  for (const std::string& batch : batches) {
    const BatchHeader header = DecodeBatchHeader(batch);
    epochs.Assign(header.epoch, header.base);
  }
  return epochs;
}

std::vector<std::string> DumpComplaints(FileSystem& files, const std::string& directory) {
  const Result<std::vector<DirectoryEntry>> entries = files.List(directory);
  CHECK(entries.ok()) << entries.error();
  std::vector<std::string> complaints;
  std::optional<Offset> end;
  for (const DirectoryEntry& entry : *entries) {
    const std::optional<Offset> base = ParseSegmentFileName(entry.name, kLogSuffix);
    if (!base) {
      continue;
    }
    SegmentDump dump(files, directory, *base);
    for (std::string& complaint : dump.Complaints()) {
      complaints.push_back(std::move(complaint));
    }
    if (end && *end != *base) {
      complaints.push_back(entry.name + " follows " + std::to_string(end->value()));
    }
    end = dump.next();
  }
  return complaints;
}

Result<Appended> AppendOne(PartitionLog& log, std::string_view bytes, int64_t now) {
  return log.Append({&bytes, 1}, Timestamp(now));
}

}  // namespace regent::storage
