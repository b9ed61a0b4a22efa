#include "broker-agent/kafka/messages/metadata.h"

#include "broker-agent/kafka/table_walk.h"

namespace regent::kafka {

template struct Codec<MetadataRequest>;
template struct Codec<MetadataResponse>;
template struct Codec<DescribeClusterRequest>;
template struct Codec<DescribeClusterResponse>;

}  // namespace regent::kafka
