#include "broker-agent/core/events.h"

#include <type_traits>

namespace regent {

static_assert(std::is_nothrow_move_constructible_v<AgentEvent::variant> &&
              std::is_nothrow_move_assignable_v<AgentEvent::variant>);

AgentEvent::AgentEvent(const AgentEvent&) = default;
AgentEvent::AgentEvent(AgentEvent&&) noexcept = default;
AgentEvent& AgentEvent::operator=(const AgentEvent&) = default;
AgentEvent& AgentEvent::operator=(AgentEvent&&) noexcept = default;
AgentEvent::~AgentEvent() = default;

}  // namespace regent
