#include "controller/core/actions.h"

#include <type_traits>

namespace regent::controller {

static_assert(std::is_nothrow_move_constructible_v<Action::variant> &&
              std::is_nothrow_move_assignable_v<Action::variant>);

Action::Action(const Action&) = default;
Action::Action(Action&&) noexcept = default;
Action& Action::operator=(const Action&) = default;
Action& Action::operator=(Action&&) noexcept = default;
Action::~Action() = default;

}  // namespace regent::controller
