#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include <grpcpp/grpcpp.h>

#include "regent/v1/admin.grpc.pb.h"

#include "common/base/mutex.h"

namespace regent::cli {

/// A server of the Admin service whose answers a test writes. Listens on a free port of loopback.
/// Every answer carries the office that SetOffice told; the calls that only the active controller
/// answers are refused with NOT_CONTROLLER unless that office is active here.
class FakeAdmin final : public v1::Admin::Service {
 public:
  /// What happens to a call of one kind: an answer, or a failure of the transport.
  template <class Request, class Response>
  using Script = std::function<grpc::Status(const Request&, Response&)>;

  FakeAdmin() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~FakeAdmin() override { Stop(); }

  void Stop() {
    stopping_ = true;
    if (server_) {
      server_->Shutdown(std::chrono::system_clock::now());
      server_->Wait();
      server_.reset();
    }
  }

  int port() const { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  int calls(const std::string& method) EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    return calls_[method];
  }

  void SetOffice(v1::ControllerInfo office) EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    office_ = std::move(office);
  }
  void HoldOffice(int32_t id, int32_t epoch) { SetOffice(OfficeHere(id, epoch)); }
  v1::ControllerInfo OfficeHere(int32_t id, int32_t epoch) const {
    v1::ControllerInfo office;
    office.set_id(id);
    office.set_epoch(epoch);
    office.mutable_endpoint()->set_host("127.0.0.1");
    office.mutable_endpoint()->set_port(port_);
    office.set_active_here(true);
    return office;
  }
  /// Sends callers to `other`.
  void PointTo(const FakeAdmin& other, int32_t id, int32_t epoch) {
    v1::ControllerInfo office = other.OfficeHere(id, epoch);
    office.set_active_here(false);
    SetOffice(std::move(office));
  }
  void Vacant(const std::string& waiting_for = "") {
    v1::ControllerInfo office;
    office.set_id(-1);
    office.set_waiting_for(waiting_for);
    SetOffice(std::move(office));
  }

  // Written before the server is asked, called on its threads.
  Script<v1::GetControllerRequest, v1::GetControllerResponse> on_get_controller;
  Script<v1::GetClusterStatusRequest, v1::GetClusterStatusResponse> on_cluster_status;
  Script<v1::ListBrokersRequest, v1::ListBrokersResponse> on_list_brokers;
  Script<v1::CreateTopicRequest, v1::CreateTopicResponse> on_create_topic;
  Script<v1::DeleteTopicRequest, v1::DeleteTopicResponse> on_delete_topic;
  Script<v1::ExtendTopicRequest, v1::ExtendTopicResponse> on_extend_topic;
  Script<v1::AlterTopicConfigRequest, v1::AlterTopicConfigResponse> on_alter_config;
  Script<v1::DescribeTopicConfigRequest, v1::DescribeTopicConfigResponse> on_describe_config;
  Script<v1::ListTopicsRequest, v1::ListTopicsResponse> on_list_topics;
  Script<v1::DescribeTopicsRequest, v1::DescribeTopicsResponse> on_describe;
  Script<v1::ElectLeadersRequest, v1::ElectLeadersResponse> on_elect;
  /// Told each change that the watch sends, in order; then the stream ends if `watch_ends`.
  std::vector<v1::ControllerChange> changes;
  bool watch_ends = false;

  grpc::Status GetController(grpc::ServerContext* /*context*/,
                             const v1::GetControllerRequest* request,
                             v1::GetControllerResponse* response) override {
    FillHeader("GetController", *response->mutable_header());
    return on_get_controller ? on_get_controller(*request, *response) : grpc::Status::OK;
  }
  grpc::Status WatchController(grpc::ServerContext* context,
                               const v1::WatchControllerRequest* /*request*/,
                               grpc::ServerWriter<v1::ControllerChange>* writer) override {
    for (const v1::ControllerChange& change : changes) {
      writer->Write(change);
    }
    if (watch_ends) {
      return {grpc::StatusCode::UNAVAILABLE, "shutting down"};
    }
    while (!context->IsCancelled() && !stopping_) {
      std::this_thread::yield();
    }
    return grpc::Status::OK;
  }
  grpc::Status GetClusterStatus(grpc::ServerContext* /*context*/,
                                const v1::GetClusterStatusRequest* request,
                                v1::GetClusterStatusResponse* response) override {
    return Answer("GetClusterStatus", on_cluster_status, *request, *response);
  }
  grpc::Status ListBrokers(grpc::ServerContext* /*context*/,
                           const v1::ListBrokersRequest* request,
                           v1::ListBrokersResponse* response) override {
    return Answer("ListBrokers", on_list_brokers, *request, *response);
  }
  grpc::Status CreateTopic(grpc::ServerContext* /*context*/,
                           const v1::CreateTopicRequest* request,
                           v1::CreateTopicResponse* response) override {
    return Answer("CreateTopic", on_create_topic, *request, *response);
  }
  grpc::Status DeleteTopic(grpc::ServerContext* /*context*/,
                           const v1::DeleteTopicRequest* request,
                           v1::DeleteTopicResponse* response) override {
    return Answer("DeleteTopic", on_delete_topic, *request, *response);
  }
  grpc::Status ExtendTopic(grpc::ServerContext* /*context*/,
                           const v1::ExtendTopicRequest* request,
                           v1::ExtendTopicResponse* response) override {
    return Answer("ExtendTopic", on_extend_topic, *request, *response);
  }
  grpc::Status AlterTopicConfig(grpc::ServerContext* /*context*/,
                                const v1::AlterTopicConfigRequest* request,
                                v1::AlterTopicConfigResponse* response) override {
    return Answer("AlterTopicConfig", on_alter_config, *request, *response);
  }
  grpc::Status DescribeTopicConfig(grpc::ServerContext* /*context*/,
                                   const v1::DescribeTopicConfigRequest* request,
                                   v1::DescribeTopicConfigResponse* response) override {
    return Answer("DescribeTopicConfig", on_describe_config, *request, *response);
  }
  grpc::Status ListTopics(grpc::ServerContext* /*context*/,
                          const v1::ListTopicsRequest* request,
                          v1::ListTopicsResponse* response) override {
    return Answer("ListTopics", on_list_topics, *request, *response);
  }
  grpc::Status DescribeTopics(grpc::ServerContext* /*context*/,
                              const v1::DescribeTopicsRequest* request,
                              v1::DescribeTopicsResponse* response) override {
    return Answer("DescribeTopics", on_describe, *request, *response);
  }
  grpc::Status ElectLeaders(grpc::ServerContext* /*context*/,
                            const v1::ElectLeadersRequest* request,
                            v1::ElectLeadersResponse* response) override {
    return Answer("ElectLeaders", on_elect, *request, *response);
  }

 private:
  void FillHeader(const char* method, v1::AnswerHeader& header) EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    ++calls_[method];
    *header.mutable_controller() = office_;
  }

  template <class Request, class Response>
  grpc::Status Answer(const char* method,
                      const Script<Request, Response>& script,
                      const Request& request,
                      Response& response) {
    v1::AnswerHeader& header = *response.mutable_header();
    FillHeader(method, header);
    if (!header.controller().active_here()) {
      header.mutable_error()->set_code(v1::NOT_CONTROLLER);
      header.mutable_error()->set_message("ask the active controller");
      return grpc::Status::OK;
    }
    return script ? script(request, response) : grpc::Status::OK;
  }

  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
  std::atomic<bool> stopping_ = false;
  Mutex mutex_;
  v1::ControllerInfo office_ GUARDED_BY(mutex_);
  std::map<std::string, int> calls_ GUARDED_BY(mutex_);
};

}  // namespace regent::cli
