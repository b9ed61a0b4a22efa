#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "cli/exit_code.h"

namespace regent::cli {

/// Runs regentctl on `arguments` (without the program's name): parses, calls, prints.
ExitCode RunRegentctl(const std::vector<std::string>& arguments,
                      std::ostream& out,
                      std::ostream& err);

}  // namespace regent::cli
