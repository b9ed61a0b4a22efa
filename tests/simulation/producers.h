#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>

#include "tests/simulation/client_process.h"

namespace regent::simulation {

/// Sends batches with acks=1 or acks=all, each once.
class PlainProducer final : public ClientProcess {
 public:
  PlainProducer(Cast& cast, OpenRequests& open, int32_t number)
      : ClientProcess(cast, open, "producer", number) {}

  void Produce();

 private:
  uint64_t batches_ = 0;
};

/// Sends batches with acks=0, each once: it hears nothing of them, and has one connection to each
/// broker, which keeps their order.
class UnansweredProducer final : public ClientProcess {
 public:
  UnansweredProducer(Cast& cast, OpenRequests& open, int32_t number)
      : ClientProcess(cast, open, "producer", number) {}

  void Produce();

 private:
  struct Connection {
    uint64_t number = 0;  ///< Of all connections of all producers.
    uint64_t life = 0;    ///< Of the broker.
    Instant arrival;      ///< Of what was sent last.
  };

  uint64_t batches_ = 0;
  std::map<BrokerId, Connection> connections_;
};

/// An idempotent producer with acks=all (KIP-98): it numbers its batches and sends each again until
/// it knows that it is there. It begins anew, with a higher epoch, now and then.
class IdempotentProducer final : public ClientProcess {
 public:
  IdempotentProducer(Cast& cast, OpenRequests& open, int32_t number)
      : ClientProcess(cast, open, "producer", number) {}

  void Produce();
  /// Why it is not done; empty: everything that it has sent is acknowledged.
  std::string Unfinished() const;
  /// From now on it notes an error that no sending again helps against, and what takes too long.
  void BeginToWatch() { watched_since_ = world_.now(); }
  /// What it has noted first; empty: nothing.
  const std::string& trouble() const { return trouble_; }

 private:
  /// In order; as many as a client may have in flight.
  static constexpr size_t kInFlightMax = 3;

  struct Batch {
    int32_t first = 0;  ///< Sequence number.
    std::string payload;
    uint64_t tries = 0;
    Instant since;  ///< When it was first sent.
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
  void Watch(const Lane& lane, const Batch& batch, const Result<Offset>& base);

  std::optional<int64_t> id_;
  int16_t epoch_ = 0;
  bool drawing_ = false;
  uint64_t batches_ = 0;
  std::map<PartitionKey, Lane> lanes_;
  std::optional<Instant> watched_since_;
  std::string trouble_;
};

}  // namespace regent::simulation
