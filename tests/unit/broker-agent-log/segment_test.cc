#include "broker-agent/log/segment.h"

#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "broker-agent/log/big_endian.h"
#include "broker-agent/log/faulty_file_system.h"
#include "broker-agent/log/index_file.h"
#include "broker-agent/log/memory_file_system.h"
#include "broker-agent/log/segment_name.h"
#include "tests/unit/broker-agent-log/log_checks.h"
#include "tests/unit/broker-agent-log/test_batches.h"

namespace regent::storage {
namespace {

constexpr uint64_t kBytesMax = uint64_t{1} << 30U;

std::string IndexEntry(int32_t relative, int32_t position) {
  std::string entry;
  AppendBigEndian(entry, relative);
  AppendBigEndian(entry, position);
  return entry;
}

std::string TimeEntry(int64_t timestamp, int32_t relative) {
  std::string entry;
  AppendBigEndian(entry, timestamp);
  AppendBigEndian(entry, relative);
  return entry;
}

/// A file in memory that counts what is read of it.
class CountedFile final : public ReadFile {
 public:
  explicit CountedFile(std::string content) : content_(std::move(content)) {}

  Result<size_t> ReadInto(uint64_t offset, std::span<char> into) const override {
    const std::string_view found = std::string_view(content_).substr(offset, into.size());
    std::ranges::copy(found, into.begin());
    read_ += found.size();
    return found.size();
  }
  void StopReadingAhead() const override {}
  void Prefetch(uint64_t, uint64_t) const override {}
  const std::string& path() const override { return content_; }
  int descriptor() const override { return -1; }
  bool InMemory(uint64_t, size_t) const override { return true; }
  size_t size() const { return content_.size(); }
  size_t read() const { return read_; }

 private:
  const std::string content_;
  mutable size_t read_ = 0;
};

TEST(BatchWalk, ReadsOfLargeBatchesLittleMoreThanTheirHeaders) {
  constexpr int kBatches = 20;
  for (const size_t value_bytes : {size_t{10}, size_t{10'000}}) {
    std::string bytes;
    for (int i = 0; i < kBatches; ++i) {
      bytes += Encode({.base = i, .count = 1, .value_bytes = value_bytes});
    }
    const auto file = std::make_shared<CountedFile>(bytes);
    BatchWalk walk(file, {.position = 0, .end = bytes.size()}, BatchWalk::Depth::kHeads);
    for (int i = 0; i < kBatches; ++i) {
      const auto batch = walk.Next();
      ASSERT_TRUE(batch.ok() && *batch);
      EXPECT_EQ((*batch)->header.base, Offset(i));
    }
    const size_t read_ahead = std::min<size_t>(bytes.size(), 8192);
    EXPECT_LE(file->read(), read_ahead + kBatches * kBatchHeaderBytes) << value_bytes;
  }
}

TEST(SegmentFileName, IsKafkas) {
  EXPECT_EQ(SegmentFileName(Offset(0), kLogSuffix), "00000000000000000000.log");
  EXPECT_EQ(SegmentFileName(Offset(INT64_MAX), kTimeIndexSuffix), "09223372036854775807.timeindex");
  EXPECT_EQ(ParseSegmentFileName("00000000000000000123.index", kOffsetIndexSuffix), Offset(123));
  for (const char* const name :
       {"0000000000000000123.log", "000000000000000000123.log", "-0000000000000000123.log",
        "00000000000000000123.log.deleted", "00000000000000000123.index",
        "99999999999999999999.log", "0000000000000000012x.log"}) {
    EXPECT_FALSE(ParseSegmentFileName(name, kLogSuffix)) << name;
  }
}

// Sizes: a batch of one record with a value of 32 bytes takes 100 bytes.
std::string Hundred(int64_t base, int64_t timestamp) {
  std::string batch = Encode({.base = base, .count = 1, .timestamp = timestamp, .value_bytes = 32});
  CHECK_EQ(batch.size(), 100U);
  return batch;
}

class SegmentTest : public ::testing::Test {
 protected:
  std::unique_ptr<Segment> Make(int64_t base) {
    return std::make_unique<Segment>(files_, "/", Offset(base), config_);
  }
  void Append(Segment& segment, const std::vector<std::string>& batches) {
    std::vector<std::string_view> pieces;
    std::vector<BatchHeader> headers;
    for (const std::string& batch : batches) {
      pieces.emplace_back(batch);
      headers.push_back(DecodeBatchHeader(batch));
    }
    ASSERT_TRUE(segment.Append(pieces, headers, Timestamp(0)).ok());
  }
  /// A segment of two batches, 100 bytes each.
  std::unique_ptr<Segment> MakeWithTwo() {
    auto segment = Make(0);
    EXPECT_TRUE(segment->Create().ok());
    Append(*segment, {Hundred(0, 1), Hundred(1, 1)});
    return segment;
  }
  std::string Content(int64_t base, std::string_view suffix) {
    return *files_.Read("/" + SegmentFileName(Offset(base), suffix), kBytesMax);
  }

  MemoryFileSystem files_;
  LogConfig config_{.index_interval_bytes = 200};
};

TEST_F(SegmentTest, EntersABatchThatBeginsMoreThanTheIntervalAfterTheLastOneEntered) {
  auto segment = Make(1000);
  ASSERT_TRUE(segment->Create().ok());
  // Timestamps rise, fall and rise: the time index has the greatest so far.
  Append(*segment, {Hundred(1000, 50), Hundred(1001, 70)});
  Append(*segment, {Hundred(1002, 60), Hundred(1003, 65), Hundred(1004, 90)});
  Append(*segment, {Hundred(1005, 80), Hundred(1006, 85), Hundred(1007, 88)});
  Append(*segment, {Hundred(1008, 99)});
  ASSERT_TRUE(segment->Seal().ok());
  // Batches begin at 0, 100, 200 …; 300 is the first more than 200 after 0, 600 that after 300.
  EXPECT_EQ(Content(1000, kOffsetIndexSuffix), IndexEntry(3, 300) + IndexEntry(6, 600));
  EXPECT_EQ(Content(1000, kTimeIndexSuffix),
            TimeEntry(70, 1) + TimeEntry(90, 4) + TimeEntry(99, 8));
  EXPECT_EQ(DumpComplaints(files_, "/"), std::vector<std::string>());
}

TEST_F(SegmentTest, EntersTheLastOffsetOfALargeBatchWithItsOwnPosition) {
  auto segment = Make(0);
  ASSERT_TRUE(segment->Create().ok());
  const std::string large = Encode({.base = 0, .count = 50});
  const std::string next = Encode({.base = 50, .count = 7, .timestamp = 2000});
  Append(*segment, {large, next});
  ASSERT_TRUE(segment->Seal().ok());
  EXPECT_EQ(Content(0, kOffsetIndexSuffix), IndexEntry(56, static_cast<int32_t>(large.size())));
  EXPECT_EQ(Content(0, kTimeIndexSuffix), TimeEntry(2000, 56));
}

TEST_F(SegmentTest, GivesTheDeviceOnceWhatWasAppendedAndEnoughOfIt) {
  const auto segment = MakeWithTwo();
  EXPECT_FALSE(segment->TakeWriteback(300, Readers::kSoon, 0)) << "too little";
  Append(*segment, {Hundred(2, 1), Hundred(3, 1)});
  const auto first = segment->TakeWriteback(300, Readers::kSoon, 0);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->offset, 0U);
  EXPECT_EQ(first->bytes, 400U);
  EXPECT_FALSE(segment->TakeWriteback(1, Readers::kSoon, 0)) << "it has all";
  EXPECT_TRUE(first->Run().ok());
  EXPECT_EQ(files_.WrittenBack("/" + SegmentFileName(Offset(0), kLogSuffix)), 400U);
  EXPECT_EQ(segment->synced_to(), Offset(0)) << "nobody knows whether it got there";
  ASSERT_EQ(*segment->CutTo(Offset(1)), Offset(1));
  Append(*segment, {Hundred(1, 1), Hundred(2, 1), Hundred(3, 1)});
  const auto after_a_cut = segment->TakeWriteback(300, Readers::kSoon, 0);
  ASSERT_TRUE(after_a_cut);
  EXPECT_EQ(after_a_cut->offset, 100U);
  EXPECT_EQ(after_a_cut->bytes, 300U);
}

TEST_F(SegmentTest, GivesTheDeviceAlsoWhatWasAppendedBeforeItsFilesWereClosed) {
  const auto segment = MakeWithTwo();
  ASSERT_TRUE(segment->Release().ok());
  Append(*segment, {Hundred(2, 1), Hundred(3, 1)});
  const auto writeback = segment->TakeWriteback(300, Readers::kSoon, 0);
  ASSERT_TRUE(writeback);
  EXPECT_EQ(writeback->offset, 0U);
  EXPECT_EQ(writeback->bytes, 400U);
}

TEST_F(SegmentTest, LetsGoOfWhatHardlyAnybodyReadsButForItsEnd) {
  const auto segment = MakeWithTwo();
  const auto let_go = [&](Readers readers) {
    const auto writeback = segment->TakeWriteback(100, readers, 250);
    return writeback ? std::pair(writeback->let_go_offset, writeback->let_go_bytes)
                     : std::pair<uint64_t, uint64_t>(-1, -1);
  };
  using Stretch = std::pair<uint64_t, uint64_t>;
  EXPECT_EQ(let_go(Readers::kSoon), Stretch(0, 0));
  Append(*segment, {Hundred(2, 1), Hundred(3, 1)});
  EXPECT_EQ(let_go(Readers::kHardly), Stretch(0, 0)) << "that is its end";
  Append(*segment, {Hundred(4, 1), Hundred(5, 1)});
  EXPECT_EQ(let_go(Readers::kHardly), Stretch(200, 150)) << "not what came before";
  ASSERT_EQ(*segment->CutTo(Offset(1)), Offset(1));
  Append(*segment, {Hundred(1, 1), Hundred(2, 1), Hundred(3, 1)});
  EXPECT_EQ(let_go(Readers::kHardly), Stretch(100, 50)) << "nothing behind a cut";
  Append(*segment, {Hundred(4, 1)});
  EXPECT_EQ(let_go(Readers::kSoon), Stretch(0, 0));
  Append(*segment, {Hundred(5, 1), Hundred(6, 1)});
  EXPECT_EQ(let_go(Readers::kHardly), Stretch(0, 0)) << "it begins anew";
}

TEST_F(SegmentTest, GivesTheDeviceNothingThatASyncIsAbout) {
  const auto segment = MakeWithTwo();
  ASSERT_TRUE(segment->BeginSync(SyncDepth::kRecords).ok());
  EXPECT_FALSE(segment->TakeWriteback(1, Readers::kSoon, 0));
}

TEST_F(SegmentTest, RebuildsTheIndexesThatItHad) {
  auto segment = Make(5);
  ASSERT_TRUE(segment->Create().ok());
  for (int64_t offset = 5; offset < 1200; ++offset) {
    Append(*segment, {Hundred(offset, 1000 + (offset * 7919) % 501)});
  }
  ASSERT_TRUE(segment->Seal().ok());
  const std::string index = Content(5, kOffsetIndexSuffix);
  const std::string times = Content(5, kTimeIndexSuffix);
  ASSERT_GT(index.size(), 400U);
  EXPECT_EQ(DumpComplaints(files_, "/"), std::vector<std::string>());
  for (const auto depth : {BatchWalk::Depth::kHeads, BatchWalk::Depth::kWhole}) {
    files_.Overwrite("/" + SegmentFileName(Offset(5), kOffsetIndexSuffix), "nonsense");
    ASSERT_TRUE(files_.RemoveTree("/" + SegmentFileName(Offset(5), kTimeIndexSuffix)).ok());
    auto again = Make(5);
    EXPECT_FALSE(again->Open().ok());
    int64_t visited = 0;
    const auto bad = again->Rebuild({.depth = depth,
                                     .epoch_before = LeaderEpoch(0),
                                     .visit = [&](const BatchHeader&) { ++visited; }});
    ASSERT_TRUE(bad.ok());
    EXPECT_FALSE(*bad);
    EXPECT_EQ(visited, 1195);
    ASSERT_TRUE(again->Seal().ok());
    EXPECT_EQ(Content(5, kOffsetIndexSuffix), index);
    EXPECT_EQ(Content(5, kTimeIndexSuffix), times);
  }
}

TEST_F(SegmentTest, FindsEveryOffsetAndEveryTimeWithOrWithoutHeldEntries) {
  auto segment = Make(0);
  ASSERT_TRUE(segment->Create().ok());
  constexpr int64_t kBatches = 3000;
  for (int64_t i = 0; i < kBatches; ++i) {
    Append(*segment, {Hundred(i, 10 * i)});
  }
  const auto check = [&] {
    for (int64_t i = 0; i < kBatches; i += 37) {
      const auto found = segment->Locate(Offset(i));
      ASSERT_TRUE(found.ok());
      EXPECT_EQ(found->header.base, Offset(i));
      EXPECT_EQ(found->position, static_cast<uint64_t>(100 * i));
      const auto timed = segment->FindByTime(Timestamp(10 * i - 5), Offset(0));
      ASSERT_TRUE(timed.ok());
      EXPECT_EQ(*timed, (TimedOffset{.timestamp = Timestamp(10 * i), .offset = Offset(i)}));
    }
  };
  check();
  ASSERT_TRUE(segment->Release().ok());
  check();
}

TEST_F(SegmentTest, SaysWhereAndWhyItStopsBeingALog) {
  struct Case {
    const char* name;
    std::string tail;
    std::string reason;
  };
  std::string flipped = Hundred(2, 0);
  flipped[80] = 'X';
  std::string old_magic = Hundred(2, 0);
  old_magic[16] = 1;
  const std::vector<Case> cases = {
      {"cut", Hundred(2, 0).substr(0, 99), "a batch of 100 bytes has only 99"},
      {"cut in the header", Hundred(2, 0).substr(0, 5), "5 bytes are not even"},
      {"zeroes", std::string(500, '\0'), "magic is 0"},
      {"CRC", flipped, "CRC-32C is"},
      {"magic", old_magic, "magic is 1"},
      {"gap", Hundred(3, 0), "a batch of offsets 3…3 follows offset 2"},
      {"again", Hundred(1, 0), "a batch of offsets 1…1 follows offset 2"},
      {"epoch", Encode({.base = 2, .count = 1, .epoch = 3}), "leader epoch 3 follows epoch 4"},
  };
  const std::string good =
      Encode({.base = 0, .count = 1, .epoch = 4}) + Encode({.base = 1, .count = 1, .epoch = 4});
  for (const Case& c : cases) {
    MemoryFileSystem files;
    ASSERT_TRUE(files.Create("/00000000000000000000.log", good + c.tail).ok());
    ASSERT_TRUE(files.SyncDirectory("/").ok());
    Segment segment(files, "/", Offset(0), config_);
    const auto bad = segment.Rebuild(
        {.depth = BatchWalk::Depth::kWhole, .epoch_before = LeaderEpoch(4), .visit = nullptr});
    ASSERT_TRUE(bad.ok()) << c.name;
    ASSERT_TRUE(*bad) << c.name;
    EXPECT_EQ((*bad)->offset, Offset(2)) << c.name;
    EXPECT_EQ((*bad)->position, good.size()) << c.name;
    EXPECT_TRUE((*bad)->reason.starts_with(c.reason)) << c.name << ": " << (*bad)->reason;
    ASSERT_TRUE(segment.CutBadTail().ok());
    files.Crash();
    EXPECT_EQ(*files.SizeOf("/00000000000000000000.log"), good.size()) << c.name;
  }
}

TEST_F(SegmentTest, RollsByKafkasRules) {
  config_ = {.segment_bytes = 1000,
             .segment_ms = 500,
             .index_interval_bytes = 0,
             .segment_index_bytes = 40};
  auto segment = Make(10);
  ASSERT_TRUE(segment->Create().ok());
  const ComingAppend small{
      .bytes = 100, .last = Offset(11), .max_timestamp = Timestamp(5000), .now = Timestamp(5000)};
  const auto with = [&](const auto& change) {
    ComingAppend coming = small;
    change(coming);
    return segment->MustRollBefore(coming);
  };
  EXPECT_FALSE(with([](ComingAppend& c) { c.bytes = 5000; })) << "an empty one takes anything";
  Append(*segment, {Hundred(10, 5000)});
  EXPECT_FALSE(segment->MustRollBefore(small));
  EXPECT_FALSE(with([](ComingAppend& c) { c.bytes = 900; }));
  EXPECT_TRUE(with([](ComingAppend& c) { c.bytes = 901; }));
  EXPECT_FALSE(with([](ComingAppend& c) { c.max_timestamp = Timestamp(5500); }));
  EXPECT_TRUE(with([](ComingAppend& c) { c.max_timestamp = Timestamp(5501); }));
  EXPECT_FALSE(with([](ComingAppend& c) { c.last = Offset(10 + int64_t{INT32_MAX}); }));
  EXPECT_TRUE(with([](ComingAppend& c) { c.last = Offset(11 + int64_t{INT32_MAX}); }));
  // The time index holds 3 entries of 12 bytes, one of which is kept for the end.
  Append(*segment, {Hundred(11, 5001)});
  EXPECT_FALSE(segment->MustRollBefore(small));
  Append(*segment, {Hundred(12, 5002)});
  EXPECT_TRUE(segment->MustRollBefore(small));
}

TEST_F(SegmentTest, CountsTheAgeOfRecordsWithoutTimestampFromTheFirstAppend) {
  config_.segment_ms = 500;
  auto segment = Make(0);
  ASSERT_TRUE(segment->Create().ok());
  const std::string batch = Hundred(0, -1);
  const std::string_view piece = batch;
  const BatchHeader header = DecodeBatchHeader(batch);
  ASSERT_TRUE(segment->Append({&piece, 1}, {&header, 1}, Timestamp(100)).ok());
  ComingAppend coming{
      .bytes = 1, .last = Offset(1), .max_timestamp = kNoTimestamp, .now = Timestamp(600)};
  EXPECT_FALSE(segment->MustRollBefore(coming));
  coming.now = Timestamp(601);
  EXPECT_TRUE(segment->MustRollBefore(coming));
}

TEST(IndexFile, HoldsAWholeBlockBackAndWritesItOnceWhateverFails) {
  MemoryFileSystem memory;
  FaultyFileSystem files(memory);
  IndexFile index(files, "/i", 8);
  ASSERT_TRUE(index.Reset().ok());
  std::string expected;
  for (int i = 0; i < 600; ++i) {
    index.Add(IndexEntry(i, 2 * i));
    expected += IndexEntry(i, 2 * i);
    if (i == 510) {
      ASSERT_TRUE(index.FlushBlock().ok());
      EXPECT_EQ(*memory.SizeOf("/i"), 0U);
    }
  }
  files.Set(FaultyFileSystem::Plan{
      .fault = DiskFault::kShortWrite, .at = 1, .only = DiskOperation::kWrite});
  EXPECT_FALSE(index.FlushBlock().ok());
  EXPECT_TRUE(files.struck());
  EXPECT_EQ(*index.At(599), IndexEntry(599, 1198));
  ASSERT_TRUE(index.FlushBlock().ok());
  EXPECT_EQ(*memory.Read("/i", kBytesMax), expected);
  EXPECT_EQ(*index.At(7), IndexEntry(7, 14));
}

TEST(DumpComplaints, SeesWrongIndexes) {
  const std::string log = Hundred(0, 10) + Hundred(1, 20);
  struct Case {
    const char* name;
    std::string log;
    std::string index;
    std::string times;
    size_t complaints;
  };
  const std::vector<Case> cases = {
      {"sound", log, IndexEntry(1, 100), TimeEntry(10, 0) + TimeEntry(20, 1), 0},
      {"no batch there", log, IndexEntry(1, 50), "", 1},
      {"another batch there", log, IndexEntry(1, 0), "", 1},
      {"zeroes behind", log, IndexEntry(1, 100) + IndexEntry(0, 0), "", 1},
      {"a part", log, IndexEntry(1, 100) + "x", "", 1},
      {"wrong time", log, "", TimeEntry(11, 0), 1},
      {"no batch of that time", log, "", TimeEntry(10, 5), 1},
      {"times fall", log, "", TimeEntry(20, 1) + TimeEntry(10, 0), 1},
      {"a gap", Hundred(0, 10) + Hundred(2, 20), "", "", 1},
      {"cut", log.substr(0, 150), "", "", 1},
  };
  for (const Case& c : cases) {
    MemoryFileSystem files;
    ASSERT_TRUE(files.Create("/00000000000000000000.log", c.log).ok());
    ASSERT_TRUE(files.Create("/00000000000000000000.index", c.index).ok());
    ASSERT_TRUE(files.Create("/00000000000000000000.timeindex", c.times).ok());
    EXPECT_EQ(DumpComplaints(files, "/").size(), c.complaints) << c.name;
  }
}

}  // namespace
}  // namespace regent::storage
