#include <iostream>
#include <string>
#include <vector>

#include "cli/regentctl.h"

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  return static_cast<int>(regent::cli::RunRegentctl(arguments, std::cout, std::cerr));
}
