#include "common/wire/field_check.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "common/model/broker_names.h"
#include "common/wire/limits.h"

namespace regent::wire {
namespace {

constexpr size_t kTopicBytesMax = 249;
constexpr int kPortMax = 65535;

/// A topic's name becomes a directory's: nothing that could lead out of the parent.
bool IsTopicName(std::string_view name) {
  return !name.empty() && name.size() <= kTopicBytesMax && name != "." && name != ".." &&
         std::ranges::all_of(name, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '_' || c == '-';
         });
}

std::string Quoted(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text.substr(0, kExcerptBytesMax)) {
    quoted += static_cast<uint8_t>(c) < 0x20 || static_cast<uint8_t>(c) >= 0x7f ? '?' : c;
  }
  return quoted + (text.size() > kExcerptBytesMax ? "…\"" : "\"");
}

}  // namespace

BrokerList FieldCheck::Brokers(const google::protobuf::RepeatedField<int32_t>& ids,
                               const char* field) {
  BrokerList brokers;
  brokers.reserve(static_cast<size_t>(ids.size()));
  for (const int32_t id : ids) {
    brokers.push_back(Broker(id, field));
  }
  BrokerList sorted = brokers;
  std::ranges::sort(sorted);
  const auto twice = std::ranges::adjacent_find(sorted);
  if (twice != sorted.end()) {
    Fault(field, "naming " + std::to_string(twice->value()), "must not name a broker twice");
  }
  return brokers;
}

Uuid FieldCheck::Id(const std::string& bytes, const char* field) {
  const auto id = Uuid::FromBytes(bytes);
  if (!id) {
    Fault(field, std::to_string(bytes.size()) + " bytes long", "must have 16 bytes");
    return {};
  }
  if (id->is_zero()) {
    Fault(field, "zero", "must name something");
  }
  return *id;
}

TopicRef FieldCheck::Intern(const std::string& name, TopicId id) {
  if (!IsTopicName(name)) {
    Fault("topic name", Quoted(name),
          "must have 1 to 249 of the characters a-z A-Z 0-9 . _ - and be neither . nor ..");
  }
  const auto found = topics_.find({name, id});
  if (found != topics_.end()) {
    return found->second;
  }
  auto topic = std::make_shared<const TopicIdentity>(TopicIdentity{.name = name, .id = id});
  topics_.emplace(std::pair(std::string_view(topic->name), id), topic);
  return topic;
}

TopicRef FieldCheck::Topic(const std::string& name, const std::string& id_bytes) {
  return Intern(name, Id(id_bytes, "topic_id"));
}

TopicRef FieldCheck::Topic(const std::string& name) {
  return Intern(name, {});
}

Endpoint FieldCheck::Endpoint(const v1::Endpoint& endpoint, const char* field) {
  if (endpoint.port() < 0 || endpoint.port() > kPortMax) {
    Fault(field, "at port " + std::to_string(endpoint.port()), "must have a port from 0 to 65535");
  }
  if (!endpoint.host().empty() && !IsHost(endpoint.host())) {
    Fault(field, "at host " + Quoted(endpoint.host()), kHostRule);
  }
  return {.host = endpoint.host(), .port = endpoint.port()};
}

BrokerEndpoint FieldCheck::BrokerEndpoint(const v1::BrokerEndpoint& broker) {
  regent::BrokerEndpoint result;
  result.id = Broker(broker.id(), "broker id");
  result.epoch = BrokerEpochFrom(-1, broker.epoch(), "epoch");
  result.listeners.reserve(static_cast<size_t>(broker.listeners_size()));
  for (const v1::Listener& listener : broker.listeners()) {
    if (listener.name().empty() || listener.name().size() > kNameBytesMax) {
      Fault("listener name", Quoted(listener.name()), "must have 1 to 255 bytes");
    }
    result.listeners.push_back({.name = listener.name(),
                                .endpoint = Endpoint(listener.endpoint(), "listener"),
                                .security_protocol = listener.security_protocol()});
  }
  if (broker.has_rack()) {
    if (!IsRack(broker.rack())) {
      Fault("rack", Quoted(broker.rack()), kRackRule);
    }
    result.rack = broker.rack();
  }
  return result;
}

ControlHeader FieldCheck::Header(const v1::ControlHeader& header) {
  if (header.cluster_id().empty() || header.cluster_id().size() > kNameBytesMax) {
    Fault("cluster_id", Quoted(header.cluster_id()), "must have 1 to 255 bytes");
  }
  return {.controller = Broker(header.controller_id(), "controller_id"),
          .controller_endpoint = Endpoint(header.controller_endpoint(), "controller_endpoint"),
          .controller_epoch =
              ControllerEpoch(AtLeast(0, header.controller_epoch(), "controller_epoch")),
          .broker = Broker(header.broker_id(), "broker_id"),
          .broker_epoch = BrokerEpochFrom(0, header.broker_epoch(), "broker_epoch"),
          .revision = Revision(header.revision()),
          .cluster_id = header.cluster_id()};
}

FullStatePart FieldCheck::Full(const v1::FullStatePart& full) {
  AtLeast(1, full.parts(), "parts");
  if (AtLeast(0, full.part(), "part") >= full.parts()) {
    Fault("part", std::to_string(full.part()), "must be below parts");
  }
  return {.number = full.number(),
          .part = full.part(),
          .parts = full.parts(),
          .incomplete = full.incomplete()};
}

TopicConfig FieldCheck::Config(const v1::TopicConfig& config) {
  TopicConfig result;
  result.version = ConfigVersion(AtLeast(int64_t{0}, config.version(), "config version"));
  result.overrides.insert(config.overrides().begin(), config.overrides().end());
  result.min_insync_replicas = AtLeast(1, config.min_insync_replicas(), "min_insync_replicas");
  return result;
}

void FieldCheck::Fault(const char* field, const std::string& value, const std::string& rule) {
  if (error_) {
    return;
  }
  std::string where;
  if (topic_ != nullptr) {
    where = " (topic " + Quoted(*topic_) +
            (index_ >= 0 ? ", partition " + std::to_string(index_) : std::string()) + ")";
  }
  error_ = Error{ErrorCode::kInvalidArgument,
                 std::string(message_) + ": " + field + " is " + value + ", " + rule + where};
}

}  // namespace regent::wire
