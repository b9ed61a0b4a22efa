#include "common/runtime/loop.h"

#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace regent {

namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;

/// Keeps a loop busy until it is let go, so that what is posted meanwhile queues up.
class Plug {
 public:
  explicit Plug(Loop& loop) {
    std::promise<void> plugged;
    loop.Post([this, &plugged] {
      plugged.set_value();
      release_.get_future().wait();
    });
    plugged.get_future().wait();
  }
  void Release() { release_.set_value(); }

 private:
  std::promise<void> release_;
};

TEST(Loop, RunsTasksInOrderOnItsOwnThread) {
  std::vector<int> order;
  std::vector<bool> on_loop;
  {
    Loop loop("order");
    EXPECT_FALSE(loop.OnLoopThread());
    for (int i = 0; i < 3; ++i) {
      EXPECT_TRUE(loop.Post([&, i] {
        order.push_back(i);
        on_loop.push_back(loop.OnLoopThread());
      }));
    }
  }
  EXPECT_THAT(order, ElementsAre(0, 1, 2));
  EXPECT_THAT(on_loop, ElementsAre(true, true, true));
}

TEST(Loop, UrgentTasksGoFirst) {
  std::vector<std::string> order;
  Loop loop("urgent");
  Plug plug(loop);
  loop.Post([&] { order.push_back("normal 1"); });
  loop.Post([&] { order.push_back("normal 2"); });
  loop.PostUrgent([&] { order.push_back("urgent 1"); });
  loop.PostUrgent([&] { order.push_back("urgent 2"); });
  plug.Release();
  loop.Close();
  EXPECT_THAT(order, ElementsAre("urgent 1", "urgent 2", "normal 1", "normal 2"));
}

TEST(Loop, TimersRunWhenDueEarliestFirstAndEqualOnesInOrder) {
  std::vector<int> order;
  std::promise<void> done;
  Loop loop("timers");
  const Instant base = loop.Now() + milliseconds(5);
  Instant ran;
  loop.PostAt(base + milliseconds(10), [&] {
    order.push_back(3);
    ran = loop.Now();
    done.set_value();
  });
  loop.PostAt(base, [&] { order.push_back(1); });
  loop.PostAt(base, [&] { order.push_back(2); });
  done.get_future().wait();
  EXPECT_THAT(order, ElementsAre(1, 2, 3));
  EXPECT_GE(ran, base + milliseconds(10));
}

TEST(Loop, TimersAreNotStarvedByATaskThatKeepsPosting) {
  Loop loop("busy");
  std::atomic<bool> stop = false;
  std::function<void()> again = [&] {
    if (!stop) {
      loop.Post(again);
    }
  };
  loop.Post(again);
  std::promise<void> fired;
  loop.PostAt(loop.Now() + milliseconds(1), [&] { fired.set_value(); });
  EXPECT_EQ(fired.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
  stop = true;
  loop.Close();
}

TEST(Loop, CloseRunsWhatIsQueuedDropsTimersAndRefusesMore) {
  Loop loop("close");
  Plug plug(loop);
  bool queued = false;
  bool timer = false;
  bool posted_by_queued = true;
  const auto held = std::make_shared<int>(0);
  loop.Post([&] {
    queued = true;
    // By now the loop is closed: whoever closes it has said so before it waited.
    while (loop.Post([] {})) {
    }
    posted_by_queued = loop.PostUrgent([] {});
  });
  loop.PostAt(loop.Now() + std::chrono::hours(1), [&, held] { timer = true; });
  std::thread closer([&] { loop.Close(); });
  plug.Release();
  closer.join();
  EXPECT_TRUE(queued);
  EXPECT_FALSE(posted_by_queued);
  EXPECT_FALSE(timer);
  EXPECT_EQ(held.use_count(), 1) << "a dropped timer keeps nothing alive";
  EXPECT_FALSE(loop.Post([] {}));
  EXPECT_FALSE(loop.PostAt(loop.Now(), [] {}));
  loop.Close();
}

TEST(Loop, TaskMayPostFromManyThreads) {
  int count = 0;
  constexpr int kThreads = 4;
  constexpr int kEach = 2000;
  {
    Loop loop("many");
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < kEach; ++i) {
          loop.Post([&] { ++count; });
        }
      });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
  }
  EXPECT_EQ(count, kThreads * kEach);
}

TEST(Loop, TellsTheLongestWaitAlsoOfTasksThatStillWait) {
  Loop loop("waits");
  Plug plug(loop);
  loop.Post([] {});
  const Instant posted = loop.Now();
  while (loop.Now() - posted < milliseconds(3)) {
  }
  EXPECT_GE(loop.TakeLongestWait(), milliseconds(2));
  plug.Release();
  loop.Close();
  EXPECT_GE(loop.TakeLongestWait(), milliseconds(2));
  EXPECT_EQ(loop.TakeLongestWait(), Duration{0});
}

TEST(LoopDeathTest, CannotWaitForItself) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(
      {
        Loop loop("self");
        loop.Post([&] { loop.Close(); });
        std::this_thread::yield();
        std::promise<void>().get_future().wait();
      },
      "cannot wait for itself");
}

}  // namespace

}  // namespace regent
