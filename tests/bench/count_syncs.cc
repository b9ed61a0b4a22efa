#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <sys/mman.h>

// Preloaded into a process (LD_PRELOAD) it counts what the process has synced to disk, in the file
// that REGENT_SYNCS names: a number of eight bytes in the machine's order, which anybody may read.

namespace {

using Counter = std::atomic<uint64_t>;

Counter* Map() {
  const char* const path = std::getenv("REGENT_SYNCS");
  if (path == nullptr) {
    return nullptr;
  }
  const int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (file < 0 || ftruncate(file, sizeof(Counter)) != 0) {
    return nullptr;
  }
  void* const place = mmap(nullptr, sizeof(Counter), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  return place == MAP_FAILED ? nullptr : static_cast<Counter*>(place);
}

/// Counts, and calls the library's own function of that name.
template <class... Arguments>
int Counted(const char* name, Arguments... arguments) {
  static Counter* const counter = Map();
  if (counter != nullptr) {
    ++*counter;
  }
  using Function = int (*)(Arguments...);
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name))(arguments...);
}

}  // namespace

// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): the library's are not for us.
extern "C" {
int fsync(int file) {
  return Counted("fsync", file);
}
int fdatasync(int file) {
  return Counted("fdatasync", file);
}
int msync(void* place, size_t bytes, int flags) {
  return Counted("msync", place, bytes, flags);
}
}
// NOLINTEND(readability-inconsistent-declaration-parameter-name)
