#pragma once

#include <sstream>
#include <string>

namespace regent::simulation {

/// Writes everything that it is given, one behind the other.
template <class... Parts>
std::string Text(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

}  // namespace regent::simulation
