#include "controller/core/membership.h"

#include <algorithm>
#include <utility>

#include <glog/logging.h>

#include "controller/core/late.h"

namespace regent::controller {
namespace {

/// Why we cannot speak to a registered broker; empty if we can.
std::string WhyForeign(const BrokerRead& read) {
  if (!read.registration) {
    return "its registration cannot be read: " + read.problem;
  }
  const BrokerRegistration& registration = *read.registration;
  if (registration.life.is_zero() || !registration.EndpointOf(kRegentListener).known()) {
    return "it has no listener of ours: it is not a Regent broker";
  }
  const auto rpc = registration.features.find(kRpcFeature);
  if (rpc == registration.features.end()) {
    return "it names no version of our RPCs";
  }
  if (rpc->second.max < kRpcVersionMin || rpc->second.min > kRpcVersionMax) {
    return "it speaks versions " + std::to_string(rpc->second.min) + " to " +
           std::to_string(rpc->second.max) + " of our RPCs, this controller " +
           std::to_string(kRpcVersionMin) + " to " + std::to_string(kRpcVersionMax);
  }
  return {};
}

}  // namespace

void Membership::Begin(const std::vector<BrokerRead>& brokers,
                       const std::vector<StoppingMark>& marks) {
  for (const StoppingMark& mark : marks) {
    marks_.emplace(mark.life, mark);
  }
  std::set<LifeId> registered;
  std::set<BrokerId> unreadable;  // Which life it is, nobody can tell.
  for (const BrokerRead& read : brokers) {
    See(read);
    if (read.registration) {
      registered.insert(read.registration->life);
    } else {
      unreadable.insert(read.id);
    }
  }
  // A life that this term has not seen begin may have caught up since: nobody is deposed, and
  // nobody leaves an ISR, for what its registration says.
  for (const BrokerRead& read : brokers) {
    AwaitAnswers(read.id, Presumed::kWhereNobodyLeads);
  }
  for (const StoppingMark& mark : marks) {
    if (!registered.contains(mark.life) && !unreadable.contains(mark.broker)) {
      DropMark(mark.life);
    }
  }
  announcer_.PublishBrokers();
}

void Membership::Take(const BrokersRead& event) {
  std::set<BrokerId> present;
  for (const BrokerRead& read : event.brokers) {
    present.insert(read.id);
    See(read);
  }
  std::vector<BrokerId> gone;
  for (const auto& [id, broker] : term_.cluster.brokers()) {
    if ((broker.live || broker.foreign) && !present.contains(id)) {
      gone.push_back(id);
    }
  }
  for (const BrokerId id : gone) {
    Down(id);
  }
}

void Membership::See(const BrokerRead& read) {
  Broker& broker = term_.cluster.broker(read.id);
  if (std::string why = WhyForeign(read); !why.empty()) {
    SetForeign(read.id, read, std::move(why));
    return;
  }
  broker.foreign = false;
  term_.cluster.ClearProblem(BrokerNode(read.id));
  if (!broker.live) {
    Up(read.id, read);
  } else if (broker.registration.life != read.registration->life) {
    Reborn(read.id, read);
  } else if (broker.epoch != read.epoch) {
    Renewed(read.id, read);
  } else if (broker.registration != *read.registration) {
    const bool moved = broker.registration.EndpointOf(kRegentListener) !=
                       read.registration->EndpointOf(kRegentListener);
    broker.registration = *read.registration;
    announcer_.PublishBrokers();
    if (moved) {
      announcer_.Register(read.id, read.epoch, broker.registration.EndpointOf(kRegentListener));
    }
  }
}

void Membership::SetForeign(BrokerId id, const BrokerRead& read, std::string problem) {
  if (term_.cluster.IsLive(id)) {
    Down(id);
  }
  Broker& broker = term_.cluster.broker(id);
  if (read.registration) {
    broker.registration = *read.registration;
  }
  broker.epoch = read.epoch;
  broker.foreign = true;
  if (broker.problem != problem) {
    LOG(WARNING) << "broker left alone broker=" << id << " reason=" << problem;
  }
  broker.problem = problem;
  term_.cluster.SetProblem(BrokerNode(id), std::move(problem));
}

void Membership::Up(BrokerId id, const BrokerRead& read) {
  Broker& broker = term_.cluster.broker(id);
  broker.registration = *read.registration;
  broker.epoch = read.epoch;
  broker.live = true;
  broker.problem.clear();
  broker.stopping = marks_.contains(broker.registration.life);
  LOG(INFO) << "broker up broker=" << id << " broker_epoch=" << broker.epoch
            << " life=" << broker.registration.life << (broker.stopping ? " stopping" : "")
            << (broker.registration.suspect ? " suspect" : "");
  if (term_.loaded) {
    AwaitAnswers(id, Presumed::kEverywhere);
  }
  announcer_.Register(id, broker.epoch, broker.registration.EndpointOf(kRegentListener));
  announcer_.PublishBrokers();
  writer_.QueueHosted(id);
}

void Membership::AwaitAnswers(BrokerId id, Presumed presumed) {
  const Broker& broker = term_.cluster.broker(id);
  if (!broker.live) {
    return;
  }
  for (const PartitionRef ref : broker.hosted) {
    const Partition& p = term_.cluster.at(ref);
    if (!broker.registration.suspect) {
      if (Contains(p.state.elr, id)) {
        term_.cluster.AwaitWord(ref, id);
      }
      continue;
    }
    term_.cluster.AwaitWord(ref, id);
    const bool led = term_.cluster.IsLive(p.state.leader);
    if (p.has_state() && (presumed == Presumed::kEverywhere || !led)) {
      term_.cluster.SetReplicaProblem(ref, id, {.answer = PartitionAnswer::kSuspect, .reason = {}});
    }
  }
}

void Membership::Renewed(BrokerId id, const BrokerRead& read) {
  Broker& broker = term_.cluster.broker(id);
  LOG(INFO) << "broker has a new session broker=" << id << " broker_epoch=" << read.epoch
            << " life=" << broker.registration.life;
  broker.registration = *read.registration;
  broker.epoch = read.epoch;
  announcer_.Register(id, broker.epoch, broker.registration.EndpointOf(kRegentListener));
  announcer_.PublishBrokers();
}

void Membership::Reborn(BrokerId id, const BrokerRead& read) {
  Depart(id);
  Up(id, read);
}

void Membership::Depart(BrokerId id) {
  Broker& broker = term_.cluster.broker(id);
  for (const PartitionRef ref : broker.hosted) {
    Partition& p = term_.cluster.at(ref);
    const auto place = std::ranges::find(p.replicas, id) - p.replicas.begin();
    p.departed |= uint64_t{1} << static_cast<unsigned>(place);
  }
  term_.cluster.ClearReplicaProblems(id);
  term_.cluster.ClearProblem(BrokerNode(id));
  alters_.Forget(broker.registration.life);
  if (marks_.contains(broker.registration.life)) {
    DropMark(broker.registration.life);
  }
  broker.live = false;
  broker.stopping = false;
  Answer(id, Error{ErrorCode::kStaleEpoch, "this life of the broker is no longer registered"});
}

void Membership::Down(BrokerId id) {
  Broker& broker = term_.cluster.broker(id);
  if (broker.foreign) {
    broker.foreign = false;
    broker.problem.clear();
    term_.cluster.ClearProblem(BrokerNode(id));
    return;
  }
  LOG(INFO) << "broker down broker=" << id << " broker_epoch=" << broker.epoch
            << " hosts=" << broker.hosted.size() << " leads=" << broker.leaders;
  Depart(id);
  announcer_.Unregister(id);
  announcer_.PublishBrokers();
  writer_.QueueHosted(id);
}

void Membership::DropMark(LifeId life) {
  term_.IssueWrite({DeleteStoppingMark{life}}, [this, life](const WriteOutcome& outcome) {
    if (std::holds_alternative<WriteUnknown>(outcome)) {
      term_.Later([this, life] { DropMark(life); });
    } else {
      marks_.erase(life);
    }
  });
}

// --- Controlled shutdown ---

void Membership::Take(const ControlledShutdownAsked& event) {
  const ControlledShutdownRequest& ask = event.ask;
  const auto refuse = [&](ErrorCode code, std::string message) {
    ControlledShutdownResponse response;
    response.error = Error{code, std::move(message)};
    term_.Emit(AnswerControlledShutdown{.request = event.request, .response = std::move(response)});
  };
  const Broker* broker = term_.cluster.FindBroker(ask.broker);
  if (broker == nullptr || !broker->live) {
    return refuse(ErrorCode::kNotFound,
                  "broker " + std::to_string(ask.broker.value()) + " is not registered");
  }
  if (broker->registration.life != ask.life || broker->epoch > ask.broker_epoch) {
    return refuse(ErrorCode::kStaleEpoch, "another life or a newer registration of broker " +
                                              std::to_string(ask.broker.value()) + " is known");
  }
  Shutdown& shutdown = shutdowns_[ask.broker];
  shutdown.requests.push_back(event.request);
  shutdown.deadline = term_.now() + term_.options().request_timeout;
  if (shutdown.requests.size() == 1) {
    if (broker->stopping) {
      MarkWritten(ask.broker, ask.life);
    } else {
      WriteMark(ask.broker);
    }
  }
}

void Membership::WriteMark(BrokerId id) {
  const Broker& broker = term_.cluster.broker(id);
  const LifeId life = broker.registration.life;
  CreateStoppingMark op{{.broker = id, .broker_epoch = broker.epoch, .life = life}};
  marks_.emplace(life, op.mark);
  term_.IssueWrite({op}, [this, id, life](const WriteOutcome& outcome) {
    if (std::holds_alternative<WriteFenced>(outcome)) {
      return;
    }
    const bool still_here =
        term_.cluster.IsLive(id) && term_.cluster.broker(id).registration.life == life;
    if (!still_here) {
      DropMark(life);
    } else if (std::holds_alternative<WriteUnknown>(outcome)) {
      term_.Later([this, id, life] { WriteMarkAgain(id, life); });
    } else if (const auto* refused = std::get_if<WriteRefused>(&outcome);
               refused != nullptr && refused->reason != WriteRefused::Reason::kExists) {
      marks_.erase(life);
      Answer(id, Error{ErrorCode::kUnavailable,
                       "ZooKeeper refused the mark that this broker "
                       "stops: " +
                           refused->message});
    } else {
      MarkWritten(id, life);  // A mark that was there already is as good.
    }
  });
}

void Membership::WriteMarkAgain(BrokerId id, LifeId life) {
  const bool same_life =
      term_.cluster.IsLive(id) && term_.cluster.broker(id).registration.life == life;
  if (same_life) {
    WriteMark(id);
  } else {
    DropMark(life);
  }
}

void Membership::MarkWritten(BrokerId id, LifeId life) {
  Broker& broker = term_.cluster.broker(id);
  LOG(INFO) << "broker stopping broker=" << id << " life=" << life << " leads=" << broker.leaders;
  broker.stopping = true;
  Shutdown& shutdown = shutdowns_[id];
  shutdown.marked = true;
  for (const PartitionRef ref : broker.hosted) {
    if (term_.cluster.Usable(ref)) {
      shutdown.left.insert(ref);
    }
  }
  writer_.QueueHosted(id);
  FinishIfDone(id);
}

void Membership::Settle(PartitionRef ref) {
  if (shutdowns_.empty()) {
    return;
  }
  for (const BrokerId replica : term_.cluster.at(ref).replicas) {
    const auto found = shutdowns_.find(replica);
    if (found != shutdowns_.end() && found->second.left.erase(ref) > 0) {
      FinishIfDone(replica);
    }
  }
}

void Membership::FinishIfDone(BrokerId id) {
  const auto found = shutdowns_.find(id);
  if (found != shutdowns_.end() && found->second.marked && found->second.left.empty()) {
    Answer(id, std::nullopt);
  }
}

void Membership::Answer(BrokerId id, std::optional<Error> error) {
  const auto found = shutdowns_.find(id);
  if (found == shutdowns_.end()) {
    return;
  }
  const std::vector<RequestId> requests = std::move(found->second.requests);
  shutdowns_.erase(found);
  ControlledShutdownResponse response;
  response.error = std::move(error);
  if (!response.error) {
    response.remaining = StopFollowing(id);
  }
  for (const RequestId request : requests) {
    term_.Emit(AnswerControlledShutdown{.request = request, .response = response});
  }
}

std::vector<TopicPartition> Membership::StopFollowing(BrokerId id) {
  std::vector<TopicPartition> remaining;
  for (const PartitionRef ref : term_.cluster.broker(id).hosted) {
    const Partition& p = term_.cluster.at(ref);
    if (!p.has_state()) {
      continue;
    }
    if (p.state.leader != id) {
      announcer_.MarkStop(id, ref);
    } else if (std::ranges::any_of(term_.cluster.Views(ref), [](const ReplicaView& replica) {
                 return replica.standing == ReplicaStanding::kLive;
               })) {
      remaining.push_back(term_.cluster.Name(ref));
    } else {
      LOG(WARNING) << "partition loses its leader partition=" << term_.cluster.Name(ref)
                   << " broker=" << id << " reason=no other replica is live";
    }
  }
  return remaining;
}

void Membership::Tick() {
  for (const BrokerId id : LateIn(shutdowns_, term_.now())) {
    Answer(id, Error{ErrorCode::kTimedOut, "the leaders have not all been moved yet"});
  }
}

void Membership::Abandon() {
  while (!shutdowns_.empty()) {
    Answer(shutdowns_.begin()->first,
           Error{ErrorCode::kNotController, "the controller's term ended: ask its successor"});
  }
}

}  // namespace regent::controller
