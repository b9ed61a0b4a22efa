#include "broker-agent/kafka/messages/offsets.h"

#include "broker-agent/kafka/table_walk.h"

namespace regent::kafka {

template struct Codec<ListOffsetsRequest>;
template struct Codec<ListOffsetsResponse>;
template struct Codec<OffsetForLeaderEpochRequest>;
template struct Codec<OffsetForLeaderEpochResponse>;

}  // namespace regent::kafka
