#include "broker-agent/kafka/pieces.h"

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker-agent/kafka/request.h"
#include "broker-agent/log/memory_file_system.h"

namespace regent::kafka {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

bool LiesIn(std::string_view part, std::string_view whole) {
  return part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size();
}

TEST(Pieces, KeepTheOrderOfBytesAndSlices) {
  Pieces pieces;
  EXPECT_THAT(pieces.Views(), IsEmpty());
  pieces.Append(Slice("records"));
  pieces.Append("own");
  pieces.Append(" bytes");
  pieces.Append(Slice("a"));
  pieces.Append(Slice("b"));
  pieces.Append("end");
  EXPECT_THAT(pieces.Views(), ElementsAre("records", "own bytes", "a", "b", "end"));
  EXPECT_EQ(pieces.Flatten(), "recordsown bytesabend");
  EXPECT_EQ(pieces.size(), pieces.Flatten().size());
}

TEST(Pieces, HaveNoEmptyOnes) {
  Pieces pieces;
  pieces.Append("");
  pieces.Append(Slice());
  EXPECT_THAT(pieces.Views(), IsEmpty());
  EXPECT_EQ(pieces.size(), 0U);
}

TEST(Pieces, RecordsOfAFetchAreSentFromWhereTheyLie) {
  const auto cache = std::make_shared<const std::string>(10'000, 'r');
  const Slice log(cache, *cache);
  FetchResponse response{.topics = {{.name = "t",
                                     .partitions = {{.index = 0, .records = log.Part(100, 5'000)},
                                                    {.index = 1, .records = log.Part(0, 70)}}}}};
  const RequestHeader request{.api = ApiKey::kFetch, .version = 11, .correlation_id = 3};
  const Pieces pieces = EncodeResponse(request, response);
  response = {};
  EXPECT_EQ(cache.use_count(), 4);  // Ours, the log's, and two that the pieces hold.

  const std::vector<std::string_view> views = pieces.Views();
  EXPECT_EQ(std::ranges::count_if(views, [&](auto view) { return LiesIn(view, *cache); }), 2);
  const auto decoded =
      DecodeResponse<FetchResponse>(request, Slice(pieces.Flatten().substr(kFrameLengthBytes)));
  ASSERT_TRUE(decoded) << decoded.error();
  EXPECT_EQ(decoded->topics[0].partitions[0].records, Records(log.Part(100, 5'000)));
  EXPECT_EQ(decoded->topics[0].partitions[1].records, Records(log.Part(0, 70)));
}

TEST(Pieces, AFetchIsTheSameBytesWhereverItsRecordsLie) {
  storage::MemoryFileSystem files;
  ASSERT_TRUE(files.Create("/f", "..the records..").ok());
  const FileSlice in_file{.file = files.OpenRead("/f").value(), .position = 2, .length = 11};
  const auto encode = [](int16_t version, const Records& records) {
    return EncodeResponse(
        {.api = ApiKey::kFetch, .version = version, .correlation_id = 3},
        FetchResponse{
            .topics = {{.name = "t",
                        .partitions = {{.index = 0, .records = records},
                                       {.index = 1, .records = Slice(std::string("more"))}}}}});
  };
  for (const int16_t version : {int16_t{4}, int16_t{12}}) {
    const Pieces pieces = encode(version, in_file);
    EXPECT_THAT(pieces.InOrder(), testing::Contains(Pieces::Piece(in_file)));
    const Pieces same = encode(version, Slice(std::string("the records")));
    EXPECT_EQ(pieces.Flatten(), same.Flatten()) << "version " << version;
    EXPECT_EQ(pieces.size(), same.size());
  }
}

TEST(Pieces, RecordsOfAProduceRemainSlicesOfTheFrameAndHoldIt) {
  const RequestHeader header{.api = ApiKey::kProduce, .version = 9};
  const ProduceRequest produce{
      .acks = -1,
      .topics = {{.name = "t", .partitions = {{.index = 4, .records = Slice("a batch")}}}}};
  auto frame = std::make_shared<const std::string>(
      EncodeRequest(header, produce).Flatten().substr(kFrameLengthBytes));
  const DecodedRequest decoded = DecodeRequest(Slice(frame, *frame));
  ASSERT_TRUE(std::holds_alternative<Request>(decoded));
  const auto& body = std::get<ProduceRequest>(std::get<Request>(decoded).body);
  EXPECT_TRUE(body == produce);
  EXPECT_TRUE(LiesIn(body.topics[0].partitions[0].records->bytes(), *frame));

  const std::weak_ptr<const std::string> watched = frame;
  frame.reset();
  EXPECT_FALSE(watched.expired());
}

}  // namespace
}  // namespace regent::kafka
