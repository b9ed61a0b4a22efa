#include "controller/core/events.h"

namespace regent {

template class OutOfLine<controller::EventTypes>;

}  // namespace regent
