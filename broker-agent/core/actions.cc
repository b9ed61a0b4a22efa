#include "broker-agent/core/actions.h"

#include <type_traits>

namespace regent {

static_assert(std::is_nothrow_move_constructible_v<AgentAction::variant> &&
              std::is_nothrow_move_assignable_v<AgentAction::variant>);

AgentAction::AgentAction(const AgentAction&) = default;
AgentAction::AgentAction(AgentAction&&) noexcept = default;
AgentAction& AgentAction::operator=(const AgentAction&) = default;
AgentAction& AgentAction::operator=(AgentAction&&) noexcept = default;
AgentAction::~AgentAction() = default;

}  // namespace regent
