#include "common/runtime/loop.h"

#include <array>
#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
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
  Loop loop("many");
  const auto post_each = [&] {
    for (int i = 0; i < kEach; ++i) {
      loop.Post([&] { ++count; });
    }
  };
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back(post_each);
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  loop.Close();
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

/// A loop that borrows threads. Its own one may be awake just when somebody posts, and then runs
/// the task itself: a claim that another thread does is one that it does sooner or later.
class BorrowingLoopTest : public ::testing::Test {
 protected:
  static constexpr int kTries = 10'000;

  /// A task that notes who runs it.
  std::function<void()> NoteThread() {
    return [this] {
      EXPECT_TRUE(loop_.OnLoopThread());
      ran_on_ = std::this_thread::get_id();
    };
  }
  std::thread::id OwnThread() {
    std::promise<std::thread::id> id;
    std::thread([&] { loop_.Post([&] { id.set_value(std::this_thread::get_id()); }); }).join();
    return id.get_future().get();
  }
  /// Once everything that was posted before has run.
  void Await() {
    std::promise<void> done;
    std::thread([&] { loop_.Post([&] { done.set_value(); }); }).join();
    done.get_future().wait();
  }

  Loop loop_{"borrows", Loop::Threads::kBorrowed};
  const std::thread::id own_ = OwnThread();
  std::thread::id ran_on_;
};

TEST_F(BorrowingLoopTest, IsRunByTheLentThreadThatHasPosted) {
  LentThread lent;
  for (int tries = 0; ran_on_ != std::this_thread::get_id(); ++tries) {
    ASSERT_LT(tries, kTries);
    loop_.Post(NoteThread());
    lent.Settle();
    EXPECT_FALSE(loop_.OnLoopThread());
    EXPECT_FALSE(lent.owes());
    Await();
  }
}

TEST_F(BorrowingLoopTest, IsRunByItsOwnThreadWhenALentOneHasMoreToDo) {
  LentThread lent;
  loop_.Post(NoteThread());
  lent.Wake();
  Await();
  EXPECT_EQ(ran_on_, own_);
}

TEST_F(BorrowingLoopTest, IsRunByItsOwnThreadWhenALentOneEnds) {
  std::promise<void> done;
  {
    const LentThread lent;
    loop_.Post(NoteThread());
    loop_.Post([&] { done.set_value(); });
  }
  done.get_future().wait();
  EXPECT_EQ(ran_on_, own_);
}

TEST_F(BorrowingLoopTest, IsLeftAloneByALentThreadWhileItRuns) {
  LentThread lent;
  std::promise<void> begun;
  std::promise<void> release;
  loop_.Post([&] {
    begun.set_value();
    release.get_future().wait();
  });
  std::thread([&] { loop_.Post(NoteThread()); }).join();  // Wakes it.
  begun.get_future().wait();
  lent.Settle();
  EXPECT_EQ(ran_on_, std::thread::id()) << "two tasks at a time";
  release.set_value();
  Await();
  EXPECT_EQ(ran_on_, own_);
}

TEST_F(BorrowingLoopTest, HasALentThreadForSoLongOnly) {
  LentThread lent;
  loop_.Post([this] {
    loop_.Post(NoteThread());
    const Instant end = MonotonicNow() + LentThread::kLongest;
    while (MonotonicNow() < end) {
    }
  });
  lent.Settle();
  Await();  // The first has run now, and so
  Await();  // has the one that it has posted.
  EXPECT_EQ(ran_on_, own_);
}

TEST_F(BorrowingLoopTest, LeavesWhatIsUrgentToItsOwnThread) {
  LentThread lent;
  loop_.PostUrgent(NoteThread());
  lent.Settle();
  Await();
  EXPECT_EQ(ran_on_, own_);
}

TEST_F(BorrowingLoopTest, KeepsTheOrderOfWhatItsTasksPostOnALentThread) {
  std::vector<int> order;
  LentThread lent;
  loop_.Post([&] {
    order.push_back(1);
    loop_.Post([&] { order.push_back(3); });
    loop_.PostUrgent([&] { order.push_back(2); });
  });
  lent.Settle();
  Await();  // The first has run now, and so
  Await();  // have those that it has posted.
  EXPECT_THAT(order, ElementsAre(1, 2, 3));
}

TEST_F(BorrowingLoopTest, HasALentThreadRunTheLoopsThatItsTasksPostTo) {
  Loop next("next", Loop::Threads::kBorrowed);
  LentThread lent;
  bool borrowed = false;
  for (int tries = 0; !borrowed; ++tries) {
    ASSERT_LT(tries, kTries);
    Await();
    std::promise<std::thread::id> ran_on;
    loop_.Post([&] { next.Post([&] { ran_on.set_value(std::this_thread::get_id()); }); });
    lent.Settle();
    borrowed = ran_on.get_future().get() == std::this_thread::get_id();
  }
}

TEST_F(BorrowingLoopTest, KeepsTheTimersThatItsTasksSetOnALentThread) {
  std::promise<void> fired;
  LentThread lent;
  loop_.Post([&] { loop_.PostAt(loop_.Now() + milliseconds(1), [&] { fired.set_value(); }); });
  lent.Settle();
  EXPECT_EQ(fired.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
}

TEST_F(BorrowingLoopTest, ClosesOnlyOnceALentThreadHasDoneWithIt) {
  std::atomic<bool> ended = false;
  std::promise<void> begun;
  std::promise<void> refused;
  std::thread lender([&] {
    LentThread lent;
    loop_.Post([&] {
      begun.set_value();
      refused.get_future().wait();
      ended = true;
    });
    lent.Settle();
  });
  begun.get_future().wait();
  std::thread watcher([&] {
    while (loop_.Post([] {})) {  // By now somebody closes it.
    }
    refused.set_value();
  });
  loop_.Close();
  EXPECT_TRUE(ended);
  watcher.join();
  lender.join();
}

TEST_F(BorrowingLoopTest, RunsOneTaskAtATimeAndInOrderOnWhicheverThread) {
  constexpr size_t kThreads = 4;
  constexpr int kEach = 5000;
  std::array<int, kThreads> next{};  // No lock: that is the claim.
  int out_of_order = 0;
  const auto run = [&](size_t thread, int i) {
    out_of_order += std::exchange(next.at(thread), i + 1) == i ? 0 : 1;
  };
  const auto post_each = [&](size_t thread) {
    for (int i = 0; i < kEach; ++i) {
      loop_.Post([&run, thread, i] { run(thread, i); });
    }
  };
  const auto lend_for_each = [&](size_t thread) {
    LentThread lent;
    for (int i = 0; i < kEach; ++i) {
      loop_.Post([&run, thread, i] { run(thread, i); });
      lent.Settle();
    }
  };
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (size_t t = 0; t < kThreads; t += 2) {
    threads.emplace_back(lend_for_each, t);
    threads.emplace_back(post_each, t + 1);
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  loop_.Close();
  EXPECT_THAT(next, ::testing::Each(kEach));
  EXPECT_EQ(out_of_order, 0);
}

TEST_F(BorrowingLoopTest, BorrowsTheThreadOfALoopThatHasNothingElseToDo) {
  Loop posts("posts");
  bool borrowed = false;
  for (int tries = 0; !borrowed; ++tries) {
    ASSERT_LT(tries, kTries);
    Await();
    std::thread::id poster;
    std::promise<std::thread::id> ran_on;
    posts.Post([&] {
      poster = std::this_thread::get_id();
      loop_.Post([&] { ran_on.set_value(std::this_thread::get_id()); });
    });
    borrowed = ran_on.get_future().get() == poster;
  }
}

TEST_F(BorrowingLoopTest, DoesNotBorrowTheThreadOfALoopThatIsBusy) {
  std::promise<std::thread::id> ran_on;
  Loop posts("posts");
  Plug plug(posts);
  posts.Post([&] { loop_.Post([&] { ran_on.set_value(std::this_thread::get_id()); }); });
  posts.Post([] {});
  plug.Release();
  EXPECT_EQ(ran_on.get_future().get(), own_);
}

TEST_F(BorrowingLoopTest, DoesNotLendItsOwnThread) {
  std::promise<std::thread::id> ran_on;
  Loop next("next", Loop::Threads::kBorrowed);
  std::thread([&] {
    loop_.Post([&] { next.Post([&] { ran_on.set_value(std::this_thread::get_id()); }); });
  }).join();
  EXPECT_NE(ran_on.get_future().get(), own_);
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
