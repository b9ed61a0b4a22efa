#include "broker-agent/io/producer_ids.h"

#include <map>
#include <memory>
#include <set>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/wire/znode_json.h"
#include "common/zk/in_memory.h"
#include "common/zk/paths.h"
#include "tests/unit/zk/manual_executor.h"

namespace regent {
namespace {

using std::chrono::seconds;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class Quiet final : public zk::SessionListener {
 public:
  void OnSession(const zk::SessionEvent&) override {}
  void OnWatch(const zk::WatchEvent&) override {}
};

class ProducerIdsTest : public ::testing::Test {
 protected:
  /// A broker with its own session.
  struct Broker {
    Broker(zk::InMemoryZooKeeper& server, zk::ManualExecutor& executor, int32_t id)
        : client(server, executor, listener), ids(BrokerId(id), client, executor) {}
    void Draw(int count) {
      for (int i = 0; i < count; ++i) {
        ids.Draw([this](const Result<int64_t>& id) {
          if (id.ok()) {
            drawn.push_back(*id);
          } else {
            ++refused;
          }
        });
      }
    }

    Quiet listener;
    zk::InMemoryClient client;
    std::vector<int64_t> drawn;
    int refused = 0;
    ProducerIds ids;
  };

  void SetUp() override {
    const auto made = server_.Apply({zk::CreateOp{.path = zk::ProducerIdBlockPath()}});
    ASSERT_TRUE(made.ok()) << made.ToText();
  }
  void Pass(Duration time) { executor_.AdvanceTo(executor_.Now() + time); }

  zk::InMemoryZooKeeper server_;
  zk::ManualExecutor executor_;
};

TEST_F(ProducerIdsTest, AreDrawnOnceEachByAllBrokersTogether) {
  Broker one(server_, executor_, 1);
  Broker two(server_, executor_, 2);
  one.Draw(1500);
  two.Draw(1500);
  Pass(seconds(3));
  EXPECT_THAT(one.drawn, SizeIs(1500));
  EXPECT_THAT(two.drawn, SizeIs(1500));
  std::set<int64_t> all(one.drawn.begin(), one.drawn.end());
  all.insert(two.drawn.begin(), two.drawn.end());
  EXPECT_THAT(all, SizeIs(3000));
}

TEST_F(ProducerIdsTest, AreTakenUpWhereKafkaLeftThem) {
  ASSERT_TRUE(server_
                  .Apply({zk::SetOp{.path = zk::ProducerIdBlockPath(),
                                    .data = R"({"version":1,"broker":7,"block_start":"5000",)"
                                            R"("block_end":"5999"})",
                                    .expected = zk::AnyVersion{}}})
                  .ok());
  Broker one(server_, executor_, 1);
  one.Draw(1);
  Pass(seconds(1));
  EXPECT_EQ(one.drawn, std::vector<int64_t>{6000});
  const auto block = wire::DecodeProducerIdBlock(server_.Find(zk::ProducerIdBlockPath())->data);
  EXPECT_EQ(*block, (wire::ProducerIdBlock{.broker = BrokerId(1), .start = 6000, .end = 6999}));
}

TEST_F(ProducerIdsTest, OfABlockWhoseAnswerWasLostAreNeverGivenOut) {
  Broker one(server_, executor_, 1);
  Pass(seconds(1));
  one.client.LoseAnswers(2, zk::Lost::kAfterEffect);
  one.Draw(1);
  Pass(seconds(4));
  ASSERT_THAT(one.drawn, SizeIs(1));
  Broker two(server_, executor_, 2);
  two.Draw(1);
  Pass(seconds(1));
  ASSERT_THAT(two.drawn, SizeIs(1));
  EXPECT_NE(one.drawn[0] / 1000, two.drawn[0] / 1000);
}

TEST_F(ProducerIdsTest, NobodyWaitsForLongWithoutZooKeeper) {
  Broker one(server_, executor_, 1);
  server_.BeginOutage();
  one.Draw(2);
  Pass(seconds(6));
  EXPECT_EQ(one.refused, 2);
  server_.EndOutage();
  one.Draw(1);
  Pass(seconds(4));
  EXPECT_THAT(one.drawn, SizeIs(1));
}

TEST_F(ProducerIdsTest, RubbishInTheNodeIsNoBlock) {
  ASSERT_TRUE(
      server_
          .Apply({zk::SetOp{
              .path = zk::ProducerIdBlockPath(), .data = "rubbish", .expected = zk::AnyVersion{}}})
          .ok());
  Broker one(server_, executor_, 1);
  one.Draw(1);
  Pass(seconds(6));
  EXPECT_THAT(one.drawn, IsEmpty());
  EXPECT_EQ(one.refused, 1);
}

}  // namespace
}  // namespace regent
