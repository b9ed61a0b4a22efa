#pragma once

#include <cstdint>
#include <memory>

namespace regent::storage {
class ReadFile;
}  // namespace regent::storage

namespace regent {

/// Whole batches where they lie in a segment's file. While the slice lives the file stays open and
/// its bytes stay there, whatever becomes of its name, unless a truncation takes them: then what is
/// read is short or other bytes. Below the high watermark only an unclean election does that, so
/// what consumers are given stays.
///
/// The core hands it on and never looks into it. Any thread may read it.
struct FileSlice {
  std::shared_ptr<const storage::ReadFile> file;  ///< Null: empty.
  uint64_t position = 0;
  uint64_t length = 0;

  friend bool operator==(const FileSlice&, const FileSlice&) = default;
};

}  // namespace regent
