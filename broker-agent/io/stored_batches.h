#pragma once

#include <optional>
#include <vector>

#include "broker-agent/core/actions.h"
#include "broker-agent/core/log_view.h"
#include "broker-agent/core/slice.h"
#include "broker-agent/log/partition_log.h"
#include "broker-agent/log/record_batch_view.h"
#include "common/base/result.h"

namespace regent {

/// Makes the bytes of batches as a log keeps them: a producer's get what the leader decides.
/// Without `append_time` the producer's times stand. kInvalidArgument if the bytes are not the
/// batches that the core has decided about.
Result<std::vector<Slice>> StoredBytesOf(const AppendToLog& append,
                                         const std::optional<storage::Timestamp>& append_time);

/// Returns the batches of a read; all share its bytes.
std::vector<RecordBatch> BatchesOf(storage::ReadBatches read);

}  // namespace regent
