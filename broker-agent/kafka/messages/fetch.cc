#include "broker-agent/kafka/messages/fetch.h"

#include "broker-agent/kafka/table_walk.h"

namespace regent::kafka {

template struct Codec<FetchRequest>;
template struct Codec<FetchResponse>;

}  // namespace regent::kafka
