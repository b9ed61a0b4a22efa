#include "controller/core/actions.h"

namespace regent {

template class OutOfLine<controller::ActionTypes>;

}  // namespace regent
