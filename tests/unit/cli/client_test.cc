#include "cli/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/cli/fake_admin.h"

namespace regent::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

Client ClientOf(std::vector<std::string> addresses, milliseconds timeout = seconds(10)) {
  return Client({.addresses = std::move(addresses), .timeout = timeout});
}

/// A port on which nobody listens: one that a server had a moment ago.
std::string DeadAddress() {
  return FakeAdmin().address();
}

TEST(Client, AsksTheControllerItWasGiven) {
  FakeAdmin admin;
  admin.HoldOffice(1, 5);
  const auto answer = ClientOf({admin.address()}).GetController();
  ASSERT_TRUE(answer.ok()) << answer.error();
  EXPECT_EQ(answer->header().controller().epoch(), 5);
}

TEST(Client, FollowsAStandbyToTheController) {
  FakeAdmin active;
  active.HoldOffice(1, 5);
  FakeAdmin standby;
  standby.PointTo(active, 1, 5);
  EXPECT_TRUE(ClientOf({standby.address()}).ListBrokers().ok());
  EXPECT_EQ(active.calls("ListBrokers"), 1);
  EXPECT_EQ(standby.calls("ListBrokers"), 0);
}

TEST(Client, PassesOverAnAddressWhereNobodyListens) {
  FakeAdmin active;
  active.HoldOffice(1, 5);
  EXPECT_TRUE(ClientOf({DeadAddress(), active.address()}).ListTopics().ok());
}

TEST(Client, PassesOverAnAddressThatHangs) {
  std::atomic<bool> release = false;  // Outlives the server whose thread reads it.
  FakeAdmin hanging;
  hanging.on_get_controller = [&](const auto&, auto&) {
    while (!release) {
      std::this_thread::yield();
    }
    return grpc::Status::OK;
  };
  FakeAdmin active;
  active.HoldOffice(1, 5);
  EXPECT_TRUE(ClientOf({hanging.address(), active.address()}, seconds(2)).ListTopics().ok());
  release = true;
}

TEST(Client, WaitsForAFailoverToEnd) {
  std::atomic<int> asked = 0;
  FakeAdmin admin;
  admin.Vacant();
  admin.on_get_controller = [&](const auto&, auto&) {
    if (++asked == 3) {
      admin.HoldOffice(2, 6);
    }
    return grpc::Status::OK;
  };
  EXPECT_TRUE(ClientOf({admin.address()}).ListTopics().ok());
  EXPECT_GE(asked, 3);
}

TEST(Client, GoesOnWhenTheOfficeMovesBetweenTheSearchAndTheCall) {
  FakeAdmin next;
  next.HoldOffice(2, 6);
  FakeAdmin last;
  last.HoldOffice(1, 5);
  last.on_list_topics = [&](const auto&, v1::ListTopicsResponse& response) {
    last.PointTo(next, 2, 6);
    response.mutable_header()->mutable_error()->set_code(v1::NOT_CONTROLLER);
    return grpc::Status::OK;
  };
  EXPECT_TRUE(ClientOf({last.address()}).ListTopics().ok());
  EXPECT_EQ(next.calls("ListTopics"), 1);
}

TEST(Client, AsksAgainAfterAnAnswerThatNothingHappened) {
  std::atomic<int> asked = 0;
  FakeAdmin admin;
  admin.HoldOffice(1, 5);
  admin.on_create_topic = [&](const auto&, v1::CreateTopicResponse& response) {
    if (++asked < 3) {
      response.mutable_header()->mutable_error()->set_code(v1::UNAVAILABLE);
    }
    return grpc::Status::OK;
  };
  EXPECT_TRUE(ClientOf({admin.address()}).CreateTopic({}).ok());
}

TEST(Client, DoesNotRepeatACreationThatMayHaveHappened) {
  FakeAdmin admin;
  admin.HoldOffice(1, 5);
  admin.on_create_topic = [](const auto&, auto&) {
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "gone");
  };
  const auto created = ClientOf({admin.address()}).CreateTopic({});
  ASSERT_FALSE(created.ok());
  EXPECT_EQ(created.error().code, ErrorCode::kUnknownOutcome);
  EXPECT_EQ(admin.calls("CreateTopic"), 1);
}

TEST(Client, RepeatsAReadWhoseConnectionBroke) {
  std::atomic<int> asked = 0;
  FakeAdmin admin;
  admin.HoldOffice(1, 5);
  admin.on_list_topics = [&](const auto&, auto&) {
    return ++asked == 1 ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "gone") : grpc::Status::OK;
  };
  EXPECT_TRUE(ClientOf({admin.address()}).ListTopics().ok());
}

TEST(Client, HandsOutTheControllersOwnErrors) {
  FakeAdmin admin;
  admin.HoldOffice(1, 5);
  admin.on_describe = [](const auto&, v1::DescribeTopicsResponse& response) {
    response.mutable_header()->mutable_error()->set_code(v1::NOT_FOUND);
    response.mutable_header()->mutable_error()->set_message("topic 'x' does not exist");
    return grpc::Status::OK;
  };
  const auto answer = ClientOf({admin.address()}).DescribeTopics({});
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error(), (Error{ErrorCode::kNotFound, "topic 'x' does not exist"}));
}

TEST(Client, TellsNobodyReachableFromNobodyInOffice) {
  const std::string dead = DeadAddress();
  const auto unreachable = ClientOf({dead}, milliseconds(200)).ListTopics();
  ASSERT_FALSE(unreachable.ok());
  EXPECT_EQ(unreachable.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(unreachable.error().message, HasSubstr(dead));

  FakeAdmin admin;
  admin.Vacant();
  const auto vacant = ClientOf({admin.address()}, milliseconds(200)).ListTopics();
  ASSERT_FALSE(vacant.ok());
  EXPECT_EQ(vacant.error().code, ErrorCode::kNotController);
  EXPECT_THAT(vacant.error().message, HasSubstr("nobody holds the office"));
}

TEST(Client, SaysThatAControllerDidNotAnswerInTime) {
  std::atomic<bool> release = false;
  FakeAdmin admin;
  admin.HoldOffice(1, 5);
  admin.on_elect = [&](const auto&, auto&) {
    while (!release) {
      std::this_thread::yield();
    }
    return grpc::Status::OK;
  };
  const auto elections = ClientOf({admin.address()}, milliseconds(300)).ElectLeaders({});
  release = true;
  ASSERT_FALSE(elections.ok());
  EXPECT_EQ(elections.error().code, ErrorCode::kTimedOut);
}

v1::ControllerChange Change(const v1::ControllerInfo& controller, const char* reason) {
  v1::ControllerChange change;
  *change.mutable_controller() = controller;
  change.set_reason(reason);
  return change;
}

TEST(Client, WatchGoesOnAtAnotherBrokerAndRepeatsNothing) {
  FakeAdmin second;
  second.HoldOffice(2, 6);
  FakeAdmin first;
  first.HoldOffice(1, 5);
  const v1::ControllerInfo old_office = first.OfficeHere(1, 5);
  const v1::ControllerInfo new_office = second.OfficeHere(2, 6);
  first.changes = {Change(old_office, "present"), Change(new_office, "elected")};
  first.watch_ends = true;
  // The second broker tells the same present state, then something new.
  second.changes = {Change(new_office, "present"),
                    Change(second.OfficeHere(2, 7), "elected again")};

  std::vector<std::string> reasons;
  const Status ended = ClientOf({first.address(), second.address()})
                           .WatchController([&](const v1::ControllerChange& change) {
                             reasons.push_back(change.reason());
                             return reasons.size() < 3;
                           });
  EXPECT_TRUE(ended.ok());
  EXPECT_THAT(reasons, testing::ElementsAre("present", "elected", "elected again"));
}

TEST(Client, WatchAsksTheWinnerHowLongTheFailoverTook) {
  FakeAdmin winner;
  winner.HoldOffice(2, 6);
  v1::ControllerChange loading = Change(winner.OfficeHere(2, 6), "elected");
  loading.mutable_controller()->set_active_here(false);
  loading.set_failover_ms(-1);
  v1::ControllerChange active = Change(winner.OfficeHere(2, 6), "elected");
  active.set_failover_ms(231);
  winner.changes = {loading, active};
  FakeAdmin watched;
  watched.PointTo(winner, 2, 6);
  watched.changes = {loading};

  std::vector<int64_t> durations;
  const Status ended =
      ClientOf({watched.address()}).WatchController([&](const v1::ControllerChange& change) {
        durations.push_back(change.failover_ms());
        return false;
      });
  EXPECT_TRUE(ended.ok());
  EXPECT_THAT(durations, testing::ElementsAre(231));
}

TEST(Client, WatchLearnsWhereTheOtherBrokersAre) {
  FakeAdmin second;
  second.HoldOffice(2, 6);
  second.changes = {Change(second.OfficeHere(2, 6), "elected")};
  FakeAdmin first;
  first.HoldOffice(1, 5);
  first.changes = {Change(first.OfficeHere(1, 5), "present")};
  first.watch_ends = true;
  first.on_list_brokers = [&](const auto&, v1::ListBrokersResponse& response) {
    v1::Listener& listener = *response.add_brokers()->mutable_endpoint()->add_listeners();
    listener.set_name("REGENT");
    *listener.mutable_endpoint() = second.OfficeHere(2, 6).endpoint();
    return grpc::Status::OK;
  };
  std::vector<std::string> reasons;
  const Status ended =
      ClientOf({first.address()}).WatchController([&](const v1::ControllerChange& change) {
        reasons.push_back(change.reason());
        return reasons.size() < 2;
      });
  EXPECT_TRUE(ended.ok());
  EXPECT_THAT(reasons, testing::ElementsAre("present", "elected"));
}

}  // namespace
}  // namespace regent::cli
