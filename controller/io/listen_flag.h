#pragma once

#include <string_view>

#include "common/base/result.h"
#include "common/model/broker.h"

namespace regent::controller {

/// Reads "REGENT://host:port", the one listener that a controller has.
Result<Endpoint> ParseRegentListener(std::string_view flag, std::string_view text);

}  // namespace regent::controller
