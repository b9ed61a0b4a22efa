#pragma once

#include <tuple>
#include <variant>

#include "broker-agent/kafka/request.h"

namespace regent::kafka {

/// Stands for a type in an argument.
template <class M>
struct TypeOf {
  using Type = M;
};

using Responses = std::tuple<ProduceResponse,
                             FetchResponse,
                             ListOffsetsResponse,
                             MetadataResponse,
                             FindCoordinatorResponse,
                             ApiVersionsResponse,
                             CreateTopicsResponse,
                             DeleteTopicsResponse,
                             InitProducerIdResponse,
                             OffsetForLeaderEpochResponse,
                             DescribeConfigsResponse,
                             AlterConfigsResponse,
                             CreatePartitionsResponse,
                             ElectLeadersResponse,
                             IncrementalAlterConfigsResponse,
                             DescribeClusterResponse>;

/// Calls `visit` with the TypeOf every response.
template <class Visit>
void ForEachResponse(const Visit& visit) {
  [&]<class... Ms>(const std::tuple<Ms...>* /*types*/) {
    (visit(TypeOf<Ms>()), ...);
  }(static_cast<Responses*>(nullptr));
}

/// Calls `visit` with the TypeOf every request.
template <class Visit>
void ForEachRequest(const Visit& visit) {
  [&]<class... Ms>(const std::variant<Ms...>* /*types*/) {
    (visit(TypeOf<Ms>()), ...);
  }(static_cast<RequestBody*>(nullptr));
}

}  // namespace regent::kafka
