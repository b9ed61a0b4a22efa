#pragma once

#include <cstdint>
#include <optional>

#include "broker-agent/core/agent_context.h"
#include "broker-agent/core/events.h"

namespace regent {

/// The way out: asks the controller to move what this broker leads, again and again, until nothing
/// is left, or until the deadline. Control requests are obeyed all the while.
class Departure {
 public:
  enum class Phase { kStaying, kLeaving, kGone };

  explicit Departure(AgentContext& context) : context_(context) {}

  void Request();
  /// Who else lives, as far as this broker has been told.
  enum class Others { kAnyOrUnknown, kNone };
  /// With nobody else alive, what remains cannot be moved: asking again would only cost time.
  void Answered(const ControlledShutdownAnswered& event, Others others);
  void Lost(const ControlledShutdownLost& event);
  /// There is another controller or another registration: asks at once.
  void SomethingChanged();
  void Attempt();
  void DeadlinePassed();
  Phase phase() const { return phase_; }
  /// Why the departure ended: none if clean.
  const std::optional<Error>& error() const { return error_; }

 private:
  void TryAgainLater();
  void Leave(std::optional<Error> error);

  AgentContext& context_;
  Phase phase_ = Phase::kStaying;
  std::optional<Error> error_;
  std::optional<Error> last_refusal_;
  std::optional<uint64_t> in_flight_;
  uint64_t number_ = 0;
  int failures_ = 0;
};

}  // namespace regent
