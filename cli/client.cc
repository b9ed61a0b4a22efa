#include "cli/client.h"

#include <algorithm>
#include <deque>
#include <set>
#include <thread>
#include <utility>

#include "common/wire/status.h"

namespace regent::cli {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kAskAtMost{2000};  // One that hangs must not eat the others' time.
constexpr milliseconds kLearnAtMost{3000};
constexpr milliseconds kPauseFirst{50};
constexpr milliseconds kPauseMax{1000};
constexpr int kAnswerBytesMax = 256 << 20;

std::shared_ptr<grpc::Channel> Connect(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  // A watch hears nothing for weeks: pings notice that its server has stopped. The servers' side
  // allows them.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 5000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 3000);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetMaxReceiveMessageSize(kAnswerBytesMax);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

bool DidNotHappen(ErrorCode code) {
  return code == ErrorCode::kNotController || code == ErrorCode::kUnavailable ||
         code == ErrorCode::kShuttingDown;
}

bool ConnectionBroke(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::UNAVAILABLE ||
         status.error_code() == grpc::StatusCode::CANCELLED;
}

std::string Words(const grpc::Status& status) {
  if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
    return "did not answer in time";
  }
  if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED) {
    return "does not serve the Regent admin API of this version; give the gRPC port (9192 by "
           "default), not the Kafka port";
  }
  return status.error_message().empty() ? "the connection failed" : status.error_message();
}

std::string Words(const v1::ControllerInfo& info) {
  if (info.active_here()) {
    return "is the active controller";
  }
  const std::string waiting = info.waiting_for().empty() ? "" : " (" + info.waiting_for() + ")";
  if (info.id() < 0) {
    return "answers that nobody holds the office" + waiting;
  }
  const std::string address = AddressOf(info.endpoint());
  return "answers that the controller is " + std::to_string(info.id()) +
         (address.empty() ? ", whose address it does not know" : " at " + address) + waiting;
}

std::string Seconds(milliseconds span) {
  return span.count() % 1000 == 0 ? std::to_string(span.count() / 1000) + "s"
                                  : std::to_string(span.count()) + "ms";
}

/// How long the controller may take, so that its answer comes before our patience ends; within the
/// bounds that it accepts.
int64_t TimeoutOfController(milliseconds patience) {
  return std::clamp<int64_t>(patience.count() * 9 / 10, 1000, 600'000);
}

bool SameOffice(const v1::ControllerInfo& a, const v1::ControllerInfo& b) {
  return a.id() == b.id() && a.epoch() == b.epoch() &&
         AddressOf(a.endpoint()) == AddressOf(b.endpoint());
}

}  // namespace

std::string AddressOf(const v1::Endpoint& endpoint) {
  if (endpoint.host().empty() || endpoint.port() <= 0) {
    return "";
  }
  const bool bare_v6 = endpoint.host().find(':') != std::string::npos && endpoint.host()[0] != '[';
  const std::string host = bare_v6 ? "[" + endpoint.host() + "]" : endpoint.host();
  return host + ":" + std::to_string(endpoint.port());
}

v1::Admin::Stub& Client::StubOf(const std::string& address) {
  Peer& peer = peers_[address];
  if (!peer.stub) {
    peer.stub = v1::Admin::NewStub(Connect(address));
  }
  return *peer.stub;
}

Result<v1::ControllerInfo> Client::Ask(const std::string& address, Clock::time_point deadline) {
  const auto now = Clock::now();
  const auto share = std::min<Clock::duration>(kAskAtMost, (deadline - now) / 2);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + share);
  v1::GetControllerResponse answer;
  const grpc::Status status = StubOf(address).GetController(&context, {}, &answer);
  Peer& peer = peers_[address];
  if (!status.ok()) {
    peer.last_words = Words(status);
    peer.stub.reset();  // The next try starts without the channel's back-off.
    return Error{ErrorCode::kUnavailable, peer.last_words};
  }
  peer.answered = true;
  peer.last_words = Words(answer.header().controller());
  return answer.header().controller();
}

std::string Client::AskAround(Clock::time_point deadline) {
  std::deque<std::string> to_ask(options_.addresses.begin(), options_.addresses.end());
  if (!active_.empty()) {
    to_ask.push_front(active_);
  }
  std::set<std::string> asked;
  while (!to_ask.empty() && Clock::now() < deadline) {
    std::string address = to_ask.front();
    to_ask.pop_front();
    if (!asked.insert(address).second) {
      continue;
    }
    const Result<v1::ControllerInfo> info = Ask(address, deadline);
    if (!info.ok()) {
      continue;
    }
    if (info->active_here()) {
      return address;
    }
    if (const std::string next = AddressOf(info->endpoint()); info->id() >= 0 && !next.empty()) {
      to_ask.push_front(next);
    }
  }
  return "";
}

Result<std::string> Client::FindController(Clock::time_point deadline) {
  for (;;) {
    active_ = AskAround(deadline);
    if (!active_.empty()) {
      return active_;
    }
    if (!BackOff(deadline)) {
      return NothingFound();
    }
  }
}

bool Client::BackOff(Clock::time_point deadline) {
  if (!told_of_waiting_ && pause_ >= kPauseMax / 2) {
    options_.talk("waiting up to " + Seconds(options_.timeout) +
                  " for an active controller: " + NothingFound().message);
    told_of_waiting_ = true;
  }
  pause_ = std::clamp(pause_ * 2, kPauseFirst, kPauseMax);
  const auto left = deadline - Clock::now();
  if (left <= pause_) {
    return false;
  }
  std::this_thread::sleep_for(pause_);
  return true;
}

Error Client::NothingFound() const {
  std::string said;
  bool answered = false;
  for (const auto& [address, peer] : peers_) {
    said += (said.empty() ? "" : "; ") + address + ": " + peer.last_words;
    answered = answered || peer.answered;
  }
  if (answered) {
    return Error{ErrorCode::kNotController, "no active controller (" + said + ")"};
  }
  return Error{ErrorCode::kUnavailable,
               "no broker or controller reachable (" + said +
                   "); give the gRPC address of a running one with --controller or "
                   "REGENTCTL_CONTROLLER"};
}

Error Client::WhatFailed(const grpc::Status& status,
                         const v1::AnswerHeader& header,
                         Repeat repeat,
                         const std::string& address,
                         const std::string& what) const {
  if (status.ok()) {
    return wire::FromProto(header.error());
  }
  if (!status.error_details().empty()) {
    return wire::FromGrpcStatus(status, wire::CallEffect::kChanges);
  }
  if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
    return {ErrorCode::kTimedOut, "the controller at " + address + " did not answer " + what +
                                      " within " + Seconds(options_.timeout) +
                                      "; it may still do it"};
  }
  if (!ConnectionBroke(status)) {
    return {ErrorCode::kRefused, address + " " + Words(status)};
  }
  if (repeat == Repeat::kHarmful) {
    return {ErrorCode::kUnknownOutcome, "the connection to the controller at " + address +
                                            " broke during " + what + " (" + Words(status) +
                                            "); look whether it was done before asking again"};
  }
  return {ErrorCode::kUnavailable, Words(status)};
}

template <class Request, class Response>
Result<Response> Client::Call(Method<Request, Response> method,
                              const Request& request,
                              Repeat repeat,
                              const std::string& what) {
  const auto deadline = Clock::now() + options_.timeout;
  pause_ = milliseconds(0);
  for (;;) {
    const Result<std::string> address = FindController(deadline);
    if (!address.ok()) {
      return address.error();
    }
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + (deadline - Clock::now()));
    Response response;
    const grpc::Status status = (StubOf(*address).*method)(&context, request, &response);
    if (status.ok() && !response.header().has_error()) {
      return response;
    }
    const Error error = WhatFailed(status, response.header(), repeat, *address, what);
    if (!DidNotHappen(error.code)) {
      return error;
    }
    peers_[*address].stub.reset();
    peers_[*address].last_words = error.message;
    active_.clear();
    if (!BackOff(deadline)) {
      return Error{error.code == ErrorCode::kNotController ? error.code : ErrorCode::kTimedOut,
                   "the controller at " + *address + " did not do " + what + " within " +
                       Seconds(options_.timeout) + ": " + error.message};
    }
  }
}

Result<v1::GetControllerResponse> Client::GetController() {
  using Stub = v1::Admin::StubInterface;
  return Call<v1::GetControllerRequest, v1::GetControllerResponse>(
      &Stub::GetController, {}, Repeat::kHarmless, "the question who holds the office");
}

Result<v1::GetClusterStatusResponse> Client::GetClusterStatus() {
  using Stub = v1::Admin::StubInterface;
  return Call<v1::GetClusterStatusRequest, v1::GetClusterStatusResponse>(
      &Stub::GetClusterStatus, {}, Repeat::kHarmless, "the status of the cluster");
}

Result<v1::ListBrokersResponse> Client::ListBrokers() {
  using Stub = v1::Admin::StubInterface;
  return Call<v1::ListBrokersRequest, v1::ListBrokersResponse>(&Stub::ListBrokers, {},
                                                               Repeat::kHarmless, "the brokers");
}

Result<v1::CreateTopicResponse> Client::CreateTopic(v1::CreateTopicRequest request) {
  using Stub = v1::Admin::StubInterface;
  request.set_timeout_ms(TimeoutOfController(options_.timeout));
  return Call<v1::CreateTopicRequest, v1::CreateTopicResponse>(
      &Stub::CreateTopic, request, Repeat::kHarmful, "the creation of topic " + request.name());
}

Result<v1::DeleteTopicResponse> Client::DeleteTopic(v1::DeleteTopicRequest request) {
  using Stub = v1::Admin::StubInterface;
  request.set_timeout_ms(TimeoutOfController(options_.timeout));
  // Between two attempts, somebody may make a topic of the same name.
  return Call<v1::DeleteTopicRequest, v1::DeleteTopicResponse>(
      &Stub::DeleteTopic, request, Repeat::kHarmful, "the deletion of topic " + request.name());
}

Result<v1::ExtendTopicResponse> Client::ExtendTopic(v1::ExtendTopicRequest request) {
  using Stub = v1::Admin::StubInterface;
  request.set_timeout_ms(TimeoutOfController(options_.timeout));
  return Call<v1::ExtendTopicRequest, v1::ExtendTopicResponse>(
      &Stub::ExtendTopic, request, Repeat::kHarmful, "the extension of topic " + request.name());
}

Result<v1::AlterTopicConfigResponse> Client::AlterTopicConfig(v1::AlterTopicConfigRequest request) {
  using Stub = v1::Admin::StubInterface;
  request.set_timeout_ms(TimeoutOfController(options_.timeout));
  return Call<v1::AlterTopicConfigRequest, v1::AlterTopicConfigResponse>(
      &Stub::AlterTopicConfig, request, Repeat::kHarmless,
      "the change of the config of topic " + request.name());
}

Result<v1::DescribeTopicConfigResponse> Client::DescribeTopicConfig(const std::string& topic) {
  using Stub = v1::Admin::StubInterface;
  v1::DescribeTopicConfigRequest request;
  request.set_name(topic);
  return Call<v1::DescribeTopicConfigRequest, v1::DescribeTopicConfigResponse>(
      &Stub::DescribeTopicConfig, request, Repeat::kHarmless, "the config of topic " + topic);
}

Result<v1::ListTopicsResponse> Client::ListTopics() {
  using Stub = v1::Admin::StubInterface;
  return Call<v1::ListTopicsRequest, v1::ListTopicsResponse>(&Stub::ListTopics, {},
                                                             Repeat::kHarmless, "the topics");
}

Result<v1::DescribeTopicsResponse> Client::DescribeTopics(
    const v1::DescribeTopicsRequest& request) {
  using Stub = v1::Admin::StubInterface;
  return Call<v1::DescribeTopicsRequest, v1::DescribeTopicsResponse>(
      &Stub::DescribeTopics, request, Repeat::kHarmless, "the description of topics");
}

Result<v1::ElectLeadersResponse> Client::ElectLeaders(v1::ElectLeadersRequest request) {
  using Stub = v1::Admin::StubInterface;
  request.set_timeout_ms(TimeoutOfController(options_.timeout));
  // An election of preferred leaders that happened already changes nothing when asked for again.
  return Call<v1::ElectLeadersRequest, v1::ElectLeadersResponse>(&Stub::ElectLeaders, request,
                                                                 Repeat::kHarmless, "the election");
}

void Client::LearnAddresses() {
  const milliseconds timeout = std::exchange(options_.timeout, milliseconds(500));
  const Result<v1::ListBrokersResponse> listed = ListBrokers();
  options_.timeout = timeout;
  if (!listed.ok()) {
    return;
  }
  for (const v1::BrokerStatus& broker : listed->brokers()) {
    for (const v1::Listener& listener : broker.endpoint().listeners()) {
      const std::string address = AddressOf(listener.endpoint());
      if (listener.name() == "REGENT" && !address.empty() &&
          std::ranges::find(options_.addresses, address) == options_.addresses.end()) {
        options_.addresses.push_back(address);
      }
    }
  }
}

void Client::LearnDuration(const std::string& watched, v1::ControllerChange& change) {
  const std::string winner = AddressOf(change.controller().endpoint());
  if (change.controller().id() < 0 || change.failover_ms() >= 0 || winner.empty() ||
      winner == watched) {
    return;
  }
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kLearnAtMost);
  const auto stream = StubOf(winner).WatchController(&context, {});
  for (v1::ControllerChange own; stream->Read(&own);) {
    // Its first messages may tell of the time before it took office.
    if (own.controller().active_here() && SameOffice(own.controller(), change.controller())) {
      change.set_failover_ms(own.failover_ms());
      change.set_reason(own.reason());
      break;
    }
    if (own.controller().epoch() > change.controller().epoch()) {
      break;
    }
  }
  context.TryCancel();
  stream->Finish();
}

Client::Watch Client::WatchAt(const std::string& address,
                              const std::function<bool(const v1::ControllerChange&)>& see) {
  grpc::ClientContext context;
  const auto stream = StubOf(address).WatchController(&context, {});
  v1::ControllerChange change;
  Watch result = Watch::kSilent;
  for (; stream->Read(&change); result = Watch::kBroken) {
    const bool known = result == Watch::kSilent && seen_ && SameOffice(*seen_, change.controller());
    if (known) {
      continue;
    }
    seen_ = change.controller();
    LearnDuration(address, change);
    if (!see(change)) {
      context.TryCancel();
      return Watch::kEnded;
    }
    LearnAddresses();
  }
  const grpc::Status status = stream->Finish();
  options_.talk("the watch at " + address + " ended: " + Words(status));
  Peer& peer = peers_[address];
  peer.last_words = Words(status);
  peer.stub.reset();
  return result;
}

Status Client::WatchController(const std::function<bool(const v1::ControllerChange&)>& see) {
  auto deadline = Clock::now() + options_.timeout;
  for (;;) {
    for (const std::string& address : std::vector<std::string>(options_.addresses)) {
      if (!Ask(address, deadline).ok()) {
        continue;
      }
      switch (WatchAt(address, see)) {
        case Watch::kEnded: return Success{};
        case Watch::kBroken:
          pause_ = milliseconds(0);
          deadline = Clock::now() + options_.timeout;
          break;
        case Watch::kSilent: break;
      }
    }
    if (!BackOff(deadline)) {
      return NothingFound();
    }
  }
}

}  // namespace regent::cli
