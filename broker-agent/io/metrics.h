#pragma once

#include <functional>

#include "broker-agent/io/agent_host.h"
#include "broker-agent/io/client_server.h"
#include "common/base/instant.h"
#include "common/runtime/metrics.h"

namespace regent {

/// Shows a broker's figures to Prometheus under regent_broker_…. These functions may be called from
/// any thread as long as the registry serves; `longest_wait` yields the longest wait of an event
/// since its last call, `rested` how long streams have rested that had more for followers outside
/// the ISR, added up.
void ShowMetrics(MetricsRegistry& registry,
                 const std::function<AgentMetrics()>& read,
                 std::function<Duration()> longest_wait,
                 std::function<Duration()> rested);
/// The same for the client port.
void ShowMetrics(MetricsRegistry& registry, const std::function<ClientServerCounters()>& read);

}  // namespace regent
