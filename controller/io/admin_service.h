#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "regent/v1/admin.grpc.pb.h"

#include "common/base/mutex.h"
#include "common/runtime/loop.h"
#include "controller/io/controller_calls.h"
#include "controller/io/office_source.h"

namespace regent::controller {

/// What operators ask, served by every broker and controller. Who is the controller is known
/// everywhere; all else is answered by the active controller, and elsewhere by NOT_CONTROLLER with
/// the name of the one that is. Non-blocking. Answers, which may speak of every partition, are
/// turned into protobuf on a thread of the service: never on the loop that gives them. So many
/// queries over the whole cluster are answered at a time; more of them are sent away.
class AdminService final : public v1::Admin::CallbackService {
 public:
  /// `calls` is null in a process without a candidate. All outlive the service's server.
  AdminService(OfficeSource& office, ControllerCalls* calls, std::function<int64_t()> wall_ms);
  ~AdminService() override;

  /// Ends the streams of all watchers, and refuses new ones. Before the server's shutdown.
  void EndWatches() EXCLUDES(mutex_);

  grpc::ServerUnaryReactor* GetController(grpc::CallbackServerContext* context,
                                          const v1::GetControllerRequest* request,
                                          v1::GetControllerResponse* response) override;
  grpc::ServerWriteReactor<v1::ControllerChange>* WatchController(
      grpc::CallbackServerContext* context, const v1::WatchControllerRequest* request) override
      EXCLUDES(mutex_);
  grpc::ServerUnaryReactor* GetClusterStatus(grpc::CallbackServerContext* context,
                                             const v1::GetClusterStatusRequest* request,
                                             v1::GetClusterStatusResponse* response) override;
  grpc::ServerUnaryReactor* ListBrokers(grpc::CallbackServerContext* context,
                                        const v1::ListBrokersRequest* request,
                                        v1::ListBrokersResponse* response) override;
  grpc::ServerUnaryReactor* CreateTopic(grpc::CallbackServerContext* context,
                                        const v1::CreateTopicRequest* request,
                                        v1::CreateTopicResponse* response) override;
  grpc::ServerUnaryReactor* DeleteTopic(grpc::CallbackServerContext* context,
                                        const v1::DeleteTopicRequest* request,
                                        v1::DeleteTopicResponse* response) override;
  grpc::ServerUnaryReactor* ExtendTopic(grpc::CallbackServerContext* context,
                                        const v1::ExtendTopicRequest* request,
                                        v1::ExtendTopicResponse* response) override;
  grpc::ServerUnaryReactor* AlterTopicConfig(grpc::CallbackServerContext* context,
                                             const v1::AlterTopicConfigRequest* request,
                                             v1::AlterTopicConfigResponse* response) override;
  grpc::ServerUnaryReactor* DescribeTopicConfig(grpc::CallbackServerContext* context,
                                                const v1::DescribeTopicConfigRequest* request,
                                                v1::DescribeTopicConfigResponse* response) override;
  grpc::ServerUnaryReactor* ListTopics(grpc::CallbackServerContext* context,
                                       const v1::ListTopicsRequest* request,
                                       v1::ListTopicsResponse* response) override;
  grpc::ServerUnaryReactor* DescribeTopics(grpc::CallbackServerContext* context,
                                           const v1::DescribeTopicsRequest* request,
                                           v1::DescribeTopicsResponse* response) override;
  grpc::ServerUnaryReactor* ElectLeaders(grpc::CallbackServerContext* context,
                                         const v1::ElectLeadersRequest* request,
                                         v1::ElectLeadersResponse* response) override;

 private:
  class Watcher;
  class WideQuery;
  static constexpr int kWideQueriesMax = 4;

  /// A place among those that ask for everything; null if all are taken.
  std::shared_ptr<WideQuery> TakePlace();
  /// Hands what is asked to `call`, unless it is wrong or nobody is here to ask; the result becomes
  /// the answer.
  template <class Outcome, class Request, class Response, class Call>
  grpc::ServerUnaryReactor* Change(grpc::CallbackServerContext* context,
                                   const Request& request,
                                   Response* response,
                                   Call call);
  /// Runs `convert`, then ends the call; not on the caller's thread.
  void Reply(grpc::ServerUnaryReactor* reactor, std::function<void()> convert);

  /// Says who the controller is; in an error of NOT_CONTROLLER also in words.
  void Complete(v1::AnswerHeader* header) const;
  void Fail(const Error& error, v1::AnswerHeader* header) const;
  void Forget(Watcher* watcher) EXCLUDES(mutex_);

  OfficeSource& office_;
  ControllerCalls* const calls_;
  const std::function<int64_t()> wall_ms_;

  Mutex mutex_;
  bool ended_ GUARDED_BY(mutex_) = false;
  std::map<Watcher*, std::shared_ptr<Watcher>> watchers_ GUARDED_BY(mutex_);
  std::atomic<int> wide_queries_ = 0;
  Loop converter_{"admin"};  ///< Last: it ends first, and what it still does needs the rest.
};

}  // namespace regent::controller
