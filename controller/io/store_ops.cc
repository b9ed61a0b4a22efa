#include "controller/io/store_ops.h"

#include <optional>
#include <utility>

#include "common/base/overloaded.h"
#include "common/wire/znode_json.h"
#include "common/zk/paths.h"

namespace regent::controller {

namespace {

std::string StatePath(const TopicPartition& partition) {
  return zk::PartitionStatePath(partition.topic->name, partition.index);
}

std::string NewTopicText(const CreateTopicNode& made) {
  wire::TopicAssignment node;
  node.id = made.topic->id;
  node.replicas = made.assignment;
  return wire::EncodeTopicAssignment(node);
}

/// `node_text` is the node's whole text (TopicReads): what else stands in it, a reassignment of
/// Kafka's for instance, is kept.
std::string TopicText(const SetTopicNode& set) {
  Result<wire::TopicAssignment> node = wire::DecodeTopicAssignment(set.node_text);
  wire::TopicAssignment next = node.ok() ? *std::move(node) : wire::TopicAssignment{};
  next.id = set.topic->id;
  next.replicas = set.assignment;
  return wire::EncodeTopicAssignment(next);
}

std::string DeletionText(const DeletionMark& mark) {
  return wire::EncodeDeletionMark({.topic = mark.topic,
                                   .id = mark.id,
                                   .partitions = mark.partitions,
                                   .brokers = mark.brokers,
                                   .znodes_cleared = mark.znodes_cleared});
}

WriteRefused::Reason ReasonOf(zk::ErrorKind kind, bool directory) {
  using Reason = WriteRefused::Reason;
  switch (kind) {
    case zk::ErrorKind::kNodeExists: return directory ? Reason::kDirectoryExists : Reason::kExists;
    case zk::ErrorKind::kBadVersion: return Reason::kBadVersion;
    case zk::ErrorKind::kNoNode: return Reason::kMissing;
    case zk::ErrorKind::kNotEmpty:
    case zk::ErrorKind::kNoAuth:
    case zk::ErrorKind::kNoChildrenForEphemerals:
    case zk::ErrorKind::kTooLarge:
    case zk::ErrorKind::kSessionExpired:
    case zk::ErrorKind::kOther: return Reason::kOther;
  }
  return Reason::kOther;
}

}  // namespace

/// Turns one operation of the term's into those of ZooKeeper.
class FencedMulti::Adder {
 public:
  Adder(FencedMulti& multi, size_t index) : multi_(multi), index_(index) {}

  void operator()(const SetPartitionState& set) const {
    Set(StatePath(set.partition), wire::EncodePartitionState(set.state),
        zk::AtVersion{set.expected.value()});
  }
  void operator()(const CreatePartitionState& made) const {
    if (made.with_directory) {
      multi_.Append(
          zk::CreateOp{.path = zk::PartitionPath(made.partition.topic->name, made.partition.index),
                       .data = ""},
          {.op = index_, .directory = true});
    }
    Create(StatePath(made.partition), wire::EncodePartitionState(made.state));
  }
  void operator()(const CreatePartitionsDirectory& made) const {
    Create(zk::PartitionsPath(made.topic->name), "");
  }
  void operator()(const CreateTopicNode& made) const {
    Create(zk::TopicPath(made.topic->name), NewTopicText(made));
  }
  void operator()(const SetTopicNode& set) const {
    Set(zk::TopicPath(set.topic->name), TopicText(set), zk::AtVersion{set.expected});
  }
  void operator()(const WriteTopicConfig& write) const {
    const std::string path = zk::TopicConfigPath(write.topic);
    std::string data = wire::EncodeTopicConfig(write.overrides);
    if (!write.exists) {
      Create(path, std::move(data));
    } else if (write.expected) {
      Set(path, std::move(data), zk::AtVersion{*write.expected});
    } else {
      Set(path, std::move(data), zk::AnyVersion{});
    }
  }
  void operator()(const DeleteConfigChange& gone) const {
    Remove(zk::ConfigChangesPath() + '/' + gone.node);
  }
  void operator()(const WriteDeletionMark& write) const {
    const std::string path = zk::RegentDeletionPath(write.mark.id.ToText());
    if (write.exists) {
      Set(path, DeletionText(write.mark), zk::AnyVersion{});
    } else {
      Create(path, DeletionText(write.mark));
    }
  }
  void operator()(const RemoveDeletionMark& gone) const {
    Remove(zk::RegentDeletionPath(gone.id.ToText()));
  }
  void operator()(const DeleteTopicChild& gone) const {
    Remove(zk::TopicPath(gone.topic) + '/' + gone.below);
  }
  void operator()(const DeleteTopicNode& gone) const {
    Remove(zk::TopicPath(gone.topic), zk::AtVersion{gone.expected});
  }
  void operator()(const DeleteTopicConfig& gone) const { Remove(zk::TopicConfigPath(gone.topic)); }
  void operator()(const DeleteDeletionRequest& gone) const {
    Remove(zk::DeleteTopicPath(gone.topic));
  }
  void operator()(const CreateStoppingMark& made) const {
    Create(zk::RegentStoppingPath(made.mark.life.ToText()),
           wire::EncodeStoppingMark({.broker = made.mark.broker,
                                     .broker_epoch = made.mark.broker_epoch,
                                     .life = made.mark.life}));
  }
  void operator()(const DeleteStoppingMark& gone) const {
    Remove(zk::RegentStoppingPath(gone.life.ToText()));
  }
  void operator()(const DeletePreferredElection& gone) const {
    Remove(zk::PreferredElectionPath(), zk::AtVersion{gone.expected});
  }

 private:
  void Create(std::string path, std::string data) const {
    multi_.Append(zk::CreateOp{.path = std::move(path), .data = std::move(data)}, {.op = index_});
  }
  void Set(std::string path, std::string data, zk::Expected expected) const {
    multi_.Append(zk::SetOp{.path = std::move(path), .data = std::move(data), .expected = expected},
                  {.op = index_});
  }
  void Remove(std::string path, zk::Expected expected = zk::AnyVersion{}) const {
    multi_.Append(zk::DeleteOp{.path = std::move(path), .expected = expected}, {.op = index_});
  }

  FencedMulti& multi_;
  const size_t index_;
};

FencedMulti::FencedMulti(ControllerEpochVersion licence, const std::vector<StoreOp>& ops) {
  ops_.reserve(ops.size() + 1);
  origins_.reserve(ops.size() + 1);
  Append(zk::CheckOp{.path = zk::ControllerEpochPath(), .version = licence.value()}, {});
  for (size_t i = 0; i < ops.size(); ++i) {
    std::visit(Adder(*this, i), ops[i]);
  }
}

void FencedMulti::Append(zk::Op op, Origin origin) {
  if (const auto* create = std::get_if<zk::CreateOp>(&op)) {
    created_path_ = create->path;
  }
  ops_.push_back(std::move(op));
  origins_.push_back(origin);
}

WriteOutcome FencedMulti::Translate(const zk::Outcome<std::vector<zk::OpResult>>& outcome) const {
  return std::visit(Overloaded{
                        [](const std::vector<zk::OpResult>& results) -> WriteOutcome {
                          WriteApplied applied;
                          for (const zk::OpResult& result : results) {
                            if (result.stat.mzxid != 0) {
                              applied.zxid = Zxid(result.stat.mzxid);
                              break;
                            }
                          }
                          return applied;
                        },
                        [this](const zk::ZkError& error) { return Refused(error); },
                        [](const zk::Unknown&) -> WriteOutcome { return WriteUnknown{}; },
                    },
                    outcome.AsVariant());
}

WriteOutcome FencedMulti::Refused(const zk::ZkError& error) const {
  if (error.kind == zk::ErrorKind::kSessionExpired) {
    return WriteUnknown{};  // The end of the session is told apart; nothing is decided on this.
  }
  if (error.failed_op == 0 &&
      (error.kind == zk::ErrorKind::kBadVersion || error.kind == zk::ErrorKind::kNoNode)) {
    // The licence: another version, or no node at all (then the root has been wiped).
    return WriteFenced{};
  }
  if (error.failed_op <= 0 || static_cast<size_t>(error.failed_op) >= origins_.size()) {
    // No operation of the term's is to blame: they are too many or too large together.
    return WriteRefused{.failed_op = std::nullopt,
                        .reason = WriteRefused::Reason::kOther,
                        .message = error.message};
  }
  const Origin& origin = origins_[static_cast<size_t>(error.failed_op)];
  return WriteRefused{.failed_op = origin.op,
                      .reason = ReasonOf(error.kind, origin.directory),
                      .message = error.message};
}

}  // namespace regent::controller
