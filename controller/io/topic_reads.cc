#include "controller/io/topic_reads.h"

#include <utility>

#include "common/wire/znode_json.h"
#include "common/zk/paths.h"

namespace regent::controller {

namespace {

void AddProblem(TopicRead& topic, const std::string& path, const std::string& problem) {
  topic.problem += (topic.problem.empty() ? "" : "; ") + path + ": " + problem;
}

void TakeAssignment(TopicRead& topic, const zk::Node& node, Rng& rng) {
  topic.exists = true;
  topic.node_version = node.stat.version;
  topic.node_text = node.data;
  Result<wire::TopicAssignment> decoded = wire::DecodeTopicAssignment(node.data);
  if (!decoded.ok()) {
    AddProblem(topic, zk::TopicPath(topic.name), decoded.error().message);
    topic.spare_id = Uuid::Random(rng);
    return;
  }
  topic.id = decoded->id;
  if (!topic.id) {
    topic.spare_id = Uuid::Random(rng);
  }
  topic.has_adding_or_removing = !decoded->adding.empty() || !decoded->removing.empty();
  topic.assignment = std::move(decoded->replicas);
}

}  // namespace

PartitionStateRead StateOf(const zk::Outcome<zk::Node>& outcome) {
  using Kind = PartitionStateRead::Kind;
  PartitionStateRead read;
  if (outcome.Is(zk::ErrorKind::kNoNode)) {
    read.kind = Kind::kMissing;
    return read;
  }
  if (!outcome.ok()) {
    read.kind = Kind::kUnreadable;
    read.problem = outcome.ToText();
    return read;
  }
  const zk::Node& node = outcome.value();
  read.epoch = PartitionEpoch(node.stat.version);
  read.czxid = Zxid(node.stat.czxid);
  Result<PartitionState> state = wire::DecodePartitionState(node.data);
  if (!state.ok()) {
    read.kind = Kind::kUnreadable;
    read.problem = state.error().message;
    return read;
  }
  read.kind = Kind::kFound;
  read.state = *std::move(state);
  return read;
}

TopicReads::TopicReads(
    PatientReader& reader, Rng& rng, std::vector<std::string> names, TopicDepth depth, Done done)
    : reader_(reader), rng_(rng), depth_(depth), done_(std::move(done)), topics_(names.size()) {
  for (size_t i = 0; i < names.size(); ++i) {
    topics_[i].name = std::move(names[i]);
  }
}

void TopicReads::Start() {
  Issue();
  FinishIfDone();
}

void TopicReads::Issue() {
  while (open_ < kWindow) {
    if (!ready_.empty()) {
      Ready& ready = ready_.front();
      const size_t partition = ready.next_partition++;
      const size_t topic = ready.topic;
      if (ready.next_partition == topics_[topic].assignment.size()) {
        ready_.pop_front();
      }
      IssueState(topic, partition);
    } else if (next_topic_ < topics_.size()) {
      IssueTopic(next_topic_++);
    } else {
      return;
    }
  }
}

void TopicReads::IssueTopic(size_t topic) {
  open_ += 2;
  reader_.Get(zk::TopicPath(topics_[topic].name), zk::Watch::kNone,
              [this, topic](const zk::Outcome<zk::Node>& outcome) { OnTopic(topic, outcome); });
  reader_.Get(zk::TopicConfigPath(topics_[topic].name), zk::Watch::kNone,
              [this, topic](const zk::Outcome<zk::Node>& outcome) { OnConfig(topic, outcome); });
}

void TopicReads::IssueState(size_t topic, size_t partition) {
  ++open_;
  reader_.Get(zk::PartitionStatePath(topics_[topic].name, static_cast<int>(partition)),
              zk::Watch::kNone, [this, topic, partition](const zk::Outcome<zk::Node>& outcome) {
                topics_[topic].states[partition] = StateOf(outcome);
                OnAnswer();
              });
}

void TopicReads::OnTopic(size_t topic, const zk::Outcome<zk::Node>& outcome) {
  TopicRead& read = topics_[topic];
  if (outcome.ok()) {
    TakeAssignment(read, outcome.value(), rng_);
    if (depth_ == TopicDepth::kAll && !read.assignment.empty()) {
      read.states.resize(read.assignment.size());
      ready_.push_back({.topic = topic});
    }
  } else if (!outcome.Is(zk::ErrorKind::kNoNode)) {
    read.exists = true;
    AddProblem(read, zk::TopicPath(read.name), outcome.ToText());
  }
  OnAnswer();
}

void TopicReads::OnConfig(size_t topic, const zk::Outcome<zk::Node>& outcome) {
  TopicRead& read = topics_[topic];
  if (outcome.ok()) {
    read.has_config = true;
    read.config_node_version = outcome.value().stat.version;
    Result<wire::ConfigMap> config = wire::DecodeTopicConfig(outcome.value().data);
    if (config.ok()) {
      read.overrides = *std::move(config);
      read.config_version = ConfigVersion(outcome.value().stat.mzxid);
    } else {
      read.config_problem = zk::TopicConfigPath(read.name) + ": " + config.error().message;
    }
  } else if (!outcome.Is(zk::ErrorKind::kNoNode)) {
    read.config_problem = zk::TopicConfigPath(read.name) + ": " + outcome.ToText();
  }
  OnAnswer();
}

void TopicReads::FinishIfDone() {
  if (open_ == 0) {
    const Done done = std::move(done_);  // It may destroy this.
    done(std::move(topics_));
  }
}

void TopicReads::OnAnswer() {
  --open_;
  Issue();
  FinishIfDone();
}

}  // namespace regent::controller
