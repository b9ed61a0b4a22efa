#include "tests/simulation/world.h"

#include <gtest/gtest.h>

namespace regent::simulation {
namespace {

using std::chrono::microseconds;
using std::chrono::seconds;

TEST(Clock, ShowsAtLeastWhatItIsAskedForAndNotMuchMore) {
  const Instant since(seconds(100));
  for (const int64_t permille : {950, 999, 1000, 1001, 1050}) {
    const Clock clock(since, permille);
    EXPECT_EQ(clock.Shows(since), since);
    for (const Duration ahead :
         {Duration(1), Duration(microseconds(12'345)), Duration(seconds(7))}) {
      const Instant shown = clock.Shows(clock.When(since + ahead));
      EXPECT_GE(shown, since + ahead) << permille;
      EXPECT_LE(shown, since + ahead + Duration(2)) << permille;
    }
  }
}

TEST(Clock, NeverShowsWhatIsYearsAhead) {
  constexpr Instant kNever(Duration::max());
  EXPECT_EQ(Clock(Instant(seconds(1)), 950).When(kNever), kNever);
}

TEST(SimExecutor, RunsATimerByItsOwnClock) {
  World world(1, Trace::Keep::kHash);
  SimExecutor slow(world, Duration(0), 500);
  Instant ran;
  slow.PostAt(slow.Now() + seconds(1), [&] { ran = world.now(); });
  while (world.Step()) {
  }
  EXPECT_EQ(ran, Instant(seconds(2)));
}

}  // namespace
}  // namespace regent::simulation
