#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "controller/core/partition_writer.h"
#include "controller/core/term.h"

namespace regent::controller {

/// Configs of topics: changed by callers, or by Kafka's tools, which tell of it under
/// /config/changes. Both end in memory, from where the announcer carries the newer version to the
/// agents: the one road (architecture §7).
class ConfigDesk {
 public:
  /// How long a node under /config/changes stands: Kafka's brokers hear of it within that time.
  static constexpr Duration kChangeKept = std::chrono::minutes(15);

  ConfigDesk(Term& term, Announcer& announcer, PartitionWriter& writer)
      : term_(term), announcer_(announcer), writer_(writer) {}

  /// The changes that the load has found: it has read what they tell of.
  void Begin(const std::vector<std::string>& changes);
  void Take(const ConfigChangesFound& event);
  void Take(const AlterTopicConfigAsked& event);
  /// Takes a config that was read into memory, if it is newer; says what of it is not obeyed.
  void Take(uint32_t topic, TopicRead& read);
  /// Tells people what of a topic's overrides is not obeyed.
  void Remark(const std::string& topic, const std::map<std::string, std::string>& overrides);
  void Tick();
  void Abandon();
  size_t open() const { return alters_.size(); }

 private:
  struct Alter {
    AlterTopicConfigSpec spec;
    TopicRef topic;
    Instant deadline;
    bool begun = false;  ///< A write has been sent.
  };
  using Overrides = std::map<std::string, std::string>;

  Result<Overrides> Next(const AlterTopicConfigSpec& spec, const TopicRead& read) const;
  /// Each attempt begins with what stands there (R3).
  void Look(RequestId request);
  void Looked(RequestId request, Result<std::vector<TopicRead>> topics);
  void Write(RequestId request, Overrides next, const TopicRead& read);
  void Written(RequestId request, const WriteOutcome& outcome);
  void Answer(RequestId request, std::optional<Error> error);

  void Read(const std::vector<std::string>& names);
  void ReadDone(const std::vector<std::string>& names, Result<std::vector<TopicRead>> topics);
  void Obey(uint32_t index, Overrides overrides, ConfigVersion version);
  void DeleteOldChanges();

  Term& term_;
  Announcer& announcer_;
  PartitionWriter& writer_;
  std::map<RequestId, Alter> alters_;
  /// Asked for, not yet answered; true: to be read again, it may have changed since.
  std::map<std::string, bool> reading_;
  std::deque<std::pair<Instant, std::string>> changes_;  ///< When they may go, oldest first.
  size_t deletions_out_ = 0;
};

}  // namespace regent::controller
