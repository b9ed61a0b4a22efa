#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <thread>
#include <unistd.h>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker-agent/io/rpc_port.h"
#include "broker-agent/io/tcp_replication_transport.h"
#include "common/base/mutex.h"

// The two ends of a replication stream, with a real connection between them.

namespace regent {
namespace {

constexpr auto kPatience = std::chrono::seconds(20);
constexpr uint64_t kMessages = 500;

/// Numbers in the order in which they came, slowly: whoever may overtake does.
class Arrivals {
 public:
  void Add(uint64_t number) EXCLUDES(mutex_) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(200);
    while (std::chrono::steady_clock::now() < until) {
      std::this_thread::yield();
    }
    const MutexLock lock(mutex_);
    numbers_.push_back(number);
    changed_.notify_all();
  }
  /// Returns what has come once it is that much.
  std::vector<uint64_t> Await(size_t count) EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (numbers_.size() < count &&
           changed_.wait_until(mutex_, deadline) == std::cv_status::no_timeout) {
    }
    return numbers_;
  }

 private:
  Mutex mutex_;
  std::condition_variable_any changed_;
  std::vector<uint64_t> numbers_ GUARDED_BY(mutex_);
};

std::vector<uint64_t> InOrder() {
  std::vector<uint64_t> numbers;
  numbers.reserve(kMessages);
  for (uint64_t number = 1; number <= kMessages; ++number) {
    numbers.push_back(number);
  }
  return numbers;
}

/// One stream from a follower to a leader. A message's number is its credit, or its base offset.
class ReplicationOrder : public ::testing::Test {
 protected:
  void SetUp() override {
    auto bound = RpcPort::Bind({.host = "127.0.0.1", .port = 0});
    ASSERT_TRUE(bound.ok()) << bound.error();
    port_ = std::move(bound).value();
    port_->Start({.grpc = [](int socket) { ::close(socket); },
                  .replication = [this](int socket) { leader_.Accept(socket); }});
    leader_.Start([this](const AgentEvent& event) {
      if (const auto* received = std::get_if<FollowerMessageReceived>(&event)) {
        stream_ = received->stream;
        at_leader_.Add(received->message.credit_bytes);
      }
    });
    follower_.Start([this](const AgentEvent& event) {
      if (const auto* received = std::get_if<LeaderMessageReceived>(&event)) {
        const auto& batches = std::get<Batches>(received->message.items.at(0));
        at_follower_.Add(static_cast<uint64_t>(batches.base_offset.value()));
      }
    });
    OnFollowersLoop([this, port = port_->port()]() {
      follower_.Open({.stream = OutboundId(1),
                      .leader = BrokerId(0),
                      .endpoint = {.host = "127.0.0.1", .port = port}});
    });
  }
  void TearDown() override {
    leader_.Shutdown();
    OnFollowersLoop([this]() { follower_.Shutdown(); });
    port_->Stop();
  }
  void OnFollowersLoop(std::function<void()> task) {
    Arrivals done;
    followers_loop_.Post([&]() {
      task();
      done.Add(1);
    });
    done.Await(1);
  }
  void SendToLeaderNumbered(uint64_t count) {
    OnFollowersLoop([this, count]() {
      for (uint64_t number = 1; number <= count; ++number) {
        FollowerMessage message;
        message.credit_bytes = number;
        follower_.Send({.stream = OutboundId(1), .message = message});
      }
    });
  }

  Loop leaders_loop_{"leader"};
  Loop followers_loop_{"follower"};
  TcpReplicationTransport leader_{leaders_loop_, 1, 1};
  TcpReplicationTransport follower_{followers_loop_, 1, 1};
  std::unique_ptr<RpcPort> port_;
  InboundId stream_{0};
  Arrivals at_leader_;
  Arrivals at_follower_;
};

TEST_F(ReplicationOrder, OfAFollowersMessagesIsKept) {
  SendToLeaderNumbered(kMessages);
  EXPECT_EQ(at_leader_.Await(kMessages), InOrder());
}

TEST_F(ReplicationOrder, OfALeadersMessagesIsKept) {
  SendToLeaderNumbered(1);
  ASSERT_EQ(at_leader_.Await(1).size(), 1U);
  Rng rng(1);
  Batches marks;
  marks.partition = {.topic = TopicId::Random(rng), .index = 0};
  for (uint64_t number = 1; number <= kMessages; ++number) {
    const Offset offset(static_cast<int64_t>(number));
    marks.base_offset = offset;
    marks.next_offset = offset;
    leader_.Send(SendToFollower{.stream = stream_, .message = {.items = {marks}}});
  }
  EXPECT_EQ(at_follower_.Await(kMessages), InOrder());
}

}  // namespace
}  // namespace regent
