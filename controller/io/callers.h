#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <variant>

#include <glog/logging.h>

#include "controller/core/events.h"
#include "controller/io/controller_calls.h"

namespace regent::controller {

/// Tells a caller that it will not be served.
void Abandon(const ControllerCalls::AlterPartitionDone& done);
void Abandon(const ControllerCalls::ControlledShutdownDone& done);
void Abandon(const ControllerCalls::CreateTopicDone& done);
void Abandon(const ControllerCalls::ElectLeadersDone& done);
void Abandon(const ControllerCalls::DeleteTopicDone& done);
void Abandon(const ControllerCalls::ExtendTopicDone& done);
void Abandon(const ControllerCalls::AlterTopicConfigDone& done);

/// Those who wait for the candidate's answer (R8): each is answered exactly once.
class Callers {
 public:
  using Caller = std::variant<ControllerCalls::AlterPartitionDone,
                              ControllerCalls::ControlledShutdownDone,
                              ControllerCalls::CreateTopicDone,
                              ControllerCalls::ElectLeadersDone,
                              ControllerCalls::DeleteTopicDone,
                              ControllerCalls::ExtendTopicDone,
                              ControllerCalls::AlterTopicConfigDone>;

  RequestId Add(Caller caller);
  template <class Done, class Reply>
  void Answer(RequestId request, Reply reply) {
    const auto caller = waiting_.extract(request);
    CHECK(!caller.empty()) << "request " << request << " is answered twice or was never asked";
    std::get<Done>(caller.mapped())(std::move(reply));
  }
  void AbandonAll();

 private:
  uint64_t next_ = 1;
  std::map<RequestId, Caller> waiting_;
};

/// A caller on its way to the loop: if the loop drops it, it is abandoned.
template <class Done>
class CallerInTransit {
 public:
  explicit CallerInTransit(Done done) : done_(std::move(done)) {}
  ~CallerInTransit() {
    if (!taken_) {
      Abandon(done_);
    }
  }
  CallerInTransit(const CallerInTransit&) = delete;
  CallerInTransit& operator=(const CallerInTransit&) = delete;

  Done Take() {
    taken_ = true;
    return std::move(done_);
  }

 private:
  Done done_;
  bool taken_ = false;
};

/// Likewise for a question, whatever its answer is.
template <class T>
void Abandon(const std::function<void(Result<T>)>& done) {
  done(Error{ErrorCode::kShuttingDown, "this process is ending; ask another controller"});
}

}  // namespace regent::controller
