#include "broker-agent/io/agent_runner.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <glog/logging.h>

#include "common/base/overloaded.h"

namespace regent {
namespace {

/// A deadline that lies in the past is not asked about more often than this.
constexpr Duration kTimerStep = std::chrono::milliseconds(1);

ControlResponse Stopping() {
  ControlResponse response;
  response.answer = ControlAnswer::kStopping;
  return response;
}

Result<Offset> StoppedAppending() {
  return Error{ErrorCode::kUnknownOutcome, "the broker stops: look before appending again"};
}

/// Whether the event may overtake data: what controllers and ZooKeeper say. The rest keeps its
/// order (results of one log, messages of one stream).
bool IsUrgent(const AgentEvent& event) {
  return std::visit(Overloaded{
                        [](const Registered&) { return true; },
                        [](const SessionLost&) { return true; },
                        [](const ControllerSeen&) { return true; },
                        [](const StopRequested&) { return true; },
                        [](const AlterPartitionAnswered&) { return true; },
                        [](const AlterPartitionLost&) { return true; },
                        [](const ControlledShutdownAnswered&) { return true; },
                        [](const ControlledShutdownLost&) { return true; },
                        [](const auto&) { return false; },
                    },
                    event);
}

/// Returns who waits with that ticket, and forgets it.
template <class Ticket, class Done>
Done TakeOut(std::map<Ticket, Done>& waiting, Ticket ticket) {
  auto found = waiting.extract(ticket);
  CHECK(!found.empty()) << "nobody waits with ticket " << ticket;
  return std::move(found.mapped());
}

/// Whoever is answered may look at the metadata at once, on another thread: what the answer speaks
/// of stands there.
void PublishFirst(std::vector<AgentAction>& actions) {
  const auto publication = std::ranges::find_if(actions, [](const AgentAction& action) {
    return std::holds_alternative<PublishMetadata>(action);
  });
  if (publication != actions.end()) {
    std::rotate(actions.begin(), publication, publication + 1);
  }
}

}  // namespace

AgentRunner::AgentRunner(AgentOptions options,
                         AgentState recovered,
                         Parts parts,
                         std::function<void(const Stopped&)> stopped)
    : agent_(std::move(options), std::move(recovered)),
      parts_(parts),
      stopped_(std::move(stopped)),
      link_(std::make_shared<Link>(Link{.runner = this, .executor = parts.executor})) {
  parts_.store.Start(sink());
  parts_.transport.Start(sink());
  parts_.controller.Start(sink());
  ArmTimer();
}

AgentRunner::~AgentRunner() {
  Close();
}

void AgentRunner::Close() {
  link_->runner = nullptr;
  for (auto& [call, done] : std::exchange(calls_, {})) {
    done(Stopping());
  }
  for (auto& [ticket, done] : std::exchange(appends_, {})) {
    done(StoppedAppending());
  }
  for (auto& [ticket, done] : std::exchange(fetches_, {})) {
    done(AnswerFetch{.ticket = ticket, .partitions = {}});
  }
  for (auto& [ticket, done] : std::exchange(offsets_, {})) {
    done(AnswerOffset{.ticket = ticket, .problem = ReadProblem::kNotLeader});
  }
  for (auto& [ticket, done] : std::exchange(epoch_ends_, {})) {
    done(AnswerEpochEnd{.ticket = ticket, .problem = ReadProblem::kNotLeader});
  }
  for (auto& [ticket, done] : std::exchange(leaders_awaited_, {})) {
    done(AnswerLeaders{.ticket = ticket});
  }
}

void AgentRunner::PostClose() {
  parts_.executor.Post([link = link_]() {
    if (link->runner != nullptr) {
      link->runner->Close();
    }
  });
}

void AgentRunner::Inspect(std::function<void(const Agent&)> look) {
  parts_.executor.Post([link = link_, look = std::move(look)]() {
    if (link->runner != nullptr) {
      look(link->runner->agent_);
    }
  });
}

AgentEventSink AgentRunner::SinkOf(const std::shared_ptr<Link>& link) {
  return [link](AgentEvent event) {
    const bool urgent = IsUrgent(event);
    auto task = [link, event = std::move(event)]() {
      if (link->runner != nullptr) {
        link->runner->Handle(event);
      }
    };
    if (urgent) {
      link->executor.PostUrgent(std::move(task));
    } else {
      link->executor.Post(std::move(task));
    }
  };
}

AgentEventSink AgentRunner::sink() const {
  return SinkOf(link_);
}

template <class MakeEvent>
void AgentRunner::Call(MakeEvent make_event, const ControlDone& done) {
  auto task = [link = link_, make_event = std::move(make_event), done]() {
    AgentRunner* const runner = link->runner;
    if (runner == nullptr) {
      done(Stopping());
      return;
    }
    const CallId call = std::exchange(runner->next_call_, runner->next_call_.Next());
    runner->calls_.emplace(call, done);
    runner->Handle(make_event(call));
  };
  if (!parts_.executor.PostUrgent(std::move(task))) {
    done(Stopping());
  }
}

void AgentRunner::Control(std::shared_ptr<const LeaderAndIsrRequest> request,
                          const ControlDone& done) {
  Call([request = std::move(request)](
           CallId call) { return LeaderAndIsrReceived{.call = call, .request = request}; },
       done);
}

void AgentRunner::Control(std::shared_ptr<const StopReplicaRequest> request,
                          const ControlDone& done) {
  Call([request = std::move(request)](
           CallId call) { return StopReplicaReceived{.call = call, .request = request}; },
       done);
}

void AgentRunner::Control(UpdateMetadataRequest request, const ControlDone& done) {
  Call([request = std::move(request)](
           CallId call) { return UpdateMetadataReceived{.call = call, .request = request}; },
       done);
}

void AgentRunner::Append(AppendRequested request, AppendDone done) {
  auto task = [link = link_, request = std::move(request), done]() mutable {
    AgentRunner* const runner = link->runner;
    if (runner == nullptr) {
      done(StoppedAppending());
      return;
    }
    request.ticket = std::exchange(runner->next_ticket_, runner->next_ticket_.Next());
    runner->appends_.emplace(request.ticket, done);
    runner->Handle(request);
  };
  if (!parts_.executor.Post(std::move(task))) {
    done(StoppedAppending());
  }
}

template <class Request, class Done, class Answer>
void AgentRunner::Ask(Request request,
                      std::map<decltype(Request::ticket), Done> AgentRunner::*waiting,
                      Done done,
                      Answer closed) {
  auto task = [link = link_, request = std::move(request), waiting, done, closed]() {
    AgentRunner* const runner = link->runner;
    if (runner == nullptr) {
      done(closed);
      return;
    }
    (runner->*waiting).emplace(request.ticket, done);
    runner->Handle(request);
  };
  if (!parts_.executor.Post(std::move(task))) {
    done(closed);
  }
}

FetchTicket AgentRunner::Fetch(FetchRequested request, FetchDone done) {
  const FetchTicket ticket(next_reader_++);
  request.ticket = ticket;
  // An answer about no partition leaves everything as the caller has prepared it.
  Ask(std::move(request), &AgentRunner::fetches_, std::move(done),
      AnswerFetch{.ticket = ticket, .partitions = {}});
  return ticket;
}

void AgentRunner::Abandon(FetchTicket ticket) {
  parts_.executor.Post([link = link_, ticket]() {
    if (link->runner != nullptr && link->runner->fetches_.erase(ticket) > 0) {
      link->runner->Handle(FetchAbandoned{.ticket = ticket});
    }
  });
}

void AgentRunner::FindOffset(OffsetRequested request, OffsetDone done) {
  request.ticket = OffsetTicket(next_reader_++);
  const AnswerOffset closed{.ticket = request.ticket, .problem = ReadProblem::kNotLeader};
  Ask(request, &AgentRunner::offsets_, std::move(done), closed);
}

void AgentRunner::FindEpochEnd(EpochEndRequested request, EpochEndDone done) {
  request.ticket = OffsetTicket(next_reader_++);
  const AnswerEpochEnd closed{.ticket = request.ticket, .problem = ReadProblem::kNotLeader};
  Ask(request, &AgentRunner::epoch_ends_, std::move(done), closed);
}

void AgentRunner::AwaitLeaders(LeadersAwaited request, LeadersDone done) {
  const NewsTicket ticket(next_reader_++);
  request.ticket = ticket;
  Ask(std::move(request), &AgentRunner::leaders_awaited_, std::move(done),
      AnswerLeaders{.ticket = ticket});
}

void AgentRunner::Handle(const AgentEvent& event) {
  std::vector<AgentAction> actions = agent_.Handle(event, parts_.executor.Now());
  PublishFirst(actions);
  for (AgentAction& action : actions) {
    std::visit([this](auto& one) { Act(std::move(one)); }, action);
  }
  ArmTimer();
}

void AgentRunner::ArmTimer() {
  const Instant at = std::max(agent_.NextDeadline(), parts_.executor.Now() + kTimerStep);
  if (at >= timer_at_) {
    return;
  }
  timer_at_ = at;
  parts_.executor.PostAt(at, [link = link_, at]() {
    AgentRunner* const runner = link->runner;
    // A later timer than the one that is armed has been overtaken: its work is done or due again.
    if (runner == nullptr || runner->timer_at_ != at) {
      return;
    }
    runner->timer_at_ = Instant::Max();
    if (runner->agent_.NextDeadline() <= runner->parts_.executor.Now()) {
      runner->Handle(TimePassed{});
    } else {
      runner->ArmTimer();
    }
  });
}

void AgentRunner::Act(const AnswerControl& answer) {
  TakeOut(calls_, answer.call)(answer.response);
}

void AgentRunner::Act(const AnswerAppend& answer) {
  TakeOut(appends_, answer.ticket)(answer.base);
}

void AgentRunner::Act(const AnswerFetch& answer) {
  TakeOut(fetches_, answer.ticket)(answer);
}

void AgentRunner::Act(const AnswerOffset& answer) {
  TakeOut(offsets_, answer.ticket)(answer);
}

void AgentRunner::Act(const AnswerEpochEnd& answer) {
  TakeOut(epoch_ends_, answer.ticket)(answer);
}

void AgentRunner::Act(const AnswerLeaders& answer) {
  TakeOut(leaders_awaited_, answer.ticket)(answer);
}

void AgentRunner::Act(PublishMetadata publish) {
  const MutexLock lock(mutex_);
  metadata_ = std::move(publish.view);
}

std::shared_ptr<const MetadataView> AgentRunner::metadata() const {
  const MutexLock lock(mutex_);
  return metadata_;
}

void AgentRunner::Act(const Stopped& stopped) {
  stopped_(stopped);
}

}  // namespace regent
