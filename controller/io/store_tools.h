#pragma once

#include "common/base/rng.h"
#include "common/runtime/loop.h"
#include "common/zk/client.h"
#include "controller/io/patient_reader.h"

namespace regent::controller {

/// What every part of the store works with. It outlives them.
struct StoreTools {
  zk::Client& client;
  Executor& executor;
  Rng& rng;
  ReadBackoff backoff;
  SlowestRequest& slowest;
};

}  // namespace regent::controller
