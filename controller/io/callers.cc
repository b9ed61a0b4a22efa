#include "controller/io/callers.h"

namespace regent::controller {

namespace {

Error Ending() {
  return Error{ErrorCode::kShuttingDown, "this process is ending; ask another controller"};
}

}  // namespace

void Abandon(const ControllerCalls::AlterPartitionDone& done) {
  done(AlterPartitionResponse{.answer = AlterAnswer::kNotController});
}

void Abandon(const ControllerCalls::ControlledShutdownDone& done) {
  done(ControlledShutdownResponse{.error = Ending()});
}

void Abandon(const ControllerCalls::CreateTopicDone& done) {
  done(CreateTopicResult{.error = Ending()});
}

void Abandon(const ControllerCalls::ElectLeadersDone& done) {
  done(ElectLeadersResult{.error = Ending()});
}

void Abandon(const ControllerCalls::DeleteTopicDone& done) {
  done(DeleteTopicResult{.error = Ending()});
}

void Abandon(const ControllerCalls::ExtendTopicDone& done) {
  done(ExtendTopicResult{.error = Ending()});
}

void Abandon(const ControllerCalls::AlterTopicConfigDone& done) {
  done(AlterTopicConfigResult{.error = Ending()});
}

RequestId Callers::Add(Caller caller) {
  const RequestId request{next_++};
  waiting_.emplace(request, std::move(caller));
  return request;
}

void Callers::AbandonAll() {
  for (const auto& caller : std::exchange(waiting_, {})) {
    std::visit([](const auto& done) { Abandon(done); }, caller.second);
  }
}

}  // namespace regent::controller
