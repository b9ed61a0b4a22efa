#include "controller/io/controller_flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace regent::controller {
namespace {

using ::testing::HasSubstr;

ControllerFlags Flags() {
  ControllerFlags flags;
  flags.id = 100;
  flags.zookeeper.hosts = "127.0.0.1:2181";
  flags.listen = "REGENT://127.0.0.1:9292";
  flags.data_dir = "/data";
  return flags;
}

TEST(ControllerFlags, MeanWhatTheySay) {
  const auto settings = Understand(Flags());
  ASSERT_TRUE(settings.ok()) << settings.error();
  EXPECT_EQ(settings->listen.ToText(), "127.0.0.1:9292");
  EXPECT_EQ(settings->advertise, std::nullopt);
  EXPECT_EQ(settings->zookeeper.hosts, "127.0.0.1:2181");
}

TEST(ControllerFlags, AreNamedWhereOneIsMissing) {
  struct Case {
    const char* flag;
    void (*unset)(ControllerFlags& flags);
  };
  for (const Case& c :
       {Case{"--id", [](ControllerFlags& flags) { flags.id = -1; }},
        Case{"--zookeeper", [](ControllerFlags& flags) { flags.zookeeper.hosts = ""; }},
        Case{"--listen", [](ControllerFlags& flags) { flags.listen = ""; }},
        Case{"--data-dir", [](ControllerFlags& flags) { flags.data_dir = ""; }}}) {
    ControllerFlags flags = Flags();
    c.unset(flags);
    const auto refused = Understand(flags);
    ASSERT_FALSE(refused.ok()) << c.flag;
    EXPECT_THAT(refused.error().message, HasSubstr(std::string(c.flag) + " is required"));
  }
}

TEST(ControllerFlags, AskForAnAddressThatOthersReach) {
  ControllerFlags flags = Flags();
  flags.listen = "REGENT://0.0.0.0:9292";
  EXPECT_THAT(Understand(flags).error().message, HasSubstr("--advertise"));
  flags.advertise = "REGENT://one.example.org:9292";
  EXPECT_EQ(Understand(flags)->advertise->ToText(), "one.example.org:9292");
}

}  // namespace
}  // namespace regent::controller
