#include "controller/io/topic_tree_read.h"

#include <algorithm>
#include <utility>

#include "common/wire/znode_json.h"
#include "common/zk/paths.h"

namespace regent::controller {

Result<DeletionMark> DeletionOf(const std::string& data) {
  Result<wire::DeletionMark> mark = wire::DecodeDeletionMark(data);
  if (!mark.ok()) {
    return mark.error();
  }
  return DeletionMark{.topic = std::move(mark->topic),
                      .id = mark->id,
                      .partitions = mark->partitions,
                      .brokers = std::move(mark->brokers),
                      .znodes_cleared = mark->znodes_cleared};
}

TopicTreeReading::TopicTreeReading(PatientReader& reader,
                                   std::string topic,
                                   TopicId deletion,
                                   Done done)
    : reader_(reader), topic_(std::move(topic)), deletion_(deletion), done_(std::move(done)) {}

void TopicTreeReading::Start() {
  ++open_;  // Until everything below has been asked for.
  ReadNodes();
  to_list_.emplace_back();
  OnAnswer();
}

void TopicTreeReading::ReadNodes() {
  open_ += 4;
  reader_.Get(zk::RegentDeletionPath(deletion_.ToText()), zk::Watch::kNone,
              [this](const zk::Outcome<zk::Node>& node) {
                if (node.ok()) {
                  if (Result<DeletionMark> mark = DeletionOf(node.value().data); mark.ok()) {
                    tree_.mark = *std::move(mark);
                  } else {
                    Fail(mark.error().message);
                  }
                } else if (!node.Is(zk::ErrorKind::kNoNode)) {
                  Fail(node.ToText());
                }
                OnAnswer();
              });
  reader_.Get(zk::TopicPath(topic_), zk::Watch::kNone, [this](const zk::Outcome<zk::Node>& node) {
    if (node.ok()) {
      tree_.exists = true;
      tree_.node_version = node.value().stat.version;
      const auto assignment = wire::DecodeTopicAssignment(node.value().data);
      tree_.id = assignment.ok() ? assignment->id : std::nullopt;
    } else if (!node.Is(zk::ErrorKind::kNoNode)) {
      Fail(node.ToText());
    }
    OnAnswer();
  });
  const auto exists = [this](const std::string& path, bool TopicTreeRead::*there) {
    reader_.Exists(path, zk::Watch::kNone,
                   [this, there](const zk::Outcome<std::optional<zk::Stat>>& stat) {
                     if (stat.ok()) {
                       tree_.*there = stat.value().has_value();
                     } else {
                       Fail(stat.ToText());
                     }
                     OnAnswer();
                   });
  };
  exists(zk::TopicConfigPath(topic_), &TopicTreeRead::has_config);
  exists(zk::DeleteTopicPath(topic_), &TopicTreeRead::requested);
}

void TopicTreeReading::List(const std::string& below) {
  ++open_;
  reader_.Children(zk::TopicPath(topic_) + (below.empty() ? "" : "/") + below, zk::Watch::kNone,
                   [this, below](const zk::Outcome<std::vector<std::string>>& names) {
                     OnListed(below, names);
                   });
}

void TopicTreeReading::OnListed(const std::string& below,
                                const zk::Outcome<std::vector<std::string>>& names) {
  if (names.ok()) {
    for (const std::string& name : names.value()) {
      std::string child = below.empty() ? name : below + '/' + name;
      tree_.below.push_back(child);
      to_list_.push_back(std::move(child));
    }
  } else if (!names.Is(zk::ErrorKind::kNoNode)) {
    Fail(names.ToText());
  }
  OnAnswer();
}

void TopicTreeReading::Fail(const std::string& what) {
  problem_ = what;
}

void TopicTreeReading::OnAnswer() {
  --open_;
  while (!to_list_.empty() && open_ < kWindow) {
    const std::string below = std::move(to_list_.front());
    to_list_.pop_front();
    List(below);
  }
  if (open_ > 0) {
    return;
  }
  // Children before parents: what lies deeper comes first.
  const auto depth = [](const std::string& path) { return std::ranges::count(path, '/'); };
  std::ranges::stable_sort(tree_.below, std::greater<>{}, depth);
  const Done done = std::move(done_);  // It may destroy this.
  if (problem_.empty()) {
    done(std::move(tree_));
  } else {
    done(Error{ErrorCode::kUnavailable, problem_});
  }
}

}  // namespace regent::controller
