#include "broker-agent/kafka/messages/coordination.h"

#include "broker-agent/kafka/table_walk.h"

namespace regent::kafka {

template struct Codec<InitProducerIdRequest>;
template struct Codec<InitProducerIdResponse>;
template struct Codec<FindCoordinatorRequest>;
template struct Codec<FindCoordinatorResponse>;

}  // namespace regent::kafka
