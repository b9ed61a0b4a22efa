#include "tests/unit/broker-agent-kafka/allocation_meter.h"

#include <cstdlib>
#include <new>

namespace {

size_t allocated_bytes = 0;

}  // namespace

void* operator new(size_t size) {
  allocated_bytes += size;
  void* const memory = std::malloc(size);
  if (memory == nullptr) {
    std::abort();
  }
  return memory;
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, size_t /*size*/) noexcept {
  std::free(memory);
}

namespace regent::kafka {

AllocationMeter::AllocationMeter() : before_(allocated_bytes) {}

size_t AllocationMeter::bytes() const {
  return allocated_bytes - before_;
}

}  // namespace regent::kafka
