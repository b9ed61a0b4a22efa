#include <string>

#include "broker-agent/kafka/client_service.h"
#include "broker-agent/kafka/frame.h"

// ClientService: ids for idempotent producers, and what there is no coordinator for.

namespace regent::kafka {

void ClientService::Do(const RequestHeader& header,
                       const InitProducerIdRequest& ask,
                       const CallRef& call) const {
  if (ask.transactional_id) {
    // An error that a client takes for final: it says so and stops.
    InitProducerIdResponse response;
    response.error = KafkaError::kTransactionalIdAuthorizationFailed;
    response.producer_epoch = -1;
    call->Answer(EncodeResponse(header, response));
    return;
  }
  backend_.DrawProducerId([header, call](const Result<int64_t>& drawn) {
    InitProducerIdResponse response;
    if (drawn.ok()) {
      response.producer_id = *drawn;
    } else {
      response.error = KafkaError::kCoordinatorNotAvailable;  // A client asks again.
      response.producer_epoch = -1;
    }
    call->Answer(EncodeResponse(header, response));
  });
}

void ClientService::Do(const RequestHeader& header,
                       const FindCoordinatorRequest& ask,
                       const CallRef& call) const {
  const bool group = ask.key_type == CoordinatorType::kGroup;
  const KafkaError error = group ? KafkaError::kGroupAuthorizationFailed
                                 : KafkaError::kTransactionalIdAuthorizationFailed;
  const std::string message = group ? "consumer groups are not served by this version: assign "
                                      "partitions instead"
                                    : "transactions are not served by this version";
  FindCoordinatorResponse response;
  response.error = error;
  response.error_message = message;
  response.port = -1;
  for (const std::string& key : ask.keys) {
    response.coordinators.push_back({.key = key,
                                     .node_id = kNoBroker,
                                     .host = {},
                                     .port = -1,
                                     .error = error,
                                     .error_message = message});
  }
  call->Answer(EncodeResponse(header, response));
}

}  // namespace regent::kafka
