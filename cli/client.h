#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <grpcpp/grpcpp.h>

#include "regent/v1/admin.grpc.pb.h"

#include "common/base/result.h"

namespace regent::cli {

struct ClientOptions {
  std::vector<std::string> addresses;  ///< Of any brokers or controllers; at least one.
  std::chrono::milliseconds timeout = std::chrono::seconds(10);  ///< For one call, search included.
  /// Told, in a sentence, what the user is waiting for.
  std::function<void(const std::string&)> talk = [](const std::string&) {};
};

/// Calls the active controller, wherever it is.
///
/// It asks the addresses given who holds the office, follows the answers, and asks again with a
/// back-off until the timeout: a failover in the middle is a delay, not an error. No controller
/// found is kNotController when somebody answered and kUnavailable when nobody did. A call that
/// must not be repeated is sent again only if it provably did not happen; a connection that breaks
/// under it is kUnknownOutcome. One thread.
class Client {
 public:
  explicit Client(ClientOptions options) : options_(std::move(options)) {}

  Result<v1::GetControllerResponse> GetController();
  Result<v1::GetClusterStatusResponse> GetClusterStatus();
  Result<v1::ListBrokersResponse> ListBrokers();
  Result<v1::CreateTopicResponse> CreateTopic(v1::CreateTopicRequest request);
  Result<v1::DeleteTopicResponse> DeleteTopic(v1::DeleteTopicRequest request);
  Result<v1::ExtendTopicResponse> ExtendTopic(v1::ExtendTopicRequest request);
  Result<v1::AlterTopicConfigResponse> AlterTopicConfig(v1::AlterTopicConfigRequest request);
  Result<v1::DescribeTopicConfigResponse> DescribeTopicConfig(const std::string& topic);
  Result<v1::ListTopicsResponse> ListTopics();
  Result<v1::DescribeTopicsResponse> DescribeTopics(const v1::DescribeTopicsRequest& request);
  Result<v1::ElectLeadersResponse> ElectLeaders(v1::ElectLeadersRequest request);

  /// Hands every change of the office to `see` until that returns false. It watches at any address
  /// that answers, learns the brokers' addresses on the way, and goes on at another one when the
  /// one it watches goes away; what it saw already is not handed out again. Returns an error when
  /// no address has answered for the length of the timeout.
  Status WatchController(const std::function<bool(const v1::ControllerChange&)>& see);

 private:
  using Clock = std::chrono::steady_clock;
  /// What a second attempt would do after one that may have happened.
  enum class Repeat { kHarmless, kHarmful };
  template <class Request, class Response>
  using Method = grpc::Status (v1::Admin::StubInterface::*)(grpc::ClientContext*,
                                                            const Request&,
                                                            Response*);

  /// One connection; `last_words` is what the address said or did when it was last asked.
  struct Peer {
    std::unique_ptr<v1::Admin::Stub> stub;
    std::string last_words;
    bool answered = false;
  };

  template <class Request, class Response>
  Result<Response> Call(Method<Request, Response> method,
                        const Request& request,
                        Repeat repeat,
                        const std::string& what);
  Error WhatFailed(const grpc::Status& status,
                   const v1::AnswerHeader& header,
                   Repeat repeat,
                   const std::string& address,
                   const std::string& what) const;
  Result<std::string> FindController(Clock::time_point deadline);
  /// Asks everybody once; returns the active controller's address, or "".
  std::string AskAround(Clock::time_point deadline);
  Result<v1::ControllerInfo> Ask(const std::string& address, Clock::time_point deadline);
  v1::Admin::Stub& StubOf(const std::string& address);
  Error NothingFound() const;
  /// Waits a little, longer each time, never past `deadline`; false once that has passed.
  bool BackOff(Clock::time_point deadline);
  /// Adds the addresses of the brokers that the active controller knows, if it answers at once.
  void LearnAddresses();
  /// Asks the winner how long the failover took: nobody else knows.
  void LearnDuration(const std::string& watched, v1::ControllerChange& change);
  enum class Watch { kEnded, kBroken, kSilent };
  Watch WatchAt(const std::string& address,
                const std::function<bool(const v1::ControllerChange&)>& see);

  ClientOptions options_;
  std::map<std::string, Peer> peers_;
  std::string active_;  ///< Where the active controller was last seen; "" if nowhere.
  std::chrono::milliseconds pause_{0};
  bool told_of_waiting_ = false;
  std::optional<v1::ControllerInfo> seen_;  ///< By the watch.
};

/// Returns "host:port", with brackets around an IPv6 host; "" for no endpoint.
std::string AddressOf(const v1::Endpoint& endpoint);

}  // namespace regent::cli
