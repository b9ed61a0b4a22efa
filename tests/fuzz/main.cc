#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

#include <glog/logging.h>

#include "tests/fuzz/target.h"

// What libFuzzer calls.

/// Writes the seeds into the first directory that the command line names.
extern "C" int LLVMFuzzerInitialize(const int* argc, char*** argv) {
  FLAGS_minloglevel = google::GLOG_FATAL;
  for (int i = 1; i < *argc; ++i) {
    const std::filesystem::path directory = (*argv)[i];
    if (!std::filesystem::is_directory(directory)) {
      continue;
    }
    size_t number = 0;
    for (const std::string& seed : regent::fuzz::Seeds()) {
      std::ofstream file(directory / ("seed-" + std::to_string(number++)), std::ios::binary);
      file << seed;
    }
    break;
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  regent::fuzz::Try({reinterpret_cast<const char*>(bytes), size});
  return 0;
}
