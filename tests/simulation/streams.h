#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "broker-agent/io/replication_transport.h"
#include "tests/simulation/mutants.h"
#include "tests/simulation/network.h"
#include "tests/simulation/process.h"
#include "tests/simulation/subscription_checker.h"

namespace regent::simulation {

class SimStreams;

/// A process that replication streams can be opened to.
class StreamHost {
 public:
  virtual ~StreamHost() = default;
  /// The streams of the present life; null if there is none.
  virtual SimStreams* streams() = 0;
};

/// The replication streams of one life of a broker. A stream keeps the order of its messages and
/// delivers none after its loss; both ends hear of the loss, each when it does.
class SimStreams final : public ReplicationTransport {
 public:
  struct Options {
    Mutant mutant = Mutant::kNone;
    std::function<void(Checker checker, std::string subject, std::string text)> report;
    SubscriptionChecker& subscriptions;  ///< Outlives the streams.
  };
  /// `network` and `self` outlive it.
  SimStreams(Network& network, Process& self, Options options);
  ~SimStreams() override;
  SimStreams(const SimStreams&) = delete;
  SimStreams& operator=(const SimStreams&) = delete;

  void Start(AgentEventSink sink) override { sink_ = std::move(sink); }
  void Open(OpenStream open) override;
  void Send(SendToLeader send) override;
  void Close(CloseStream close) override;
  void Send(SendToFollower send) override;
  void Drop(DropFollower drop) override;
  void Shutdown() override;

 private:
  /// One stream, shared by its ends. An end is null once it has let go, or died.
  struct Stream {
    Process* follower = nullptr;
    Process* leader = nullptr;
    uint64_t leader_life = 0;  ///< 0: not accepted yet.
    SimStreams* follower_end = nullptr;
    SimStreams* leader_end = nullptr;
    OutboundId outbound{0};
    InboundId inbound{0};
    bool open = true;
    Instant to_leader;              ///< When the last message that way arrives.
    Instant to_follower;            ///< Likewise.
    Instant to_follower_unhurried;  ///< Likewise, of those that others may overtake.
    std::map<std::pair<PartitionKey, Attempt>, LeaderEpoch> asked;  ///< In which epoch.
  };
  using Link = std::shared_ptr<Stream>;

  static void Break(Network& network, const Link& link);
  static void DeliverToLeader(Network& network, const Link& link, const FollowerMessage& message);
  static void DeliverToFollower(Network& network, const Link& link, const LeaderMessage& message);
  void Forget(const Link& link);
  void Send(const Link& link, Instant& last, LeaderMessage message);
  /// S20, S25: whoever follows in another epoch is refused.
  void OfOneEpoch(const Stream& stream, const LeaderMessage& message) const;

  Network& network_;
  Process& self_;
  Options options_;
  AgentEventSink sink_;
  std::map<OutboundId, Link> outbound_;
  std::map<InboundId, Link> inbound_;
  InboundId next_inbound_{1};
  std::set<std::pair<PartitionKey, LeaderEpoch>> cut_;  ///< Logs of followers here, and when.
};

}  // namespace regent::simulation
