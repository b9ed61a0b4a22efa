#include "broker-agent/core/departure.h"

#include <string>
#include <utility>

namespace regent {
namespace {

constexpr AgentDeadline kAttempt{
    .kind = AgentDeadline::Kind::kShutdownAttempt, .partition = {}, .number = 0};
constexpr AgentDeadline kEnd{
    .kind = AgentDeadline::Kind::kShutdownEnd, .partition = {}, .number = 0};

}  // namespace

void Departure::Request() {
  if (phase_ != Phase::kStaying) {
    return;
  }
  phase_ = Phase::kLeaving;
  if (context_.broker_epoch == kNoBrokerEpoch) {
    Leave(std::nullopt);  // Nobody has ever heard of this life.
    return;
  }
  context_.deadlines.Set(kEnd, context_.now + context_.options.shutdown_deadline);
  Attempt();
}

void Departure::Attempt() {
  if (phase_ != Phase::kLeaving || in_flight_) {
    return;
  }
  if (!context_.controller.endpoint.known()) {
    return;  // Asked as soon as there is a controller.
  }
  in_flight_ = ++number_;
  context_.Do(SendControlledShutdown{.number = number_,
                                     .controller = context_.controller.endpoint,
                                     .request = {.broker = context_.self(),
                                                 .broker_epoch = context_.broker_epoch,
                                                 .life = context_.options.life}});
}

void Departure::Answered(const ControlledShutdownAnswered& event, Others others) {
  if (phase_ != Phase::kLeaving || in_flight_ != event.number) {
    return;
  }
  in_flight_.reset();
  if (!event.response.error && event.response.remaining.empty()) {
    Leave(std::nullopt);
    return;
  }
  last_refusal_ = event.response.error;
  if (!last_refusal_) {
    last_refusal_ = Error{.code = ErrorCode::kRefused,
                          .message = std::to_string(event.response.remaining.size()) +
                                     " partitions have no other replica that may lead"};
    if (others == Others::kNone) {
      Leave(last_refusal_);
      return;
    }
  }
  TryAgainLater();
}

void Departure::Lost(const ControlledShutdownLost& event) {
  if (phase_ == Phase::kLeaving && in_flight_ == event.number) {
    in_flight_.reset();
    TryAgainLater();
  }
}

void Departure::SomethingChanged() {
  if (phase_ == Phase::kLeaving) {
    in_flight_.reset();
    failures_ = 0;
    context_.deadlines.Cancel(kAttempt);
    Attempt();
  }
}

void Departure::DeadlinePassed() {
  if (phase_ == Phase::kLeaving) {
    Leave(last_refusal_.value_or(
        Error{.code = ErrorCode::kTimedOut,
              .message = "no controller has finished the controlled shutdown in time"}));
  }
}

void Departure::TryAgainLater() {
  context_.deadlines.Set(kAttempt, context_.now + context_.options.shutdown.After(++failures_));
}

void Departure::Leave(std::optional<Error> error) {
  phase_ = Phase::kGone;
  error_ = std::move(error);
  in_flight_.reset();
  context_.deadlines.Cancel(kAttempt);
  context_.deadlines.Cancel(kEnd);
}

}  // namespace regent
