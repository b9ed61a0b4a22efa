#pragma once

#include "tests/unit/broker-agent-core/test_network.h"

// The two scripted transcripts of the replication reference, §5, for brokers with any kind of log.
// Each needs only delayed control requests; the ISR stays complete; each must end in agreement.

namespace regent::testing {

/// A follower's end of an earlier epoch commits nothing. Three brokers that hold nothing.
void TellH1(TestNetwork& net);
/// A delayed answer of an earlier epoch cuts nothing. Two brokers that hold nothing.
void TellH2(TestNetwork& net);

}  // namespace regent::testing
