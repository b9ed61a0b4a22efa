#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "broker-agent/kafka/api.h"
#include "broker-agent/kafka/error_code.h"
#include "broker-agent/kafka/field.h"

namespace regent::kafka {

/// A client asks it first, in a version that may be any: see UnsupportedVersion.
struct ApiVersionsRequest {
  std::string client_software_name;
  std::string client_software_version;

  static constexpr ApiKey kApi = ApiKey::kApiVersions;
  static constexpr auto kFields = std::tuple{
      Field("ClientSoftwareName", &ApiVersionsRequest::client_software_name).Since(3),
      Field("ClientSoftwareVersion", &ApiVersionsRequest::client_software_version).Since(3),
  };
  friend bool operator==(const ApiVersionsRequest&, const ApiVersionsRequest&) = default;
};

struct ApiVersionsResponse {
  struct Api {
    int16_t key = 0;
    int16_t min_version = 0;
    int16_t max_version = 0;

    static constexpr auto kFields = std::tuple{
        Field("ApiKey", &Api::key),
        Field("MinVersion", &Api::min_version),
        Field("MaxVersion", &Api::max_version),
    };
    friend bool operator==(const Api&, const Api&) = default;
  };

  struct SupportedFeature {
    std::string name;
    int16_t min_version = 0;
    int16_t max_version = 0;

    static constexpr auto kFields = std::tuple{
        Field("Name", &SupportedFeature::name),
        Field("MinVersion", &SupportedFeature::min_version),
        Field("MaxVersion", &SupportedFeature::max_version),
    };
    friend bool operator==(const SupportedFeature&, const SupportedFeature&) = default;
  };

  struct FinalizedFeature {
    std::string name;
    int16_t max_version_level = 0;
    int16_t min_version_level = 0;

    static constexpr auto kFields = std::tuple{
        Field("Name", &FinalizedFeature::name),
        Field("MaxVersionLevel", &FinalizedFeature::max_version_level),
        Field("MinVersionLevel", &FinalizedFeature::min_version_level),
    };
    friend bool operator==(const FinalizedFeature&, const FinalizedFeature&) = default;
  };

  KafkaError error = KafkaError::kNone;
  std::vector<Api> apis;  ///< Also those that this codec does not have, in another broker's.
  int32_t throttle_time_ms = 0;
  std::vector<SupportedFeature> supported_features;
  int64_t finalized_features_epoch = -1;
  std::vector<FinalizedFeature> finalized_features;
  bool zk_migration_ready = false;

  static constexpr ApiKey kApi = ApiKey::kApiVersions;
  static constexpr auto kFields = std::tuple{
      Field("ErrorCode", &ApiVersionsResponse::error),
      Field("ApiKeys", &ApiVersionsResponse::apis),
      Field("ThrottleTimeMs", &ApiVersionsResponse::throttle_time_ms).Since(1),
      Field("SupportedFeatures", &ApiVersionsResponse::supported_features).Since(3).Tagged(0),
      Field("FinalizedFeaturesEpoch", &ApiVersionsResponse::finalized_features_epoch)
          .Since(3)
          .Tagged(1),
      Field("FinalizedFeatures", &ApiVersionsResponse::finalized_features).Since(3).Tagged(2),
      Field("ZkMigrationReady", &ApiVersionsResponse::zk_migration_ready).Since(3).Tagged(3),
  };
  friend bool operator==(const ApiVersionsResponse&, const ApiVersionsResponse&) = default;
};

}  // namespace regent::kafka
