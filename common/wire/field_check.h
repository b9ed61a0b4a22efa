#pragma once

// Only for the .cc files of this module.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

#include <google/protobuf/repeated_field.h>

#include "regent/v1/types.pb.h"

#include "common/base/result.h"
#include "common/model/broker.h"
#include "common/model/control.h"
#include "common/model/topic.h"

namespace regent::wire {

/// Checks the fields of one message. The first fault is kept and everything after it yields
/// defaults, so that a decoder reads straight down and asks once, at its end.
class FieldCheck {
 public:
  /// `message` opens each error, e.g. "LeaderAndIsrRequest".
  explicit FieldCheck(const char* message) : message_(message) {}

  /// What follows is about this topic, and about this partition of it (−1: none yet).
  void At(const std::string* topic, int32_t index = -1) {
    topic_ = topic;
    index_ = index;
  }

  /// Returns `value`, which must be at least `min`.
  template <class Int>
  Int AtLeast(Int min, Int value, const char* field) {
    if (value < min) {
      Fault(field, std::to_string(value), "must be at least " + std::to_string(min));
    }
    return value;
  }
  /// Returns `value`, which must be `min` to `max`.
  int32_t Between(int32_t min, int32_t max, int32_t value, const char* field) {
    if (value < min || value > max) {
      Fault(field, std::to_string(value),
            "must be " + std::to_string(min) + " to " + std::to_string(max));
      return min;
    }
    return value;
  }
  BrokerId Broker(int32_t id, const char* field) { return BrokerId(AtLeast(0, id, field)); }
  /// A broker or none.
  BrokerId Leader(int32_t id) { return BrokerId(AtLeast(-1, id, "leader")); }
  /// A czxid, or −1 where an epoch may be unknown.
  BrokerEpoch BrokerEpochFrom(int64_t min, int64_t epoch, const char* field) {
    return BrokerEpoch(AtLeast(min, epoch, field));
  }
  LeaderEpoch LeaderEpochFrom(int32_t min, int32_t epoch) {
    return LeaderEpoch(AtLeast(min, epoch, "leader_epoch"));
  }
  PartitionEpoch PartitionEpochFrom(int32_t min, int32_t epoch) {
    return PartitionEpoch(AtLeast(min, epoch, "partition_epoch"));
  }
  /// How many partitions a topic has: memory is set aside for them, so not anything.
  int32_t PartitionCount(int32_t count) {
    constexpr int32_t kMost = 1'000'000;
    return Between(0, kMost, count, "partition_count");
  }
  /// Broker ids, none twice.
  BrokerList Brokers(const google::protobuf::RepeatedField<int32_t>& ids, const char* field);
  /// 16 bytes, not all zero.
  Uuid Id(const std::string& bytes, const char* field);
  /// A topic that the message has named before is the same object.
  TopicRef Topic(const std::string& name, const std::string& id_bytes);
  /// The name of a topic without its id.
  TopicRef Topic(const std::string& name);

  regent::Endpoint Endpoint(const v1::Endpoint& endpoint, const char* field);
  regent::BrokerEndpoint BrokerEndpoint(const v1::BrokerEndpoint& broker);
  ControlHeader Header(const v1::ControlHeader& header);
  FullStatePart Full(const v1::FullStatePart& full);
  TopicConfig Config(const v1::TopicConfig& config);

  void Fault(const char* field, const std::string& value, const std::string& rule);
  bool ok() const { return !error_; }
  const Error& error() const { return *error_; }

 private:
  TopicRef Intern(const std::string& name, TopicId id);

  const char* message_;
  const std::string* topic_ = nullptr;
  int32_t index_ = -1;
  std::map<std::pair<std::string_view, TopicId>, TopicRef> topics_;  ///< Keys point into values.
  std::optional<Error> error_;
};

}  // namespace regent::wire
