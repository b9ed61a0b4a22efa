#include "broker-agent/core/actions.h"

namespace regent {

AgentAction::AgentAction(const AgentAction&) = default;
AgentAction::AgentAction(AgentAction&&) noexcept = default;
AgentAction& AgentAction::operator=(const AgentAction&) = default;
AgentAction& AgentAction::operator=(AgentAction&&) noexcept = default;
AgentAction::~AgentAction() = default;

}  // namespace regent
