#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "tests/unit/broker-agent-core/test_broker.h"

namespace regent::testing {

/// Brokers 0, 1, … joined by replication streams. Messages of a stream arrive in order, one after
/// the other, in an order that is always the same; those of a direction can be held. The test is
/// the controller.
class TestNetwork {
 public:
  explicit TestNetwork(int brokers, AgentOptions options = {});
  /// Takes brokers that hold logs already.
  explicit TestNetwork(std::vector<std::unique_ptr<TestBroker>> brokers);

  TestBroker& operator[](int32_t id) { return *brokers_.at(BrokerId(id)); }

  /// Delivers until nothing moves any more, but for what is held.
  void Run();
  /// Lets time pass for everybody, delivering whenever something is due.
  void Advance(Duration by);
  /// Keeps the stream messages from one broker to another back, or lets them go.
  void Hold(int32_t from, int32_t to) { held_.insert({BrokerId(from), BrokerId(to)}); }
  void Release(int32_t from, int32_t to) { held_.erase({BrokerId(from), BrokerId(to)}); }
  /// Breaks every stream between two brokers, both ends told.
  void Break(int32_t a, int32_t b);
  /// Ends a broker's process; its streams break.
  void Kill(int32_t id);
  /// Answers every AlterPartition that waits with "done", as the controller that agrees.
  void AgreeToIsrs();

 private:
  struct Message {
    BrokerId from;
    BrokerId to;
    AgentEvent event;
  };
  struct Stream {
    BrokerId follower;
    OutboundId outbound{0};
    BrokerId leader;
    InboundId inbound{0};
    std::deque<Message> to_leader;
    std::deque<Message> to_follower;
  };

  void Collect();
  bool DeliverOne();
  Stream* Find(BrokerId follower, OutboundId outbound);
  Stream* Find(BrokerId leader, InboundId inbound);

  std::map<BrokerId, std::unique_ptr<TestBroker>> brokers_;
  std::vector<Stream> streams_;
  std::set<std::pair<BrokerId, BrokerId>> held_;
  uint64_t next_inbound_ = 0;
};

}  // namespace regent::testing
