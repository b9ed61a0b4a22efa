#include "tests/unit/broker-agent-core/test_network.h"

#include <algorithm>

#include <glog/logging.h>

namespace regent::testing {

TestNetwork::TestNetwork(int brokers, AgentOptions options) {
  for (int32_t id = 0; id < brokers; ++id) {
    brokers_.emplace(BrokerId(id), std::make_unique<TestBroker>(id, AgentState{}, options));
    (*this)[id].Start(100 + id);
  }
}

TestNetwork::TestNetwork(std::vector<std::unique_ptr<TestBroker>> brokers) {
  for (std::unique_ptr<TestBroker>& broker : brokers) {
    broker->Start(100 + broker->id.value());
    brokers_.emplace(broker->id, std::move(broker));
  }
}

TestNetwork::Stream* TestNetwork::Find(BrokerId follower, OutboundId outbound) {
  const auto found = std::ranges::find_if(
      streams_, [&](const Stream& s) { return s.follower == follower && s.outbound == outbound; });
  return found == streams_.end() ? nullptr : &*found;
}

TestNetwork::Stream* TestNetwork::Find(BrokerId leader, InboundId inbound) {
  const auto found = std::ranges::find_if(
      streams_, [&](const Stream& s) { return s.leader == leader && s.inbound == inbound; });
  return found == streams_.end() ? nullptr : &*found;
}

void TestNetwork::Collect() {
  for (auto& [id, broker] : brokers_) {
    for (const OpenStream& open : broker->Take<OpenStream>()) {
      if (brokers_.contains(open.leader)) {
        streams_.push_back({.follower = id,
                            .outbound = open.stream,
                            .leader = open.leader,
                            .inbound = InboundId(++next_inbound_),
                            .to_leader = {},
                            .to_follower = {}});
      } else {
        broker->Do(OutboundLost{.stream = open.stream});
      }
    }
    for (SendToLeader& send : broker->Take<SendToLeader>()) {
      if (Stream* stream = Find(id, send.stream)) {
        stream->to_leader.push_back(
            {.from = id,
             .to = stream->leader,
             .event = FollowerMessageReceived{.stream = stream->inbound,
                                              .message = std::move(send.message)}});
      }
    }
    for (SendToFollower& send : broker->Take<SendToFollower>()) {
      if (Stream* stream = Find(id, send.stream)) {
        stream->to_follower.push_back(
            {.from = id,
             .to = stream->follower,
             .event = LeaderMessageReceived{.stream = stream->outbound,
                                            .message = std::move(send.message)}});
      }
    }
    for (const CloseStream& close : broker->Take<CloseStream>()) {
      if (Stream* stream = Find(id, close.stream)) {
        stream->to_follower.clear();
        stream->to_leader.push_back(
            {.from = id, .to = stream->leader, .event = InboundLost{.stream = stream->inbound}});
      }
    }
  }
}

bool TestNetwork::DeliverOne() {
  for (Stream& stream : streams_) {
    for (std::deque<Message>* direction : {&stream.to_leader, &stream.to_follower}) {
      if (direction->empty() || held_.contains({direction->front().from, direction->front().to})) {
        continue;
      }
      const Message message = std::move(direction->front());
      direction->pop_front();
      if (brokers_.contains(message.to)) {
        brokers_.at(message.to)->Do(message.event);
      }
      return true;
    }
  }
  return false;
}

void TestNetwork::Run() {
  for (int step = 0;; ++step) {
    CHECK_LT(step, 100'000) << "the brokers never come to rest";
    Collect();
    if (!DeliverOne()) {
      return;
    }
  }
}

void TestNetwork::Advance(Duration by) {
  const Instant end = brokers_.begin()->second->now + by;
  Run();
  for (;;) {
    Instant next = end;
    for (const auto& [id, broker] : brokers_) {
      next = std::min(next, broker->agent.NextDeadline());
    }
    for (auto& [id, broker] : brokers_) {
      const Instant at = std::max(broker->now, next);
      broker->now = at;
      if (broker->agent.NextDeadline() <= at) {
        broker->Do(TimePassed{});
      }
    }
    Run();
    if (next >= end) {
      return;
    }
  }
}

void TestNetwork::Break(int32_t a, int32_t b) {
  Collect();
  std::vector<Stream> broken;
  std::erase_if(streams_, [&](const Stream& stream) {
    const bool between = (stream.follower == BrokerId(a) && stream.leader == BrokerId(b)) ||
                         (stream.follower == BrokerId(b) && stream.leader == BrokerId(a));
    if (between) {
      broken.push_back(stream);
    }
    return between;
  });
  for (const Stream& stream : broken) {
    if (brokers_.contains(stream.follower)) {
      brokers_.at(stream.follower)->Do(OutboundLost{.stream = stream.outbound});
    }
    if (brokers_.contains(stream.leader)) {
      brokers_.at(stream.leader)->Do(InboundLost{.stream = stream.inbound});
    }
  }
}

void TestNetwork::Kill(int32_t id) {
  Collect();
  const std::unique_ptr<TestBroker> gone = std::move(brokers_.at(BrokerId(id)));
  brokers_.erase(BrokerId(id));
  for (const auto& [other, broker] : brokers_) {
    Break(id, other.value());
  }
}

void TestNetwork::AgreeToIsrs() {
  for (auto& [id, broker] : brokers_) {
    for (const SendAlterPartition& send : broker->Take<SendAlterPartition>()) {
      AlterPartitionResponse response;
      for (const AlterPartitionItem& item : send.request.items) {
        AlterPartitionResult result{.topic = item.topic,
                                    .index = item.index,
                                    .answer = AlterAnswer::kDone,
                                    .leader = id,
                                    .leader_epoch = item.leader_epoch,
                                    .partition_epoch = item.partition_epoch.Next(),
                                    .isr = {}};
        for (const IsrMember& member : item.isr) {
          result.isr.push_back(member.id);
        }
        response.results.push_back(std::move(result));
      }
      broker->Do(AlterPartitionAnswered{.number = send.request.number, .response = response});
    }
  }
  Run();
}

}  // namespace regent::testing
