#include "tests/simulation/world.h"

#include <algorithm>
#include <utility>

#include <glog/logging.h>

namespace regent::simulation {

void World::At(Instant at, std::function<void()> task) {
  heap_.push_back(
      {.at = std::max(at, now_), .sequence = next_sequence_++, .task = std::move(task)});
  std::ranges::push_heap(heap_, Later);
}

bool World::Step() {
  if (heap_.empty()) {
    return false;
  }
  std::ranges::pop_heap(heap_, Later);
  Entry next = std::move(heap_.back());
  heap_.pop_back();
  now_ = next.at;
  ++steps_;
  trace_.Mix(static_cast<uint64_t>(now_.since_origin().count()));
  trace_.Mix(next.sequence);
  next.task();
  return true;
}

Duration World::Between(Duration low, Duration high) {
  const auto from = static_cast<uint64_t>(low.count());
  const auto to = static_cast<uint64_t>(std::max(low, high).count());
  return Duration(static_cast<Duration::rep>(rng_.Between(from, to)));
}

/// Shared with the events in the world's heap, which outlive a process.
struct SimExecutor::State {
  State(World& w, Duration jitter, int64_t clock_permille)
      : world(w), clock(w.now(), clock_permille), jitter_max(jitter) {}

  World& world;
  const Clock clock;
  Duration jitter_max;
  std::deque<std::function<void()>> urgent;
  std::deque<std::function<void()>> normal;
  uint64_t owed = 0;  ///< Tasks whose turn came during a pause.
  bool paused = false;
  bool closed = false;
  bool ran = false;
};

SimExecutor::SimExecutor(World& world, Duration jitter_max, int64_t clock_permille)
    : state_(std::make_shared<State>(world, jitter_max, clock_permille)) {}

SimExecutor::~SimExecutor() {
  Close();
}

void SimExecutor::ScheduleOne(const std::shared_ptr<State>& state) {
  state->world.After(state->world.Between(Duration(0), state->jitter_max), [state] {
    if (state->closed) {
      return;
    }
    if (state->paused) {
      ++state->owed;
      return;
    }
    RunOne(*state);
  });
}

void SimExecutor::RunOne(State& state) {
  std::deque<std::function<void()>>& lane = state.urgent.empty() ? state.normal : state.urgent;
  CHECK(!lane.empty()) << "a turn without a task";
  const std::function<void()> task = std::move(lane.front());
  lane.pop_front();
  state.ran = true;
  task();
}

bool SimExecutor::Post(std::function<void()> task) {
  if (state_->closed) {
    return false;
  }
  state_->normal.push_back(std::move(task));
  ScheduleOne(state_);
  return true;
}

bool SimExecutor::PostUrgent(std::function<void()> task) {
  if (state_->closed) {
    return false;
  }
  state_->urgent.push_back(std::move(task));
  ScheduleOne(state_);
  return true;
}

bool SimExecutor::PostAt(Instant at, std::function<void()> task) {
  if (state_->closed) {
    return false;
  }
  state_->world.At(state_->clock.When(at), [state = state_, task = std::move(task)]() mutable {
    if (state->closed) {
      return;
    }
    if (state->paused) {
      state->normal.push_back(std::move(task));
      ++state->owed;
      return;
    }
    state->ran = true;
    task();
  });
  return true;
}

Instant SimExecutor::Now() const {
  return state_->clock.Shows(state_->world.now());
}

void SimExecutor::SetJitter(Duration jitter_max) {
  state_->jitter_max = jitter_max;
}

void SimExecutor::Pause() {
  state_->paused = true;
}

void SimExecutor::Resume() {
  state_->paused = false;
  for (uint64_t i = std::exchange(state_->owed, 0); i > 0; --i) {
    ScheduleOne(state_);
  }
}

void SimExecutor::Close() {
  state_->closed = true;
  // What the tasks hold may, when it goes, want to post: nobody iterates over the queues by then.
  const auto urgent = std::exchange(state_->urgent, {});
  const auto normal = std::exchange(state_->normal, {});
}

bool SimExecutor::paused() const {
  return state_->paused;
}

bool SimExecutor::TakeRan() {
  return std::exchange(state_->ran, false);
}

}  // namespace regent::simulation
