#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "common/model/broker_names.h"
#include "common/wire/json_reader.h"
#include "common/wire/limits.h"
#include "common/wire/znode_json.h"

namespace regent::wire {
namespace {

constexpr size_t kEndpointBytesMax = 512;
constexpr int kControllerVersion = 2;
constexpr int kBrokerVersion = 5;
constexpr int kFeatureVersionMax = 32767;  // Kafka keeps it in a short

/// The wall clock is for people: one that cannot be read does no harm.
int64_t TimestampOf(JsonReader& reader) {
  const auto text = reader.OptionalText("timestamp", kNameBytesMax);
  int64_t milliseconds = 0;
  if (text) {
    std::from_chars(text->data(), text->data() + text->size(), milliseconds);
  }
  return milliseconds;
}

/// Reads "host:port" or "[v6]:port".
std::optional<Endpoint> ParseEndpoint(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    return std::nullopt;
  }
  std::string_view host = text.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  const std::string_view digits = text.substr(colon + 1);
  int32_t port = 0;
  const auto [end, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (!IsHost(host) || fault != std::errc() || end != digits.data() + digits.size() || port < 1 ||
      port > 65535) {
    return std::nullopt;
  }
  return Endpoint{.host = std::string(host), .port = port};
}

/// What must be said of an endpoint that breaks a rule.
std::string EndpointRule(const char* form) {
  return std::string("must be ") + form + " with a port from 1 to 65535; " + kHostRule;
}

/// Version 1 knew one listener.
void ReadOnlyListener(JsonReader& reader, BrokerRegistration& broker) {
  const std::string host = reader.Text("host", kHostBytesMax);
  if (!IsHost(host)) {
    reader.Fault("host", Json(host), kHostRule);
  }
  const int32_t port = reader.Int32("port", {.min = 1, .max = 65535});
  broker.listeners.push_back({.name = kClientListener, .endpoint = {.host = host, .port = port}});
}

void ReadListener(JsonReader& reader,
                  const Json& item,
                  const Json* protocols,
                  BrokerRegistration& broker) {
  const std::string text = item.is_string() ? item.get<std::string>() : std::string();
  const size_t separator = text.find("://");
  const auto endpoint = separator == std::string::npos || separator == 0
                            ? std::optional<Endpoint>()
                            : ParseEndpoint(std::string_view(text).substr(separator + 3));
  if (!endpoint || text.size() > kEndpointBytesMax) {
    return reader.Fault("an item of endpoints", item, EndpointRule("NAME://host:port"));
  }
  Listener listener{.name = text.substr(0, separator), .endpoint = *endpoint};
  if (std::ranges::find(broker.listeners, listener.name, &Listener::name) !=
      broker.listeners.end()) {
    return reader.Fault("an item of endpoints", item, "must not name a listener twice");
  }
  // Before version 4 a listener was named after its protocol.
  listener.security_protocol = listener.name;
  if (protocols != nullptr) {
    const auto found = protocols->find(listener.name);
    if (found == protocols->end() || !found->is_string() ||
        found->get_ref<const std::string&>().size() > kNameBytesMax) {
      return reader.Fault("listener_security_protocol_map", *protocols,
                          "must name a protocol for each listener of endpoints");
    }
    listener.security_protocol = found->get<std::string>();
  }
  broker.listeners.push_back(std::move(listener));
}

void ReadListeners(JsonReader& reader, BrokerRegistration& broker) {
  const Json* endpoints = reader.Array("endpoints");
  const Json* protocols = reader.Object("listener_security_protocol_map");
  if (endpoints == nullptr) {
    return reader.Fault("endpoints is missing");
  }
  for (const Json& item : *endpoints) {
    ReadListener(reader, item, protocols, broker);
  }
}

void ReadFeatures(JsonReader& reader, BrokerRegistration& broker) {
  const Json* features = reader.Object("features");
  if (features == nullptr) {
    return;
  }
  for (const auto& [name, range] : features->items()) {
    const auto version = [&range = range](const char* key) {
      const auto found = range.is_object() ? range.find(key) : range.end();
      const bool ok = found != range.end() && found->is_number_integer() &&
                      found->get<double>() >= 0 && found->get<double>() <= kFeatureVersionMax;
      return ok ? found->get<int>() : -1;
    };
    const VersionRange versions{.min = version("min_version"), .max = version("max_version")};
    if (versions.min < 0 || versions.max < versions.min) {
      return reader.Fault("an item of features", range,
                          "must have min_version and max_version, in this order, from 0 to 32767");
    }
    broker.features.emplace(name, versions);
  }
}

/// What clients from before `endpoints` are to use: host null and port −1 if there is nothing.
Endpoint OldClientsEndpoint(const BrokerRegistration& broker) {
  if (Endpoint named = broker.EndpointOf(kClientListener); named.known()) {
    return named;
  }
  for (const Listener& listener : broker.listeners) {
    if (listener.security_protocol == "PLAINTEXT" && listener.name != kRegentListener) {
      return listener.endpoint;
    }
  }
  return {};
}

}  // namespace

std::string EncodeControllerRegistration(const ControllerRegistration& registration) {
  OrderedJson json;
  json["version"] = kControllerVersion;
  json["brokerid"] = registration.id.value();
  json["timestamp"] = std::to_string(registration.timestamp_ms);
  json["kraftControllerEpoch"] = -1;
  if (!registration.life.is_zero()) {
    json["life"] = registration.life.ToText();
  }
  if (registration.endpoint.known()) {
    json["regent_endpoint"] = registration.endpoint.ToText();
  }
  return Dump(json);
}

Result<ControllerRegistration> DecodeControllerRegistration(std::string_view text) {
  JsonReader reader("controller registration", text);
  ControllerRegistration registration;
  registration.id = BrokerId(reader.Int32("brokerid", {}));
  registration.life = reader.OptionalUuid("life").value_or(LifeId());
  registration.timestamp_ms = TimestampOf(reader);
  if (const auto endpoint = reader.OptionalText("regent_endpoint", kEndpointBytesMax)) {
    const auto parsed = ParseEndpoint(*endpoint);
    if (!parsed) {
      reader.Fault("regent_endpoint", Json(*endpoint), EndpointRule("host:port"));
    }
    registration.endpoint = parsed.value_or(Endpoint());
  }
  if (!reader.ok()) {
    return reader.error();
  }
  return registration;
}

std::string EncodeControllerEpoch(ControllerEpoch epoch) {
  return std::to_string(epoch.value());
}

Result<ControllerEpoch> DecodeControllerEpoch(std::string_view text) {
  int32_t epoch = -1;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), epoch);
  if (fault != std::errc() || end != text.data() + text.size() || epoch < 0 ||
      epoch > kControllerEpochMax.value()) {
    return Error{ErrorCode::kCorrupt, "controller epoch: the text is " +
                                          Dump(Json(text.substr(0, 40))) +
                                          ", must be a decimal number from 0 to " +
                                          std::to_string(kControllerEpochMax.value())};
  }
  return ControllerEpoch(epoch);
}

std::string EncodeBrokerRegistration(const BrokerRegistration& registration) {
  OrderedJson json;
  json["features"] = OrderedJson::object();
  for (const auto& [name, range] : registration.features) {
    json["features"][name] = {{"min_version", range.min}, {"max_version", range.max}};
  }
  json["listener_security_protocol_map"] = OrderedJson::object();
  json["endpoints"] = OrderedJson::array();
  for (const Listener& listener : registration.listeners) {
    json["listener_security_protocol_map"][listener.name] = listener.security_protocol;
    json["endpoints"].push_back(listener.name + "://" + listener.endpoint.ToText());
  }
  if (registration.rack) {
    json["rack"] = *registration.rack;
  }
  json["jmx_port"] = -1;
  const Endpoint old_clients = OldClientsEndpoint(registration);
  json["port"] = old_clients.known() ? old_clients.port : -1;
  json["host"] = old_clients.known() ? OrderedJson(old_clients.host) : OrderedJson(nullptr);
  json["version"] = kBrokerVersion;
  json["timestamp"] = std::to_string(registration.timestamp_ms);
  if (!registration.life.is_zero()) {
    json["regent_life"] = registration.life.ToText();
  }
  if (!registration.boot_id.empty()) {
    json["regent_boot_id"] = registration.boot_id;
  }
  if (registration.clean_stop) {
    json["regent_clean_stop"] = true;
  }
  if (registration.suspect) {
    json["regent_suspect"] = true;
  }
  return Dump(json);
}

Result<BrokerRegistration> DecodeBrokerRegistration(BrokerId id, std::string_view text) {
  JsonReader reader("registration of broker " + std::to_string(id.value()), text);
  BrokerRegistration broker;
  broker.id = id;
  if (reader.Int32("version", {.min = 1}) == 1) {
    ReadOnlyListener(reader, broker);
  } else {
    ReadListeners(reader, broker);
  }
  ReadFeatures(reader, broker);
  broker.rack = reader.OptionalText("rack", kRackBytesMax);
  broker.life = reader.OptionalUuid("regent_life").value_or(LifeId());
  broker.boot_id = reader.OptionalText("regent_boot_id", kNameBytesMax).value_or("");
  broker.clean_stop = reader.Flag("regent_clean_stop");
  broker.suspect = reader.Flag("regent_suspect");
  broker.timestamp_ms = TimestampOf(reader);
  if (!reader.ok()) {
    return reader.error();
  }
  return broker;
}

}  // namespace regent::wire
