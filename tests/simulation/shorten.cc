#include "tests/simulation/shorten.h"

#include <algorithm>
#include <string>
#include <utility>

#include <glog/logging.h>

#include "tests/simulation/report.h"

namespace regent::simulation {
namespace {

constexpr uint64_t kTriesMax = 1000;
constexpr uint64_t kVariants = 6;
/// Of the time that a history lasts; the shortest first.
constexpr int kEighths[] = {1, 2, 4, 6, 7};
/// Times as long as it was a history may become by what it does without: less happens in it.
constexpr uint64_t kStepsForFewerParts = 2;
constexpr Duration kShortest = milliseconds(10);

class Search {
 public:
  explicit Search(const RunOptions& failing) : shortest_(failing) {
    shortest_.keep = Trace::Keep::kHash;
    best_ = Run(shortest_);
    CHECK(best_.failure) << "nothing is wrong with seed " << failing.seed;
    steps_max_ = kStepsForFewerParts * best_.steps;
  }

  Shortened Find() {
    EndWithFailure();
    bool shorter = true;
    while (shorter) {
      shorter = false;
      while (EndEarlier()) {
        shorter = true;
      }
      shorter = DoWithoutParts() || shorter;
    }
    return {.run = shortest_,
            .steps = best_.steps,
            .parts = best_.setting.Parts().size(),
            .tries = tries_};
  }

 private:
  RunResult Run(const RunOptions& options) {
    ++tries_;
    SetCurrentRun(options);
    return RunHistory(options);
  }

  /// Takes the history in place of the shortest if it fails in the same way and `better` says so.
  template <class Better>
  bool Try(RunOptions options, Better better) {
    if (tries_ >= kTriesMax) {
      return false;
    }
    RunResult result = Run(options);
    if (!result.failure || result.failure->checker != best_.failure->checker || !better(result)) {
      return false;
    }
    shortest_ = std::move(options);
    best_ = std::move(result);
    return true;
  }

  /// What comes after the failure belongs to no history.
  void EndWithFailure() {
    const Duration at = best_.failure->at.since_origin();
    if (at < best_.setting.workload.lasts) {
      RunOptions options = shortest_;
      options.until = at + milliseconds(1);
      Try(std::move(options), [&](const RunResult& result) { return result.steps <= best_.steps; });
    }
  }

  bool EndEarlier() {
    for (const int eighths : kEighths) {
      RunOptions options = shortest_;
      const Duration until = best_.setting.workload.lasts / 8 * eighths;
      options.until = std::chrono::duration_cast<milliseconds>(until);
      if (until >= kShortest && Try(std::move(options), [&](const RunResult& result) {
            return result.steps < best_.steps;
          })) {
        return true;
      }
    }
    return false;
  }

  bool DoWithoutParts() {
    bool fewer = false;
    for (const std::string_view part : best_.setting.Parts()) {
      fewer = DoWithout(part) || fewer;
    }
    return fewer;
  }

  /// Whatever is left out changes what chance does in the rest, so chance has some tries.
  bool DoWithout(std::string_view part) {
    RunOptions options = shortest_;
    options.without.emplace(part);
    for (uint64_t variant = 0; variant <= kVariants; ++variant) {
      options.variant = variant == 0 ? shortest_.variant : variant;
      if (Try(options, [&](const RunResult& result) { return result.steps <= steps_max_; })) {
        return true;
      }
    }
    return false;
  }

  RunOptions shortest_;
  RunResult best_;
  uint64_t steps_max_ = 0;  ///< However few parts that takes.
  uint64_t tries_ = 0;
};

}  // namespace

Shortened Shorten(const RunOptions& failing) {
  return Search(failing).Find();
}

}  // namespace regent::simulation
