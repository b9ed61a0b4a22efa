#pragma once

#include <deque>
#include <memory>
#include <string>
#include <utility>

#include "regent/v1/broker_agent.pb.h"
#include "regent/v1/controller.pb.h"
#include "regent/v1/types.pb.h"

#include "common/base/result.h"
#include "common/model/broker.h"
#include "common/model/control.h"

// Model <-> protobuf, for what controllers and agents say to each other.
//
// FromProto believes nothing: ids, epochs, ports, sizes of ids, names of topics and members that
// are given twice are checked, and what breaks a rule is kInvalidArgument with the field's name. It
// judges each field by itself: whether a leader may lead is for the core. The topics of one message
// that have the same name and id share one TopicRef.

namespace regent::wire {

// --- Values that several messages share ---

v1::Endpoint ToProto(const Endpoint& endpoint);
v1::BrokerEndpoint ToProto(const BrokerEndpoint& broker);
Result<Endpoint> FromProto(const v1::Endpoint& endpoint);
Result<BrokerEndpoint> FromProto(const v1::BrokerEndpoint& broker);

// --- Controller -> agent ---

v1::LeaderAndIsrRequest ToProto(const LeaderAndIsrRequest& request);
v1::StopReplicaRequest ToProto(const StopReplicaRequest& request);
v1::ControlResponse ToProto(const ControlResponse& response);
Result<LeaderAndIsrRequest> FromProto(const v1::LeaderAndIsrRequest& request);
Result<StopReplicaRequest> FromProto(const v1::StopReplicaRequest& request);
Result<UpdateMetadataRequest> FromProto(const v1::UpdateMetadataRequest& request);
Result<ControlResponse> FromProto(const v1::ControlResponse& response);

/// Serialises metadata updates, each once, however many brokers it goes to (R6). One thread.
class MetadataUpdateBytes {
 public:
  /// Returns the request with the update's bytes in it.
  v1::UpdateMetadataRequest ToProto(const UpdateMetadataRequest& request);
  /// Returns the bytes, from memory if they are those of one of the last few updates.
  std::shared_ptr<const std::string> Of(const std::shared_ptr<const MetadataUpdate>& update);

 private:
  /// Keeps the update alive, so that its address stays its own.
  std::deque<std::pair<std::shared_ptr<const MetadataUpdate>, std::shared_ptr<const std::string>>>
      latest_;
};

// --- Agent -> controller ---

v1::AlterPartitionRequest ToProto(const AlterPartitionRequest& request);
v1::AlterPartitionResponse ToProto(const AlterPartitionResponse& response);
v1::ControlledShutdownRequest ToProto(const ControlledShutdownRequest& request);
v1::ControlledShutdownResponse ToProto(const ControlledShutdownResponse& response);
Result<AlterPartitionRequest> FromProto(const v1::AlterPartitionRequest& request);
Result<AlterPartitionResponse> FromProto(const v1::AlterPartitionResponse& response);
Result<ControlledShutdownRequest> FromProto(const v1::ControlledShutdownRequest& request);
/// The topics of the remaining partitions come without their ids: zero.
Result<ControlledShutdownResponse> FromProto(const v1::ControlledShutdownResponse& response);

}  // namespace regent::wire
