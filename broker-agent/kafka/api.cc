#include "broker-agent/kafka/api.h"

#include <algorithm>
#include <array>

#include <glog/logging.h>

namespace regent::kafka {
namespace {

// Produce is offered from 0 although 0 to 2 carry old record formats: librdkafka takes a broker
// without them for one that cannot compress.
constexpr std::array kApis{
    ApiSpec{ApiKey::kProduce, "Produce", {0, 9}, 9},
    ApiSpec{ApiKey::kFetch, "Fetch", {4, 13}, 12},
    ApiSpec{ApiKey::kListOffsets, "ListOffsets", {0, 7}, 6},
    ApiSpec{ApiKey::kMetadata, "Metadata", {0, 12}, 9},
    ApiSpec{ApiKey::kFindCoordinator, "FindCoordinator", {0, 4}, 3},
    ApiSpec{ApiKey::kApiVersions, "ApiVersions", {0, 3}, 3},
    ApiSpec{ApiKey::kCreateTopics, "CreateTopics", {0, 7}, 5},
    ApiSpec{ApiKey::kDeleteTopics, "DeleteTopics", {0, 6}, 4},
    ApiSpec{ApiKey::kInitProducerId, "InitProducerId", {0, 4}, 2},
    ApiSpec{ApiKey::kOffsetForLeaderEpoch, "OffsetForLeaderEpoch", {0, 4}, 4},
    ApiSpec{ApiKey::kDescribeConfigs, "DescribeConfigs", {0, 4}, 4},
    ApiSpec{ApiKey::kAlterConfigs, "AlterConfigs", {0, 2}, 2},
    ApiSpec{ApiKey::kCreatePartitions, "CreatePartitions", {0, 3}, 2},
    ApiSpec{ApiKey::kElectLeaders, "ElectLeaders", {0, 2}, 2},
    ApiSpec{ApiKey::kIncrementalAlterConfigs, "IncrementalAlterConfigs", {0, 1}, 1},
    ApiSpec{ApiKey::kDescribeCluster, "DescribeCluster", {0, 1}, 0},
};
static_assert(std::ranges::is_sorted(kApis, {}, &ApiSpec::key));

}  // namespace

std::span<const ApiSpec> Apis() {
  return kApis;
}

const ApiSpec* FindApi(int16_t key) {
  const auto* const found =
      std::ranges::lower_bound(kApis, static_cast<ApiKey>(key), {}, &ApiSpec::key);
  return found != kApis.end() && found->key == static_cast<ApiKey>(key) ? found : nullptr;
}

const ApiSpec& SpecOf(ApiKey key) {
  const ApiSpec* const api = FindApi(static_cast<int16_t>(key));
  CHECK(api != nullptr) << "no API has the key " << static_cast<int16_t>(key);
  return *api;
}

Layout LayoutOf(ApiKey key, int16_t version) {
  const ApiSpec& api = SpecOf(key);
  CHECK(api.versions.Contains(version)) << api.name << " has no version " << version;
  return {.version = version,
          .encoding = version >= api.flexible_since ? Encoding::kFlexible : Encoding::kPlain};
}

std::ostream& operator<<(std::ostream& out, ApiKey key) {
  if (const ApiSpec* const api = FindApi(static_cast<int16_t>(key)); api != nullptr) {
    return out << api->name;
  }
  return out << "API " << static_cast<int16_t>(key);
}

}  // namespace regent::kafka
