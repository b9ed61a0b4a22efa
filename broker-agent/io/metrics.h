#pragma once

#include <functional>

#include "broker-agent/io/agent_host.h"
#include "broker-agent/io/client_server.h"
#include "common/base/instant.h"
#include "common/runtime/metrics.h"

namespace regent {

/// Shows a broker's figures to Prometheus under regent_broker_…. Both functions may be called from
/// any thread as long as the registry serves; `longest_wait` yields the longest wait of an event
/// since its last call.
void ShowMetrics(MetricsRegistry& registry,
                 const std::function<AgentMetrics()>& read,
                 std::function<Duration()> longest_wait);
/// The same for the client port.
void ShowMetrics(MetricsRegistry& registry, const std::function<ClientServerCounters()>& read);

}  // namespace regent
