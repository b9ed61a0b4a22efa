#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "common/model/ids.h"

namespace regent {

/// Where a server can be reached.
struct Endpoint {
  std::string host;
  int32_t port = 0;  ///< 1–65535; 0 means "not known".

  bool known() const { return port != 0; }
  std::string ToText() const {
    const bool v6 = host.find(':') != std::string::npos;
    return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
  }
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Endpoint& e) {
    return out << e.ToText();
  }
};

/// The listener that our own processes speak to each other on: gRPC, and a broker's replication.
inline constexpr const char* kRegentListener = "REGENT";
/// The listener for Kafka clients.
inline constexpr const char* kClientListener = "PLAINTEXT";
/// The feature that names the versions of our RPCs (architecture §7).
inline constexpr const char* kRpcFeature = "regent.rpc";
inline constexpr int kRpcVersionMin = 1;
inline constexpr int kRpcVersionMax = 1;

struct Listener {
  std::string name;
  Endpoint endpoint;
  std::string security_protocol = "PLAINTEXT";

  friend bool operator==(const Listener&, const Listener&) = default;
};

struct VersionRange {
  int min = 0;
  int max = 0;
  friend bool operator==(const VersionRange&, const VersionRange&) = default;
};

/// The content of /brokers/ids/<id>.
struct BrokerRegistration {
  BrokerId id = kNoBroker;
  std::vector<Listener> listeners;
  std::optional<std::string> rack;
  std::map<std::string, VersionRange> features;
  LifeId life;               ///< Zero for a broker that is not ours.
  std::string boot_id;       ///< Of the machine's boot (R11); empty if not known.
  bool clean_stop = false;   ///< The last life on its data directory ended in good order.
  bool suspect = false;      ///< Replicas may have lost their tails when this life began (R11).
  int64_t timestamp_ms = 0;  ///< Wall clock of the registration, for people.

  /// Returns the endpoint of the listener `name`; not known() if there is none.
  Endpoint EndpointOf(const std::string& name) const {
    for (const Listener& listener : listeners) {
      if (listener.name == name) {
        return listener.endpoint;
      }
    }
    return {};
  }
  friend bool operator==(const BrokerRegistration&, const BrokerRegistration&) = default;
};

/// The content of /controller.
struct ControllerRegistration {
  BrokerId id = kNoBroker;
  LifeId life;        ///< Zero for a controller that is not ours.
  Endpoint endpoint;  ///< gRPC; not known for a controller that is not ours.
  int64_t timestamp_ms = 0;

  friend bool operator==(const ControllerRegistration&, const ControllerRegistration&) = default;
};

}  // namespace regent
