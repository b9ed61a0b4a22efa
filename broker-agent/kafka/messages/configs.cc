#include "broker-agent/kafka/messages/configs.h"

#include "broker-agent/kafka/table_walk.h"

namespace regent::kafka {

template struct Codec<DescribeConfigsRequest>;
template struct Codec<DescribeConfigsResponse>;
template struct Codec<AlterConfigsRequest>;
template struct Codec<AlterConfigsResponse>;
template struct Codec<IncrementalAlterConfigsRequest>;
template struct Codec<IncrementalAlterConfigsResponse>;

}  // namespace regent::kafka
