#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "controller/core/partition_writer.h"
#include "controller/core/term.h"

namespace regent::controller {

/// Partitions that are added to topics: by callers, or found in a topic's node where a Kafka tool
/// has written them. The first states of the new ones are made like those of a new topic.
class ExtensionDesk {
 public:
  ExtensionDesk(Term& term, PartitionWriter& writer) : term_(term), writer_(writer) {}

  void Take(const ExtendTopicAsked& event);
  /// Takes a node that was read of a topic in memory: what has been added to it, and its version.
  void Take(uint32_t index, const TopicRead& read);
  void FirstState(PartitionRef ref);
  /// The topic is gone.
  void Forget(uint32_t topic);
  void Tick();
  void Abandon();
  size_t open() const { return open_.size(); }

 private:
  struct Open {
    RequestId request;
    std::vector<BrokerList> added;
    size_t before = 0;  ///< Partitions that there were.
    Instant deadline;
    bool begun = false;          ///< A write has been sent.
    std::optional<size_t> left;  ///< Of the new ones, those without a state; once they are there.
  };

  Result<std::vector<BrokerList>> Plan(uint32_t index, const ExtendTopicSpec& spec) const;
  /// Each attempt begins with what stands there (R3).
  void Look(uint32_t topic);
  void Looked(uint32_t topic, Result<std::vector<TopicRead>> topics);
  void Write(uint32_t topic, const TopicRead& read);
  void Written(uint32_t topic, const WriteOutcome& outcome);
  void Grow(uint32_t index, std::vector<BrokerList> added);
  void AnswerIfComplete(uint32_t topic);
  void Answer(uint32_t topic, std::optional<Error> error);

  Term& term_;
  PartitionWriter& writer_;
  std::map<uint32_t, Open> open_;  ///< By topic: one at a time.
};

}  // namespace regent::controller
