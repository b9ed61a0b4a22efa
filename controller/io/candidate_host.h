#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <grpcpp/grpcpp.h>

#include "common/base/instant.h"
#include "common/runtime/loop.h"
#include "common/zk/client.h"
#include "controller/core/candidate.h"
#include "controller/io/candidate_runner.h"
#include "controller/io/controller_calls.h"
#include "controller/io/metrics.h"
#include "controller/io/office_source.h"

namespace regent::controller {

struct CandidateHostOptions {
  /// `self.life` zero: one is drawn. `self.endpoint` is where this process serves the two services.
  CandidateOptions candidate;
  ZkClientFactory make_client;
  /// Called on the candidate's thread when it has found the cluster that it belongs to and before
  /// it claims any office: the place to remember `known_cluster_id` (R10), without keeping that
  /// thread waiting. `done` is called once, within the call or later, on any thread; false (the
  /// reason is logged there) keeps the candidate away from the office, and it asks again.
  std::function<void(const std::string& cluster_id, std::function<void(bool taken)> done)>
      on_cluster;
  /// Called on the candidate's thread when ZooKeeper holds another cluster than
  /// `candidate.known_cluster_id`: the candidate stays away from the office.
  std::function<void(const std::string& cluster_id)> on_other_cluster;
  /// Called on the candidate's thread whenever that changes: what the candidate waits for, for
  /// people; empty: nothing.
  std::function<void(const std::string&)> on_waiting;
  uint64_t seed = 0;                                   ///< Of random ids; 0: the system's entropy.
  Duration agent_deadline = std::chrono::seconds(10);  ///< Of each control RPC.
};

/// A controller candidate with everything that it needs inside a process: its loop, its session,
/// its channels to agents, its gRPC services. `regent-controller` is one of these and a server; a
/// broker's main runs one beside its agent, on the same ZooKeeper thread and the same gRPC server.
///
///     CandidateHost host(options);
///     builder.RegisterService(each of host.services());
///     host.Start();                     // once the server listens
///     …
///     host.AwaitDeparture(self, 5s);    // a broker: after its agent has unregistered
///     host.Stop();                      // resigns, answers everybody, ends the session
///     server->Shutdown(…);              // then the host may be destroyed
///
/// Any thread may call, one at a time.
class CandidateHost {
 public:
  explicit CandidateHost(CandidateHostOptions options);
  /// Stops.
  ~CandidateHost();
  CandidateHost(const CandidateHost&) = delete;
  CandidateHost& operator=(const CandidateHost&) = delete;

  /// Opens the session and begins to run for the office. `endpoint`: where this process is to be
  /// reached, if that was not known before the server listened.
  void Start(std::optional<Endpoint> endpoint = std::nullopt);
  /// Who is the controller, also when it is another process. Others in this process may say there
  /// what they wait for.
  OfficeBoard& office();
  ControllerCalls& calls();
  /// The services Controller and Admin, to be registered with the process's server.
  std::vector<grpc::Service*> services();
  ControllerMetrics metrics() const;

  /// While this candidate is the active controller: waits until it has read that `broker` is no
  /// longer registered, at most `wait_max`. Returns whether that is so (also if it is not active).
  bool AwaitDeparture(BrokerId broker, Duration wait_max);
  /// Gives up the office in a fenced write, answers open requests, ends watchers' streams and the
  /// session. Bounded by about 5 s if ZooKeeper does not answer. Idempotent.
  void Stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace regent::controller
