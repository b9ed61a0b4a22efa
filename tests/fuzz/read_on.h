#pragma once

#include <glog/logging.h>

#include "broker-agent/log/partition_log.h"

namespace regent::fuzz {

/// Reads on until the end, or until a batch that the disk has spoilt.
inline void ReadOn(storage::PartitionLog& log) {
  Offset at = log.start();
  while (at < log.end()) {
    const auto read = log.Read({.from = at, .below = log.end(), .bytes_max = 1000});
    if (!read.ok()) {
      CHECK(!read.error().message.empty());
      return;
    }
    CHECK(!read->heads.empty());
    CHECK_GT(read->heads.back().next, at);
    at = read->heads.back().next;
  }
}

}  // namespace regent::fuzz
