#include "controller/io/admin_convert.h"

#include <string>

#include <gtest/gtest.h>

namespace regent::controller {
namespace {

TEST(AdminConvert, ATimeoutIsTheDefaultOrBetweenOneSecondAndTenMinutes) {
  for (const int64_t ms : {int64_t{-1}, int64_t{1}, int64_t{999}, int64_t{600'001}, INT64_MAX}) {
    v1::ElectLeadersRequest request;
    request.set_timeout_ms(ms);
    const auto spec = FromProto(request);
    ASSERT_FALSE(spec.ok()) << ms;
    EXPECT_NE(spec.error().message.find(std::to_string(ms)), std::string::npos);
  }
  for (const int64_t ms : {0, 1000, 600'000}) {
    v1::ElectLeadersRequest request;
    request.set_timeout_ms(ms);
    ASSERT_TRUE(FromProto(request).ok()) << ms;
    EXPECT_EQ(FromProto(request)->timeout, std::chrono::milliseconds(ms));
  }
}

TEST(AdminConvert, AnAssignmentAndNumbersExcludeEachOther) {
  v1::CreateTopicRequest request;
  request.add_assignment()->add_brokers(1);
  EXPECT_TRUE(FromProto(request).ok());
  request.set_partitions(3);
  EXPECT_FALSE(FromProto(request).ok());
}

TEST(AdminConvert, NegativeIdsAndIndicesAreRefused) {
  v1::CreateTopicRequest create;
  create.add_assignment()->add_brokers(-1);
  EXPECT_FALSE(FromProto(create).ok());

  v1::ElectLeadersRequest elect;
  elect.add_partitions()->set_index(-1);
  EXPECT_FALSE(FromProto(elect).ok());

  v1::DescribeTopicsRequest describe;
  describe.add_names("t");
  describe.set_partition(-1);
  EXPECT_FALSE(FromProto(describe).ok());
}

TEST(AdminConvert, APartitionNeedsItsOneTopic) {
  v1::DescribeTopicsRequest request;
  request.set_partition(0);
  EXPECT_FALSE(FromProto(request).ok());
  request.add_names("t");
  EXPECT_EQ(FromProto(request)->partition, 0);
  request.add_names("u");
  EXPECT_FALSE(FromProto(request).ok());
}

TEST(AdminConvert, AFilterOfANewerClientIsRefusedByName) {
  v1::DescribeTopicsRequest request;
  request.set_filter(static_cast<v1::DescribeTopicsRequest::Filter>(77));
  ASSERT_FALSE(FromProto(request).ok());
  EXPECT_NE(FromProto(request).error().message.find("77"), std::string::npos);
}

TEST(AdminConvert, TopicsAndPartitionsExcludeEachOther) {
  v1::ElectLeadersRequest request;
  request.add_topics("t");
  request.add_partitions()->set_topic("t");
  EXPECT_FALSE(FromProto(request).ok());
}

TEST(AdminConvert, AnElectionHasTheTypeThatIsAskedForAndAnUnknownOneIsRefused) {
  v1::ElectLeadersRequest request;
  EXPECT_EQ(FromProto(request)->type, ElectionType::kPreferred);
  request.set_type(v1::UNCLEAN);
  EXPECT_EQ(FromProto(request)->type, ElectionType::kUnclean);
  request.set_type(static_cast<v1::ElectionType>(77));
  EXPECT_FALSE(FromProto(request).ok());
}

TEST(AdminConvert, ElectionResultsKeepTheirOutcomes) {
  ElectLeadersResult result;
  result.error = Error{ErrorCode::kTimedOut, "late"};
  result.results = {{.partition = {"t", 1},
                     .outcome = ElectOutcome::kElected,
                     .old_leader = BrokerId(1),
                     .new_leader = BrokerId(2),
                     .message = "m"}};
  result.already_preferred = 9;
  result.already_led = 8;
  v1::ElectLeadersResponse response;
  Fill(result, &response);
  EXPECT_EQ(response.header().error().code(), v1::TIMED_OUT);
  ASSERT_EQ(response.results_size(), 1);
  EXPECT_EQ(response.results(0).outcome(), v1::ELECTED);
  EXPECT_EQ(response.results(0).new_leader(), 2);
  EXPECT_EQ(response.already_preferred(), 9);
  EXPECT_EQ(response.already_led(), 8);
}

TEST(AdminConvert, NobodyIsMinusOne) {
  const v1::ControllerInfo info = ToProto(OfficeView{});
  EXPECT_EQ(info.id(), -1);
  EXPECT_FALSE(info.has_endpoint());
  EXPECT_EQ(ToChange({.failover = std::chrono::milliseconds(1500)}).failover_ms(), 1500);
}

}  // namespace
}  // namespace regent::controller
