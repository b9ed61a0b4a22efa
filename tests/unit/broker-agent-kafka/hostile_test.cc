#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include <gtest/gtest.h>

#include "broker-agent/core/slice.h"
#include "broker-agent/kafka/api.h"
#include "broker-agent/kafka/request.h"
#include "common/base/rng.h"
#include "tests/unit/broker-agent-kafka/allocation_meter.h"
#include "tests/unit/broker-agent-kafka/golden.h"
#include "tests/unit/broker-agent-kafka/recode.h"

namespace regent::kafka {
namespace {

/// The smallest element on the wire, two bytes, is some 60 in memory, and vectors double.
constexpr size_t kAllocatedPerByteMax = 256;
constexpr size_t kAllocatedMax = 4096;

size_t AllowedFor(const Slice& frame) {
  return kAllocatedMax + kAllocatedPerByteMax * frame.size();
}

/// Decodes and returns how much that allocated.
size_t DecodeMetered(const GoldenFrame& golden, const Slice& frame) {
  const AllocationMeter meter;
  switch (golden.direction) {
    case Direction::kRequest: DecodeRequest(frame); break;
    case Direction::kResponse:
      ForEachResponse([&]<class M>(TypeOf<M> /*type*/) {
        if (M::kApi == golden.request.api) {
          static_cast<void>(DecodeResponse<M>(golden.request, frame));
        }
      });
      break;
  }
  return meter.bytes();
}

TEST(Hostile, EveryTruncationIsAProblem) {
  for (const GoldenFrame& golden : GoldenData().frames) {
    const Slice whole = golden.WithoutLength();
    for (size_t size = 0; size < whole.size(); ++size) {
      // A copy of exactly that size: the sanitizer sees a read beyond it.
      const Slice part(std::string(whole.bytes().substr(0, size)));
      EXPECT_FALSE(Recode(golden, part)) << size << " bytes of " << NameOf(golden);
    }
  }
}

TEST(Hostile, ByteLeftOverIsAProblemInAResponseAndNoneInARequest) {
  for (const GoldenFrame& golden : GoldenData().frames) {
    const Slice longer(std::string(golden.WithoutLength().bytes()) + '\0');
    EXPECT_EQ(Recode(golden, longer).has_value(), golden.direction == Direction::kRequest)
        << NameOf(golden);
  }
}

TEST(Hostile, FlippedBytesNeitherCrashNorAllocateOutOfProportion) {
  constexpr int kFlipsPerFrame = 100;
  constexpr uint64_t kSeed = 1;
  Rng rng(kSeed);
  for (const GoldenFrame& golden : GoldenData().frames) {
    for (int i = 0; i < kFlipsPerFrame; ++i) {
      std::string bytes = golden.bytes.substr(kFrameLengthBytes);
      for (uint64_t flips = rng.Between(1, 3); flips > 0; --flips) {
        // Ones and zeros in bulk make the lengths that hurt.
        constexpr std::string_view kNasty = "\xff\x7f\x80\x00";
        char& byte = bytes[rng.Below(bytes.size())];
        byte = rng.Percent(50) ? kNasty[rng.Below(kNasty.size())] : static_cast<char>(rng.Next());
      }
      const Slice frame(std::move(bytes));
      EXPECT_LE(DecodeMetered(golden, frame), AllowedFor(frame)) << NameOf(golden);
    }
  }
}

TEST(Hostile, WhatCouldBeReadInSpiteOfFlipsIsWrittenSoThatItReadsTheSame) {
  constexpr int kFlipsPerFrame = 30;
  constexpr uint64_t kSeed = 2;
  Rng rng(kSeed);
  size_t read = 0;
  for (const GoldenFrame& golden : GoldenData().frames) {
    for (int i = 0; i < kFlipsPerFrame; ++i) {
      std::string bytes = golden.bytes.substr(kFrameLengthBytes);
      bytes[rng.Below(bytes.size())] = static_cast<char>(rng.Next());
      const auto once = Recode(golden, Slice(std::move(bytes)));
      if (!once) {
        continue;
      }
      ++read;
      const auto twice = Recode(golden, Slice(once->bytes.substr(kFrameLengthBytes)));
      ASSERT_TRUE(twice) << NameOf(golden);
      EXPECT_EQ(twice->text, once->text);
      EXPECT_EQ(twice->bytes, once->bytes);
    }
  }
  EXPECT_GT(read, 1000U);
}

TEST(Hostile, ClaimedArrayOfBillionsIsRefusedBeforeAnythingIsAllocated) {
  Writer writer = BeginRequest({.api = ApiKey::kMetadata, .version = 1});
  writer.WriteInt(INT32_MAX);
  const std::string bytes = FinishFrame(std::move(writer)).Flatten();
  const Slice frame(bytes.substr(kFrameLengthBytes));
  const AllocationMeter meter;
  const DecodedRequest decoded = DecodeRequest(frame);
  EXPECT_LE(meter.bytes(), kAllocatedMax);
  ASSERT_TRUE(std::holds_alternative<MalformedRequest>(decoded));
  EXPECT_EQ(std::get<MalformedRequest>(decoded).problem,
            "Metadata version 1: Topics at byte 14: an array of 2147483647 does not fit in the 0 "
            "bytes that are left");
}

TEST(Hostile, UnknownTaggedFieldsAreSkipped) {
  size_t tried = 0;
  for (const GoldenFrame& golden : GoldenData().frames) {
    if (golden.filling == Filling::kFull ||
        golden.request.version < SpecOf(golden.request.api).flexible_since) {
      continue;
    }
    ++tried;
    // The last thing in a flexible frame is the count of the outermost struct's tagged fields.
    std::string bytes = golden.bytes.substr(kFrameLengthBytes);
    ASSERT_EQ(bytes.back(), '\0') << NameOf(golden);
    bytes.back() = '\2';
    bytes += std::string("\x63\3abc", 5) + std::string("\xe4\1\0", 3);  // 99: abc, 228: nothing.
    const auto recoded = Recode(golden, Slice(std::move(bytes)));
    ASSERT_TRUE(recoded) << NameOf(golden);
    EXPECT_EQ(recoded->bytes, golden.bytes) << NameOf(golden);
  }
  EXPECT_GT(tried, 50U);
}

}  // namespace
}  // namespace regent::kafka
