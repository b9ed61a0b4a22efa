#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "broker-agent/kafka/cluster_admin.h"
#include "common/base/instant.h"
#include "common/model/broker.h"
#include "common/runtime/loop.h"

namespace regent {

/// Asks the active controller over gRPC. Before each attempt it makes sure, by a call that changes
/// nothing, that it speaks to the active controller: so a dead or deposed one seldom leaves the
/// outcome unknown.
class GrpcClusterAdmin final : public kafka::ClusterAdmin {
 public:
  /// `controller` tells where the controller is thought to be (not known(): nobody knows), on the
  /// executor's thread. Answers come on that thread too; once it is closed within the call, or not
  /// at all for what waited.
  GrpcClusterAdmin(Executor& executor, std::function<Endpoint()> controller);
  /// Shuts down.
  ~GrpcClusterAdmin() override;
  GrpcClusterAdmin(const GrpcClusterAdmin&) = delete;
  GrpcClusterAdmin& operator=(const GrpcClusterAdmin&) = delete;

  void Create(kafka::NewTopic topic,
              kafka::AdminOptions options,
              Done<kafka::CreatedTopic> done) override;
  void Delete(kafka::DoomedTopic topic,
              kafka::AdminOptions options,
              Done<kafka::DoomedTopic> done) override;
  void Extend(kafka::NewPartitions more, kafka::AdminOptions options, Done<Success> done) override;
  void Alter(kafka::ConfigChange change, kafka::AdminOptions options, Done<Success> done) override;
  void Elect(kafka::ElectionType type,
             std::vector<std::pair<std::string, int32_t>> partitions,
             kafka::AdminOptions options,
             Done<std::vector<kafka::Election>> done) override;
  /// Cancels what is under way and waits until it has come back. The executor is closed.
  void Shutdown();

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace regent
