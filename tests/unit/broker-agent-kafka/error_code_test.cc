#include "broker-agent/kafka/error_code.h"

#include <map>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "tests/unit/broker-agent-kafka/golden.h"

namespace regent::kafka {
namespace {

TEST(KafkaErrors, HaveKafkasNumbersNamesAndRemedies) {
  std::map<int16_t, GoldenFact> kafkas;
  for (const GoldenFact& fact : GoldenData().errors) {
    kafkas[fact.number] = fact;
  }
  for (const KafkaErrorSpec& spec : KafkaErrors()) {
    const auto number = static_cast<int16_t>(spec.error);
    ASSERT_TRUE(kafkas.contains(number)) << spec.name;
    EXPECT_EQ(spec.name, kafkas[number].rest.at(0));
    EXPECT_EQ(spec.remedy == Remedy::kRetry, kafkas[number].rest.at(1) == "retry") << spec.name;
  }
}

TEST(KafkaErrors, AreFoundByNumber) {
  ASSERT_NE(FindKafkaError(6), nullptr);
  EXPECT_EQ(FindKafkaError(6)->error, KafkaError::kNotLeaderOrFollower);
  EXPECT_EQ(FindKafkaError(-1)->error, KafkaError::kUnknownServerError);
  EXPECT_EQ(FindKafkaError(12345), nullptr);
}

TEST(KafkaErrors, ArePrintedWithTheirNumbersEvenUnknownOnes) {
  std::ostringstream out;
  out << KafkaError::kNotController << ' ' << static_cast<KafkaError>(12345);
  EXPECT_EQ(out.str(), "NOT_CONTROLLER(41) error(12345)");
}

}  // namespace
}  // namespace regent::kafka
