#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "broker-agent/core/partition_key.h"
#include "tests/simulation/chaos.h"
#include "tests/simulation/process.h"

namespace regent::simulation {

/// What brokers have been asked and have not answered yet.
class OpenRequests {
 public:
  /// `broker` outlives this, and has to answer by `deadline`.
  uint64_t Begin(const BrokerProcess& broker, Instant deadline);
  void End(uint64_t request) { open_.erase(request); }
  /// Who has not answered in time; null: everybody who lives has.
  const BrokerProcess* FindLate(Instant now) const;

 private:
  struct Open {
    const BrokerProcess* broker = nullptr;
    uint64_t life = 0;
    Instant deadline;
  };
  uint64_t last_ = 0;
  std::map<uint64_t, Open> open_;
};

/// A client of the cluster; it lives as long as the history.
class ClientProcess : public Process {
 public:
  /// `cast` and `open` outlive it.
  ClientProcess(Cast& cast, OpenRequests& open, const std::string& kind, int32_t number);
  ~ClientProcess() override { const auto executor = EndLife(); }

 protected:
  /// Any partition that there is, or nothing.
  std::optional<TopicPartition> PickPartition();
  /// Whether its topic has been deleted.
  bool IsGone(const PartitionKey& partition) const;
  /// Somebody who believes to lead it, rightly or not; null: nobody does.
  BrokerProcess* PickLeader(const PartitionKey& partition);

  Cast& cast_;
  OpenRequests& open_;
};

/// As the broker knows it; 0 if it has no such replica.
Offset HighWatermarkAt(const BrokerProcess& broker, const PartitionKey& partition);

}  // namespace regent::simulation
