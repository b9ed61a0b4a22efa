#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "broker-agent/kafka/api.h"
#include "broker-agent/kafka/error_code.h"
#include "broker-agent/kafka/field.h"
#include "common/model/ids.h"

namespace regent::kafka {

enum class CoordinatorType : int8_t { kGroup = 0, kTransaction = 1 };

/// Asks for the id that an idempotent producer numbers its batches under.
struct InitProducerIdRequest {
  std::optional<std::string> transactional_id;
  int32_t transaction_timeout_ms = 0;
  int64_t producer_id = -1;
  int16_t producer_epoch = -1;

  static constexpr ApiKey kApi = ApiKey::kInitProducerId;
  static constexpr auto kFields = std::tuple{
      Field("TransactionalId", &InitProducerIdRequest::transactional_id).NullableSince(0),
      Field("TransactionTimeoutMs", &InitProducerIdRequest::transaction_timeout_ms),
      Field("ProducerId", &InitProducerIdRequest::producer_id).Since(3),
      Field("ProducerEpoch", &InitProducerIdRequest::producer_epoch).Since(3),
  };
  friend bool operator==(const InitProducerIdRequest&, const InitProducerIdRequest&) = default;
};

struct InitProducerIdResponse {
  int32_t throttle_time_ms = 0;
  KafkaError error = KafkaError::kNone;
  int64_t producer_id = -1;
  int16_t producer_epoch = 0;

  static constexpr ApiKey kApi = ApiKey::kInitProducerId;
  static constexpr auto kFields = std::tuple{
      Field("ThrottleTimeMs", &InitProducerIdResponse::throttle_time_ms),
      Field("ErrorCode", &InitProducerIdResponse::error),
      Field("ProducerId", &InitProducerIdResponse::producer_id),
      Field("ProducerEpoch", &InitProducerIdResponse::producer_epoch),
  };
  friend bool operator==(const InitProducerIdResponse&, const InitProducerIdResponse&) = default;
};

/// Up to version 3 about one key, from 4 on about several.
struct FindCoordinatorRequest {
  std::string key;
  CoordinatorType key_type = CoordinatorType::kGroup;
  std::vector<std::string> keys;

  static constexpr ApiKey kApi = ApiKey::kFindCoordinator;
  static constexpr auto kFields = std::tuple{
      Field("Key", &FindCoordinatorRequest::key).Until(3),
      Field("KeyType", &FindCoordinatorRequest::key_type).Since(1),
      Field("CoordinatorKeys", &FindCoordinatorRequest::keys).Since(4),
  };
  friend bool operator==(const FindCoordinatorRequest&, const FindCoordinatorRequest&) = default;
};

struct FindCoordinatorResponse {
  struct Coordinator {
    std::string key;
    BrokerId node_id = kNoBroker;
    std::string host;
    int32_t port = 0;
    KafkaError error = KafkaError::kNone;
    std::optional<std::string> error_message;

    static constexpr auto kFields = std::tuple{
        Field("Key", &Coordinator::key),
        Field("NodeId", &Coordinator::node_id),
        Field("Host", &Coordinator::host),
        Field("Port", &Coordinator::port),
        Field("ErrorCode", &Coordinator::error),
        Field("ErrorMessage", &Coordinator::error_message).NullableSince(4),
    };
    friend bool operator==(const Coordinator&, const Coordinator&) = default;
  };

  int32_t throttle_time_ms = 0;
  KafkaError error = KafkaError::kNone;
  std::optional<std::string> error_message;
  BrokerId node_id = kNoBroker;
  std::string host;
  int32_t port = 0;
  std::vector<Coordinator> coordinators;

  static constexpr ApiKey kApi = ApiKey::kFindCoordinator;
  static constexpr auto kFields = std::tuple{
      Field("ThrottleTimeMs", &FindCoordinatorResponse::throttle_time_ms).Since(1),
      Field("ErrorCode", &FindCoordinatorResponse::error).Until(3),
      Field("ErrorMessage", &FindCoordinatorResponse::error_message)
          .Since(1)
          .Until(3)
          .NullableSince(1),
      Field("NodeId", &FindCoordinatorResponse::node_id).Until(3),
      Field("Host", &FindCoordinatorResponse::host).Until(3),
      Field("Port", &FindCoordinatorResponse::port).Until(3),
      Field("Coordinators", &FindCoordinatorResponse::coordinators).Since(4),
  };
  friend bool operator==(const FindCoordinatorResponse&, const FindCoordinatorResponse&) = default;
};

}  // namespace regent::kafka
