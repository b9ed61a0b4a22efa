#include "common/zk/in_memory_tree.h"

#include <cstdio>
#include <utility>

#include <glog/logging.h>

#include "common/base/overloaded.h"
#include "common/zk/limits.h"

namespace regent::zk {

namespace {

ZkError Refusal(ErrorKind kind, const std::string& path) {
  return ZkError{.kind = kind, .message = path};
}

bool Matches(const Expected& expected, int32_t version) {
  const auto* at = std::get_if<AtVersion>(&expected);
  return at == nullptr || at->version == version;
}

std::string SequenceSuffix(int32_t number) {
  char text[16];
  std::snprintf(text, sizeof text, "%010d", number);
  return text;
}

}  // namespace

std::string ParentOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

InMemoryTree::InMemoryTree() {
  nodes_["/"];
}

Outcome<AppliedTransaction> InMemoryTree::Apply(const std::vector<Op>& ops,
                                                int64_t zxid,
                                                int64_t session) {
  AppliedTransaction applied;
  // Operations see those before them, so they are applied one by one and taken back together.
  // Of several states of one node only the first is remembered, so the order does not matter.
  Undo undo;
  for (size_t i = 0; i < ops.size(); ++i) {
    const Op& op = ops[i];
    Remember(undo, op);
    std::optional<ZkError> refusal = Perform(op, zxid, session, applied);
    if (!refusal) {
      const TreeChange* made =
          std::holds_alternative<CreateOp>(op) ? &applied.changes.back() : nullptr;
      if (made != nullptr) {
        undo.try_emplace(made->path, std::nullopt);
      }
      continue;
    }
    for (auto& [path, before] : undo) {
      if (before) {
        nodes_[path] = std::move(*before);
      } else {
        nodes_.erase(path);
      }
    }
    refusal->failed_op = static_cast<int>(i);
    return std::move(*refusal);
  }
  return applied;
}

void InMemoryTree::Remember(Undo& undo, const Op& op) const {
  if (std::holds_alternative<CheckOp>(op)) {
    return;
  }
  const auto remember = [&](const std::string& path) {
    const auto it = nodes_.find(path);
    if (it != nodes_.end()) {
      undo.try_emplace(path, it->second);
    }
  };
  remember(PathOf(op));
  if (!std::holds_alternative<SetOp>(op)) {
    remember(ParentOf(PathOf(op)));
  }
}

std::optional<ZkError> InMemoryTree::Perform(const Op& op,
                                             int64_t zxid,
                                             int64_t session,
                                             AppliedTransaction& applied) {
  TreeChange change;
  bool changes = true;
  std::optional<ZkError> refusal =
      std::visit(Overloaded{[&](const CreateOp& o) { return Decide(o, session, change); },
                            [&](const SetOp& o) { return Decide(o, change); },
                            [&](const DeleteOp& o) { return Decide(o, change); },
                            [&](const CheckOp& o) {
                              changes = false;
                              return Check(o);
                            }},
                 op);
  if (refusal) {
    return refusal;
  }
  OpResult result;
  if (changes) {
    Perform(change, zxid);
    if (change.kind != TreeChange::Kind::kDeleted) {
      result.stat = nodes_.at(change.path).node.stat;
    }
    if (change.kind == TreeChange::Kind::kCreated) {
      result.created_path = change.path;
    }
    applied.changes.push_back(std::move(change));
  }
  applied.results.push_back(std::move(result));
  return std::nullopt;
}

std::optional<ZkError> InMemoryTree::Decide(const CreateOp& op,
                                            int64_t session,
                                            TreeChange& change) const {
  if (op.path == "/") {
    return Refusal(ErrorKind::kNodeExists, op.path);
  }
  const auto parent = nodes_.find(ParentOf(op.path));
  if (parent == nodes_.end()) {
    return Refusal(ErrorKind::kNoNode, op.path + ": its parent does not exist");
  }
  if (parent->second.node.stat.ephemeral_owner != 0) {
    return Refusal(ErrorKind::kNoChildrenForEphemerals, op.path);
  }
  change.kind = TreeChange::Kind::kCreated;
  change.path = op.path;
  if (op.mode == CreateMode::kPersistentSequential) {
    change.path += SequenceSuffix(parent->second.creates);
  }
  if (nodes_.contains(change.path)) {
    return Refusal(ErrorKind::kNodeExists, change.path);
  }
  change.data = op.data;
  change.ephemeral_owner = op.mode == CreateMode::kEphemeral ? session : 0;
  return std::nullopt;
}

std::optional<ZkError> InMemoryTree::Decide(const SetOp& op, TreeChange& change) const {
  const auto it = nodes_.find(op.path);
  if (it == nodes_.end()) {
    return Refusal(ErrorKind::kNoNode, op.path);
  }
  if (!Matches(op.expected, it->second.node.stat.version)) {
    return Refusal(ErrorKind::kBadVersion, op.path);
  }
  change.kind = TreeChange::Kind::kChanged;
  change.path = op.path;
  change.data = op.data;
  return std::nullopt;
}

std::optional<ZkError> InMemoryTree::Decide(const DeleteOp& op, TreeChange& change) const {
  const auto it = nodes_.find(op.path);
  if (it == nodes_.end()) {
    return Refusal(ErrorKind::kNoNode, op.path);
  }
  if (!Matches(op.expected, it->second.node.stat.version)) {
    return Refusal(ErrorKind::kBadVersion, op.path);
  }
  if (!it->second.children.empty()) {
    return Refusal(ErrorKind::kNotEmpty, op.path);
  }
  if (op.path == "/") {
    return Refusal(ErrorKind::kOther, "/ cannot be deleted");
  }
  change.kind = TreeChange::Kind::kDeleted;
  change.path = op.path;
  return std::nullopt;
}

std::optional<ZkError> InMemoryTree::Check(const CheckOp& op) const {
  const auto it = nodes_.find(op.path);
  if (it == nodes_.end()) {
    return Refusal(ErrorKind::kNoNode, op.path);
  }
  // ZooKeeper reads a version of −1 as "any" here, too; nobody writes that.
  if (it->second.node.stat.version != op.version) {
    return Refusal(ErrorKind::kBadVersion, op.path);
  }
  return std::nullopt;
}

void InMemoryTree::Replay(const std::vector<TreeChange>& changes, int64_t zxid) {
  for (const TreeChange& change : changes) {
    Perform(change, zxid);
  }
}

void InMemoryTree::Perform(const TreeChange& change, int64_t zxid) {
  if (change.kind == TreeChange::Kind::kChanged) {
    Node& node = nodes_.at(change.path).node;
    node.data = change.data;
    node.stat.mzxid = zxid;
    ++node.stat.version;
    return;
  }
  const std::string parent_path = ParentOf(change.path);
  Entry& parent = nodes_.at(parent_path);
  const std::string name = change.path.substr(change.path.rfind('/') + 1);
  if (change.kind == TreeChange::Kind::kCreated) {
    Entry& entry = nodes_[change.path];
    entry.node.data = change.data;
    entry.node.stat.czxid = zxid;
    entry.node.stat.mzxid = zxid;
    entry.node.stat.pzxid = zxid;
    entry.node.stat.ephemeral_owner = change.ephemeral_owner;
    parent.children.insert(name);
    ++parent.creates;
  } else {
    nodes_.erase(change.path);
    parent.children.erase(name);
  }
  Stat& stat = parent.node.stat;
  stat.pzxid = zxid;
  stat.num_children = static_cast<int32_t>(parent.children.size());
  // The server counts creations and shows changes.
  stat.cversion = parent.creates * 2 - stat.num_children;
}

std::optional<Node> InMemoryTree::Find(const std::string& path) const {
  const auto it = nodes_.find(path);
  return it == nodes_.end() ? std::nullopt : std::optional<Node>(it->second.node);
}

std::optional<std::vector<std::string>> InMemoryTree::ChildrenOf(const std::string& path) const {
  const auto it = nodes_.find(path);
  if (it == nodes_.end()) {
    return std::nullopt;
  }
  return std::vector<std::string>(it->second.children.begin(), it->second.children.end());
}

std::vector<std::string> InMemoryTree::EphemeralsOf(int64_t session) const {
  std::vector<std::string> paths;
  for (const auto& [path, entry] : nodes_) {
    if (entry.node.stat.ephemeral_owner == session) {
      paths.push_back(path);
    }
  }
  return paths;
}

std::vector<std::string> InMemoryTree::Paths() const {
  std::vector<std::string> paths;
  for (const auto& [path, entry] : nodes_) {
    paths.push_back(path);
  }
  return paths;
}

}  // namespace regent::zk
