#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include <gtest/gtest.h>

#include "broker-agent/kafka/codec.h"
#include "broker-agent/kafka/request.h"
#include "common/base/rng.h"
#include "tests/unit/broker-agent-kafka/all_messages.h"
#include "tests/unit/broker-agent-kafka/fill.h"

namespace regent::kafka {
namespace {

constexpr uint64_t kSeeds = 10;

/// Calls `visit` with a header for every version of M's API and every seed.
template <class M, class Visit>
void ForEachVersion(const Visit& visit) {
  const Versions versions = SpecOf(M::kApi).versions;
  for (int16_t version = versions.min; version <= versions.max; ++version) {
    for (uint64_t seed = 0; seed < kSeeds; ++seed) {
      Rng rng(seed);
      RequestHeader header{.api = M::kApi, .version = version};
      header.correlation_id = static_cast<int32_t>(rng.Next());
      if (rng.Percent(70)) {
        header.client_id = Filled<std::string>(rng, version);
      }
      visit(header, rng);
    }
  }
}

Slice WithoutLength(const Pieces& pieces) {
  return Slice(pieces.Flatten().substr(kFrameLengthBytes));
}

TEST(RoundTrip, RequestsOfEveryVersionAreReadAsTheyWereWritten) {
  ForEachRequest([]<class M>(TypeOf<M> /*type*/) {
    ForEachVersion<M>([](const RequestHeader& header, Rng& rng) {
      const M body = Filled<M>(rng, header.version);
      const DecodedRequest decoded = DecodeRequest(WithoutLength(EncodeRequest(header, body)));
      ASSERT_TRUE(std::holds_alternative<Request>(decoded))
          << header.api << ' ' << header.version << ' '
          << Codec<M>::DebugText(body, header.version);
      const auto& request = std::get<Request>(decoded);
      EXPECT_EQ(request.header, header) << header.api << ' ' << header.version;
      ASSERT_TRUE(std::holds_alternative<M>(request.body)) << header.api;
      EXPECT_TRUE(std::get<M>(request.body) == body) << header.api << ' ' << header.version << ' '
                                                     << Codec<M>::DebugText(body, header.version);
    });
  });
}

TEST(RoundTrip, ResponsesOfEveryVersionAreReadAsTheyWereWritten) {
  ForEachResponse([]<class M>(TypeOf<M> /*type*/) {
    ForEachVersion<M>([](const RequestHeader& header, Rng& rng) {
      const M body = Filled<M>(rng, header.version);
      const auto decoded = DecodeResponse<M>(header, WithoutLength(EncodeResponse(header, body)));
      ASSERT_TRUE(decoded) << header.api << ' ' << header.version << ' ' << decoded.error();
      EXPECT_TRUE(*decoded == body) << header.api << ' ' << header.version << ' '
                                    << Codec<M>::DebugText(body, header.version);
    });
  });
}

TEST(RoundTrip, NullIsWrittenAsEmptyToAVersionThatHasNoNull) {
  const RequestHeader header{.api = ApiKey::kMetadata, .version = 0};
  const MetadataRequest all{.topics = std::nullopt};
  const auto decoded = DecodeRequest(WithoutLength(EncodeRequest(header, all)));
  ASSERT_TRUE(std::holds_alternative<Request>(decoded));
  const auto& body = std::get<MetadataRequest>(std::get<Request>(decoded).body);
  ASSERT_TRUE(body.topics);  // Empty: in version 0 that means all as well.
  EXPECT_TRUE(body.topics->empty());
}

TEST(RoundTrip, FieldsThatAVersionDoesNotHaveAreLeftOut) {
  const RequestHeader header{.api = ApiKey::kProduce, .version = 4};
  const ProduceResponse response{
      .topics = {
          {.name = "t", .partitions = {{.log_start_offset = Offset(5), .error_message = "no"}}}}};
  const auto decoded =
      DecodeResponse<ProduceResponse>(header, WithoutLength(EncodeResponse(header, response)));
  ASSERT_TRUE(decoded) << decoded.error();
  EXPECT_EQ(decoded->topics[0].partitions[0].log_start_offset, Offset(-1));
  EXPECT_EQ(decoded->topics[0].partitions[0].error_message, std::nullopt);
}

}  // namespace
}  // namespace regent::kafka
