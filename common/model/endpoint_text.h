#pragma once

#include <string_view>

#include "common/base/result.h"
#include "common/model/broker.h"

namespace regent {

/// Reads "host:port"; an IPv6 address stands in brackets, port 0 means any free one. `flag` names
/// in errors where the text comes from, e.g. "--listen".
Result<Endpoint> ParseEndpoint(std::string_view flag, std::string_view text);

}  // namespace regent
