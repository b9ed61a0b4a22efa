#pragma once

#include <cstddef>
#include <variant>

#include "broker-agent/core/file_slice.h"
#include "broker-agent/core/slice.h"
#include "common/base/overloaded.h"

namespace regent::kafka {

/// A field of record batches, which are sent from where they lie. Read from a frame, they are a
/// Slice of it.
using Records = std::variant<Slice, FileSlice>;

inline size_t SizeOf(const Records& records) {
  return std::visit(Overloaded{
                        [](const Slice& slice) { return slice.size(); },
                        [](const FileSlice& slice) { return static_cast<size_t>(slice.length); },
                    },
                    records);
}

}  // namespace regent::kafka
