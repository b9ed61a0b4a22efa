#include <chrono>
#include <future>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <glog/logging.h>
#include <nlohmann/json.hpp>

#include "regent/v1/broker_agent.grpc.pb.h"

#include "common/base/mutex.h"
#include "common/runtime/loop.h"
#include "common/wire/convert.h"
#include "common/wire/status.h"
#include "common/wire/znode_json.h"
#include "common/zk/paths.h"
#include "common/zk/real_client.h"
#include "common/zk/zookeeper_thread.h"
#include "controller/io/grpc_server.h"

// Brokers for benchmarks: they register, and answer the controller's RPCs as agents do (decode,
// check epochs, answer per partition), but keep no logs and follow nobody. What they note is when.
//
// Commands on standard input, one a line: `figures` prints a JSON object, `reset` forgets the
// figures, `close ID` ends the session of a broker as its death would, `seed TOPICS PARTITIONS ODD`
// writes topics with three replicas each, as a controller would have left them, the first ODD of
// them led by their second replica; `end`.

namespace regent::bench {
namespace {

int64_t NowMicros() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

/// What a broker has seen since the last reset; times in µs of the wall clock, 0 for never.
struct Figures {
  int64_t roles_complete = 0;     ///< The full state's last part of LeaderAndIsr was answered.
  int64_t metadata_complete = 0;  ///< Likewise of UpdateMetadata.
  int64_t leader_last = 0;        ///< The last new leadership of its own was answered.
  int64_t leaders = 0;            ///< New leaderships of its own.
  int64_t role_last = 0;          ///< The last new state was answered.
  int64_t roles = 0;              ///< New states.
  int64_t requests = 0;
};

class StandIn final : public v1::BrokerAgent::CallbackService, private zk::SessionListener {
 public:
  StandIn(BrokerId id, const zk::RealClientOptions& zookeeper, zk::ZooKeeperThread& thread)
      : id_(id), loop_("stand-in-" + std::to_string(id.value())) {
    auto server = controller::GrpcServer::Start(
        {.listen = Endpoint{.host = "127.0.0.1", .port = 0}, .services = {this}});
    CHECK(server.ok()) << server.error();
    server_ = std::move(server).value();
    auto client = zk::MakeRealClient(thread, zookeeper, loop_, *this);
    CHECK(client.ok()) << client.error();
    client_ = std::move(client).value();
    loop_.Post([this] { Beat(); });
  }

  void Close() {
    loop_.Post([this] {
      closed_ = true;
      client_->Close();
    });
  }

  /// Writes topics into an empty cluster; returns when all of it has been acknowledged.
  void Seed(int topics, int partitions, int odd, int brokers) {
    std::promise<void> done;
    loop_.Post([&] { SeedTopic(0, topics, partitions, odd, brokers, done); });
    done.get_future().wait();
  }

  Figures figures() {
    const MutexLock lock(mutex_);
    return figures_;
  }
  void Reset() {
    const MutexLock lock(mutex_);
    figures_ = {};
  }

  grpc::ServerUnaryReactor* LeaderAndIsr(grpc::CallbackServerContext* context,
                                         const v1::LeaderAndIsrRequest* request,
                                         v1::ControlResponse* response) override {
    auto decoded = wire::FromProto(*request);
    auto* reactor = context->DefaultReactor();
    if (!decoded.ok()) {
      reactor->Finish(wire::ToGrpcStatus(decoded.error()));
      return reactor;
    }
    *response = wire::ToProto(Obey(*decoded));
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

  grpc::ServerUnaryReactor* StopReplica(grpc::CallbackServerContext* context,
                                        const v1::StopReplicaRequest* /*request*/,
                                        v1::ControlResponse* /*response*/) override {
    auto* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

  grpc::ServerUnaryReactor* UpdateMetadata(grpc::CallbackServerContext* context,
                                           const v1::UpdateMetadataRequest* request,
                                           v1::ControlResponse* response) override {
    auto decoded = wire::FromProto(*request);
    auto* reactor = context->DefaultReactor();
    if (!decoded.ok()) {
      reactor->Finish(wire::ToGrpcStatus(decoded.error()));
      return reactor;
    }
    {
      const MutexLock lock(mutex_);
      *response = wire::ToProto(Check(decoded->header));
      const auto& full = decoded->update->full;
      if (full && full->part + 1 == full->parts) {
        figures_.metadata_complete = NowMicros();
      }
    }
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

 private:
  ControlResponse Check(const ControlHeader& header) REQUIRES(mutex_) {
    ControlResponse response;
    ++figures_.requests;
    if (header.controller_epoch < controller_epoch_) {
      response.answer = ControlAnswer::kStaleControllerEpoch;
    } else if (header.broker_epoch != epoch_) {
      response.answer = ControlAnswer::kOtherBrokerEpoch;
    }
    controller_epoch_ = std::max(controller_epoch_, header.controller_epoch);
    response.highest_controller_epoch = controller_epoch_;
    response.broker_epoch = epoch_;
    return response;
  }

  ControlResponse Obey(const LeaderAndIsrRequest& request) {
    const MutexLock lock(mutex_);
    ControlResponse response = Check(request.header);
    if (response.answer != ControlAnswer::kDone) {
      return response;
    }
    for (const LeaderAndIsrTopic& topic : request.topics) {
      auto& held = held_[topic.topic->id];
      for (const LeaderAndIsrPartition& p : topic.partitions) {
        Take(held[p.index], p, topic.topic->id, response);
      }
    }
    if (request.full && request.full->part + 1 == request.full->parts) {
      figures_.roles_complete = NowMicros();
    }
    return response;
  }

  struct Held {
    LeaderEpoch leader_epoch = kNoLeaderEpoch;
    PartitionEpoch partition_epoch = kNoPartitionEpoch;
  };

  void Take(Held& held,
            const LeaderAndIsrPartition& p,
            const TopicId& topic,
            ControlResponse& response) REQUIRES(mutex_) {
    if (p.leader_epoch < held.leader_epoch || p.partition_epoch < held.partition_epoch) {
      response.partitions.push_back({.topic = topic,
                                     .index = p.index,
                                     .answer = PartitionAnswer::kAhead,
                                     .leader_epoch = held.leader_epoch,
                                     .partition_epoch = held.partition_epoch});
      return;
    }
    if (p.partition_epoch > held.partition_epoch) {
      ++figures_.roles;
      figures_.role_last = NowMicros();
      if (p.leader == id_ && p.leader_epoch > held.leader_epoch) {
        ++figures_.leaders;
        figures_.leader_last = figures_.role_last;
      }
    }
    held = {.leader_epoch = p.leader_epoch, .partition_epoch = p.partition_epoch};
  }

  void SeedTopic(
      int t, int topics, int partitions, int odd, int brokers, std::promise<void>& done) {
    if (t == topics) {
      done.set_value();
      return;
    }
    Rng rng(static_cast<uint64_t>(t) + 1);
    std::string name = "t" + std::to_string(10'000 + t).substr(1);
    wire::TopicAssignment assignment;
    assignment.id = TopicId::Random(rng);
    std::vector<zk::Op> ops;
    std::vector<zk::Op> states;
    for (int p = 0; p < partitions; ++p) {
      BrokerList replicas;
      for (int r = 0; r < 3; ++r) {
        replicas.emplace_back((t + p + r) % brokers);
      }
      PartitionState state;
      state.leader = replicas[t < odd ? 1 : 0];
      state.leader_epoch = LeaderEpoch(0);
      state.isr = replicas;
      state.controller_epoch = ControllerEpoch(1);
      states.push_back(zk::CreateOp{.path = zk::PartitionPath(name, p), .data = ""});
      states.push_back(zk::CreateOp{.path = zk::PartitionStatePath(name, p),
                                    .data = wire::EncodePartitionState(state)});
      assignment.replicas.push_back(std::move(replicas));
    }
    ops.push_back(
        zk::CreateOp{.path = zk::TopicPath(name), .data = wire::EncodeTopicAssignment(assignment)});
    ops.push_back(zk::CreateOp{.path = zk::PartitionsPath(name), .data = ""});
    ops.insert(ops.end(), states.begin(), states.end());
    client_->Multi(std::move(ops), [=, this, &done](const auto& outcome) {
      CHECK(outcome.ok()) << outcome.ToText();
      SeedTopic(t + 1, topics, partitions, odd, brokers, done);
    });
  }

  void OnSession(const zk::SessionEvent& event) override {
    if (event.state == zk::SessionState::kConnected) {
      Register();
    }
  }
  void OnWatch(const zk::WatchEvent& /*event*/) override {}

  void Beat() {
    if (!closed_) {
      client_->Heartbeat(loop_.Now());
      loop_.PostAt(loop_.Now() + std::chrono::milliseconds(100), [this] { Beat(); });
    }
  }

  void Register() {
    Rng rng(static_cast<uint64_t>(NowMicros()) + static_cast<uint64_t>(id_.value()));
    BrokerRegistration registration;
    registration.id = id_;
    registration.life = LifeId::Random(rng);
    registration.timestamp_ms = NowMicros() / 1000;
    registration.listeners = {
        {.name = kClientListener, .endpoint = {.host = "127.0.0.1", .port = 1}},
        {.name = kRegentListener, .endpoint = {.host = "127.0.0.1", .port = server_->port()}}};
    registration.features[kRpcFeature] = {.min = kRpcVersionMin, .max = kRpcVersionMax};
    client_->Create({.path = zk::BrokerIdPath(id_.value()),
                     .data = wire::EncodeBrokerRegistration(registration),
                     .mode = zk::CreateMode::kEphemeral},
                    [this](const zk::Outcome<zk::OpResult>& outcome) {
                      if (!outcome.ok()) {  // The root is not prepared yet, or an answer was lost.
                        loop_.PostAt(loop_.Now() + std::chrono::milliseconds(200),
                                     [this] { Register(); });
                        return;
                      }
                      const MutexLock lock(mutex_);
                      epoch_ = BrokerEpoch(outcome.value().stat.czxid);
                    });
  }

  const BrokerId id_;
  Loop loop_;
  Mutex mutex_;
  BrokerEpoch epoch_ GUARDED_BY(mutex_) = kNoBrokerEpoch;
  ControllerEpoch controller_epoch_ GUARDED_BY(mutex_){0};
  std::map<TopicId, std::map<int32_t, Held>> held_ GUARDED_BY(mutex_);
  Figures figures_ GUARDED_BY(mutex_);
  bool closed_ = false;  ///< On the loop's thread.
  std::unique_ptr<zk::RealClient> client_;
  std::unique_ptr<controller::GrpcServer> server_;
};

nlohmann::json ToJson(const Figures& f) {
  return {{"roles_complete", f.roles_complete},
          {"metadata_complete", f.metadata_complete},
          {"leader_last", f.leader_last},
          {"leaders", f.leaders},
          {"role_last", f.role_last},
          {"roles", f.roles},
          {"requests", f.requests}};
}

void Serve(std::vector<std::unique_ptr<StandIn>>& brokers) {
  std::string line;
  while (std::getline(std::cin, line) && line != "end") {
    std::istringstream words(line);
    std::string verb;
    size_t id = 0;
    words >> verb >> id;
    if (verb == "figures") {
      nlohmann::json all = nlohmann::json::array();
      for (auto& broker : brokers) {
        all.push_back(ToJson(broker->figures()));
      }
      std::cout << all << std::endl;
    } else if (verb == "seed") {
      int partitions = 0;
      int odd = 0;
      words >> partitions >> odd;
      brokers.front()->Seed(static_cast<int>(id), partitions, odd,
                            static_cast<int>(brokers.size()));
      std::cout << "{}" << std::endl;
    } else if (verb == "reset") {
      for (auto& broker : brokers) {
        broker->Reset();
      }
      std::cout << "{}" << std::endl;
    } else if (verb == "close" && id < brokers.size()) {
      const int64_t at = NowMicros();
      brokers[id]->Close();
      std::cout << nlohmann::json{{"at", at}} << std::endl;
    } else {
      std::cout << nlohmann::json{{"error", "unknown command: " + line}} << std::endl;
    }
  }
}

}  // namespace
}  // namespace regent::bench

int main(int argc, char** argv) {
  google::InitGoogleLogging(argv[0]);
  FLAGS_logtostderr = true;
  CLI::App app("Stand-in brokers for benchmarks.");
  std::string zookeeper;
  int count = 5;
  app.add_option("--zookeeper", zookeeper, "host:port of ZooKeeper")->required();
  app.add_option("--count", count, "How many brokers, with ids from 0")->check(CLI::Range(1, 100));
  CLI11_PARSE(app, argc, argv);
  regent::zk::ZooKeeperThread thread;
  std::vector<std::unique_ptr<regent::bench::StandIn>> brokers;
  for (int id = 0; id < count; ++id) {
    brokers.push_back(std::make_unique<regent::bench::StandIn>(
        regent::BrokerId(id),
        regent::zk::RealClientOptions{.hosts = zookeeper,
                                      .session_timeout = std::chrono::seconds(10)},
        thread));
  }
  regent::bench::Serve(brokers);
  std::_Exit(0);  // The sessions end with the process: nothing is worth an orderly end.
}
