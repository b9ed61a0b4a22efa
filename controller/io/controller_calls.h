#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/model/control.h"
#include "controller/core/admin.h"

namespace regent::controller {

/// What can be asked of a candidate, by services and tests. Any thread may call; each `done` is
/// called exactly once, on any thread, so it copies and returns. A candidate that is not active
/// answers kNotController.
class ControllerCalls {
 public:
  virtual ~ControllerCalls() = default;

  using AlterPartitionDone = std::function<void(const AlterPartitionResponse&)>;
  using ControlledShutdownDone = std::function<void(const ControlledShutdownResponse&)>;
  using CreateTopicDone = std::function<void(const CreateTopicResult&)>;
  using ElectLeadersDone = std::function<void(ElectLeadersResult)>;  ///< May be large: moved.

  using DeleteTopicDone = std::function<void(const DeleteTopicResult&)>;
  using ExtendTopicDone = std::function<void(const ExtendTopicResult&)>;
  using AlterTopicConfigDone = std::function<void(const AlterTopicConfigResult&)>;

  virtual void AlterPartition(AlterPartitionRequest request, AlterPartitionDone done) = 0;
  virtual void ControlledShutdown(ControlledShutdownRequest request,
                                  ControlledShutdownDone done) = 0;
  /// `new_id` and `placement_seed` are drawn here.
  virtual void CreateTopic(CreateTopicSpec spec, CreateTopicDone done) = 0;
  /// `new_id` is drawn here.
  virtual void DeleteTopic(DeleteTopicSpec spec, DeleteTopicDone done) = 0;
  /// `placement_seed` is drawn here.
  virtual void ExtendTopic(ExtendTopicSpec spec, ExtendTopicDone done) = 0;
  virtual void AlterTopicConfig(AlterTopicConfigSpec spec, AlterTopicConfigDone done) = 0;
  virtual void ElectLeaders(ElectLeadersSpec spec, ElectLeadersDone done) = 0;

  /// What is asked may be large: it is gathered in slices, and moved.
  template <class T>
  using QueryDone = std::function<void(Result<T>)>;

  virtual void Status(QueryDone<ClusterStatus> done) = 0;
  virtual void Brokers(QueryDone<std::vector<BrokerStatus>> done) = 0;
  virtual void Topics(QueryDone<std::vector<TopicSummary>> done) = 0;
  virtual void TopicSettings(std::string topic, QueryDone<std::vector<TopicSetting>> done) = 0;
  virtual void Describe(DescribeSpec spec, QueryDone<std::vector<TopicDescription>> done) = 0;
};

}  // namespace regent::controller
