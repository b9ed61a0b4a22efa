// Runs every scenario of this directory and compares what the controllers did with what stands
// there. `--rewrite` writes it anew instead: read the difference before it is committed.

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include <glog/logging.h>
#include <gtest/gtest.h>

#include "tests/scenarios/script.h"

namespace regent::controller::toy {
namespace {

bool rewrite = false;

std::vector<std::string> Scenarios() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(REGENT_SCENARIOS)) {
    if (entry.path().extension() == ".txt" && entry.path().stem() != "CMakeLists") {
      names.push_back(entry.path().stem().string());
    }
  }
  std::ranges::sort(names);
  return names;
}

std::string NameOf(const ::testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  std::ranges::replace(name, '-', '_');
  return name;
}

class Scenario : public ::testing::TestWithParam<std::string> {};

TEST_P(Scenario, GoesAsItStands) {
  const std::string path = std::string(REGENT_SCENARIOS) + "/" + GetParam() + ".txt";
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  ASSERT_FALSE(text.str().empty()) << path;
  const std::string now = RunScenario(text.str());
  if (rewrite) {
    std::ofstream(path) << now;
    return;
  }
  EXPECT_EQ(now, text.str()) << "run this program with --rewrite, and read the difference";
}

INSTANTIATE_TEST_SUITE_P(Controller, Scenario, ::testing::ValuesIn(Scenarios()), NameOf);

TEST(ScenarioRunner, SeesADifference) {
  const std::string text =
      "brokers 1 2\nsilently controller 100\nsilently topic t 1,2\nshow t\n----\n"
      "t-0 replicas 1,2: 1/[1,2]/0 version 0\n\n";
  EXPECT_EQ(RunScenario(text), text);
  std::string wrong = text;
  wrong.replace(wrong.find("1/[1,2]/0"), 9, "2/[1,2]/0");
  EXPECT_NE(RunScenario(wrong), wrong);
  EXPECT_EQ(RunScenario(wrong), text);
}

}  // namespace
}  // namespace regent::controller::toy

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  google::InitGoogleLogging(argv[0]);
  FLAGS_minloglevel = google::GLOG_FATAL;  // The scenarios' text is the log.
  regent::controller::toy::rewrite =
      std::any_of(argv + 1, argv + argc, [](const char* a) { return !strcmp(a, "--rewrite"); });
  return RUN_ALL_TESTS();
}
