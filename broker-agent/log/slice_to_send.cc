#include "broker-agent/log/slice_to_send.h"

#include <utility>

#include "broker-agent/log/file_system.h"

namespace regent::storage {

std::optional<FileSlice> SliceToSend(PartitionLog& log, const ReadRequest& request) {
  if (request.bytes_max < kSliceToSendBytesMin) {
    return std::nullopt;
  }
  Result<FileSlice> slice = log.ReadSlice(request);
  if (!slice.ok() || slice->length < kSliceToSendBytesMin || slice->file->descriptor() < 0 ||
      !slice->file->InMemory(slice->position, slice->length)) {
    return std::nullopt;
  }
  slice->file->Prefetch(slice->position + slice->length, BytesToPrefetchBehind(slice->length));
  return std::move(slice).value();
}

}  // namespace regent::storage
