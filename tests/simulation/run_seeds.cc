#include "tests/simulation/run_seeds.h"

#include <algorithm>
#include <map>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "common/base/mutex.h"
#include "tests/simulation/report.h"

namespace regent::simulation {
namespace {

/// What the threads share. Results that come too early wait for those before them.
class Queue {
 public:
  Queue(const SeedRange& range, const TakeResult& take)
      : take_(take),
        to_run_(range.run.seed),
        to_take_(range.run.seed),
        end_(range.count > UINT64_MAX - to_run_ ? UINT64_MAX : to_run_ + range.count) {}

  std::optional<uint64_t> Next() EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    return stopped_ || to_run_ == end_ ? std::nullopt : std::optional(to_run_++);
  }

  void Put(uint64_t seed, RunResult result) EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    early_.emplace(seed, std::move(result));
    while (!stopped_ && !early_.empty() && early_.begin()->first == to_take_) {
      stopped_ = !take_(to_take_++, early_.begin()->second);
      early_.erase(early_.begin());
    }
  }

 private:
  const TakeResult& take_;
  Mutex mutex_;
  uint64_t to_run_ GUARDED_BY(mutex_);
  uint64_t to_take_ GUARDED_BY(mutex_);
  const uint64_t end_;
  bool stopped_ GUARDED_BY(mutex_) = false;
  std::map<uint64_t, RunResult> early_ GUARDED_BY(mutex_);
};

void Work(const RunOptions& run, Queue& queue) {
  while (const auto seed = queue.Next()) {
    RunOptions options = run;
    options.seed = *seed;
    SetCurrentRun(options);
    queue.Put(*seed, RunHistory(options));
  }
}

}  // namespace

void RunSeeds(const SeedRange& range, const TakeResult& take) {
  Queue queue(range, take);
  std::vector<std::jthread> others;
  others.reserve(static_cast<size_t>(std::max(range.jobs, 1)));
  for (int job = 1; job < range.jobs; ++job) {
    others.emplace_back([&] { Work(range.run, queue); });
  }
  Work(range.run, queue);
}

}  // namespace regent::simulation
