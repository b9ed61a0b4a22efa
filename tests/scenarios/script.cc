#include "tests/scenarios/script.h"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <sstream>

#include <glog/logging.h>

#include "tests/support/controller_text.h"
#include "tests/support/controller_world.h"

namespace regent::controller::toy {
namespace {

using Words = std::vector<std::string>;

Words Split(const std::string& text, char separator) {
  Words words;
  std::istringstream in(text);
  for (std::string word; std::getline(in, word, separator);) {
    if (!word.empty()) {
      words.push_back(word);
    }
  }
  return words;
}

int32_t Int(const std::string& word) {
  return static_cast<int32_t>(std::stol(word));
}

std::vector<int32_t> Ints(const std::string& list) {
  std::vector<int32_t> ids;
  for (const std::string& word : Split(list, ',')) {
    ids.push_back(Int(word));
  }
  return ids;
}

PartitionName Named(const std::string& word) {
  const size_t dash = word.rfind('-');
  return {word.substr(0, dash), Int(word.substr(dash + 1))};
}

/// Reads leader/[ISR]/leader epoch.
PartitionState StateOf(const std::string& word) {
  const size_t open = word.find('[');
  const size_t close = word.find(']');
  return State(Int(word.substr(0, word.find('/'))), Ints(word.substr(open + 1, close - open - 1)),
               Int(word.substr(close + 2)));
}

/// One scenario's world and the commands that work on it.
class Stage {
 public:
  Stage() {
    TermOptions options;
    options.tamper = [this](PartitionState& state) {
      if (tampered_ && state.leader == *tampered_) {
        state.leader = B(99);
      }
    };
    world_ = std::make_unique<ControllerWorld>(std::move(options));
    Commands();
  }

  std::vector<std::string> Run(const std::string& line) {
    Words words = Split(line, ' ');
    const bool silently = words.front() == "silently";
    if (silently) {
      words.erase(words.begin());
    }
    const std::string name = words.front();
    words.erase(words.begin());
    const auto found = commands_.find(name);
    if (found == commands_.end()) {
      return {"no such command: " + name};
    }
    said_.clear();
    found->second(words);
    std::vector<std::string> lines = world_->TakeTrace();
    if (silently) {
      lines.clear();
    }
    lines.insert(lines.end(), said_.begin(), said_.end());
    return lines;
  }

 private:
  void Say(std::string line) { said_.push_back(std::move(line)); }

  void Commands() {
    ControllerWorld& world = *world_;
    commands_["brokers"] = [&](const Words& w) {
      std::vector<int32_t> ids;
      for (const std::string& word : w) {
        ids.push_back(Int(word));
      }
      world.StartBrokers(ids);
    };
    commands_["start"] = [&](const Words& w) { world.StartBroker(Int(w.at(0))); };
    commands_["kill"] = [&](const Words& w) { world.KillBroker(Int(w.at(0))); };
    commands_["bounce"] = [&](const Words& w) { world.BounceBroker(Int(w.at(0))); };
    commands_["renew"] = [&](const Words& w) { world.RenewSession(Int(w.at(0))); };
    commands_["shutdown"] = [&](const Words& w) { world.AskShutdown(Int(w.at(0))); };
    commands_["controller"] = [&](const Words& w) { world.StartCandidate(Int(w.at(0))); };
    commands_["stop-controller"] = [&](const Words& w) { world.StopCandidate(Int(w.at(0))); };
    commands_["kill-controller"] = [&](const Words& w) { world.KillCandidate(Int(w.at(0))); };
    commands_["expire"] = [&](const Words& w) { world.ExpireCandidate(Int(w.at(0))); };
    commands_["connect"] = [&](const Words& w) { world.Connect(Int(w.at(0))); };
    commands_["lose-contact"] = [&](const Words& w) { world.LoseContact(Int(w.at(0))); };
    commands_["regain-contact"] = [&](const Words& w) { world.RegainContact(Int(w.at(0))); };
    ProcessCommands();
    TopicCommands();
    FaultCommands();
    LookCommands();
  }

  /// Processes that are broker and candidate in one.
  void ProcessCommands() {
    ControllerWorld& world = *world_;
    commands_["start-process"] = [&](const Words& w) {
      world.StartBroker(Int(w.at(0)));
      world.StartCandidate(Int(w.at(0)));
    };
    commands_["stop-process"] = [&](const Words& w) {
      // The order of a stop by SIGTERM: leaders moved, agent unregistered, office resigned.
      world.AskShutdown(Int(w.at(0)));
      world.KillBroker(Int(w.at(0)));
      world.StopCandidate(Int(w.at(0)));
    };
    commands_["kill-process"] = [&](const Words& w) {
      // One process, two sessions: the office may well go first.
      world.KillCandidate(Int(w.at(0)));
      world.KillBroker(Int(w.at(0)));
    };
  }

  void TopicCommands() {
    ControllerWorld& world = *world_;
    commands_["topic"] = [&](const Words& w) {
      std::vector<std::vector<int32_t>> assignment;
      for (size_t i = 1; i < w.size(); ++i) {
        assignment.push_back(Ints(w[i]));
      }
      world.CreateTopic(w.at(0), assignment);
    };
    commands_["tool-topic"] = [&](const Words& w) {
      std::vector<BrokerList> assignment;
      for (size_t i = 1; i < w.size(); ++i) {
        assignment.push_back(Bs(Ints(w[i])));
      }
      world.ChangeStore([&](ToyStore& store) { store.WriteTopicByTool(w.at(0), assignment); });
    };
    commands_["state"] = [&](const Words& w) {
      const PartitionName name = Named(w.at(0));
      world.store.WriteState(name.first, name.second, StateOf(w.at(1)));
    };
    commands_["alter"] = [&](const Words& w) {
      world.Alter(Int(w.at(0)), Named(w.at(1)), Ints(w.at(2)));
    };
    commands_["catch-up"] = [&](const Words& w) { world.CatchUp(Int(w.at(0))); };
    commands_["unclean"] = [&](const Words& w) {
      AlterTopicConfigSpec spec;
      spec.name = w.at(0);
      spec.set = {{"unclean.leader.election.enable", "true"}};
      world.AskConfig(spec);
    };
    commands_["min-isr"] = [&](const Words& w) {
      AlterTopicConfigSpec spec;
      spec.name = w.at(0);
      spec.set = {{"min.insync.replicas", w.at(1)}};
      world.AskConfig(spec);
    };
    commands_["elect"] = [&](const Words&) { world.ElectPreferred(); };
    commands_["elect-unclean"] = [&](const Words& w) {
      const PartitionName name = Named(w.at(0));
      world.AskElect({.type = ElectionType::kUnclean,
                      .partitions = {{.topic = name.first, .index = name.second}}});
    };
  }

  void FaultCommands() {
    ControllerWorld& world = *world_;
    commands_["next"] = [&](const Words& w) { world.Once(Kind(w), FateOf(w.at(1))); };
    commands_["every"] = [&](const Words& w) { world.Always(Kind(w), FateOf(w.at(1))); };
    commands_["heal"] = [&](const Words&) { world.Heal(); };
    commands_["release"] = [&](const Words&) { world.Release(); };
    commands_["refuse"] = [&](const Words& w) {
      const std::map<std::string, PartitionAnswer> answers = {
          {"replica-missing", PartitionAnswer::kReplicaMissing},
          {"other-life", PartitionAnswer::kOtherLife},
          {"storage-error", PartitionAnswer::kStorageError}};
      world.agent(Int(w.at(0))).refusals[Named(w.at(1))] = answers.at(w.at(2));
    };
    commands_["obey"] = [&](const Words& w) {
      world.agent(Int(w.at(0))).refusals.erase(Named(w.at(1)));
    };
    commands_["fail"] = [&](const Words& w) { world.FailLog(Int(w.at(0)), Named(w.at(1))); };
    commands_["suspect"] = [&](const Words& w) {
      world.agent(Int(w.at(0))).suspects[Named(w.at(1))] = false;
    };
    commands_["log-end"] = [&](const Words& w) {
      world.agent(Int(w.at(0))).log_ends[Named(w.at(1))] = {.epoch = LeaderEpoch(Int(w.at(2))),
                                                            .end = Offset(Int(w.at(3)))};
    };
    commands_["tamper"] = [&](const Words& w) {
      tampered_ = w.at(0) == "off" ? std::nullopt : std::optional(B(Int(w.at(0))));
    };
    commands_["pass"] = [&](const Words& w) {
      world.Pass(std::chrono::milliseconds(Int(w.at(0))));
    };
  }

  void LookCommands() {
    ControllerWorld& world = *world_;
    commands_["show"] = [&](const Words& w) {
      const ToyStore::TopicNode& topic = world.store.topics.at(w.at(0));
      for (size_t i = 0; i < topic.assignment.size(); ++i) {
        const auto index = static_cast<int32_t>(i);
        const auto& node = topic.partitions.at(index);
        Say(w.at(0) + "-" + std::to_string(i) + " replicas " + ToText(topic.assignment[i]) + ": " +
            world.Partition(w.at(0), index) + " version " + std::to_string(node.version.value()));
      }
    };
    commands_["office"] = [&](const Words&) {
      Say("office: " +
          (world.store.office ? std::to_string(world.store.office->holder.id.value())
                              : std::string("nobody")) +
          " epoch " + std::to_string(world.store.epoch.value()));
    };
    commands_["why"] = [&](const Words& w) {
      DescribeSpec spec;
      spec.topics = {Named(w.at(0)).first};
      spec.partition = Named(w.at(0)).second;
      const auto described = world.term().Describe(spec, world.now());
      const PartitionDescription& d = described->front().partitions.front();
      if (!d.explanation.empty()) {
        Say(d.explanation);
      }
      for (const OutOfSyncReplica& replica : d.out_of_sync) {
        Say(std::to_string(replica.broker.value()) + " is out: " + replica.reason);
      }
    };
    commands_["problems"] = [&](const Words&) {
      for (const std::string& problem : world.term().Status().problems) {
        Say(problem);
      }
    };
    commands_["clients"] = [&](const Words& w) {
      for (const std::string& partition : Split(w.at(1), ',')) {
        Say("clients of " + w.at(0) + " find " + partition + " at " +
            std::to_string(world.agent(Int(w.at(0))).LeaderForClients(Named(partition)).value()));
      }
    };
  }

  /// What `next` and `every` speak of: a kind of action, and for messages the broker.
  static ControllerWorld::Matches Kind(const Words& w) {
    const std::string& kind = w.at(0);
    const int32_t broker = w.size() > 2 ? Int(w[2]) : -1;
    const std::map<std::string, ControllerWorld::Matches> kinds = {
        {"claim", Any<ClaimOffice>()},
        {"write", Any<Write>()},
        {"read-partitions", Any<ReadPartitions>()},
        {"read-office", Any<ReadOffice>()},
        {"load", Any<LoadCluster>()},
        {"resign", Any<ResignOffice>()},
        {"roles", broker < 0 ? Any<SendLeaderAndIsr>() : To<SendLeaderAndIsr>(broker)},
        {"metadata", broker < 0 ? Any<SendUpdateMetadata>() : To<SendUpdateMetadata>(broker)}};
    return kinds.at(kind);
  }

  static Fate FateOf(const std::string& word) {
    const std::map<std::string, Fate> fates = {
        {"answer-lost", Fate::kLoseAnswer}, {"lost", Fate::kDrop}, {"held", Fate::kHold}};
    return fates.at(word);
  }

  std::optional<BrokerId> tampered_;
  std::unique_ptr<ControllerWorld> world_;
  std::map<std::string, std::function<void(const Words&)>> commands_;
  std::vector<std::string> said_;
};

}  // namespace

std::string RunScenario(const std::string& text) {
  Stage stage;
  std::string result;
  std::vector<std::string> output;
  bool in_output = false;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    if (in_output) {
      in_output = !line.empty();
      if (!in_output) {
        result += "\n";
      }
      continue;
    }
    result += line + "\n";
    if (line == "----") {
      for (const std::string& said : output) {
        result += said + "\n";
      }
      output.clear();
      in_output = true;
    } else if (!line.empty() && line.front() != '#') {
      for (std::string& said : stage.Run(line)) {
        output.push_back(std::move(said));
      }
    }
  }
  return result;
}

}  // namespace regent::controller::toy
