#pragma once

#include <cstdint>
#include <optional>

#include "broker-agent/core/file_slice.h"
#include "broker-agent/log/partition_log.h"

namespace regent::storage {

/// Fewer bytes are read into memory: a copy of them costs no more than a slice, which also holds a
/// descriptor until it is sent.
inline constexpr uint64_t kSliceToSendBytesMin = uint64_t{256} << 10U;

/// Returns what PartitionLog::Read would, as a slice that may be sent from its file without waiting
/// for a disk; nothing: read it, as it is small, has no descriptor, is not in the page cache, or
/// cannot be found, which the reading will explain.
std::optional<FileSlice> SliceToSend(PartitionLog& log, const ReadRequest& request);

}  // namespace regent::storage
