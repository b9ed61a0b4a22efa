#include "controller/core/config_desk.h"

#include <algorithm>
#include <memory>

#include <glog/logging.h>

#include "common/base/overloaded.h"
#include "common/model/topic_settings.h"
#include "controller/core/late.h"
#include "controller/core/topic_rules.h"

namespace regent::controller {
namespace {

constexpr size_t kTopicsPerRead = 200;
constexpr size_t kDeletionsOutMax = 10;

std::string ChangeNode(const std::string& name) {
  return "/config/changes/" + name;
}

}  // namespace

// --- Changed by a caller ---

void ConfigDesk::Take(const AlterTopicConfigAsked& event) {
  const AlterTopicConfigSpec& spec = event.spec;
  const auto refuse = [&](Error error) {
    term_.Emit(AnswerAlterTopicConfig{.request = event.request, .result = {std::move(error)}});
  };
  const auto topic = term_.cluster.FindTopic(spec.name);
  if (!topic) {
    return refuse({ErrorCode::kNotFound, "topic '" + spec.name + "' does not exist"});
  }
  if (auto legal = CheckTopicConfigs(spec.set); !legal.ok()) {
    return refuse(legal.error());
  }
  for (const std::string& name : spec.reset) {
    if (spec.set.contains(name)) {
      return refuse({ErrorCode::kInvalidArgument,
                     "topic config '" + name + "' is to be set and to be reset: give one of them"});
    }
  }
  Alter alter;
  alter.spec = spec;
  alter.topic = term_.cluster.topic(*topic).identity;
  alter.deadline =
      term_.now() + (spec.timeout > Duration(0) ? spec.timeout : term_.options().request_timeout);
  alters_.emplace(event.request, std::move(alter));
  Look(event.request);
}

void ConfigDesk::Look(RequestId request) {
  const auto found = alters_.find(request);
  if (found == alters_.end()) {
    return;
  }
  term_.IssueRead({found->second.topic->name}, TopicDepth::kNodes,
                  [this, request](Result<std::vector<TopicRead>> topics) {
                    Looked(request, std::move(topics));
                  });
}

Result<ConfigDesk::Overrides> ConfigDesk::Next(const AlterTopicConfigSpec& spec,
                                               const TopicRead& read) const {
  if (!read.config_problem.empty() && !spec.replace) {
    return Error{ErrorCode::kRefused, "the config cannot be read (" + read.config_problem +
                                          "): correct or delete " + ConfigNode(spec.name)};
  }
  // What Regent does not know stays: a Kafka tool has written it for somebody.
  Overrides next = spec.replace ? Overrides() : read.overrides;
  for (const std::string& name : spec.reset) {
    if (next.erase(name) == 0 && FindTopicSetting(name) == nullptr) {
      return CheckTopicSetting(name, "").error();
    }
  }
  for (const auto& [name, value] : spec.set) {
    next[name] = value;
  }
  return next;
}

void ConfigDesk::Looked(RequestId request, Result<std::vector<TopicRead>> topics) {
  const auto found = alters_.find(request);
  if (found == alters_.end()) {
    return;
  }
  const Alter& alter = found->second;
  const auto topic = term_.cluster.FindTopic(alter.topic->id);
  if (!topic) {
    return Answer(request, Error{ErrorCode::kNotFound,
                                 "topic '" + alter.topic->name + "' does not exist any more"});
  }
  if (!topics.ok()) {
    return term_.Later([this, request] { Look(request); });
  }
  TopicRead& read = topics->front();
  Result<Overrides> next = Next(alter.spec, read);
  if (!next.ok()) {
    return Answer(request, next.error());
  }
  if (alter.spec.validate_only) {
    return Answer(request, std::nullopt);
  }
  if (read.config_problem.empty() && *next == read.overrides) {
    Take(*topic, read);  // Our own work (R3), or nothing to do.
    return Answer(request, std::nullopt);
  }
  Write(request, std::move(*next), read);
}

void ConfigDesk::Write(RequestId request, Overrides next, const TopicRead& read) {
  alters_.at(request).begun = true;
  WriteTopicConfig op{.topic = read.name, .overrides = next, .exists = read.has_config};
  if (read.has_config) {
    op.expected = read.config_node_version;
  }
  auto kept = std::make_shared<const Overrides>(std::move(next));
  term_.IssueWrite({std::move(op)}, [this, request, kept, topic = alters_.at(request).topic](
                                        const WriteOutcome& outcome) {
    if (const auto* applied = std::get_if<WriteApplied>(&outcome)) {
      if (const auto index = term_.cluster.FindTopic(topic->id)) {
        Remark(topic->name, *kept);
        Obey(*index, *kept, ConfigVersion(applied->zxid.value()));
      }
    }
    Written(request, outcome);
  });
}

void ConfigDesk::Written(RequestId request, const WriteOutcome& outcome) {
  if (!alters_.contains(request)) {
    return;
  }
  using Reason = WriteRefused::Reason;
  std::visit(Overloaded{[&](const WriteApplied&) { Answer(request, std::nullopt); },
                        [&](const WriteRefused& refused) {
                          switch (refused.reason) {
                            case Reason::kExists:
                            case Reason::kDirectoryExists:
                            case Reason::kBadVersion:
                            case Reason::kMissing:
                              return term_.Later([this, request] { Look(request); });
                            case Reason::kOther:
                              return Answer(request, Error{ErrorCode::kRefused,
                                                           "ZooKeeper refused the config: " +
                                                               refused.message});
                          }
                        },
                        [](const WriteFenced&) {}, [&](const WriteUnknown&) { Look(request); }},
             outcome);
}

void ConfigDesk::Answer(RequestId request, std::optional<Error> error) {
  alters_.erase(request);
  term_.Emit(AnswerAlterTopicConfig{.request = request, .result = {std::move(error)}});
}

void ConfigDesk::Abandon() {
  while (!alters_.empty()) {
    const auto& [request, alter] = *alters_.begin();
    Answer(request,
           alter.begun
               ? Error{ErrorCode::kUnknownOutcome,
                       "the controller's term ended; the config may or may not be changed: ask "
                       "again"}
               : Error{ErrorCode::kNotController, "the controller's term ended"});
  }
}

// --- Changed by Kafka's tools ---

void ConfigDesk::Begin(const std::vector<std::string>& changes) {
  for (const std::string& change : changes) {
    changes_.emplace_back(term_.now() + kChangeKept, change);
  }
}

void ConfigDesk::Take(const ConfigChangesFound& event) {
  std::vector<std::string> topics;
  for (const ConfigChange& change : event.changes) {
    changes_.emplace_back(term_.now() + kChangeKept, change.node);
    if (!change.problem.empty()) {
      LOG(WARNING) << "config change ignored path=" << ChangeNode(change.node)
                   << " reason=" << change.problem;
      term_.cluster.SetRemark(ChangeNode(change.node), change.problem);
    } else if (term_.cluster.FindTopic(change.topic)) {
      topics.push_back(change.topic);  // Of one that is not known, adoption reads the config.
    }
  }
  std::ranges::sort(topics);
  topics.erase(std::unique(topics.begin(), topics.end()), topics.end());
  Read(topics);
}

void ConfigDesk::Read(const std::vector<std::string>& names) {
  std::vector<std::string> free;
  for (const std::string& name : names) {
    const auto [reading, fresh] = reading_.emplace(name, false);
    if (fresh) {
      free.push_back(name);
    } else {
      reading->second = true;
    }
  }
  for (size_t begin = 0; begin < free.size(); begin += kTopicsPerRead) {
    const size_t end = std::min(begin + kTopicsPerRead, free.size());
    const std::vector<std::string> some(free.begin() + static_cast<std::ptrdiff_t>(begin),
                                        free.begin() + static_cast<std::ptrdiff_t>(end));
    term_.IssueRead(some, TopicDepth::kNodes, [this, some](Result<std::vector<TopicRead>> topics) {
      ReadDone(some, std::move(topics));
    });
  }
}

void ConfigDesk::ReadDone(const std::vector<std::string>& names,
                          Result<std::vector<TopicRead>> topics) {
  std::vector<std::string> again;
  for (const std::string& name : names) {
    if (const auto reading = reading_.extract(name); reading && reading.mapped()) {
      again.push_back(name);
    }
  }
  if (!topics.ok()) {
    term_.Later([this, names] { Read(names); });
    return;
  }
  for (TopicRead& read : *topics) {
    const auto topic = term_.cluster.FindTopic(read.name);
    if (topic && read.exists && read.id == term_.cluster.topic(*topic).identity->id) {
      Take(*topic, read);
    }
  }
  Read(again);
}

void ConfigDesk::Take(uint32_t topic, TopicRead& read) {
  if (!read.config_problem.empty()) {
    LOG(WARNING) << "config left alone topic=" << read.name << " reason=" << read.config_problem;
    term_.cluster.SetRemark(ConfigNode(read.name),
                            read.config_problem + ": the config as it was stays in force");
    return;
  }
  Remark(read.name, read.overrides);
  Obey(topic, std::move(read.overrides), read.config_version);
}

void ConfigDesk::Remark(const std::string& topic, const Overrides& overrides) {
  std::string remark;
  for (const auto& [name, value] : overrides) {
    if (FindTopicSetting(name) == nullptr) {
      remark += (remark.empty() ? "" : "; ") + name + " is not obeyed";
    } else if (const auto legal = CheckTopicSetting(name, value); !legal.ok()) {
      remark += (remark.empty() ? "" : "; ") + legal.error().message + ", so the default is used";
    }
  }
  if (remark.empty()) {
    term_.cluster.ClearRemark(ConfigNode(topic));
  } else {
    term_.cluster.SetRemark(ConfigNode(topic), std::move(remark));
  }
}

void ConfigDesk::Obey(uint32_t index, Overrides overrides, ConfigVersion version) {
  const Topic& topic = term_.cluster.topic(index);
  if (version <= topic.config.version) {
    return;
  }
  TopicConfig config;
  config.version = version;
  config.min_insync_replicas =
      MinInsyncReplicas(overrides, term_.options().default_min_insync_replicas);
  config.overrides = std::move(overrides);
  LOG(INFO) << "config changed topic=" << topic.identity->name << " version=" << version
            << " min_insync_replicas=" << config.min_insync_replicas;
  term_.cluster.SetConfig(index, std::move(config));
  for (int32_t i = 0; static_cast<size_t>(i) < topic.partitions.size(); ++i) {
    announcer_.MarkReplicas({index, i});
    const PartitionState& state = topic.partitions[static_cast<size_t>(i)].state;
    if ((topic.unclean && state.leader == kNoBroker) || !state.elr.empty()) {
      writer_.Queue({index, i});  // Somebody outside the ISR may lead now, or may not any more.
    }
  }
  announcer_.Publish({index, 0});  // A topic's config goes with any of its partitions.
}

// --- Time ---

void ConfigDesk::Tick() {
  for (const RequestId request : LateIn(alters_, term_.now())) {
    Answer(request, Error{ErrorCode::kTimedOut,
                          "ZooKeeper is slow: the config may be changed yet; look before you "
                          "repeat"});
  }
  DeleteOldChanges();
}

void ConfigDesk::DeleteOldChanges() {
  while (!changes_.empty() && changes_.front().first <= term_.now() &&
         deletions_out_ < kDeletionsOutMax) {
    const std::string change = std::move(changes_.front().second);
    changes_.pop_front();
    ++deletions_out_;
    term_.IssueWrite({DeleteConfigChange{change}}, [this, change](const WriteOutcome& outcome) {
      --deletions_out_;
      if (std::holds_alternative<WriteUnknown>(outcome)) {
        changes_.emplace_front(term_.now(), change);
      } else {
        term_.cluster.ClearRemark(ChangeNode(change));
      }
    });
  }
}

}  // namespace regent::controller
