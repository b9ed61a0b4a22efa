#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker-agent/core/partition_key.h"
#include "tests/simulation/agreement.h"
#include "tests/simulation/chaos.h"
#include "tests/simulation/process.h"

namespace regent::simulation {

/// A client of the cluster; it lives as long as the history.
class ClientProcess : public Process {
 public:
  /// `cast` outlives it.
  ClientProcess(Cast& cast, const std::string& kind, int32_t number);
  ~ClientProcess() override { const auto executor = EndLife(); }

 protected:
  /// Any partition that there is, or nothing.
  std::optional<TopicPartition> PickPartition();
  /// Whether its topic has been deleted.
  bool IsGone(const PartitionKey& partition) const;
  /// Somebody who believes to lead it, rightly or not; null: nobody does.
  BrokerProcess* PickLeader(const PartitionKey& partition);

  Cast& cast_;
};

/// Sends batches with acks=1 or acks=all, each once.
class PlainProducer final : public ClientProcess {
 public:
  PlainProducer(Cast& cast, int32_t number) : ClientProcess(cast, "producer", number) {}

  void Produce();

 private:
  uint64_t batches_ = 0;
};

/// An idempotent producer with acks=all (KIP-98): it numbers its batches and sends each again until
/// it knows that it is there. It begins anew, with a higher epoch, now and then.
class IdempotentProducer final : public ClientProcess {
 public:
  IdempotentProducer(Cast& cast, int32_t number) : ClientProcess(cast, "producer", number) {}

  void Produce();
  /// Why it is not done; empty: everything that it has sent is acknowledged.
  std::string Unfinished() const;

 private:
  /// In order; as many as a client may have in flight.
  static constexpr size_t kInFlightMax = 3;

  struct Batch {
    int32_t first = 0;  ///< Sequence number.
    std::string payload;
    uint64_t tries = 0;
    bool acknowledged = false;
    std::string last_error = {};
  };
  /// What it has to do with one partition.
  struct Lane {
    TopicPartition partition;
    int32_t next = 0;  ///< Sequence number.
    /// Nobody may begin in the middle: until the first batch is there, it is alone.
    bool established = false;
    std::deque<Batch> waiting = {};  ///< From the oldest on that is not acknowledged.
  };

  void DrawId();
  void BeginAnew();
  void Send(Lane& lane, int32_t first);
  void OnAnswer(const PartitionKey& key, int16_t epoch, int32_t first, const Result<Offset>& base);

  std::optional<int64_t> id_;
  int16_t epoch_ = 0;
  bool drawing_ = false;
  uint64_t batches_ = 0;
  std::map<PartitionKey, Lane> lanes_;
};

/// Reads every partition from its beginning on.
class Consumer final : public ClientProcess {
 public:
  Consumer(Cast& cast, int32_t number) : ClientProcess(cast, "consumer", number) {}

  void Consume();

 private:
  std::map<PartitionKey, Offset> positions_;
};

/// The clients of a history.
class Clients {
 public:
  /// `cast` outlives it.
  Clients(Cast& cast, const WorkloadOptions& options);

  void Begin();
  /// Nobody begins anything from now on; what is unfinished is finished.
  void Stop() { recurrence_.Stop(); }
  /// Who is not done.
  Disagreement FindUnfinished() const;

 private:
  WorkloadOptions options_;
  PlainProducer plain_;
  IdempotentProducer first_;
  IdempotentProducer second_;
  Consumer consumer_;
  Recurrence recurrence_;
};

}  // namespace regent::simulation
