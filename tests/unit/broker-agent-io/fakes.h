#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "broker-agent/io/controller_client.h"
#include "broker-agent/io/replica_store.h"
#include "broker-agent/io/replication_transport.h"

namespace regent::testing {

/// A store that keeps what it was asked for and answers when the test does.
class FakeStore final : public ReplicaStore {
 public:
  void Start(AgentEventSink sink) override { events = std::move(sink); }
  void Do(LogAction action) override { asked.push_back(std::move(action)); }
  std::optional<std::string> cluster_id() const override { return bound_to; }
  void Bind(std::string cluster_id, std::function<void(Status)> done) override {
    if (bound_to && *bound_to != cluster_id) {
      done(Error{ErrorCode::kRefused, "the directory is " + *bound_to + "'s"});
      return;
    }
    bound_to = std::move(cluster_id);
    done(Success{});
  }
  std::string directory_id() const override { return directory; }
  void Close(std::function<void(Status)> done) override {
    closed = true;
    done(Success{});
  }

  AgentEventSink events;
  std::vector<LogAction> asked;
  std::optional<std::string> bound_to;
  std::string directory = "directory-1";
  bool closed = false;
};

class FakeTransport final : public ReplicationTransport {
 public:
  void Start(AgentEventSink sink) override { events = std::move(sink); }
  void Open(OpenStream open) override { opened.push_back(std::move(open)); }
  void Send(SendToLeader) override {}
  void Close(CloseStream) override {}
  void Send(SendToFollower) override {}
  void Drop(DropFollower) override {}
  void Shutdown() override { shut_down = true; }

  AgentEventSink events;
  std::vector<OpenStream> opened;
  bool shut_down = false;
};

class FakeController final : public ControllerClient {
 public:
  void Start(AgentEventSink sink) override { events = std::move(sink); }
  void Send(SendAlterPartition send) override { alters.push_back(std::move(send)); }
  void Send(SendControlledShutdown send) override { shutdowns.push_back(std::move(send)); }
  void Shutdown() override { shut_down = true; }

  AgentEventSink events;
  std::vector<SendAlterPartition> alters;
  std::vector<SendControlledShutdown> shutdowns;
  bool shut_down = false;
};

}  // namespace regent::testing
