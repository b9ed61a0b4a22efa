#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/instant.h"
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

/// Topics by name; none: all of them.
using TopicNames = std::optional<std::vector<std::string>>;

/// A topic as clients see it.
struct TopicView {
  /// LeaderAndIsr has told of a later leader than may be named yet (R1).
  struct News {
    LeaderEpoch leader_epoch = kNoLeaderEpoch;
    Instant until;  ///< It is waited for.
  };
  TopicRef topic;
  TopicConfig config;
  int32_t partition_count = 0;  ///< With those that have no entry yet.
  /// By index. An entry with `unconfirmed` has leader −1: LEADER_NOT_AVAILABLE (R1).
  std::map<int32_t, MetadataPartition> partitions;
  std::map<int32_t, News> expected;  ///< By index, what is on its way.
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
  /// Until when other leaders of these topics are waited for, at the most; a time that has passed:
  /// they are not.
  Instant NewsExpectedUntil(const TopicNames& topics) const;

 private:
  friend class MetadataCache;

  bool whole_ = false;
  size_t expecting_ = 0;  ///< So many topics expect news,
  Instant news_until_;    ///< none of them for longer.
  KnownController controller_;
  std::shared_ptr<const std::map<BrokerId, BrokerEndpoint>> brokers_ =
      std::make_shared<const std::map<BrokerId, BrokerEndpoint>>();
  std::array<std::shared_ptr<const Bucket>, kBuckets> buckets_;  ///< Null: empty.
};

}  // namespace regent
