#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "broker-agent/core/slice.h"
#include "broker-agent/kafka/api.h"
#include "broker-agent/kafka/error_code.h"
#include "broker-agent/kafka/frame.h"
#include "broker-agent/kafka/messages/api_versions.h"
#include "broker-agent/kafka/messages/configs.h"
#include "broker-agent/kafka/messages/coordination.h"
#include "broker-agent/kafka/messages/fetch.h"
#include "broker-agent/kafka/messages/metadata.h"
#include "broker-agent/kafka/messages/offsets.h"
#include "broker-agent/kafka/messages/produce.h"
#include "broker-agent/kafka/messages/topics.h"

namespace regent::kafka {

/// One alternative for each API of Apis().
using RequestBody = std::variant<ProduceRequest,
                                 FetchRequest,
                                 ListOffsetsRequest,
                                 MetadataRequest,
                                 FindCoordinatorRequest,
                                 ApiVersionsRequest,
                                 CreateTopicsRequest,
                                 DeleteTopicsRequest,
                                 InitProducerIdRequest,
                                 OffsetForLeaderEpochRequest,
                                 DescribeConfigsRequest,
                                 AlterConfigsRequest,
                                 CreatePartitionsRequest,
                                 ElectLeadersRequest,
                                 IncrementalAlterConfigsRequest,
                                 DescribeClusterRequest>;

struct Request {
  RequestHeader header;
  RequestBody body;
};

/// Not one of Apis(). How such a request is laid out is not known: close the connection.
struct UnknownApi {
  int16_t key = 0;
};
/// To ApiVersions, answer in version 0 with SupportedApis(kUnsupportedVersion), and the client asks
/// again. To any other close the connection: the client did not keep to the versions offered.
struct UnsupportedVersion {
  ApiKey api = ApiKey::kApiVersions;
  int16_t version = 0;
  int32_t correlation_id = 0;
};
/// Close the connection. `problem` names the API, its version, the field and the offset.
struct MalformedRequest {
  std::string problem;
};
using DecodedRequest = std::variant<Request, UnknownApi, UnsupportedVersion, MalformedRequest>;

/// Reads a frame without its length. Records in it remain slices of the frame. Bytes left over at
/// its end are overlooked, as Kafka does: there are clients that were only ever tried with that.
DecodedRequest DecodeRequest(const Slice& frame);

/// Returns the answer to ApiVersions: every API of Apis(), with its versions.
ApiVersionsResponse SupportedApis(KafkaError error);

}  // namespace regent::kafka
