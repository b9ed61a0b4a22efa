#include "broker-agent/io/agent_shards.h"

#include <map>
#include <utility>

#include <glog/logging.h>

#include "broker-agent/core/deal.h"
#include "broker-agent/core/shard.h"
#include "common/base/mutex.h"

namespace regent {
namespace {

/// What the shards have answered to one control request so far.
class OpenControl {
 public:
  OpenControl(size_t shards, AgentRunner::ControlDone done)
      : done_(std::move(done)), responses_(shards), missing_(shards) {}

  void Answer(size_t shard, const ControlResponse& response) EXCLUDES(mutex_) {
    std::vector<ControlResponse> all;
    {
      const MutexLock lock(mutex_);
      responses_[shard] = response;
      if (--missing_ > 0) {
        return;
      }
      all = std::move(responses_);
    }
    done_(Join(std::move(all)));
  }

 private:
  const AgentRunner::ControlDone done_;
  Mutex mutex_;
  std::vector<ControlResponse> responses_ GUARDED_BY(mutex_);
  size_t missing_ GUARDED_BY(mutex_);
};

}  // namespace

/// A fetch that several shards answer. The first that has enough, or a problem, makes the others
/// send what they have.
class AgentShards::OpenFetch {
 public:
  struct PartOf {
    size_t shard = 0;
    FetchTicket ticket{0};
  };

  OpenFetch(size_t partitions, std::vector<DealtFetch::Part> parts, AgentRunner::FetchDone done)
      : done_(std::move(done)), missing_(parts.size()) {
    answer_.partitions.resize(partitions);
    parts_.reserve(parts.size());
    for (DealtFetch::Part& part : parts) {
      parts_.push_back(
          {.of = {.shard = static_cast<size_t>(part.shard)}, .places = std::move(part.places)});
    }
  }

  /// A shard has been asked; it may have answered by now. True: it is to hurry.
  bool Asked(size_t part, FetchTicket ticket) EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    parts_[part].of.ticket = ticket;
    return hurried_ && parts_[part].open;
  }

  /// Takes an answer; returns those that are to hurry because of it.
  std::vector<PartOf> Answered(size_t part, const AnswerFetch& answer) EXCLUDES(mutex_) {
    std::vector<PartOf> late;
    {
      const MutexLock lock(mutex_);
      Part& answered = parts_[part];
      answered.open = false;
      for (size_t i = 0; i < answered.places.size() && i < answer.partitions.size(); ++i) {
        answer_.partitions[answered.places[i]] = answer.partitions[i];
      }
      if (--missing_ > 0) {
        if (!std::exchange(hurried_, true)) {
          late = OpenParts();
        }
        return late;
      }
      if (abandoned_) {
        return late;
      }
    }
    done_(answer_);  // Nobody else touches it any more.
    return late;
  }

  std::vector<PartOf> Abandon() EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    abandoned_ = true;
    return OpenParts();
  }

 private:
  struct Part {
    PartOf of;  ///< Ticket 0: it is being asked.
    std::vector<size_t> places;
    bool open = true;
  };

  std::vector<PartOf> OpenParts() const REQUIRES(mutex_) {
    std::vector<PartOf> open;
    for (const Part& part : parts_) {
      if (part.open && part.of.ticket != FetchTicket(0)) {
        open.push_back(part.of);
      }
    }
    return open;
  }

  const AgentRunner::FetchDone done_;
  AnswerFetch answer_;
  Mutex mutex_;
  std::vector<Part> parts_ GUARDED_BY(mutex_);
  size_t missing_ GUARDED_BY(mutex_);
  bool hurried_ GUARDED_BY(mutex_) = false;
  bool abandoned_ GUARDED_BY(mutex_) = false;
};

struct AgentShards::OpenFetches {
  Mutex mutex;
  std::map<FetchTicket, std::shared_ptr<OpenFetch>> by_ticket GUARDED_BY(mutex);
  std::vector<AgentEventSink> sinks;  ///< Of every shard; they outlive the runners.

  void Add(FetchTicket ticket, std::shared_ptr<OpenFetch> fetch) EXCLUDES(mutex) {
    const MutexLock lock(mutex);
    by_ticket.emplace(ticket, std::move(fetch));
  }
  std::shared_ptr<OpenFetch> Take(FetchTicket ticket) EXCLUDES(mutex) {
    const MutexLock lock(mutex);
    auto found = by_ticket.extract(ticket);
    return found.empty() ? nullptr : std::move(found.mapped());
  }
  void Hurry(const OpenFetch::PartOf& part) const {
    sinks[part.shard](FetchHurried{.ticket = part.ticket});
  }
};

/// The figures of the shards, as far as they have counted.
struct AgentShards::Counts {
  Mutex mutex;
  std::vector<AgentCounters> of_shard GUARDED_BY(mutex);
};

AgentShards::AgentShards(const AgentOptions& broker,
                         AgentState recovered,
                         const std::vector<AgentRunner::Parts>& parts,
                         std::function<void(const Stopped&)> stopped)
    : stopped_(std::move(stopped)),
      first_executor_(parts.front().executor),
      running_(parts.size()),
      counts_(std::make_shared<Counts>()),
      fetches_(std::make_shared<OpenFetches>()) {
  const auto shards = static_cast<int32_t>(parts.size());
  CHECK_LE(shards, kShardsMax);
  {
    const MutexLock lock(counts_->mutex);
    counts_->of_shard.resize(parts.size());
  }
  std::vector<AgentState> states = Deal(std::move(recovered), shards);
  for (size_t i = 0; i < parts.size(); ++i) {
    const Shard shard{.index = static_cast<int32_t>(i), .count = shards};
    runners_.push_back(std::make_unique<AgentRunner>(OptionsOf(broker, shard), std::move(states[i]),
                                                     parts[i], HearsOfStop(i)));
    fetches_->sinks.push_back(runners_.back()->sink());
  }
}

std::function<void(const Stopped&)> AgentShards::HearsOfStop(size_t shard) {
  if (shard == 0) {
    return [this](const Stopped& stopped) { OnStopped(0, stopped); };
  }
  return [this, shard, alive = alive_](const Stopped& stopped) {
    first_executor_.PostUrgent([this, shard, alive, stopped]() {
      if (*alive) {
        OnStopped(shard, stopped);
      }
    });
  };
}

AgentShards::~AgentShards() {
  *alive_ = false;
}

void AgentShards::Close() {
  first().Close();
  for (size_t i = 1; i < runners_.size(); ++i) {
    runners_[i]->PostClose();
  }
}

AgentRunner& AgentShards::RunnerOf(const PartitionKey& partition) const {
  return *runners_[static_cast<size_t>(ShardOf(partition, count()))];
}

const Agent& AgentShards::AgentOf(const PartitionKey& partition) const {
  return RunnerOf(partition).agent();
}

std::vector<const Agent*> AgentShards::agents() const {
  std::vector<const Agent*> all;
  all.reserve(runners_.size());
  for (const auto& runner : runners_) {
    all.push_back(&runner->agent());
  }
  return all;
}

// --- The broker's coming and going ---

void AgentShards::Tell(const AgentEvent& event) {
  for (const AgentEventSink& sink : fetches_->sinks) {
    sink(event);
  }
}

void AgentShards::RequestStop() {
  fetches_->sinks.front()(StopRequested{});
}

void AgentShards::OnStopped(size_t shard, const Stopped& stopped) {
  if (!verdict_) {
    verdict_ = stopped;
  } else if (!verdict_->error && stopped.error) {
    verdict_->error = stopped.error;
    verdict_->clean = false;
  }
  if (shard == 0) {
    for (size_t i = 1; i < fetches_->sinks.size(); ++i) {
      fetches_->sinks[i](StopRequested{});
    }
  }
  if (--running_ == 0) {
    stopped_(*verdict_);
  }
}

bool AgentShards::AllLive() {
  if (silent_->load() > 0) {
    return false;
  }
  silent_->store(count() - 1);
  for (size_t i = 1; i < runners_.size(); ++i) {
    runners_[i]->Inspect([silent = silent_](const Agent&) { --*silent; });
  }
  return true;
}

AgentCounters AgentShards::Count() {
  for (size_t i = 1; i < runners_.size(); ++i) {
    runners_[i]->Inspect([counts = counts_, i](const Agent& agent) {
      const AgentCounters counted = agent.counters();
      const MutexLock lock(counts->mutex);
      counts->of_shard[i] = counted;
    });
  }
  const AgentCounters own = first().agent().counters();
  const MutexLock lock(counts_->mutex);
  counts_->of_shard[0] = own;
  return Sum(counts_->of_shard);
}

// --- Control ---

template <class Requests>
void AgentShards::ControlAll(const Requests& dealt, AgentRunner::ControlDone done) {
  if (dealt.size() == 1) {
    first().Control(dealt.front(), done);
    return;
  }
  const auto open = std::make_shared<OpenControl>(dealt.size(), std::move(done));
  for (size_t i = 0; i < dealt.size(); ++i) {
    runners_[i]->Control(dealt[i],
                         [open, i](const ControlResponse& response) { open->Answer(i, response); });
  }
}

void AgentShards::Control(const std::shared_ptr<const LeaderAndIsrRequest>& request,
                          AgentRunner::ControlDone done) {
  ControlAll(Deal(request, count()), std::move(done));
}

void AgentShards::Control(const std::shared_ptr<const StopReplicaRequest>& request,
                          AgentRunner::ControlDone done) {
  ControlAll(Deal(request, count()), std::move(done));
}

void AgentShards::Control(const UpdateMetadataRequest& request, AgentRunner::ControlDone done) {
  ControlAll(Deal(request, count()), std::move(done));
}

// --- Clients ---

void AgentShards::Append(AppendRequested request, AgentRunner::AppendDone done) {
  AgentRunner& runner = RunnerOf(request.partition);
  runner.Append(std::move(request), std::move(done));
}

FetchTicket AgentShards::Fetch(FetchRequested request, AgentRunner::FetchDone done) {
  if (count() == 1) {
    return first().Fetch(std::move(request), std::move(done));
  }
  const FetchTicket ticket(next_fetch_++);
  const DealtFetch dealt = Deal(request, count());
  const auto open =
      std::make_shared<OpenFetch>(request.partitions.size(), dealt.parts,
                                  [fetches = std::weak_ptr(fetches_), ticket,
                                   done = std::move(done)](const AnswerFetch& answer) {
                                    if (const auto still = fetches.lock()) {
                                      still->Take(ticket);
                                    }
                                    done(answer);
                                  });
  fetches_->Add(ticket, open);
  for (size_t i = 0; i < dealt.parts.size(); ++i) {
    const DealtFetch::Part& part = dealt.parts[i];
    const auto shard = static_cast<size_t>(part.shard);
    const FetchTicket asked =
        runners_[shard]->Fetch(part.ask, [fetches = fetches_, open, i](const AnswerFetch& answer) {
          for (const OpenFetch::PartOf& late : open->Answered(i, answer)) {
            fetches->Hurry(late);
          }
        });
    if (open->Asked(i, asked)) {
      fetches_->Hurry({.shard = shard, .ticket = asked});
    }
  }
  return ticket;
}

void AgentShards::Abandon(FetchTicket ticket) {
  if (count() == 1) {
    first().Abandon(ticket);
    return;
  }
  if (const auto open = fetches_->Take(ticket)) {
    for (const OpenFetch::PartOf& part : open->Abandon()) {
      runners_[part.shard]->Abandon(part.ticket);
    }
  }
}

void AgentShards::FindOffset(OffsetRequested request, AgentRunner::OffsetDone done) {
  AgentRunner& runner = RunnerOf(request.partition);
  runner.FindOffset(request, std::move(done));
}

void AgentShards::FindEpochEnd(EpochEndRequested request, AgentRunner::EpochEndDone done) {
  AgentRunner& runner = RunnerOf(request.partition);
  runner.FindEpochEnd(request, std::move(done));
}

}  // namespace regent
