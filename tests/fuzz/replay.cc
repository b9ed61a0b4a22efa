#include <string>
#include <string_view>

#include <glog/logging.h>
#include <gtest/gtest.h>

#include "common/base/rng.h"
#include "tests/fuzz/target.h"

namespace regent::fuzz {
namespace {

constexpr int kChangesPerSeed = 50;

/// Flips, cuts and doubles, few at a time.
std::string Changed(std::string text, Rng& rng) {
  for (uint64_t changes = rng.Between(1, 4); changes > 0 && !text.empty(); --changes) {
    const size_t at = rng.Below(text.size());
    switch (rng.Below(4)) {
      case 0: text[at] = static_cast<char>(rng.Next()); break;
      case 1: text.resize(at); break;
      case 2: text.insert(at, text.substr(at / 2, rng.Below(32))); break;
      default: text.erase(at, rng.Below(8)); break;
    }
  }
  return text;
}

TEST(Fuzz, SeedsAndSmallChangesOfThemBreakNothing) {
  FLAGS_minloglevel = google::GLOG_FATAL;
  Rng rng(1);
  for (const std::string& seed : Seeds()) {
    Try(seed);
    for (int i = 0; i < kChangesPerSeed; ++i) {
      Try(Changed(seed, rng));
    }
  }
}

}  // namespace
}  // namespace regent::fuzz
