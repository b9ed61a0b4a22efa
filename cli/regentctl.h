#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "cli/exit_code.h"
#include "common/base/result.h"

namespace regent::cli {

/// Runs regentctl on `arguments` (without the program's name): parses, calls, prints.
ExitCode RunRegentctl(const std::vector<std::string>& arguments,
                      std::ostream& out,
                      std::ostream& err);

/// Whether `arguments` are a command; kInvalidArgument says why not. Does nothing else.
Status CheckArguments(const std::vector<std::string>& arguments);

}  // namespace regent::cli
