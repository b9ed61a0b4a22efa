#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/instant.h"
#include "common/base/rng.h"
#include "common/runtime/loop.h"
#include "tests/simulation/trace.h"

namespace regent::simulation {

/// Time, chance and order: one heap of events, ordered by (time, sequence number). Nothing else in
/// a simulation decides what comes next.
class World {
 public:
  World(uint64_t seed, Trace::Keep keep) : rng_(seed), trace_(keep) {}
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  Instant now() const { return now_; }
  /// Milliseconds since 1970.
  int64_t wall_clock_ms() const {
    constexpr int64_t kOriginMs = 1'700'000'000'000;
    return kOriginMs + now_.since_origin() / std::chrono::milliseconds(1);
  }
  Rng& rng() { return rng_; }
  Trace& trace() { return trace_; }

  void At(Instant at, std::function<void()> task);
  void After(Duration wait, std::function<void()> task) { At(now_ + wait, std::move(task)); }
  /// Runs the earliest event; false if there is none.
  bool Step();
  uint64_t steps() const { return steps_; }

  /// A duration in [low, high], drawn.
  Duration Between(Duration low, Duration high);

 private:
  struct Entry {
    Instant at;
    uint64_t sequence = 0;
    std::function<void()> task;
  };
  static bool Later(const Entry& a, const Entry& b) {
    return a.at != b.at ? a.at > b.at : a.sequence > b.sequence;
  }

  Instant now_;
  uint64_t next_sequence_ = 0;
  uint64_t steps_ = 0;
  std::vector<Entry> heap_;
  Rng rng_;
  Trace trace_;
};

/// A clock that is as fast as it is, from some instant on.
class Clock {
 public:
  /// `permille`: its pace, in thousandths of the world's; positive.
  Clock(Instant since, int64_t permille) : since_(since), permille_(permille) {}

  /// What it shows then.
  Instant Shows(Instant in_world) const { return since_ + (in_world - since_) * permille_ / 1000; }
  /// When it shows at least that; what is years ahead never comes.
  Instant When(Instant shown) const {
    constexpr Duration kNever = std::chrono::years(10);
    const Duration ahead = shown - since_;
    return ahead > kNever ? shown : since_ + (ahead * 1000 + Duration(permille_ - 1)) / permille_;
  }

 private:
  Instant since_;
  int64_t permille_;
};

/// The thread of one life of a simulated process. Paused, it runs nothing and its timers pile up;
/// closed, it never runs anything again.
class SimExecutor final : public Executor {
 public:
  /// `jitter_max`: how long a task may wait for the thread. `clock_permille`: see Clock.
  SimExecutor(World& world, Duration jitter_max, int64_t clock_permille = 1000);
  ~SimExecutor() override;
  SimExecutor(const SimExecutor&) = delete;
  SimExecutor& operator=(const SimExecutor&) = delete;

  bool Post(std::function<void()> task) override;
  bool PostUrgent(std::function<void()> task) override;
  bool PostAt(Instant at, std::function<void()> task) override;
  /// What the process's clock shows.
  Instant Now() const override;

  /// From now on a task may wait for so long.
  void SetJitter(Duration jitter_max);
  void Pause();
  void Resume();
  /// Drops everything that is queued.
  void Close();
  bool paused() const;
  /// Whether a task has run since the last call.
  bool TakeRan();

 private:
  struct State;
  static void ScheduleOne(const std::shared_ptr<State>& state);
  static void RunOne(State& state);

  std::shared_ptr<State> state_;
};

}  // namespace regent::simulation
