#include "broker-agent/kafka/frame.h"

#include <string>
#include <utility>
#include <variant>

#include <gtest/gtest.h>

#include "broker-agent/kafka/request.h"

namespace regent::kafka {
namespace {

constexpr size_t kFrameBytesMax = 1000;

template <class M>
Slice RequestFrame(const RequestHeader& header, const M& body) {
  return Slice(EncodeRequest(header, body).Flatten().substr(kFrameLengthBytes));
}

TEST(Frame, LengthWithinTheLimitIsTaken) {
  const auto length = DecodeFrameLength(std::string("\0\0\3\xe8", 4), kFrameBytesMax);
  ASSERT_TRUE(length) << length.error();
  EXPECT_EQ(*length, 1000U);
}

TEST(Frame, LengthThatIsNegativeOrTooLargeIsRefused) {
  EXPECT_FALSE(DecodeFrameLength(std::string("\0\0\3\xe9", 4), kFrameBytesMax));
  EXPECT_FALSE(DecodeFrameLength("\xff\xff\xff\xff", kFrameBytesMax));
  // What a browser says.
  EXPECT_FALSE(DecodeFrameLength("GET ", 100 << 20));
}

TEST(Frame, ClientIdIsNeverCompact) {
  const RequestHeader header{
      .api = ApiKey::kApiVersions, .version = 3, .correlation_id = 1, .client_id = "c"};
  const std::string frame = EncodeRequest(header, ApiVersionsRequest()).Flatten();
  EXPECT_EQ(frame, std::string("\0\0\0\x0f\0\x12\0\3\0\0\0\1\0\1c\0\1\1\0", 19));
}

TEST(Frame, UnknownTaggedFieldsOfTheHeaderAreSkipped) {
  const std::string header("\0\x12\0\3\0\0\0\1\xff\xff\1\7\2ab", 15);
  const std::string body("\2n\2v\0", 5);
  const DecodedRequest decoded = DecodeRequest(Slice(header + body));
  ASSERT_TRUE(std::holds_alternative<Request>(decoded));
  EXPECT_EQ(std::get<ApiVersionsRequest>(std::get<Request>(decoded).body).client_software_name,
            "n");
}

TEST(Frame, AnswerToApiVersionsNeverHasTaggedFieldsInItsHeader) {
  const RequestHeader request{.api = ApiKey::kApiVersions, .version = 3, .correlation_id = 9};
  const std::string frame = EncodeResponse(request, ApiVersionsResponse()).Flatten();
  // Length, correlation id, error, an empty compact array, throttle time, no tagged fields.
  EXPECT_EQ(frame, std::string("\0\0\0\x0c\0\0\0\x09\0\0\1\0\0\0\0\0", 16));
}

TEST(Frame, UnknownApiIsToldFromUnsupportedVersion) {
  const DecodedRequest unknown = DecodeRequest(Slice(std::string("\0\x0b\0\0\0\0\0\1", 8)));
  ASSERT_TRUE(std::holds_alternative<UnknownApi>(unknown));
  EXPECT_EQ(std::get<UnknownApi>(unknown).key, 11);

  const DecodedRequest newer = DecodeRequest(Slice(std::string("\0\x01\0\x0e\0\0\0\1", 8)));
  ASSERT_TRUE(std::holds_alternative<UnsupportedVersion>(newer));
  EXPECT_EQ(std::get<UnsupportedVersion>(newer).api, ApiKey::kFetch);
  EXPECT_EQ(std::get<UnsupportedVersion>(newer).version, 14);

  const DecodedRequest older = DecodeRequest(Slice(std::string("\0\x01\0\3\0\0\0\1", 8)));
  EXPECT_TRUE(std::holds_alternative<UnsupportedVersion>(older));
}

TEST(Frame, ClientOfTheFutureLearnsWhatIsSupportedInVersionZero) {
  const std::string frame("\0\x12\x7f\xff\0\0\0\5 whatever", 17);
  const DecodedRequest decoded = DecodeRequest(Slice(frame));
  ASSERT_TRUE(std::holds_alternative<UnsupportedVersion>(decoded));
  const auto& problem = std::get<UnsupportedVersion>(decoded);
  EXPECT_EQ(problem.api, ApiKey::kApiVersions);

  const RequestHeader request{
      .api = problem.api, .version = 0, .correlation_id = problem.correlation_id};
  const std::string answer =
      EncodeResponse(request, SupportedApis(KafkaError::kUnsupportedVersion)).Flatten();
  EXPECT_EQ(answer.substr(4, 6), std::string("\0\0\0\5\0\x23", 6));
  const auto response =
      DecodeResponse<ApiVersionsResponse>(request, Slice(answer.substr(kFrameLengthBytes)));
  ASSERT_TRUE(response) << response.error();
  EXPECT_EQ(response->apis.size(), Apis().size());
}

TEST(Frame, ProduceIsOfferedFromVersionZeroSoThatLibrdkafkaCompresses) {
  const ApiVersionsResponse response = SupportedApis(KafkaError::kNone);
  EXPECT_EQ(response.apis.front(),
            (ApiVersionsResponse::Api{.key = 0, .min_version = 0, .max_version = 9}));
}

TEST(Frame, MalformedRequestNamesApiVersionFieldAndOffset) {
  const RequestHeader header{.api = ApiKey::kProduce, .version = 3};
  ProduceRequest produce{.topics = {{.name = "t", .partitions = {{.records = Slice("batch")}}}}};
  const Slice frame = RequestFrame(header, produce);
  const DecodedRequest decoded = DecodeRequest(frame.Part(0, frame.size() - 1));
  ASSERT_TRUE(std::holds_alternative<MalformedRequest>(decoded));
  EXPECT_EQ(std::get<MalformedRequest>(decoded).problem,
            "Produce version 3: Records at byte 37: 5 bytes are needed, 4 are left");
}

TEST(Frame, NullWhereTheVersionHasNoneIsMalformed) {
  Writer writer = BeginRequest({.api = ApiKey::kMetadata, .version = 0});
  writer.WriteArrayCount(std::nullopt, Encoding::kPlain);
  const std::string bytes = FinishFrame(std::move(writer)).Flatten();
  const DecodedRequest decoded = DecodeRequest(Slice(bytes.substr(kFrameLengthBytes)));
  ASSERT_TRUE(std::holds_alternative<MalformedRequest>(decoded));
  EXPECT_EQ(std::get<MalformedRequest>(decoded).problem,
            "Metadata version 0: Topics at byte 14: null is not allowed");
}

TEST(Frame, AnswerToAnotherRequestIsAProblem) {
  RequestHeader request{.api = ApiKey::kProduce, .version = 7, .correlation_id = 4};
  const Slice frame(EncodeResponse(request, ProduceResponse()).Flatten().substr(kFrameLengthBytes));
  request.correlation_id = 5;
  const auto response = DecodeResponse<ProduceResponse>(request, frame);
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().message, "header at byte 4: correlation id 4 instead of 5");
}

TEST(Frame, DebugTextShowsTheFieldsThatTheVersionHas) {
  const ProduceRequest produce{
      .transactional_id = std::nullopt,
      .acks = 1,
      .timeout_ms = 30,
      .topics = {{.name = "a\"", .partitions = {{.index = 2, .records = Slice("12345")}}}}};
  EXPECT_EQ(Codec<ProduceRequest>::DebugText(produce, 2),
            R"({Acks: 1, TimeoutMs: 30, TopicData: [{Name: "a\x22", PartitionData: [)"
            R"({Index: 2, Records: <5 bytes>}]}]})");
  EXPECT_EQ(Codec<ProduceRequest>::DebugText({}, 3),
            "{TransactionalId: null, Acks: 0, TimeoutMs: 0, TopicData: []}");
}

}  // namespace
}  // namespace regent::kafka
