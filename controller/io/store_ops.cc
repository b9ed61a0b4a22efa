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
std::string TextWithId(const SetTopicId& set) {
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

FencedMulti::FencedMulti(ControllerEpochVersion licence, const std::vector<StoreOp>& ops) {
  ops_.reserve(ops.size() + 1);
  origins_.reserve(ops.size() + 1);
  Append(zk::CheckOp{.path = zk::ControllerEpochPath(), .version = licence.value()}, {});
  for (size_t i = 0; i < ops.size(); ++i) {
    Add(i, ops[i]);
  }
}

void FencedMulti::Append(zk::Op op, Origin origin) {
  if (const auto* create = std::get_if<zk::CreateOp>(&op)) {
    created_path_ = create->path;
  }
  ops_.push_back(std::move(op));
  origins_.push_back(origin);
}

void FencedMulti::Add(size_t index, const StoreOp& op) {
  const Origin origin{.op = index};
  const auto create = [&](std::string path, std::string data, bool directory = false) {
    Append(zk::CreateOp{.path = std::move(path), .data = std::move(data)},
           {.op = index, .directory = directory});
  };
  const auto remove = [&](std::string path) {
    Append(zk::DeleteOp{.path = std::move(path), .expected = zk::AnyVersion{}}, origin);
  };
  std::visit(
      Overloaded{
          [&](const SetPartitionState& set) {
            Append(zk::SetOp{.path = StatePath(set.partition),
                             .data = wire::EncodePartitionState(set.state),
                             .expected = zk::AtVersion{set.expected.value()}},
                   origin);
          },
          [&](const CreatePartitionState& made) {
            if (made.with_directory) {
              create(zk::PartitionPath(made.partition.topic->name, made.partition.index), "", true);
            }
            create(StatePath(made.partition), wire::EncodePartitionState(made.state));
          },
          [&](const CreatePartitionsDirectory& made) {
            create(zk::PartitionsPath(made.topic->name), "");
          },
          [&](const CreateTopicNode& made) {
            create(zk::TopicPath(made.topic->name), NewTopicText(made));
          },
          [&](const SetTopicId& set) {
            Append(zk::SetOp{.path = zk::TopicPath(set.topic->name),
                             .data = TextWithId(set),
                             .expected = zk::AtVersion{set.expected}},
                   origin);
          },
          [&](const WriteTopicConfig& write) {
            std::string path = zk::TopicConfigPath(write.topic);
            std::string data = wire::EncodeTopicConfig(write.overrides);
            if (write.exists) {
              Append(zk::SetOp{.path = std::move(path),
                               .data = std::move(data),
                               .expected = write.expected
                                               ? zk::Expected(zk::AtVersion{*write.expected})
                                               : zk::Expected(zk::AnyVersion{})},
                     origin);
            } else {
              create(std::move(path), std::move(data));
            }
          },
          [&](const DeleteConfigChange& gone) {
            remove(zk::ConfigChangesPath() + '/' + gone.node);
          },
          [&](const WriteDeletionMark& write) {
            std::string path = zk::RegentDeletionPath(write.mark.id.ToText());
            std::string data = DeletionText(write.mark);
            if (write.exists) {
              Append(zk::SetOp{.path = std::move(path),
                               .data = std::move(data),
                               .expected = zk::AnyVersion{}},
                     origin);
            } else {
              create(std::move(path), std::move(data));
            }
          },
          [&](const RemoveDeletionMark& gone) { remove(zk::RegentDeletionPath(gone.id.ToText())); },
          [&](const DeleteTopicChild& gone) {
            remove(zk::TopicPath(gone.topic) + '/' + gone.below);
          },
          [&](const DeleteTopicNode& gone) {
            Append(zk::DeleteOp{.path = zk::TopicPath(gone.topic),
                                .expected = zk::AtVersion{gone.expected}},
                   origin);
          },
          [&](const DeleteTopicConfig& gone) { remove(zk::TopicConfigPath(gone.topic)); },
          [&](const DeleteDeletionRequest& gone) { remove(zk::DeleteTopicPath(gone.topic)); },
          [&](const CreateStoppingMark& made) {
            create(zk::RegentStoppingPath(made.mark.life.ToText()),
                   wire::EncodeStoppingMark({.broker = made.mark.broker,
                                             .broker_epoch = made.mark.broker_epoch,
                                             .life = made.mark.life}));
          },
          [&](const DeleteStoppingMark& gone) {
            remove(zk::RegentStoppingPath(gone.life.ToText()));
          },
          [&](const DeletePreferredElection& gone) {
            Append(zk::DeleteOp{.path = zk::PreferredElectionPath(),
                                .expected = zk::AtVersion{gone.expected}},
                   origin);
          },
      },
      op);
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
