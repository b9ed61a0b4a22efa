#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "broker-agent/core/slice.h"
#include "broker-agent/kafka/api.h"
#include "broker-agent/kafka/error_code.h"
#include "broker-agent/kafka/field.h"
#include "common/model/ids.h"

namespace regent::kafka {

/// Appends records. With acks 0 there is no answer.
struct ProduceRequest {
  struct Partition {
    int32_t index = 0;
    std::optional<Slice> records;

    static constexpr auto kFields = std::tuple{
        Field("Index", &Partition::index),
        Field("Records", &Partition::records).NullableSince(0),
    };
    friend bool operator==(const Partition&, const Partition&) = default;
  };

  struct Topic {
    std::string name;
    std::vector<Partition> partitions;

    static constexpr auto kFields = std::tuple{
        Field("Name", &Topic::name),
        Field("PartitionData", &Topic::partitions),
    };
    friend bool operator==(const Topic&, const Topic&) = default;
  };

  std::optional<std::string> transactional_id;
  int16_t acks = 0;  ///< −1 for all.
  int32_t timeout_ms = 0;
  std::vector<Topic> topics;

  static constexpr ApiKey kApi = ApiKey::kProduce;
  static constexpr auto kFields = std::tuple{
      Field("TransactionalId", &ProduceRequest::transactional_id).Since(3).NullableSince(3),
      Field("Acks", &ProduceRequest::acks),
      Field("TimeoutMs", &ProduceRequest::timeout_ms),
      Field("TopicData", &ProduceRequest::topics),
  };
  friend bool operator==(const ProduceRequest&, const ProduceRequest&) = default;
};

struct ProduceResponse {
  /// A record of the batch that was found at fault.
  struct RecordError {
    int32_t batch_index = 0;
    std::optional<std::string> message;

    static constexpr auto kFields = std::tuple{
        Field("BatchIndex", &RecordError::batch_index).Since(8),
        Field("BatchIndexErrorMessage", &RecordError::message).Since(8).NullableSince(8),
    };
    friend bool operator==(const RecordError&, const RecordError&) = default;
  };

  struct Partition {
    int32_t index = 0;
    KafkaError error = KafkaError::kNone;
    Offset base_offset{0};
    int64_t log_append_time_ms = -1;  ///< −1: the producer's timestamps stand.
    Offset log_start_offset{-1};
    std::vector<RecordError> record_errors;
    std::optional<std::string> error_message;

    static constexpr auto kFields = std::tuple{
        Field("Index", &Partition::index),
        Field("ErrorCode", &Partition::error),
        Field("BaseOffset", &Partition::base_offset),
        Field("LogAppendTimeMs", &Partition::log_append_time_ms).Since(2),
        Field("LogStartOffset", &Partition::log_start_offset).Since(5),
        Field("RecordErrors", &Partition::record_errors).Since(8),
        Field("ErrorMessage", &Partition::error_message).Since(8).NullableSince(8),
    };
    friend bool operator==(const Partition&, const Partition&) = default;
  };

  struct Topic {
    std::string name;
    std::vector<Partition> partitions;

    static constexpr auto kFields = std::tuple{
        Field("Name", &Topic::name),
        Field("PartitionResponses", &Topic::partitions),
    };
    friend bool operator==(const Topic&, const Topic&) = default;
  };

  std::vector<Topic> topics;
  int32_t throttle_time_ms = 0;

  static constexpr ApiKey kApi = ApiKey::kProduce;
  static constexpr auto kFields = std::tuple{
      Field("Responses", &ProduceResponse::topics),
      Field("ThrottleTimeMs", &ProduceResponse::throttle_time_ms).Since(1),
  };
  friend bool operator==(const ProduceResponse&, const ProduceResponse&) = default;
};

}  // namespace regent::kafka
