#pragma once

#include <string>

#include "tests/simulation/agreement.h"
#include "tests/simulation/chaos.h"
#include "tests/simulation/consumers.h"
#include "tests/simulation/options.h"
#include "tests/simulation/producers.h"

namespace regent::simulation {

/// The clients of a history.
class Clients {
 public:
  /// `cast` outlives it.
  Clients(Cast& cast, const WorkloadOptions& options);

  void Begin();
  /// Some of them go on while brokers of a sound cluster are restarted (L9).
  void BeginAnew();
  /// Nobody begins anything from now on; what is unfinished is finished.
  void Stop();
  /// Who is not done, or has not been answered in time (L4).
  Disagreement FindUnfinished() const;
  /// What clients must not have seen since BeginAnew; empty: they have not.
  std::string FindTrouble() const;

 private:
  World& world_;
  WorkloadOptions options_;
  OpenRequests open_;
  PlainProducer plain_;
  IdempotentProducer first_;
  IdempotentProducer second_;
  UnansweredProducer unanswered_;
  Consumer consumer_;
  Consumer rereader_;
  Recurrence recurrence_;
  Recurrence anew_;
};

}  // namespace regent::simulation
