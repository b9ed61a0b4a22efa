#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "broker-agent/kafka/api.h"
#include "broker-agent/kafka/error_code.h"
#include "broker-agent/kafka/field.h"

namespace regent::kafka {

enum class ConfigResource : int8_t { kTopic = 2, kBroker = 4, kBrokerLogger = 8 };

/// Where a value comes from, the nearest first.
enum class ConfigSource : int8_t {
  kUnknown = -1,
  kTopic = 1,
  kDynamicBroker = 2,
  kDynamicDefaultBroker = 3,
  kStaticBroker = 4,
  kDefault = 5,
};

enum class ConfigType : int8_t {
  kUnknown = 0,
  kBoolean = 1,
  kString = 2,
  kInt = 3,
  kShort = 4,
  kLong = 5,
  kDouble = 6,
  kList = 7,
  kClass = 8,
  kPassword = 9,
};

enum class ConfigOperation : int8_t { kSet = 0, kDelete = 1, kAppend = 2, kSubtract = 3 };

struct DescribeConfigsRequest {
  struct Resource {
    ConfigResource type = ConfigResource::kTopic;
    std::string name;
    std::optional<std::vector<std::string>> keys;  ///< Null: all.

    static constexpr auto kFields = std::tuple{
        Field("ResourceType", &Resource::type),
        Field("ResourceName", &Resource::name),
        Field("ConfigurationKeys", &Resource::keys).NullableSince(0),
    };
    friend bool operator==(const Resource&, const Resource&) = default;
  };

  std::vector<Resource> resources;
  bool include_synonyms = false;
  bool include_documentation = false;

  static constexpr ApiKey kApi = ApiKey::kDescribeConfigs;
  static constexpr auto kFields = std::tuple{
      Field("Resources", &DescribeConfigsRequest::resources),
      Field("IncludeSynonyms", &DescribeConfigsRequest::include_synonyms).Since(1),
      Field("IncludeDocumentation", &DescribeConfigsRequest::include_documentation).Since(3),
  };
  friend bool operator==(const DescribeConfigsRequest&, const DescribeConfigsRequest&) = default;
};

struct DescribeConfigsResponse {
  /// What would hold if the value were not set.
  struct Synonym {
    std::string name;
    std::optional<std::string> value;
    ConfigSource source = ConfigSource::kUnknown;

    static constexpr auto kFields = std::tuple{
        Field("Name", &Synonym::name),
        Field("Value", &Synonym::value).NullableSince(0),
        Field("Source", &Synonym::source),
    };
    friend bool operator==(const Synonym&, const Synonym&) = default;
  };

  struct Config {
    std::string name;
    std::optional<std::string> value;
    bool read_only = false;
    bool is_default = false;
    ConfigSource source = ConfigSource::kUnknown;
    bool is_sensitive = false;
    std::vector<Synonym> synonyms;
    ConfigType type = ConfigType::kUnknown;
    std::optional<std::string> documentation;

    static constexpr auto kFields = std::tuple{
        Field("Name", &Config::name),
        Field("Value", &Config::value).NullableSince(0),
        Field("ReadOnly", &Config::read_only),
        Field("IsDefault", &Config::is_default).Until(0),
        Field("ConfigSource", &Config::source).Since(1),
        Field("IsSensitive", &Config::is_sensitive),
        Field("Synonyms", &Config::synonyms).Since(1),
        Field("ConfigType", &Config::type).Since(3),
        Field("Documentation", &Config::documentation).Since(3).NullableSince(0),
    };
    friend bool operator==(const Config&, const Config&) = default;
  };

  struct Resource {
    KafkaError error = KafkaError::kNone;
    std::optional<std::string> error_message;
    ConfigResource type = ConfigResource::kTopic;
    std::string name;
    std::vector<Config> configs;

    static constexpr auto kFields = std::tuple{
        Field("ErrorCode", &Resource::error),
        Field("ErrorMessage", &Resource::error_message).NullableSince(0),
        Field("ResourceType", &Resource::type),
        Field("ResourceName", &Resource::name),
        Field("Configs", &Resource::configs),
    };
    friend bool operator==(const Resource&, const Resource&) = default;
  };

  int32_t throttle_time_ms = 0;
  std::vector<Resource> resources;

  static constexpr ApiKey kApi = ApiKey::kDescribeConfigs;
  static constexpr auto kFields = std::tuple{
      Field("ThrottleTimeMs", &DescribeConfigsResponse::throttle_time_ms),
      Field("Results", &DescribeConfigsResponse::resources),
  };
  friend bool operator==(const DescribeConfigsResponse&, const DescribeConfigsResponse&) = default;
};

/// Replaces all of a resource's configs.
struct AlterConfigsRequest {
  struct Config {
    std::string name;
    std::optional<std::string> value;

    static constexpr auto kFields = std::tuple{
        Field("Name", &Config::name),
        Field("Value", &Config::value).NullableSince(0),
    };
    friend bool operator==(const Config&, const Config&) = default;
  };

  struct Resource {
    ConfigResource type = ConfigResource::kTopic;
    std::string name;
    std::vector<Config> configs;

    static constexpr auto kFields = std::tuple{
        Field("ResourceType", &Resource::type),
        Field("ResourceName", &Resource::name),
        Field("Configs", &Resource::configs),
    };
    friend bool operator==(const Resource&, const Resource&) = default;
  };

  std::vector<Resource> resources;
  bool validate_only = false;

  static constexpr ApiKey kApi = ApiKey::kAlterConfigs;
  static constexpr auto kFields = std::tuple{
      Field("Resources", &AlterConfigsRequest::resources),
      Field("ValidateOnly", &AlterConfigsRequest::validate_only),
  };
  friend bool operator==(const AlterConfigsRequest&, const AlterConfigsRequest&) = default;
};

struct AlterConfigsResponse {
  struct Resource {
    KafkaError error = KafkaError::kNone;
    std::optional<std::string> error_message;
    ConfigResource type = ConfigResource::kTopic;
    std::string name;

    static constexpr auto kFields = std::tuple{
        Field("ErrorCode", &Resource::error),
        Field("ErrorMessage", &Resource::error_message).NullableSince(0),
        Field("ResourceType", &Resource::type),
        Field("ResourceName", &Resource::name),
    };
    friend bool operator==(const Resource&, const Resource&) = default;
  };

  int32_t throttle_time_ms = 0;
  std::vector<Resource> resources;

  static constexpr ApiKey kApi = ApiKey::kAlterConfigs;
  static constexpr auto kFields = std::tuple{
      Field("ThrottleTimeMs", &AlterConfigsResponse::throttle_time_ms),
      Field("Responses", &AlterConfigsResponse::resources),
  };
  friend bool operator==(const AlterConfigsResponse&, const AlterConfigsResponse&) = default;
};

/// Changes those configs of a resource that it names.
struct IncrementalAlterConfigsRequest {
  struct Config {
    std::string name;
    ConfigOperation operation = ConfigOperation::kSet;
    std::optional<std::string> value;

    static constexpr auto kFields = std::tuple{
        Field("Name", &Config::name),
        Field("ConfigOperation", &Config::operation),
        Field("Value", &Config::value).NullableSince(0),
    };
    friend bool operator==(const Config&, const Config&) = default;
  };

  struct Resource {
    ConfigResource type = ConfigResource::kTopic;
    std::string name;
    std::vector<Config> configs;

    static constexpr auto kFields = std::tuple{
        Field("ResourceType", &Resource::type),
        Field("ResourceName", &Resource::name),
        Field("Configs", &Resource::configs),
    };
    friend bool operator==(const Resource&, const Resource&) = default;
  };

  std::vector<Resource> resources;
  bool validate_only = false;

  static constexpr ApiKey kApi = ApiKey::kIncrementalAlterConfigs;
  static constexpr auto kFields = std::tuple{
      Field("Resources", &IncrementalAlterConfigsRequest::resources),
      Field("ValidateOnly", &IncrementalAlterConfigsRequest::validate_only),
  };
  friend bool operator==(const IncrementalAlterConfigsRequest&,
                         const IncrementalAlterConfigsRequest&) = default;
};

struct IncrementalAlterConfigsResponse {
  struct Resource {
    KafkaError error = KafkaError::kNone;
    std::optional<std::string> error_message;
    ConfigResource type = ConfigResource::kTopic;
    std::string name;

    static constexpr auto kFields = std::tuple{
        Field("ErrorCode", &Resource::error),
        Field("ErrorMessage", &Resource::error_message).NullableSince(0),
        Field("ResourceType", &Resource::type),
        Field("ResourceName", &Resource::name),
    };
    friend bool operator==(const Resource&, const Resource&) = default;
  };

  int32_t throttle_time_ms = 0;
  std::vector<Resource> resources;

  static constexpr ApiKey kApi = ApiKey::kIncrementalAlterConfigs;
  static constexpr auto kFields = std::tuple{
      Field("ThrottleTimeMs", &IncrementalAlterConfigsResponse::throttle_time_ms),
      Field("Responses", &IncrementalAlterConfigsResponse::resources),
  };
  friend bool operator==(const IncrementalAlterConfigsResponse&,
                         const IncrementalAlterConfigsResponse&) = default;
};

}  // namespace regent::kafka
