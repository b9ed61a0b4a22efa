#include "broker-agent/log/batch_check.h"

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "broker-agent/log/record_reader.h"
#include "tests/unit/broker-agent-log/test_batches.h"

namespace regent::storage {
namespace {

constexpr uint64_t kBatchBytesMax = 100'000;

TestBatch TwoRecords() {
  return {.base = 0,
          .epoch = -1,
          .records = {{.timestamp = 1000, .key = "k", .value = "v", .headers = {{"h", "x"}}},
                      {.timestamp = 1005,
                       .key = std::nullopt,
                       .value = std::nullopt,
                       .headers = {{"n", std::nullopt}}}}};
}

TEST(BatchHeader, HoldsWhatTheBytesSay) {
  const std::string bytes =
      EncodeBatch({.base = 77,
                   .epoch = 5,
                   .records = {{.timestamp = 10}, {.timestamp = 30}, {.timestamp = 20}},
                   .attributes = 0x3a,
                   .producer_id = 9,
                   .producer_epoch = 2,
                   .base_sequence = 40});
  const BatchHeader header = DecodeBatchHeader(bytes);
  EXPECT_EQ(header.base, Offset(77));
  EXPECT_EQ(header.last(), Offset(79));
  EXPECT_EQ(header.next(), Offset(80));
  EXPECT_EQ(header.bytes(), bytes.size());
  EXPECT_EQ(header.epoch, LeaderEpoch(5));
  EXPECT_EQ(header.base_timestamp, Timestamp(10));
  EXPECT_EQ(header.max_timestamp, Timestamp(30));
  EXPECT_EQ(header.producer_id, 9);
  EXPECT_EQ(header.producer_epoch, 2);
  EXPECT_EQ(header.base_sequence, 40);
  EXPECT_EQ(header.count, 3);
  EXPECT_EQ(header.codec_bits(), static_cast<uint8_t>(Codec::kSnappy));
  EXPECT_EQ(header.timestamp_type(), TimestampType::kLogAppendTime);
  EXPECT_TRUE(header.transactional());
  EXPECT_TRUE(header.control());
}

TEST(BatchHeader, StampsOffsetAndEpochWithoutTouchingWhatTheCrcCovers) {
  std::string bytes = EncodeBatch(TwoRecords());
  const std::string before = bytes;
  StampOffsetAndEpoch(std::span<char>(bytes), Offset(1234567890123), LeaderEpoch(7));
  const BatchHeader header = DecodeBatchHeader(bytes);
  EXPECT_EQ(header.base, Offset(1234567890123));
  EXPECT_EQ(header.epoch, LeaderEpoch(7));
  EXPECT_EQ(bytes.substr(16), before.substr(16));
  EXPECT_FALSE(ReplicatedFault(bytes));
}

TEST(BatchHeader, StampsTheTimeOfTheAppendAndRepairsTheCrc) {
  std::string bytes = EncodeBatch(TwoRecords());
  StampLogAppendTime(std::span<char>(bytes), Timestamp(5555));
  const BatchHeader header = DecodeBatchHeader(bytes);
  EXPECT_EQ(header.timestamp_type(), TimestampType::kLogAppendTime);
  EXPECT_EQ(header.max_timestamp, Timestamp(5555));
  EXPECT_EQ(header.base_timestamp, Timestamp(1000));
  EXPECT_FALSE(ReplicatedFault(bytes));
}

TEST(RecordReader, ReadsWhatWasEncoded) {
  const std::string bytes = EncodeBatch(TwoRecords());
  RecordReader reader(std::string_view(bytes).substr(kBatchHeaderBytes));
  const auto first = reader.Next();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->key, "k");
  EXPECT_EQ(first->value, "v");
  EXPECT_EQ(first->timestamp_delta, 0);
  const auto second = reader.Next();
  ASSERT_TRUE(second);
  EXPECT_EQ(second->key, std::nullopt);
  EXPECT_EQ(second->offset_delta, 1);
  EXPECT_EQ(second->timestamp_delta, 5);
  EXPECT_FALSE(reader.Next());
  EXPECT_TRUE(reader.ok());
}

TEST(RecordReader, SurvivesEveryCutAndEveryChangedByte) {
  const std::string bytes = EncodeBatch(TwoRecords()).substr(kBatchHeaderBytes);
  for (size_t size = 1; size < bytes.size(); ++size) {
    // Copied to an allocation of that size, so that a sanitizer sees what lies beyond it.
    const std::vector<char> cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    RecordReader reader(std::string_view(cut.data(), cut.size()));
    while (reader.Next()) {
    }
    EXPECT_TRUE(!reader.ok() || reader.rest().empty());
  }
  for (size_t at = 0; at < bytes.size(); ++at) {
    for (int value = 0; value < 256; ++value) {
      std::string changed = bytes;
      changed[at] = static_cast<char>(value);
      RecordReader reader(changed);
      while (reader.Next()) {
      }
    }
  }
}

TEST(ProducedFault, TakesWhatIsSound) {
  EXPECT_FALSE(ProducedFault(EncodeBatch(TwoRecords()), kBatchBytesMax));
  TestBatch idempotent = TwoRecords();
  idempotent.producer_id = 4;
  idempotent.producer_epoch = 0;
  idempotent.base_sequence = 0;
  EXPECT_FALSE(ProducedFault(EncodeBatch(idempotent), kBatchBytesMax));
  for (uint16_t codec = 1; codec <= kCodecMax; ++codec) {
    TestBatch compressed = TwoRecords();
    compressed.attributes = codec;
    compressed.raw_records = "compressed records that nobody looks at";
    EXPECT_FALSE(ProducedFault(EncodeBatch(compressed), kBatchBytesMax)) << codec;
  }
}

struct BadProduce {
  const char* name;
  BatchProblem problem;
  std::function<std::string()> bytes;
};

std::string Changed(const std::function<void(TestBatch&)>& change) {
  TestBatch batch = TwoRecords();
  change(batch);
  return EncodeBatch(batch);
}

template <class Int>
std::string WithField(size_t at, Int value) {
  std::string bytes = EncodeBatch(TwoRecords());
  StoreBigEndian(std::span<char>(bytes), at, value);
  return bytes;
}

std::vector<BadProduce> BadlyFramed() {
  return {
      {"nothing", BatchProblem::kCut, [] { return std::string(); }},
      {"half a header", BatchProblem::kCut, [] { return EncodeBatch(TwoRecords()).substr(0, 30); }},
      {"the last byte gone", BatchProblem::kCut,
       [] {
         std::string bytes = EncodeBatch(TwoRecords());
         bytes.pop_back();
         return bytes;
       }},
      {"negative length", BatchProblem::kBadLength, [] { return WithField<int32_t>(8, -1); }},
      {"length of less than a header", BatchProblem::kBadLength,
       [] { return WithField<int32_t>(8, 48); }},
      {"enormous length", BatchProblem::kCut, [] { return WithField<int32_t>(8, 0x7fffffff); }},
      {"a base offset below 0", BatchProblem::kBadBaseOffset,
       [] { return WithField(0, std::numeric_limits<int64_t>::min()); }},
      {"a base offset whose last does not exist", BatchProblem::kBadBaseOffset,
       [] { return WithField(0, kBatchBaseMax.value() + 1); }},
      {"too large", BatchProblem::kTooLarge,
       [] {
         return Changed(
             [](TestBatch& b) { b.records[0].value = std::string(kBatchBytesMax, 'x'); });
       }},
      {"magic 0", BatchProblem::kOldMagic, [] { return WithField<int8_t>(16, 0); }},
      {"magic 1", BatchProblem::kOldMagic, [] { return WithField<int8_t>(16, 1); }},
      {"magic 3", BatchProblem::kUnknownMagic, [] { return WithField<int8_t>(16, 3); }},
      {"a CRC of other bytes", BatchProblem::kBadCrc, [] { return WithField<uint32_t>(17, 1); }},
      {"a flipped bit in a record", BatchProblem::kBadCrc,
       [] {
         std::string bytes = EncodeBatch(TwoRecords());
         bytes.back() = static_cast<char>(bytes.back() ^ 1);
         return bytes;
       }},
  };
}

std::vector<BadProduce> SelfContradictory() {
  const auto records = [] { return EncodeBatch(TwoRecords()).substr(kBatchHeaderBytes); };
  return {
      {"no record", BatchProblem::kBadCount,
       [] { return Changed([](TestBatch& b) { b.records.clear(); }); }},
      {"count below the deltas", BatchProblem::kBadCount,
       [] { return Changed([](TestBatch& b) { b.count = 1; }); }},
      {"count above the deltas", BatchProblem::kBadCount,
       [] { return Changed([](TestBatch& b) { b.count = 3; }); }},
      {"negative count", BatchProblem::kBadCount,
       [] { return Changed([](TestBatch& b) { b.count = -2; }); }},
      {"codec 5", BatchProblem::kUnknownCodec,
       [] { return Changed([](TestBatch& b) { b.attributes = 5; }); }},
      {"count and delta that lie together", BatchProblem::kBadRecords,
       [] {
         return Changed([](TestBatch& b) {
           b.count = 3;
           b.last_offset_delta = 2;
         });
       }},
      {"a count far below the deltas", BatchProblem::kBadCount,
       [] {
         return Changed([](TestBatch& b) {
           b.count = 1;
           b.last_offset_delta = std::numeric_limits<int32_t>::max();
         });
       }},
      {"fewer counted than there are", BatchProblem::kBadRecords,
       [] {
         return Changed([](TestBatch& b) {
           b.count = 1;
           b.last_offset_delta = 0;
         });
       }},
      {"bytes behind the records", BatchProblem::kBadRecords,
       [records] {
         return Changed([&](TestBatch& b) { b.raw_records = records() + std::string(1, '\0'); });
       }},
      {"a cut record", BatchProblem::kBadRecords,
       [records] {
         return Changed(
             [&](TestBatch& b) { b.raw_records = records().substr(0, records().size() - 1); });
       }},
      {"offset deltas with a gap", BatchProblem::kBadRecords,
       [] {
         return Changed([](TestBatch& b) {
           b.raw_records =
               EncodeRecord(b.records[0], 1000, 0) + EncodeRecord(b.records[1], 1000, 2);
         });
       }},
  };
}

std::vector<BadProduce> NotForClients() {
  return {
      {"two batches", BatchProblem::kSeveralBatches,
       [] { return EncodeBatch(TwoRecords()) + EncodeBatch(TwoRecords()); }},
      {"a base offset", BatchProblem::kBadBaseOffset,
       [] { return Changed([](TestBatch& b) { b.base = 1; }); }},
      {"producer id without sequence", BatchProblem::kBadSequence,
       [] { return Changed([](TestBatch& b) { b.producer_id = 1; }); }},
      {"time of the append", BatchProblem::kLogAppendTime,
       [] { return Changed([](TestBatch& b) { b.attributes = 0x8; }); }},
      {"transactional", BatchProblem::kTransactional,
       [] { return Changed([](TestBatch& b) { b.attributes = 0x10; }); }},
      {"control", BatchProblem::kControl,
       [] { return Changed([](TestBatch& b) { b.attributes = 0x20; }); }},
  };
}

TEST(ProducedFault, NamesWhatIsWrong) {
  for (const auto& table : {BadlyFramed(), SelfContradictory(), NotForClients()}) {
    for (const BadProduce& bad : table) {
      const auto fault = ProducedFault(bad.bytes(), kBatchBytesMax);
      ASSERT_TRUE(fault) << bad.name;
      EXPECT_EQ(fault->problem, bad.problem) << bad.name << ": " << fault->message;
      EXPECT_FALSE(fault->message.empty()) << bad.name;
    }
  }
}

TEST(ReplicatedFault, TakesWhatAClientMayNotWriteAndNamesWhatIsBroken) {
  const std::string good = EncodeBatch(TwoRecords());
  const std::string control = Changed([](TestBatch& b) { b.attributes = 0x30; });
  EXPECT_FALSE(ReplicatedFault(good + control + good));
  EXPECT_FALSE(ReplicatedFault(""));
  EXPECT_EQ(ReplicatedFault(good + good.substr(0, 70))->problem, BatchProblem::kCut);
  EXPECT_EQ(ReplicatedFault(good + WithField<uint32_t>(17, 1))->problem, BatchProblem::kBadCrc);
  EXPECT_EQ(ReplicatedFault(Changed([](TestBatch& b) { b.count = 9; }) + good)->problem,
            BatchProblem::kBadCount);
}

TEST(BatchHeader, OfTheGreatestBaseHasOffsets) {
  std::string bytes = WithField(0, kBatchBaseMax.value());
  StoreBigEndian(std::span<char>(bytes), 23, std::numeric_limits<int32_t>::max());
  RepairCrc(bytes);
  EXPECT_FALSE(ReplicatedFault(bytes));
  EXPECT_EQ(DecodeBatchHeader(bytes).next(), Offset(std::numeric_limits<int64_t>::max()));
}

TEST(Split, YieldsTheBatchesBeforeTheFault) {
  const std::string one = Encode({.base = 0, .count = 2});
  const std::string two = Encode({.base = 2, .count = 3});
  const std::string bytes = one + two + one.substr(0, 40);
  const SplitBatches split = Split(bytes);
  ASSERT_EQ(split.batches.size(), 2U);
  EXPECT_EQ(split.batches[0].bytes, one);
  EXPECT_EQ(split.batches[1].bytes, two);
  ASSERT_TRUE(split.fault);
  EXPECT_EQ(split.fault->problem, BatchProblem::kCut);
}

}  // namespace
}  // namespace regent::storage
