#pragma once

#include <string_view>

#include "common/base/result.h"
#include "common/model/broker.h"

namespace regent::controller {

/// Reads "host:port"; an IPv6 address stands in brackets. `flag` names the flag in errors.
Result<Endpoint> ParseEndpoint(std::string_view flag, std::string_view text);
/// Reads "REGENT://host:port", the one listener that a controller has.
Result<Endpoint> ParseRegentListener(std::string_view flag, std::string_view text);

}  // namespace regent::controller
