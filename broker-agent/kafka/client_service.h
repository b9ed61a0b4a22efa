#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "broker-agent/kafka/api.h"
#include "broker-agent/kafka/backend.h"
#include "broker-agent/kafka/call.h"
#include "broker-agent/kafka/error_code.h"
#include "broker-agent/kafka/request.h"
#include "common/model/ids.h"

namespace regent::kafka {

/// What a topic has whose maker does not say.
struct TopicDefaults {
  int32_t partitions = 1;          ///< num.partitions
  int32_t replication_factor = 1;  ///< default.replication.factor
};

struct ClientServiceOptions {
  TopicDefaults topic_defaults;
  /// Make a topic that a client asks the metadata of (auto.create.topics.enable).
  bool create_topics = false;
  /// Of a request other than Produce: what it takes in memory may be many times what it is on the
  /// wire.
  size_t small_request_bytes_max = size_t{2} << 20U;
  /// Largest batch that is taken (max.message.bytes): 1 MiB and the overhead of a batch.
  uint64_t batch_bytes_max = 1'048'588;
  /// What an answer to one fetch holds at the most, but for one larger batch.
  int64_t fetch_bytes_max = int64_t{16} << 20U;
  /// Clients may ask for longer waits.
  Duration wait_max = std::chrono::minutes(5);
};

/// Answers the requests of Kafka clients. It decides nothing about logs: it translates.
///
/// Thread-safe, without state of its own. The backend outlives it, and every call.
class ClientService {
 public:
  ClientService(Backend& backend, ClientServiceOptions options)
      : backend_(backend), options_(options) {}

  /// Takes a frame without its length.
  void Serve(const Slice& frame, const std::shared_ptr<Call>& call) const {
    Serve(frame, call, Patience::kAwaitsLeaders);
  }

  /// Whether a request, by its frame without the length, may be served before earlier ones of its
  /// connection have been answered. Only Produce may: whatever tells of something must not tell,
  /// when an earlier request has been waited for, what was true before.
  static bool ServedAtOnce(std::string_view frame);

  /// What is offered to clients: less than the codec knows.
  static std::span<const ApiSpec> Offered();

 private:
  using CallRef = std::shared_ptr<Call>;
  struct Producing;
  enum class Patience { kAwaitsLeaders, kHasWaited };

  void Serve(const Slice& frame, const CallRef& call, Patience patience) const;

  void Do(const RequestHeader& header, const ApiVersionsRequest& ask, const CallRef& call) const;
  void Do(const RequestHeader& header, const MetadataRequest& ask, const CallRef& call) const;
  void Do(const RequestHeader& header,
          const DescribeClusterRequest& ask,
          const CallRef& call) const;
  void Do(const RequestHeader& header, const ProduceRequest& ask, const CallRef& call) const;
  void Do(const RequestHeader& header, const FetchRequest& ask, const CallRef& call) const;
  void Do(const RequestHeader& header, const ListOffsetsRequest& ask, const CallRef& call) const;
  void Do(const RequestHeader& header,
          const OffsetForLeaderEpochRequest& ask,
          const CallRef& call) const;
  void Do(const RequestHeader& header, const InitProducerIdRequest& ask, const CallRef& call) const;
  void Do(const RequestHeader& header,
          const FindCoordinatorRequest& ask,
          const CallRef& call) const;

  void Do(const RequestHeader& header, const CreateTopicsRequest& ask, const CallRef& call) const;
  void Do(const RequestHeader& header, const DeleteTopicsRequest& ask, const CallRef& call) const;
  void Do(const RequestHeader& header,
          const CreatePartitionsRequest& ask,
          const CallRef& call) const;
  void Do(const RequestHeader& header, const ElectLeadersRequest& ask, const CallRef& call) const;
  void Do(const RequestHeader& header,
          const DescribeConfigsRequest& ask,
          const CallRef& call) const;
  void Do(const RequestHeader& header, const AlterConfigsRequest& ask, const CallRef& call) const;
  void Do(const RequestHeader& header,
          const IncrementalAlterConfigsRequest& ask,
          const CallRef& call) const;

  /// Asks for the topics that a metadata request names in vain, if it may.
  void CreateMissing(const MetadataRequest& ask, MetadataResponse& response) const;
  /// Appends one partition's batch, or says why not.
  void Append(const Producing& producing, size_t topic, size_t partition) const;

  Backend& backend_;
  const ClientServiceOptions options_;
};

/// A partition that a client has named, or what to tell it instead.
struct NamedPartition {
  KafkaError error = KafkaError::kNone;
  PartitionKey key;
  BrokerId leader = kNoBroker;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
};
/// `view` may be null.
NamedPartition FindPartition(const MetadataView* view, std::string_view topic, int32_t index);

/// Returns of which topics a request wants to know the leaders. Who names very many, or one by its
/// id alone, is taken to ask for all.
TopicNames TopicsAwaited(const RequestHeader& header, const MetadataRequest& ask);

/// Returns how a reader is told of a problem.
KafkaError ErrorOf(ReadProblem problem);

}  // namespace regent::kafka
