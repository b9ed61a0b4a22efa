#pragma once

#include <cstddef>

namespace regent::kafka {

/// Counts what this program allocates with `new` from its construction on. One thread.
class AllocationMeter {
 public:
  AllocationMeter();
  size_t bytes() const;

 private:
  size_t before_;
};

}  // namespace regent::kafka
