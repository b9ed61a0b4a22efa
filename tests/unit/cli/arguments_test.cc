#include "cli/arguments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/exit_code.h"
#include "cli/table.h"

namespace regent::cli {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(ParseAddresses, ReadsAListOnceEach) {
  EXPECT_THAT(*ParseAddresses("a:1,10.0.0.1:9192,[::1]:65535,a:1"),
              ElementsAre("a:1", "10.0.0.1:9192", "[::1]:65535"));
}

TEST(ParseAddresses, NamesTheOneThatIsNoAddress) {
  for (const char* text : {"", "host", ":9192", "host:", "host:0", "host:65536", "host:1,", "::1:9",
                           "a b:1", "http://a:1", "[]:1", "host:-1", "host:1x"}) {
    const Result<std::vector<std::string>> addresses = ParseAddresses(text);
    ASSERT_FALSE(addresses.ok()) << text;
    EXPECT_EQ(addresses.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(addresses.error().message, HasSubstr("--controller 127.0.0.1:9192"));
  }
}

TEST(ParseTimeout, ReadsUnits) {
  EXPECT_EQ(*ParseTimeout("7"), milliseconds(7000));
  EXPECT_EQ(*ParseTimeout("7s"), milliseconds(7000));
  EXPECT_EQ(*ParseTimeout("250ms"), milliseconds(250));
  EXPECT_EQ(*ParseTimeout("2m"), milliseconds(120000));
  EXPECT_EQ(*ParseTimeout("1440m"), milliseconds(86400000));
}

TEST(ParseTimeout, RefusesWhatIsNoPositiveSpanOfADay) {
  for (const char* text :
       {"", "s", "0", "-1s", "1h", "1.5s", "1441m", "86400001ms", "99999999999999"}) {
    EXPECT_FALSE(ParseTimeout(text).ok()) << text;
  }
}

TEST(ParseAssignment, ReadsReplicasPerPartition) {
  EXPECT_THAT(*ParseAssignment("1:0:2,2:1:0,0:2:1"),
              ElementsAre(ElementsAre(1, 0, 2), ElementsAre(2, 1, 0), ElementsAre(0, 2, 1)));
  EXPECT_THAT(*ParseAssignment("7"), ElementsAre(ElementsAre(7)));
}

TEST(ParseAssignment, NamesTheBrokerAndThePartitionThatAreWrong) {
  const auto assignment = ParseAssignment("1:0,1:x");
  ASSERT_FALSE(assignment.ok());
  EXPECT_THAT(assignment.error().message, HasSubstr("'x' (partition 1) is not a broker id"));
  for (const char* text : {"", "1:", ",1", "1,,2", "-1", "1:2147483648", "1 :2"}) {
    EXPECT_FALSE(ParseAssignment(text).ok()) << text;
  }
}

TEST(ParseConfigs, KeepsWhatStandsBehindTheFirstEqualsSign) {
  const auto configs = ParseConfigs({"a=b=c", "empty="});
  EXPECT_EQ(*configs, (std::map<std::string, std::string>{{"a", "b=c"}, {"empty", ""}}));
}

TEST(ParseConfigs, RefusesAKeyTwiceAndAPairWithoutKey) {
  EXPECT_THAT(ParseConfigs({"a=1", "a=2"}).error().message, HasSubstr("'a' is given twice"));
  EXPECT_FALSE(ParseConfigs({"=1"}).ok());
  EXPECT_FALSE(ParseConfigs({"a"}).ok());
}

TEST(ParsePartition, SplitsAtTheLastColon) {
  EXPECT_EQ(*ParsePartition("test1:2"), (std::pair<std::string, int32_t>("test1", 2)));
  for (const char* text : {"test1", "test1:", ":1", "test1:x", "test1:-1"}) {
    EXPECT_FALSE(ParsePartition(text).ok()) << text;
  }
}

TEST(ExitCodeFor, SeparatesWhatTheCallerMayDo) {
  EXPECT_EQ(ExitCodeFor(ErrorCode::kInvalidArgument), ExitCode::kUsage);
  EXPECT_EQ(ExitCodeFor(ErrorCode::kNotFound), ExitCode::kNotFound);
  EXPECT_EQ(ExitCodeFor(ErrorCode::kNotController), ExitCode::kUnreachable);
  EXPECT_EQ(ExitCodeFor(ErrorCode::kUnavailable), ExitCode::kUnreachable);
  EXPECT_EQ(ExitCodeFor(ErrorCode::kRefused), ExitCode::kRefused);
  EXPECT_EQ(ExitCodeFor(ErrorCode::kAlreadyExists), ExitCode::kRefused);
  EXPECT_EQ(ExitCodeFor(ErrorCode::kTimedOut), ExitCode::kTimedOut);
  EXPECT_EQ(ExitCodeFor(ErrorCode::kUnknownOutcome), ExitCode::kTimedOut);
}

TEST(Table, AlignsColumnsAndLeavesNoBlanksAtTheEnd) {
  Table table({"A", "LONGER", "B"});
  table.Add({"1", "x", "last"});
  table.Add({"22", "", "z"});
  EXPECT_EQ(table.Print(Headers::kShow),
            "A   LONGER  B\n"
            "1   x       last\n"
            "22  -       z\n");
  EXPECT_EQ(table.Print(Headers::kOmit),
            "1   x  last\n"
            "22  -  z\n");
}

TEST(Table, ShowsControlCharactersInsteadOfSendingThemToTheTerminal) {
  Table table({"A"});
  table.Add({"\x1b[2J\n"});
  EXPECT_EQ(table.Print(Headers::kOmit), "\\x1b[2J\\x0a\n");
}

}  // namespace
}  // namespace regent::cli
