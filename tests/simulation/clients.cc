#include "tests/simulation/clients.h"

#include <utility>

namespace regent::simulation {
namespace {

/// While a sound cluster is restarted.
constexpr Recurring kSteadily = {.every = milliseconds(300)};

}  // namespace

Clients::Clients(Cast& cast, const WorkloadOptions& options)
    : world_(cast.around.world),
      options_(options),
      plain_(cast, open_, 1),
      first_(cast, open_, 2),
      second_(cast, open_, 3),
      unanswered_(cast, open_, 5),
      consumer_(cast, open_, 4),
      rereader_(cast, open_, 6),
      recurrence_(cast.around.world),
      anew_(cast.around.world) {}

void Clients::Begin() {
  recurrence_.Begin(options_.produce, [this] { plain_.Produce(); });
  recurrence_.Begin(options_.produce, [this] { first_.Produce(); });
  recurrence_.Begin(options_.produce, [this] { second_.Produce(); });
  recurrence_.Begin(options_.consume, [this] { consumer_.Consume(); });
  recurrence_.Begin(options_.produce_acks_0, [this] { unanswered_.Produce(); });
  recurrence_.Begin(options_.consume_again, [this] { rereader_.ConsumeAgain(); });
}

void Clients::BeginAnew() {
  for (IdempotentProducer* producer : {&first_, &second_}) {
    producer->BeginToWatch();
    anew_.Begin(kSteadily, [producer] { producer->Produce(); });
  }
  anew_.Begin(kSteadily, [this] { consumer_.Consume(); });
}

void Clients::Stop() {
  recurrence_.Stop();
  anew_.Stop();
}

Disagreement Clients::FindUnfinished() const {
  for (const IdempotentProducer* producer : {&first_, &second_}) {
    if (std::string why = producer->Unfinished(); !why.empty()) {
      return {producer->name(), std::move(why)};
    }
  }
  if (const BrokerProcess* const late = open_.FindLate(world_.now())) {
    return {late->name(), "L4: has not answered a client in time"};
  }
  return {};
}

std::string Clients::FindTrouble() const {
  return first_.trouble().empty() ? second_.trouble() : first_.trouble();
}

}  // namespace regent::simulation
