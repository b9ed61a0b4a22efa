#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/model/broker.h"
#include "common/model/control.h"
#include "common/model/ids.h"
#include "common/model/topic.h"

namespace regent {

/// Who holds the office, as far as this broker has heard.
struct KnownController {
  BrokerId id = kNoBroker;
  ControllerEpoch epoch{0};
  Endpoint endpoint;  ///< Of its REGENT listener; not known() before anybody told.

  friend bool operator==(const KnownController&, const KnownController&) = default;
};

/// A topic as clients see it.
struct TopicView {
  TopicRef topic;
  TopicConfig config;
  int32_t partition_count = 0;  ///< With those that have no entry yet.
  /// By index. An entry with `unconfirmed` has leader −1: LEADER_NOT_AVAILABLE (R1).
  std::map<int32_t, MetadataPartition> partitions;
};

/// What a broker tells clients about the cluster. Immutable, may be read on any thread; the next
/// one shares what did not change (copied per topic, never per cluster).
class MetadataView {
 public:
  static constexpr size_t kBuckets = 64;
  using Bucket = std::map<std::string, std::shared_ptr<const TopicView>, std::less<>>;

  /// Whether everything has been told once in this life of the broker: what is missing before may
  /// be there.
  bool whole() const { return whole_; }
  const KnownController& controller() const { return controller_; }
  const std::map<BrokerId, BrokerEndpoint>& brokers() const { return *brokers_; }
  /// Returns the topic of that name, or null.
  std::shared_ptr<const TopicView> Find(std::string_view name) const;
  /// Returns every topic, ordered by name.
  std::vector<std::shared_ptr<const TopicView>> Topics() const;
  size_t topic_count() const;

 private:
  friend class MetadataCache;

  bool whole_ = false;
  KnownController controller_;
  std::shared_ptr<const std::map<BrokerId, BrokerEndpoint>> brokers_ =
      std::make_shared<const std::map<BrokerId, BrokerEndpoint>>();
  std::array<std::shared_ptr<const Bucket>, kBuckets> buckets_;  ///< Null: empty.
};

}  // namespace regent
