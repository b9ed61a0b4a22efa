#include "broker-agent/kafka/messages/produce.h"

#include "broker-agent/kafka/table_walk.h"

namespace regent::kafka {

template struct Codec<ProduceRequest>;
template struct Codec<ProduceResponse>;

}  // namespace regent::kafka
