#include "broker-agent/kafka/messages/api_versions.h"

#include "broker-agent/kafka/table_walk.h"

namespace regent::kafka {

template struct Codec<ApiVersionsRequest>;
template struct Codec<ApiVersionsResponse>;

}  // namespace regent::kafka
