#include "broker-agent/core/events.h"

namespace regent {

template class OutOfLine<AgentEventTypes>;

}  // namespace regent
