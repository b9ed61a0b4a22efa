#include "tests/simulation/zookeeper_client.h"

#include <utility>

#include "common/base/overloaded.h"
#include "common/model/partition_state.h"
#include "common/wire/znode_json.h"
#include "common/zk/paths.h"

namespace regent::simulation {
namespace {

std::string ToText(const std::vector<zk::Op>& ops) {
  std::string text;
  for (const zk::Op& op : ops) {
    text += std::visit(Overloaded{[](const zk::CreateOp&) { return " create "; },
                                  [](const zk::SetOp&) { return " set "; },
                                  [](const zk::DeleteOp&) { return " delete "; },
                                  [](const zk::CheckOp&) { return " check "; }},
                       op);
    text += zk::PathOf(op);
  }
  return text;
}

bool IsStatePath(const std::string& path) {
  return path.starts_with(zk::TopicsPath() + "/") && path.ends_with("/state");
}

zk::InMemoryClientOptions InnerOptions(World& world, const SimZkClient::Options& options) {
  const auto delay = [&world, delay_max = options.delay_max] {
    return world.Between(microseconds(20), delay_max);
  };
  return {.root = "",
          .session_timeout = seconds(6),
          .request_delay = delay,
          .answer_delay = delay,
          .clock_permille = options.clock_permille};
}

}  // namespace

SimZkClient::SimZkClient(World& world,
                         zk::InMemoryZooKeeper& server,
                         Executor& owner,
                         zk::SessionListener& listener,
                         Probes& probes,
                         Options options)
    : world_(world),
      server_(server),
      owner_(owner),
      probes_(probes),
      options_(std::move(options)),
      inner_(server, owner, listener, InnerOptions(world, options_)) {}

SimZkClient::~SimZkClient() {
  if (on_gone) {
    on_gone();
  }
}

void SimZkClient::Heal() {
  options_.lost_before_permille = 0;
  options_.lost_after_permille = 0;
  inner_.LoseAnswers(0, zk::Lost::kBeforeEffect);
  inner_.LoseAnswers(0, zk::Lost::kAfterEffect);
}

void SimZkClient::MaybeLose() {
  if (options_.lost_before_permille != 0 &&
      world_.rng().Below(1000) < options_.lost_before_permille) {
    inner_.LoseAnswers(1, zk::Lost::kBeforeEffect);
  }
  if (options_.lost_after_permille != 0 &&
      world_.rng().Below(1000) < options_.lost_after_permille) {
    inner_.LoseAnswers(1, zk::Lost::kAfterEffect);
  }
}

void SimZkClient::Get(const std::string& path, zk::Watch watch, zk::Callback<zk::Node> done) {
  MaybeLose();
  probes_.Hit("read from a server that is cut off", inner_.server_cut_off() ? 1 : 0);
  if (!unheard_.contains(path)) {
    inner_.Get(path, watch, std::move(done));
    return;
  }
  inner_.Get(path, watch, [this, path, done = std::move(done)](zk::Outcome<zk::Node> outcome) {
    CountReadBack(path, outcome);
    done(std::move(outcome));
  });
}

void SimZkClient::CountReadBack(const std::string& path, const zk::Outcome<zk::Node>& outcome) {
  const auto unheard = unheard_.find(path);
  if (unheard != unheard_.end() && outcome.ok()) {
    const bool applied = outcome.value().stat.version == unheard->second;
    probes_.Hit("unknown outcome resolved to applied", applied ? 1 : 0);
    unheard_.erase(unheard);
  }
}

void SimZkClient::Exists(const std::string& path,
                         zk::Watch watch,
                         zk::Callback<std::optional<zk::Stat>> done) {
  MaybeLose();
  inner_.Exists(path, watch, std::move(done));
}

void SimZkClient::Children(const std::string& path,
                           zk::Watch watch,
                           zk::Callback<std::vector<std::string>> done) {
  MaybeLose();
  if (options_.mutant == Mutant::kChildrenUnwatched) {
    watch = zk::Watch::kNone;
  }
  if (options_.mutant == Mutant::kStaleSessionObeyed && path == zk::BrokerIdsPath()) {
    done = [this, session = generation(),
            done = std::move(done)](zk::Outcome<std::vector<std::string>> outcome) {
      if (outcome.ok() && (!brokers_ || brokers_->first == session)) {
        brokers_.emplace(session, outcome.value());
      } else if (outcome.ok()) {
        outcome = brokers_->second;
      }
      done(std::move(outcome));
    };
  }
  inner_.Children(path, watch, std::move(done));
}

void SimZkClient::Create(zk::CreateOp op, zk::Callback<zk::OpResult> done) {
  MaybeLose();
  inner_.Create(op, [this, op, done = std::move(done)](zk::Outcome<zk::OpResult> outcome) {
    if (outcome.unknown()) {
      CountLost({op});
    }
    done(std::move(outcome));
  });
}

void SimZkClient::Set(zk::SetOp op, zk::Callback<zk::Stat> done) {
  MaybeLose();
  inner_.Set(std::move(op), std::move(done));
}

void SimZkClient::Delete(zk::DeleteOp op, zk::Callback<std::monostate> done) {
  MaybeLose();
  inner_.Delete(std::move(op), std::move(done));
}

void SimZkClient::Sync(const std::string& path, zk::Callback<std::monostate> done) {
  MaybeLose();
  inner_.Sync(path, std::move(done));
}

void SimZkClient::Multi(std::vector<zk::Op> ops, zk::Callback<std::vector<zk::OpResult>> done) {
  MaybeLose();
  const bool of_states = std::ranges::any_of(ops, [](const zk::Op& op) {
    const auto* set = std::get_if<zk::SetOp>(&op);
    return set != nullptr && IsStatePath(set->path);
  });
  for (const zk::Op& op : ops) {
    const auto* const set = std::get_if<zk::SetOp>(&op);
    if (options_.on_state && set != nullptr && IsStatePath(set->path)) {
      options_.on_state(*set);
    }
  }
  Plant(ops);
  if (world_.trace().keeps_text()) {
    world_.trace().Note(world_.now(), options_.owner, "sends to ZooKeeper:" + ToText(ops));
  }
  if (options_.mutant == Mutant::kBelievedBeforeAcknowledged && of_states) {
    owner_.Post([done, results = Pretended(ops)]() mutable { done(std::move(results)); });
    inner_.Multi(std::move(ops), [](const zk::Outcome<std::vector<zk::OpResult>>&) {});
    return;
  }
  auto sent = std::make_shared<std::vector<zk::Op>>(ops);
  inner_.Multi(std::move(ops), [this, sent, of_states, done = std::move(done)](
                                   zk::Outcome<std::vector<zk::OpResult>> outcome) {
    if (outcome.unknown()) {
      CountLost(*sent);
      if (options_.mutant == Mutant::kLostAnswerIsSuccess && of_states) {
        done(Pretended(*sent));
        return;
      }
      if (options_.mutant == Mutant::kRetriedBlindly && of_states) {
        SendAgain(*sent, done);
        return;
      }
    }
    done(std::move(outcome));
  });
}

void SimZkClient::SendAgain(std::vector<zk::Op> ops,
                            const zk::Callback<std::vector<zk::OpResult>>& done) {
  for (zk::Op& op : ops) {
    if (auto* const set = std::get_if<zk::SetOp>(&op)) {
      set->expected = zk::AnyVersion{};
    }
  }
  inner_.Multi(std::move(ops), done);
}

bool SimZkClient::Happened(const std::vector<zk::Op>& ops) const {
  for (const zk::Op& op : ops) {
    const bool there =
        std::visit(Overloaded{[&](const zk::CreateOp& create) {
                                const auto node = server_.Find(create.path);
                                return node && node->data == create.data;
                              },
                              [&](const zk::SetOp& set) {
                                const auto node = server_.Find(set.path);
                                return node && node->data == set.data;
                              },
                              [&](const zk::DeleteOp& gone) { return !server_.Find(gone.path); },
                              [](const zk::CheckOp&) { return true; }},
                   op);
    if (!there) {
      return false;
    }
  }
  return true;
}

void SimZkClient::CountLost(const std::vector<zk::Op>& ops) {
  const bool happened = Happened(ops);
  probes_.Hit(happened ? "lost answer after the effect" : "lost answer before the effect");
  for (const zk::Op& op : ops) {
    const auto* const set = std::get_if<zk::SetOp>(&op);
    if (const auto* const at =
            set == nullptr ? nullptr : std::get_if<zk::AtVersion>(&set->expected);
        at != nullptr && happened && IsStatePath(set->path)) {
      unheard_[set->path] = at->version + 1;
    }
  }
}

void SimZkClient::Plant(std::vector<zk::Op>& ops) const {
  if (options_.mutant == Mutant::kNoLicence && ops.size() > 1) {
    std::erase_if(ops, [](const zk::Op& op) { return std::holds_alternative<zk::CheckOp>(op); });
  }
  for (zk::Op& op : ops) {
    auto* set = std::get_if<zk::SetOp>(&op);
    Result<PartitionState> state = set == nullptr || !IsStatePath(set->path)
                                       ? Error{ErrorCode::kNotFound, "no state"}
                                       : wire::DecodePartitionState(set->data);
    if (state.ok() && PlantInState(*state)) {
      set->data = wire::EncodePartitionState(*state);
    }
  }
}

bool SimZkClient::PlantInState(PartitionState& state) const {
  if (options_.mutant == Mutant::kLeaderOutsideIsr && state.leader != kNoBroker &&
      state.isr.size() > 1) {
    std::erase(state.isr, state.leader);
    return true;
  }
  if (options_.mutant == Mutant::kLastMemberDropped && state.leader == kNoBroker &&
      state.isr.size() == 1) {
    state.isr.clear();
    return true;
  }
  return false;
}

std::vector<zk::OpResult> SimZkClient::Pretended(const std::vector<zk::Op>& ops) const {
  std::vector<zk::OpResult> results;
  for (const zk::Op& op : ops) {
    zk::OpResult result;
    if (const auto* set = std::get_if<zk::SetOp>(&op)) {
      const auto* at = std::get_if<zk::AtVersion>(&set->expected);
      result.stat.version = at == nullptr ? 0 : at->version + 1;
      result.stat.mzxid = server_.zxid() + 1;
    } else if (const auto* create = std::get_if<zk::CreateOp>(&op)) {
      result.created_path = create->path;
    }
    results.push_back(std::move(result));
  }
  return results;
}

}  // namespace regent::simulation
