#pragma once

#include <map>

#include "broker-agent/core/agent_context.h"
#include "broker-agent/core/events.h"
#include "broker-agent/core/metadata_cache.h"

namespace regent {

/// Those who want to know who leads, while this broker has been told of a new leader that it may
/// not name yet (R1). Told of the former one they would come back, or, with answers of two brokers
/// that hear one after the other, take the move for undone.
class LeaderNews {
 public:
  LeaderNews(AgentContext& context, const MetadataCache& metadata)
      : context_(context), metadata_(metadata) {}

  void Await(const LeadersAwaited& event);
  /// The metadata have changed.
  void Look();
  /// It has taken too long: what is known goes out.
  void TimeOut(NewsTicket ticket);
  void AnswerAll();

 private:
  using Waiting = std::map<NewsTicket, TopicNames>;

  Waiting::iterator Answer(Waiting::iterator waiting);

  AgentContext& context_;
  const MetadataCache& metadata_;
  Waiting waiting_;
};

}  // namespace regent
