#pragma once

#include <cstdint>
#include <ostream>
#include <span>

#include "broker-agent/kafka/encoding.h"
#include "broker-agent/kafka/field.h"

namespace regent::kafka {

/// The requests that a client may send. Numbers and names are Kafka's.
enum class ApiKey : int16_t {
  kProduce = 0,
  kFetch = 1,
  kListOffsets = 2,
  kMetadata = 3,
  kFindCoordinator = 10,
  kApiVersions = 18,
  kCreateTopics = 19,
  kDeleteTopics = 20,
  kInitProducerId = 22,
  kOffsetForLeaderEpoch = 23,
  kDescribeConfigs = 32,
  kAlterConfigs = 33,
  kCreatePartitions = 37,
  kElectLeaders = 43,
  kIncrementalAlterConfigs = 44,
  kDescribeCluster = 60,
};

struct ApiSpec {
  ApiKey key;
  const char* name;
  Versions versions;       ///< That this codec reads and writes.
  int16_t flexible_since;  ///< First version in the flexible encoding.
};

/// Returns every API of this codec, by key.
std::span<const ApiSpec> Apis();
/// Returns the API with that key; null if this codec does not have it.
const ApiSpec* FindApi(int16_t key);
/// Returns the API of a key that is known to be one.
const ApiSpec& SpecOf(ApiKey key);

/// How a message of one version is laid out.
struct Layout {
  int16_t version = 0;
  Encoding encoding = Encoding::kPlain;
};
Layout LayoutOf(ApiKey key, int16_t version);

std::ostream& operator<<(std::ostream& out, ApiKey key);

}  // namespace regent::kafka
