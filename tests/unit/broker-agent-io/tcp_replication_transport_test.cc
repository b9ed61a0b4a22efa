#include "broker-agent/io/tcp_replication_transport.h"

#include <condition_variable>
#include <functional>
#include <future>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include <asio.hpp>
#include <gtest/gtest.h>

#include "common/base/mutex.h"
#include "common/runtime/loop.h"

namespace regent {
namespace {

using asio::ip::tcp;

/// What one broker's transport has told it.
class Events {
 public:
  AgentEventSink Sink() {
    return [this](AgentEvent event) {
      const MutexLock lock(mutex_);
      events_.push_back(std::move(event));
      changed_.notify_all();
    };
  }
  /// Returns the first event of the kind, once there is one. The test's own time-out ends what
  /// never comes.
  template <class Event>
  Event Await() EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    while (true) {
      for (const AgentEvent& event : events_) {
        if (const auto* const found = std::get_if<Event>(&event)) {
          return *found;
        }
      }
      changed_.wait(mutex_);
    }
  }
  template <class Event>
  bool Has() EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    return std::ranges::any_of(
        events_, [](const AgentEvent& event) { return std::holds_alternative<Event>(event); });
  }

 private:
  Mutex mutex_;
  std::condition_variable_any changed_;
  std::vector<AgentEvent> events_ GUARDED_BY(mutex_);
};

/// A leader that is given what a port accepts, and a follower.
class TcpReplicationTransportTest : public ::testing::Test {
 protected:
  static constexpr OutboundId kStream{1};

  /// The follower opens a stream and says something; the leader has heard it.
  void Connect() {
    leader_.Start(at_leader_.Sink());
    follower_.Start(at_follower_.Sink());
    follower_.Open({.stream = kStream, .leader = BrokerId(0), .endpoint = Port()});
    leader_.Accept(acceptor_.accept().release());
    FollowerMessage hello;
    hello.credit_bytes = 1;
    follower_.Send({.stream = kStream, .message = hello});
    inbound_ = at_leader_.Await<FollowerMessageReceived>().stream;
  }
  Endpoint Port() const { return {.host = "127.0.0.1", .port = acceptor_.local_endpoint().port()}; }
  /// A connection to the port, and what the port gives out for it.
  std::pair<tcp::socket, int> Connection() {
    tcp::socket socket(io_);
    socket.connect(acceptor_.local_endpoint());
    return {std::move(socket), acceptor_.accept().release()};
  }
  static bool IsClosed(tcp::socket& socket) {
    char byte = 0;
    std::error_code error;
    socket.read_some(asio::buffer(&byte, 1), error);
    return error == asio::error::eof;
  }

  asio::io_context io_;
  tcp::acceptor acceptor_{io_, {asio::ip::address_v4::loopback(), 0}};
  Loop loop_{"agents"};
  Events at_leader_;
  Events at_follower_;
  TcpReplicationTransport leader_{loop_, 2, 1};
  TcpReplicationTransport follower_{loop_, 1, 1};
  InboundId inbound_{0};
};

TEST_F(TcpReplicationTransportTest, TakesNobodyBeforeItsStartAndAfterItsEnd) {
  auto [early, early_socket] = Connection();
  leader_.Accept(early_socket);
  EXPECT_TRUE(IsClosed(early));
  leader_.Start(at_leader_.Sink());
  leader_.Shutdown();
  auto [late, late_socket] = Connection();
  leader_.Accept(late_socket);
  EXPECT_TRUE(IsClosed(late));
}

TEST_F(TcpReplicationTransportTest, TheOtherHearsOfAStreamThatAFollowerCloses) {
  Connect();
  follower_.Close({.stream = kStream});
  EXPECT_EQ(at_leader_.Await<InboundLost>().stream, inbound_);
  follower_.Shutdown();
  EXPECT_FALSE(at_follower_.Has<OutboundLost>());
}

TEST_F(TcpReplicationTransportTest, TheOtherHearsOfAStreamThatALeaderDrops) {
  Connect();
  leader_.Drop({.stream = inbound_, .reason = Error{ErrorCode::kRefused, "another cluster"}});
  EXPECT_EQ(at_follower_.Await<OutboundLost>().stream, kStream);
  leader_.Shutdown();
  EXPECT_FALSE(at_leader_.Has<InboundLost>());
}

TEST_F(TcpReplicationTransportTest, TheOtherHearsOfAnEndAndWhoEndsHearsNothing) {
  Connect();
  leader_.Shutdown();
  at_follower_.Await<OutboundLost>();
  EXPECT_FALSE(at_leader_.Has<InboundLost>());
}

TEST_F(TcpReplicationTransportTest, MayBeEndedByALoopThatHasBorrowedItsThread) {
  constexpr int kTries = 10'000;
  std::thread::id poster;
  std::thread::id ended_on;
  for (int tries = 0; ended_on == std::thread::id() || ended_on != poster; ++tries) {
    ASSERT_LT(tries, kTries);
    std::promise<void> ended;
    Loop agents("agents", Loop::Threads::kBorrowed);
    TcpReplicationTransport transport(agents, 1, 1);
    transport.Start([&](const AgentEvent&) {
      poster = std::this_thread::get_id();
      agents.Post([&] {
        ended_on = std::this_thread::get_id();
        transport.Shutdown();
        ended.set_value();
      });
    });
    auto [socket, accepted] = Connection();
    transport.Accept(accepted);
    socket.close();
    ended.get_future().wait();
  }
}

TEST_F(TcpReplicationTransportTest, AStreamToNobodyIsLost) {
  const Endpoint port = Port();
  acceptor_.close();
  follower_.Start(at_follower_.Sink());
  follower_.Open({.stream = kStream, .leader = BrokerId(0), .endpoint = port});
  EXPECT_EQ(at_follower_.Await<OutboundLost>().stream, kStream);
}

TEST_F(TcpReplicationTransportTest, RubbishIsALoss) {
  leader_.Start(at_leader_.Sink());
  auto [socket, accepted] = Connection();
  leader_.Accept(accepted);
  asio::write(socket, asio::buffer("\0\0\0\3\xff\xff\xff", 7));
  at_leader_.Await<InboundLost>();
  EXPECT_TRUE(IsClosed(socket));
}

}  // namespace
}  // namespace regent
