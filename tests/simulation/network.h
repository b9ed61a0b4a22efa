#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/base/result.h"
#include "tests/simulation/options.h"
#include "tests/simulation/process.h"
#include "tests/simulation/world.h"

namespace regent::simulation {

/// What lies between the processes: calls that are delayed, lost on either way, or arrive after
/// their caller has given up; connections that break; cuts between two processes, one way or both.
class Network {
 public:
  /// `world` outlives it.
  Network(World& world, const FaultOptions& faults) : world_(world), faults_(faults) {}
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  void Attach(Process& process) { by_port_[process.port()] = &process; }
  /// Who answers at that port, living or not; null if nobody ever did.
  Process* At(int32_t port) const;

  // --- Faults ---

  void Cut(const Process& from, const Process& to) { cuts_.insert({from.port(), to.port()}); }
  void Mend(const Process& from, const Process& to) { cuts_.erase({from.port(), to.port()}); }
  bool IsCut(const Process& from, const Process& to) const {
    return cuts_.contains({from.port(), to.port()});
  }
  /// Streams to and from `process` take up to so long per message; zero ends it.
  void Clog(const Process& process, Duration delay_max);
  /// No fault of any kind any more.
  void Heal();

  // --- Calls ---

  using Refuse = std::function<void()>;
  /// Asks the process at `port`. `serve` is called there, with the way to answer, if that process
  /// lives; `done` is called in the caller's life, once, on its executor.
  template <class Response>
  void Call(Process& from,
            int32_t port,
            std::function<void(Process& target, std::function<void(Response)> answer)> serve,
            std::function<void(Result<Response>)> done);

  // --- Streams ---

  /// When a message on a stream arrives; nothing if the stream breaks instead.
  std::optional<Instant> Arrival(const Process& from, const Process& to);
  /// How long until an end of a broken stream hears of it.
  Duration UntilNoticed();

  World& world() { return world_; }

 private:
  enum class Fate { kArrives, kLost, kLate };

  Fate FateOfRequest(const Process& from, const Process& to);
  bool AnswerArrives(const Process& from, const Process& to);
  Duration Delay() { return world_.Between(microseconds(50), faults_.delay_max); }

  static constexpr Duration kDeadline = seconds(1);
  static constexpr Duration kLateMax = seconds(4);

  World& world_;
  FaultOptions faults_;
  std::map<int32_t, Process*> by_port_;
  std::set<std::pair<int32_t, int32_t>> cuts_;
  std::map<int32_t, Duration> clogs_;
};

template <class Response>
void Network::Call(Process& from,
                   int32_t port,
                   std::function<void(Process&, std::function<void(Response)>)> serve,
                   std::function<void(Result<Response>)> done) {
  struct Pending {
    std::function<void(Result<Response>)> done;
    bool answered = false;
  };
  auto pending = std::make_shared<Pending>();
  pending->done = std::move(done);
  // Whatever comes first settles it, in the life that has asked.
  const uint64_t life = from.life();
  const auto settle = [&from, life, pending](Result<Response> result) {
    if (pending->answered || !from.up() || from.life() != life) {
      return;
    }
    pending->answered = true;
    from.executor()->Post([pending, result = std::move(result)] { pending->done(result); });
  };
  world_.After(kDeadline, [settle] {
    settle(Error{ErrorCode::kUnknownOutcome, "no answer before the deadline"});
  });
  Process* const target = At(port);
  if (target == nullptr) {
    world_.After(Delay(), [settle] { settle(Error{ErrorCode::kUnavailable, "nobody is there"}); });
    return;
  }
  const Fate fate = FateOfRequest(from, *target);
  if (fate == Fate::kLost) {
    return;
  }
  const Duration way = fate == Fate::kLate ? world_.Between(kDeadline, kLateMax) : Delay();
  world_.After(way, [this, &from, target, settle, serve = std::move(serve)] {
    if (!target->up()) {
      world_.After(Delay(), [settle] {
        settle(Error{ErrorCode::kUnavailable, "connection refused"});
      });
      return;
    }
    const uint64_t target_life = target->life();
    serve(*target, [this, &from, target, target_life, settle](Response response) {
      if (!target->up() || target->life() != target_life || !AnswerArrives(*target, from)) {
        return;
      }
      world_.After(Delay(),
                   [settle, response = std::move(response)] { settle(Response(response)); });
    });
  });
}

}  // namespace regent::simulation
