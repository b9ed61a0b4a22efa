#include "cli/regentctl.h"

#include <future>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/unit/cli/fake_admin.h"

namespace regent::cli {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

class Regentctl : public testing::Test {
 protected:
  Regentctl() { admin_.HoldOffice(1, 5); }

  ExitCode Run(std::vector<std::string> arguments) {
    out_.str("");
    err_.str("");
    arguments.insert(arguments.begin(), {"--controller", admin_.address(), "--timeout", "5s"});
    return RunRegentctl(arguments, out_, err_);
  }
  std::string out() const { return out_.str(); }
  std::string err() const { return err_.str(); }
  nlohmann::json json() const { return nlohmann::json::parse(out()); }

  FakeAdmin admin_;
  std::ostringstream out_;
  std::ostringstream err_;
};

TEST_F(Regentctl, WithoutACommandIsAUsageError) {
  EXPECT_EQ(Run({}), ExitCode::kUsage);
  EXPECT_THAT(out(), IsEmpty());
  EXPECT_THAT(err(), HasSubstr("regentctl --help"));
}

TEST_F(Regentctl, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(Run({"topic", "list", "--colour"}), ExitCode::kUsage);
  EXPECT_EQ(Run({"topic", "explode"}), ExitCode::kUsage);
  EXPECT_EQ(Run({"topic", "list", "-o", "yaml"}), ExitCode::kUsage);
  EXPECT_EQ(Run({"topic", "list", "--unavailable", "--under-min-isr"}), ExitCode::kUsage);
  EXPECT_EQ(Run({"--timeout", "soon", "topic", "list"}), ExitCode::kUsage);
  EXPECT_EQ(Run({"partition", "describe", "test1", "-1"}), ExitCode::kUsage);
}

TEST_F(Regentctl, NamesTheWordThatIsNoCommand) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"explode"}, {"topic", "explode"}}) {
    EXPECT_EQ(Run(words), ExitCode::kUsage);
    EXPECT_THAT(err(), HasSubstr("'explode' is not a command"));
  }
}

TEST_F(Regentctl, SaysUsageErrorsInJsonToo) {
  EXPECT_EQ(Run({"-o", "json", "topic", "list", "--colour"}), ExitCode::kUsage);
  EXPECT_EQ(json()["kind"], "Error");
  EXPECT_EQ(json()["exitCode"], 2);
}

TEST_F(Regentctl, HelpIsNoError) {
  EXPECT_EQ(Run({"--help"}), ExitCode::kOk);
  EXPECT_THAT(out(), HasSubstr("Exit codes: 0 ok"));
  EXPECT_EQ(Run({"topic", "create", "--help"}), ExitCode::kOk);
  EXPECT_THAT(out(), HasSubstr("--replica-assignment"));
}

TEST_F(Regentctl, TakesGlobalFlagsBehindTheCommand) {
  EXPECT_EQ(Run({"controller", "status", "-o", "json"}), ExitCode::kOk);
  EXPECT_EQ(json()["controller"]["id"], 1);
  EXPECT_EQ(json()["controller"]["endpoint"], admin_.address());
}

TEST_F(Regentctl, ClusterStatusIsUnhealthyWithOfflinePartitions) {
  admin_.on_cluster_status = [](const auto&, v1::GetClusterStatusResponse& response) {
    response.set_offline_partitions(2);
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"cluster", "status"}), ExitCode::kUnhealthy);
  EXPECT_THAT(out(), StartsWith("Health:                unhealthy\n"));
}

TEST_F(Regentctl, ClusterStatusIsUnhealthyWithoutAController) {
  admin_.Vacant();
  EXPECT_EQ(Run({"--timeout", "200ms", "cluster", "status", "-o", "json"}), ExitCode::kUnhealthy);
  EXPECT_EQ(json()["kind"], "ClusterStatus");
  EXPECT_TRUE(json()["controller"].is_null());
}

TEST_F(Regentctl, SaysWhatAProcessWithoutAControllerWaitsFor) {
  admin_.Vacant("broker: ZooKeeper: no connection");
  EXPECT_EQ(Run({"--timeout", "1s", "cluster", "status"}), ExitCode::kUnhealthy);
  EXPECT_THAT(err(), HasSubstr("nobody holds the office (broker: ZooKeeper: no connection)"));
  EXPECT_EQ(Run({"--timeout", "1s", "cluster", "status", "-o", "json"}), ExitCode::kUnhealthy);
  EXPECT_THAT(json()["problems"][0], HasSubstr("broker: ZooKeeper: no connection"));
  EXPECT_EQ(Run({"--timeout", "1s", "controller", "status"}), ExitCode::kUnreachable);
  EXPECT_THAT(err(), HasSubstr("broker: ZooKeeper: no connection"));

  v1::ControllerInfo fenced = admin_.OfficeHere(1, 5);
  fenced.set_active_here(false);
  fenced.set_waiting_for("candidate: no ZooKeeper session");
  admin_.SetOffice(fenced);
  EXPECT_EQ(Run({"--timeout", "1s", "topic", "list"}), ExitCode::kUnreachable);
  EXPECT_THAT(err(), HasSubstr("(candidate: no ZooKeeper session)"));
}

TEST_F(Regentctl, ExitsWithFiveWhenNobodyIsReachable) {
  admin_.Stop();
  EXPECT_EQ(Run({"--timeout", "200ms", "cluster", "status"}), ExitCode::kUnreachable);
  EXPECT_THAT(err(), HasSubstr("--controller"));
  EXPECT_EQ(Run({"--timeout", "200ms", "topic", "list"}), ExitCode::kUnreachable);
}

TEST_F(Regentctl, CreatesATopicByHand) {
  v1::CreateTopicRequest seen;
  admin_.on_create_topic = [&](const v1::CreateTopicRequest& request,
                               v1::CreateTopicResponse& response) {
    seen = request;
    *response.mutable_assignment() = request.assignment();
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"topic", "create", "--config", "min.insync.replicas=2", "test1",
                 "--replica-assignment", "1:0:2,2:1:0"}),
            ExitCode::kOk);
  EXPECT_EQ(seen.name(), "test1");
  EXPECT_EQ(seen.partitions(), 0);
  ASSERT_EQ(seen.assignment_size(), 2);
  EXPECT_THAT(seen.assignment(1).brokers(), testing::ElementsAre(2, 1, 0));
  EXPECT_EQ(seen.configs().at("min.insync.replicas"), "2");
  EXPECT_EQ(seen.timeout_ms(), 4500);
  EXPECT_THAT(out(), HasSubstr("test1  -         1          2,1,0\n"));
}

TEST_F(Regentctl, WantsToKnowHowATopicIsPlaced) {
  EXPECT_EQ(Run({"topic", "create", "test1"}), ExitCode::kUsage);
  EXPECT_THAT(err(), HasSubstr("--replica-assignment"));
  EXPECT_EQ(Run({"topic", "create", "test1", "--partitions", "2"}), ExitCode::kUsage);
  EXPECT_EQ(Run({"topic", "create", "test1", "--partitions", "2", "--replica-assignment", "1"}),
            ExitCode::kUsage);
  EXPECT_EQ(admin_.calls("CreateTopic"), 0);
}

TEST_F(Regentctl, ExitsWithSixWhenTheControllerRefuses) {
  admin_.on_create_topic = [](const auto&, v1::CreateTopicResponse& response) {
    response.mutable_header()->mutable_error()->set_code(v1::REFUSED);
    response.mutable_header()->mutable_error()->set_message("3 replicas need 3 live brokers");
    return grpc::Status::OK;
  };
  EXPECT_EQ(
      Run({"topic", "create", "t", "--partitions", "1", "--replication-factor", "3", "-o", "json"}),
      ExitCode::kRefused);
  EXPECT_EQ(json()["code"], "REFUSED");
  EXPECT_THAT(err(), HasSubstr("3 replicas need 3 live brokers"));
}

TEST_F(Regentctl, ExitsWithSevenWhenTheOutcomeIsUnknown) {
  admin_.on_create_topic = [](const auto&, auto&) {
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "gone");
  };
  EXPECT_EQ(
      Run({"topic", "create", "t", "--partitions", "1", "--replication-factor", "1", "-o", "json"}),
      ExitCode::kTimedOut);
  EXPECT_EQ(json()["code"], "UNKNOWN_OUTCOME");
  EXPECT_EQ(json()["exitCode"], 7);
  EXPECT_THAT(err(), HasSubstr("look whether it was done before asking again"));
  EXPECT_EQ(admin_.calls("CreateTopic"), 1);
}

TEST_F(Regentctl, ExitsWithSevenWhenTheControllerRunsOutOfTime) {
  admin_.on_create_topic = [](const auto&, v1::CreateTopicResponse& response) {
    response.mutable_header()->mutable_error()->set_code(v1::TIMED_OUT);
    response.mutable_header()->mutable_error()->set_message("topic 't' is not complete yet");
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"topic", "create", "t", "--partitions", "1", "--replication-factor", "1"}),
            ExitCode::kTimedOut);
  EXPECT_THAT(err(), HasSubstr("topic 't' is not complete yet"));
}

TEST_F(Regentctl, ExitsWithSevenWhenTheControllerDoesNotAnswer) {
  std::promise<void> release;
  admin_.on_elect = [&](const auto&, auto&) {
    release.get_future().wait();
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"--timeout", "300ms", "leader", "elect", "--preferred", "--all"}),
            ExitCode::kTimedOut);
  release.set_value();
}

TEST_F(Regentctl, ListsOnlyTheTopicsThatPassTheFilter) {
  admin_.on_list_topics = [](const auto&, v1::ListTopicsResponse& response) {
    response.add_topics()->set_name("whole");
    v1::TopicSummary& torn = *response.add_topics();
    torn.set_name("torn");
    torn.set_under_min_isr(1);
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"topic", "list", "--under-min-isr", "--no-headers"}), ExitCode::kOk);
  EXPECT_EQ(out(), "torn  -  0  0  0  1  0\n");
}

TEST_F(Regentctl, HandsTheFilterOfDescribeToTheController) {
  v1::DescribeTopicsRequest seen;
  admin_.on_describe = [&](const v1::DescribeTopicsRequest& request, auto&) {
    seen = request;
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"topic", "describe", "--unavailable", "a", "b"}), ExitCode::kOk);
  EXPECT_THAT(seen.names(), testing::ElementsAre("a", "b"));
  EXPECT_EQ(seen.filter(), v1::DescribeTopicsRequest::UNAVAILABLE);
}

TEST_F(Regentctl, ExitsWithThreeForATopicOrAPartitionThatIsNotThere) {
  EXPECT_EQ(Run({"topic", "describe", "nowhere"}), ExitCode::kNotFound);
  EXPECT_EQ(Run({"partition", "describe", "nowhere", "0"}), ExitCode::kNotFound);
  admin_.on_describe = [](const auto&, v1::DescribeTopicsResponse& response) {
    response.add_topics()->set_name("test1");
    response.mutable_topics(0)->set_partition_count(3);
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"partition", "describe", "test1", "3"}), ExitCode::kNotFound);
  EXPECT_THAT(err(), HasSubstr("its partitions are 0 to 2"));
  EXPECT_EQ(Run({"topic", "describe", "test1", "nowhere"}), ExitCode::kSomeFailed);
}

TEST_F(Regentctl, ValidatesACreationWithoutWriting) {
  v1::CreateTopicRequest seen;
  admin_.on_create_topic = [&](const v1::CreateTopicRequest& request,
                               v1::CreateTopicResponse& response) {
    seen = request;
    response.add_assignment()->add_brokers(3);
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"topic", "create", "t", "--partitions", "1", "--replication-factor", "1",
                 "--validate-only"}),
            ExitCode::kOk);
  EXPECT_TRUE(seen.validate_only());
  EXPECT_THAT(out(), HasSubstr("3"));
  EXPECT_THAT(err(), HasSubstr("nothing was written"));
}

TEST_F(Regentctl, DeletesATopicByNameOrById) {
  v1::DeleteTopicRequest seen;
  admin_.on_delete_topic = [&](const v1::DeleteTopicRequest& request,
                               v1::DeleteTopicResponse& response) {
    seen = request;
    response.set_name("test1");
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"topic", "delete", "test1", "-o", "json"}), ExitCode::kOk);
  EXPECT_EQ(seen.name(), "test1");
  EXPECT_EQ(json()["kind"], "TopicDeleted");
  EXPECT_EQ(json()["name"], "test1");
  EXPECT_EQ(Run({"topic", "delete", "--id", "b8tRS7h4TJ2Vt43Dp85v2A"}), ExitCode::kOk);
  EXPECT_EQ(seen.topic_id().size(), 16U);
  EXPECT_EQ(seen.name(), "");
  EXPECT_EQ(Run({"topic", "delete"}), ExitCode::kUsage);
  EXPECT_EQ(Run({"topic", "delete", "--id", "short"}), ExitCode::kUsage);
}

TEST_F(Regentctl, ExitsWithThreeWhenTheTopicToDeleteIsNotThere) {
  admin_.on_delete_topic = [](const auto&, v1::DeleteTopicResponse& response) {
    response.mutable_header()->mutable_error()->set_code(v1::NOT_FOUND);
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"topic", "delete", "nowhere"}), ExitCode::kNotFound);
}

TEST_F(Regentctl, ExtendsATopicAndNumbersTheNewPartitions) {
  v1::ExtendTopicRequest seen;
  admin_.on_extend_topic = [&](const v1::ExtendTopicRequest& request,
                               v1::ExtendTopicResponse& response) {
    seen = request;
    *response.mutable_assignment() = request.assignment();
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"topic", "extend", "t", "--partitions", "5", "--replica-assignment", "1:2,2:1",
                 "-o", "json"}),
            ExitCode::kOk);
  EXPECT_EQ(seen.partitions(), 5);
  ASSERT_EQ(seen.assignment_size(), 2);
  EXPECT_EQ(seen.assignment(1).brokers(0), 2);
  EXPECT_EQ(json()["kind"], "TopicExtended");
  EXPECT_EQ(json()["firstNewPartition"], 3);
  EXPECT_EQ(Run({"topic", "extend", "t"}), ExitCode::kUsage);
}

TEST_F(Regentctl, ShowsTheSettingsOfATopic) {
  admin_.on_describe_config = [](const v1::DescribeTopicConfigRequest& request,
                                 v1::DescribeTopicConfigResponse& response) {
    EXPECT_EQ(request.name(), "t");
    v1::TopicSetting& setting = *response.add_settings();
    setting.set_name("retention.ms");
    setting.set_value("7");
    setting.set_source("topic");
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"topic", "config", "t"}), ExitCode::kOk);
  EXPECT_THAT(out(), HasSubstr("retention.ms  7      topic"));
  EXPECT_EQ(Run({"topic", "config", "t", "-o", "json"}), ExitCode::kOk);
  EXPECT_EQ(json()["settings"][0]["source"], "topic");
  EXPECT_EQ(admin_.calls("AlterTopicConfig"), 0);
}

TEST_F(Regentctl, ChangesTheSettingsOfATopic) {
  v1::AlterTopicConfigRequest seen;
  admin_.on_alter_config = [&](const v1::AlterTopicConfigRequest& request, auto&) {
    seen = request;
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"topic", "config", "t", "--set", "retention.ms=7", "--set",
                 "min.insync.replicas=2", "--reset", "segment.ms", "--validate-only"}),
            ExitCode::kOk);
  EXPECT_EQ(seen.set().at("retention.ms"), "7");
  EXPECT_EQ(seen.set_size(), 2);
  EXPECT_THAT(seen.reset(), testing::ElementsAre("segment.ms"));
  EXPECT_TRUE(seen.validate_only());
  EXPECT_EQ(Run({"topic", "config", "t", "--validate-only"}), ExitCode::kUsage);
  EXPECT_EQ(Run({"topic", "config", "t", "--set", "retention.ms"}), ExitCode::kUsage);
}

TEST_F(Regentctl, ElectionWantsAKindAndAScope) {
  EXPECT_EQ(Run({"leader", "elect", "--all"}), ExitCode::kUsage);
  EXPECT_EQ(Run({"leader", "elect", "--preferred"}), ExitCode::kUsage);
  EXPECT_EQ(Run({"leader", "elect", "--preferred", "--all", "--topic", "t"}), ExitCode::kUsage);
  EXPECT_EQ(Run({"leader", "elect", "--preferred", "--topic", "t", "--partition", "t:0"}),
            ExitCode::kUsage);
  EXPECT_EQ(Run({"leader", "elect", "--preferred", "--partition", "t"}), ExitCode::kUsage);
  EXPECT_EQ(admin_.calls("ElectLeaders"), 0);
}

TEST_F(Regentctl, ElectionExitsWithOneWhenAPartitionFailed) {
  v1::ElectLeadersRequest seen;
  admin_.on_elect = [&](const v1::ElectLeadersRequest& request,
                        v1::ElectLeadersResponse& response) {
    seen = request;
    response.add_results()->set_outcome(v1::ELECTED);
    response.add_results()->set_outcome(v1::PREFERRED_NOT_AVAILABLE);
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"leader", "elect", "--preferred", "--partition", "a:0", "b:1", "--dry-run"}),
            ExitCode::kSomeFailed);
  ASSERT_EQ(seen.partitions_size(), 2);
  EXPECT_EQ(seen.partitions(1).topic(), "b");
  EXPECT_TRUE(seen.dry_run());
  EXPECT_THAT(err(), HasSubstr("1 elected, 0 already led by the preferred replica, 1 failed"));
}

TEST_F(Regentctl, UncleanElectionWantsAScopeThatIsNamedAndNoOtherKind) {
  EXPECT_EQ(Run({"leader", "elect", "--unclean"}), ExitCode::kUsage);
  EXPECT_EQ(Run({"leader", "elect", "--unclean", "--preferred", "--all"}), ExitCode::kUsage);
  EXPECT_EQ(admin_.calls("ElectLeaders"), 0);
}

TEST_F(Regentctl, UncleanElectionIsAskedForAsSuchAndSaysWhatItCosts) {
  v1::ElectLeadersRequest seen;
  admin_.on_elect = [&](const v1::ElectLeadersRequest& request,
                        v1::ElectLeadersResponse& response) {
    seen = request;
    response.set_already_led(4);
    v1::ElectResult& elected = *response.add_results();
    elected.set_outcome(v1::ELECTED);
    elected.set_message("records are gone");
    response.add_results()->set_outcome(v1::ELECTION_NOT_NEEDED);
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"leader", "elect", "--unclean", "--partition", "a:0"}), ExitCode::kOk);
  EXPECT_EQ(seen.type(), v1::UNCLEAN);
  EXPECT_THAT(out(), HasSubstr("records are gone"));
  EXPECT_THAT(err(), HasSubstr("1 elected, 5 already led, 0 failed"));
}

TEST_F(Regentctl, UncleanElectionExitsWithOneWhereNobodyIsLeft) {
  admin_.on_elect = [](const auto&, v1::ElectLeadersResponse& response) {
    response.add_results()->set_outcome(v1::ELIGIBLE_LEADERS_NOT_AVAILABLE);
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"leader", "elect", "--unclean", "--all"}), ExitCode::kSomeFailed);
}

TEST_F(Regentctl, ElectionExitsWithThreeWhenNoneOfThePartitionsExists) {
  admin_.on_elect = [](const auto&, v1::ElectLeadersResponse& response) {
    response.add_results()->set_outcome(v1::ELECT_UNKNOWN_PARTITION);
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"leader", "elect", "--preferred", "--topic", "nowhere"}), ExitCode::kNotFound);
}

TEST_F(Regentctl, WatchPrintsALinePerChange) {
  v1::ControllerChange change;
  *change.mutable_controller() = admin_.OfficeHere(1, 5);
  change.set_reason("present");
  change.set_failover_ms(-1);
  admin_.changes = {change};
  EXPECT_EQ(Run({"controller", "watch", "--count", "1", "-o", "json"}), ExitCode::kOk);
  EXPECT_EQ(json()["reason"], "present");
  EXPECT_EQ(out().find('\n'), out().size() - 1);
}

}  // namespace
}  // namespace regent::cli
