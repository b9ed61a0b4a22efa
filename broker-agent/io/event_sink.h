#pragma once

#include <functional>

#include "broker-agent/core/events.h"

namespace regent {

/// Takes an event to the agent. May be called on any thread; the event is handled later, on the
/// agent's own. What is handed over after the agent has been closed is dropped.
using AgentEventSink = std::function<void(AgentEvent)>;

}  // namespace regent
