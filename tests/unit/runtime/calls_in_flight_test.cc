#include "common/runtime/calls_in_flight.h"

#include <memory>
#include <thread>

#include <gtest/gtest.h>

namespace regent {
namespace {

/// Says which thread ended it.
struct FakeCall {
  explicit FakeCall(std::thread::id& by) : dropped_by(by) {}
  ~FakeCall() { dropped_by = std::this_thread::get_id(); }
  FakeCall(const FakeCall&) = delete;
  FakeCall& operator=(const FakeCall&) = delete;

  std::thread::id& dropped_by;
};

class CallsInFlightTest : public testing::Test {
 protected:
  const FakeCall* Add(std::thread::id& dropped_by) {
    auto call = std::make_shared<FakeCall>(dropped_by);
    const FakeCall* const key = call.get();
    calls_.Add(std::move(call));
    return key;
  }
  /// As gRPC's thread does, seen through to its end.
  void EndElsewhere(const FakeCall* call) {
    std::thread([&] { calls_.Ended(call); }).join();
  }

  CallsInFlight<FakeCall> calls_;
  std::thread::id first_;
  std::thread::id second_;
};

TEST_F(CallsInFlightTest, ACallThatHasEndedIsDroppedByTheOwnersThread) {
  EndElsewhere(Add(first_));
  EXPECT_EQ(first_, std::thread::id());
  calls_.Sweep();
  EXPECT_EQ(first_, std::this_thread::get_id());
}

TEST_F(CallsInFlightTest, TheNextCallDropsTheOnesThatHaveEnded) {
  EndElsewhere(Add(first_));
  const FakeCall* const second = Add(second_);
  EXPECT_EQ(first_, std::this_thread::get_id());
  EXPECT_EQ(second_, std::thread::id());
  EXPECT_EQ(calls_.UnderWay().size(), 1U);
  EndElsewhere(second);
}

TEST_F(CallsInFlightTest, AwaitsWhatIsUnderWayAndDropsIt) {
  const FakeCall* const first = Add(first_);
  const FakeCall* const second = Add(second_);
  std::thread other([&] {
    calls_.Ended(second);
    calls_.Ended(first);
  });
  calls_.AwaitAll();
  EXPECT_EQ(first_, std::this_thread::get_id());
  EXPECT_EQ(second_, std::this_thread::get_id());
  EXPECT_TRUE(calls_.UnderWay().empty());
  other.join();
}

}  // namespace
}  // namespace regent
