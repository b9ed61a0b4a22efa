#include "broker-agent/core/events.h"

namespace regent {

AgentEvent::AgentEvent(const AgentEvent&) = default;
AgentEvent::AgentEvent(AgentEvent&&) noexcept = default;
AgentEvent& AgentEvent::operator=(const AgentEvent&) = default;
AgentEvent& AgentEvent::operator=(AgentEvent&&) noexcept = default;
AgentEvent::~AgentEvent() = default;

}  // namespace regent
