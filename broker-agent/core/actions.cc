#include "broker-agent/core/actions.h"

namespace regent {

template class OutOfLine<AgentActionTypes>;

}  // namespace regent
