#include "broker-agent/io/grpc_cluster_admin.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <grpcpp/grpcpp.h>

#include "regent/v1/admin.grpc.pb.h"

#include "broker-agent/io/channel.h"
#include "broker-agent/io/unary_call.h"
#include "common/runtime/calls_in_flight.h"
#include "common/wire/status.h"

namespace regent {
namespace {

/// Between two looks for the controller.
constexpr Duration kPause = std::chrono::milliseconds(100);
/// For the call that changes nothing.
constexpr Duration kProbeMax = std::chrono::seconds(2);

using Stub = v1::Admin::Stub::async_interface;
template <class Request, class Response>
using Method = UnaryMethod<Stub, Request, Response>;

/// What the controller said, or that nobody said anything.
template <class Response>
Result<Response> ResultOf(const grpc::Status& status, const Response& response) {
  if (!status.ok()) {
    return wire::FromGrpcStatus(status, wire::CallEffect::kChanges);
  }
  if (response.header().has_error()) {
    return wire::FromProto(response.header().error());
  }
  return response;
}

bool CertainlyNotDone(ErrorCode code) {
  return code == ErrorCode::kNotController || code == ErrorCode::kUnavailable ||
         code == ErrorCode::kShuttingDown;
}

}  // namespace

/// Runs on the executor's thread, except where it says otherwise.
class GrpcClusterAdmin::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(Executor& executor, std::function<Endpoint()> controller)
      : executor_(executor), controller_(std::move(controller)) {}

  /// Any thread. `convert` makes what `done` gets out of the controller's answer.
  template <class Request, class Response, class T, class Convert>
  void Ask(Method<Request, Response> method,
           Request request,
           Duration timeout,
           Done<T> done,
           Convert convert) {
    auto task = std::make_shared<Task>();
    task->deadline = executor_.Now() + timeout;
    task->fail = [done](const Error& error) { done(error); };
    task->send = [this, task = std::weak_ptr(task), method, request = std::move(request), convert,
                  done = std::move(done)]() {
      const auto asked = task.lock();
      Call(method, request, asked->deadline,
           [this, asked, convert, done](const grpc::Status& status, const Response& response) {
             const Result<Response> result = ResultOf(status, response);
             if (result.ok()) {
               done(convert(*result));
             } else if (CertainlyNotDone(result.error().code)) {
               Later(asked, result.error());
             } else {
               done(result.error());
             }
           });
    };
    Post(task, [this, task] { Seek(task, controller_()); });
  }

  void Shutdown() {
    for (const std::shared_ptr<AnyUnaryCall>& call : calls_.UnderWay()) {
      call->context.TryCancel();
    }
    calls_.AwaitAll();
    stub_ = nullptr;
  }

 private:
  struct Task {
    Instant deadline;
    std::function<void()> send;
    std::function<void(const Error&)> fail;
  };
  using TaskRef = std::shared_ptr<Task>;

  /// Any thread.
  void Post(const TaskRef& task, std::function<void()> step) {
    if (!executor_.Post(std::move(step))) {
      task->fail({ErrorCode::kShuttingDown, "the broker stops"});
    }
  }

  /// Finds out whether the active controller is there, and asks it, or looks elsewhere.
  void Seek(const TaskRef& task, const Endpoint& endpoint) {
    if (!endpoint.known()) {
      Later(task, {ErrorCode::kNotController, "no controller is known to this broker"});
      return;
    }
    if (stub_ == nullptr || endpoint != endpoint_) {
      endpoint_ = endpoint;
      stub_ = v1::Admin::NewStub(MakeChannel(endpoint));  // Calls keep the channel they are on.
    }
    Call(&Stub::GetController, v1::GetControllerRequest(),
         std::min(task->deadline, executor_.Now() + kProbeMax),
         [this, task](const grpc::Status& status, const v1::GetControllerResponse& response) {
           Found(task, status, response);
         });
  }

  void Found(const TaskRef& task,
             const grpc::Status& status,
             const v1::GetControllerResponse& response) {
    if (!status.ok()) {
      Later(task, wire::FromGrpcStatus(status, wire::CallEffect::kNone));
      return;
    }
    if (response.header().controller().active_here()) {
      task->send();
      return;
    }
    Later(task, {ErrorCode::kNotController,
                 endpoint_.ToText() + " is not the active controller, and no other was found"});
  }

  void Later(const TaskRef& task, const Error& why) {
    const Instant again = executor_.Now() + kPause;
    if (again >= task->deadline) {
      task->fail(CertainlyNotDone(why.code)
                     ? why
                     : Error{ErrorCode::kNotController, "no controller answers: " + why.message});
      return;
    }
    if (!executor_.PostAt(again, [this, task] { Seek(task, controller_()); })) {
      task->fail({ErrorCode::kShuttingDown, "the broker stops"});
    }
  }

  /// `answered` runs on the executor's thread; not at all if that has been closed.
  template <class Request, class Response, class Then>
  void Call(Method<Request, Response> method, Request request, Instant deadline, Then then) {
    auto call = std::make_shared<UnaryCall<Request, Response>>();
    call->request = std::move(request);
    call->context.set_deadline(std::chrono::system_clock::now() + (deadline - executor_.Now()));
    calls_.Add(call);
    auto answered = [self = shared_from_this(), call = call.get(),
                     then = std::move(then)](const grpc::Status& status) {
      self->executor_.Post(
          [then, status, response = std::move(call->response)] { then(status, response); });
      self->calls_.Ended(call);
    };
    (stub_->async()->*method)(&call->context, &call->request, &call->response, std::move(answered));
  }

  Executor& executor_;
  std::function<Endpoint()> controller_;
  CallsInFlight<AnyUnaryCall> calls_;
  Endpoint endpoint_;
  std::unique_ptr<v1::Admin::Stub> stub_;
};

namespace {

void Fill(const std::vector<BrokerList>& from,
          google::protobuf::RepeatedPtrField<v1::ReplicaAssignment>* to) {
  for (const BrokerList& replicas : from) {
    v1::ReplicaAssignment* const assignment = to->Add();
    for (const BrokerId id : replicas) {
      assignment->add_brokers(id.value());
    }
  }
}

std::vector<BrokerList> AssignmentOf(
    const google::protobuf::RepeatedPtrField<v1::ReplicaAssignment>& from) {
  std::vector<BrokerList> assignment;
  assignment.reserve(static_cast<size_t>(from.size()));
  for (const v1::ReplicaAssignment& replicas : from) {
    BrokerList& list = assignment.emplace_back();
    for (const int32_t id : replicas.brokers()) {
      list.push_back(BrokerId(id));
    }
  }
  return assignment;
}

int64_t MillisecondsOf(Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

kafka::Election::Outcome OutcomeOf(v1::ElectOutcome outcome) {
  using Outcome = kafka::Election::Outcome;
  switch (outcome) {
    case v1::ELECTED: return Outcome::kElected;
    case v1::ALREADY_PREFERRED:
    case v1::ELECTION_NOT_NEEDED: return Outcome::kNotNeeded;
    case v1::PREFERRED_NOT_AVAILABLE: return Outcome::kPreferredNotAvailable;
    case v1::ELIGIBLE_LEADERS_NOT_AVAILABLE: return Outcome::kEligibleNotAvailable;
    case v1::ELECT_UNKNOWN_PARTITION: return Outcome::kUnknownPartition;
    case v1::ELECT_UNKNOWN_OUTCOME: return Outcome::kUnknownOutcome;
    default: return Outcome::kFailed;
  }
}

std::vector<kafka::Election> ElectionsOf(const v1::ElectLeadersResponse& response) {
  std::vector<kafka::Election> elections;
  elections.reserve(static_cast<size_t>(response.results_size()));
  for (const v1::ElectResult& result : response.results()) {
    elections.push_back({.topic = result.partition().topic(),
                         .partition = result.partition().index(),
                         .outcome = OutcomeOf(result.outcome()),
                         .message = result.message()});
  }
  return elections;
}

}  // namespace

GrpcClusterAdmin::GrpcClusterAdmin(Executor& executor, std::function<Endpoint()> controller)
    : impl_(std::make_shared<Impl>(executor, std::move(controller))) {}

GrpcClusterAdmin::~GrpcClusterAdmin() {
  Shutdown();
}

void GrpcClusterAdmin::Shutdown() {
  impl_->Shutdown();
}

void GrpcClusterAdmin::Create(kafka::NewTopic topic,
                              kafka::AdminOptions options,
                              Done<kafka::CreatedTopic> done) {
  v1::CreateTopicRequest request;
  request.set_name(topic.name);
  request.set_partitions(topic.partitions);
  request.set_replication_factor(topic.replication_factor);
  Fill(topic.assignment, request.mutable_assignment());
  request.mutable_configs()->insert(topic.configs.begin(), topic.configs.end());
  request.set_timeout_ms(MillisecondsOf(options.timeout));
  request.set_validate_only(options.validate_only);
  impl_->Ask(&Stub::CreateTopic, std::move(request), options.timeout, std::move(done),
             [](const v1::CreateTopicResponse& response) {
               return kafka::CreatedTopic{
                   .id = TopicId::FromBytes(response.topic_id()).value_or(TopicId()),
                   .assignment = AssignmentOf(response.assignment())};
             });
}

void GrpcClusterAdmin::Delete(kafka::DoomedTopic topic,
                              kafka::AdminOptions options,
                              Done<kafka::DoomedTopic> done) {
  v1::DeleteTopicRequest request;
  request.set_name(topic.name);
  if (topic.name.empty()) {
    request.set_topic_id(topic.id.ToBytes());
  }
  request.set_timeout_ms(MillisecondsOf(options.timeout));
  impl_->Ask(&Stub::DeleteTopic, std::move(request), options.timeout, std::move(done),
             [](const v1::DeleteTopicResponse& response) {
               return kafka::DoomedTopic{
                   .name = response.name(),
                   .id = TopicId::FromBytes(response.topic_id()).value_or(TopicId())};
             });
}

void GrpcClusterAdmin::Extend(kafka::NewPartitions more,
                              kafka::AdminOptions options,
                              Done<Success> done) {
  v1::ExtendTopicRequest request;
  request.set_name(more.topic);
  request.set_partitions(more.total);
  Fill(more.assignment, request.mutable_assignment());
  request.set_timeout_ms(MillisecondsOf(options.timeout));
  request.set_validate_only(options.validate_only);
  impl_->Ask(&Stub::ExtendTopic, std::move(request), options.timeout, std::move(done),
             [](const v1::ExtendTopicResponse&) { return Success{}; });
}

void GrpcClusterAdmin::Alter(kafka::ConfigChange change,
                             kafka::AdminOptions options,
                             Done<Success> done) {
  v1::AlterTopicConfigRequest request;
  request.set_name(change.topic);
  request.mutable_set()->insert(change.set.begin(), change.set.end());
  request.mutable_reset()->Add(change.reset.begin(), change.reset.end());
  request.set_replace(change.replace);
  request.set_timeout_ms(MillisecondsOf(options.timeout));
  request.set_validate_only(options.validate_only);
  impl_->Ask(&Stub::AlterTopicConfig, std::move(request), options.timeout, std::move(done),
             [](const v1::AlterTopicConfigResponse&) { return Success{}; });
}

void GrpcClusterAdmin::Elect(kafka::ElectionType type,
                             std::vector<std::pair<std::string, int32_t>> partitions,
                             kafka::AdminOptions options,
                             Done<std::vector<kafka::Election>> done) {
  v1::ElectLeadersRequest request;
  request.set_type(type == kafka::ElectionType::kUnclean ? v1::UNCLEAN : v1::PREFERRED);
  for (const auto& [topic, index] : partitions) {
    v1::PartitionRef* const partition = request.add_partitions();
    partition->set_topic(topic);
    partition->set_index(index);
  }
  request.set_timeout_ms(MillisecondsOf(options.timeout));
  impl_->Ask(&Stub::ElectLeaders, std::move(request), options.timeout, std::move(done),
             ElectionsOf);
}

}  // namespace regent
