#pragma once

#include <cstdint>
#include <map>
#include <set>

#include "broker-agent/core/agent_context.h"
#include "broker-agent/core/partition_key.h"
#include "broker-agent/core/stream.h"

namespace regent {

/// The stream of this broker to one leader broker.
///
///   idle ──partition added, address known──► open ──lost──► backing off ──time, new address──►
///   open
///     ▲                                       │ no partition left
///     └───────────────────────────────────────┘
struct Uplink {
  enum class State { kIdle, kOpen, kBackingOff };
  BrokerId leader = kNoBroker;
  State state = State::kIdle;
  OutboundId stream{0};  ///< While open.
  Endpoint endpoint;     ///< That the stream was opened to.
  BrokerEpoch epoch = kNoBrokerEpoch;
  int failures = 0;
  std::set<PartitionKey> partitions;  ///< Followed from that broker.
  FollowerMessage outbox;

  bool open() const { return state == State::kOpen; }
};

/// The streams to leaders: connecting, back-off, credit, and what waits to be sent in this step.
/// Which partitions subscribe, and when, is FollowerSide's.
class Uplinks {
 public:
  explicit Uplinks(AgentContext& context) : context_(context) {}

  Uplink& Of(BrokerId leader);
  /// Returns the uplink whose open stream this is, or null.
  Uplink* Find(OutboundId stream);
  /// Opens a stream if somebody needs it, the address is known and no back-off runs. Returns
  /// whether one was opened: then all of its partitions may subscribe.
  bool Connect(Uplink& link);
  /// The stream is gone: tries again after a while.
  void Lost(Uplink& link);
  /// The leader has said something: the next failure is the first again.
  void Heard(Uplink& link) { link.failures = 0; }
  /// Ends an open stream or a back-off without waiting.
  void Close(Uplink& link);
  /// The outbox of an open uplink, to add to.
  FollowerMessage& Outbox(Uplink& link);
  /// Gives back what a leader's batches used of the credit.
  void ReturnCredit(OutboundId stream, int64_t bytes);
  /// Hands what was collected to the actions, and closes the streams that nobody needs.
  void Flush();
  std::map<BrokerId, Uplink>& all() { return links_; }

 private:
  void Send(Uplink& link);

  AgentContext& context_;
  std::map<BrokerId, Uplink> links_;
  std::map<OutboundId, BrokerId> open_;
  std::set<BrokerId> touched_;
  uint64_t last_stream_ = 0;
};

}  // namespace regent
