#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/zk/client.h"

namespace regent::zk {

/// One node's part in a transaction, with everything decided (sequential names included).
struct TreeChange {
  enum class Kind { kCreated, kChanged, kDeleted };
  Kind kind = Kind::kCreated;
  std::string path;
  std::string data;
  int64_t ephemeral_owner = 0;
};

/// What a transaction did and yields.
struct AppliedTransaction {
  std::vector<TreeChange> changes;
  std::vector<OpResult> results;
};

/// ZooKeeper's tree of nodes with its arithmetic of versions, as the server keeps it: the state
/// machine that InMemoryZooKeeper replicates to lagging views.
class InMemoryTree {
 public:
  /// Only the root node, "/".
  InMemoryTree();

  /// Applies all of `ops` as transaction `zxid` of session `session`, or nothing.
  Outcome<AppliedTransaction> Apply(const std::vector<Op>& ops, int64_t zxid, int64_t session);
  /// Repeats on this tree what Apply did on another.
  void Replay(const std::vector<TreeChange>& changes, int64_t zxid);

  std::optional<Node> Find(const std::string& path) const;
  bool Contains(const std::string& path) const { return nodes_.contains(path); }
  /// Names of the children, sorted; nothing if there is no such node.
  std::optional<std::vector<std::string>> ChildrenOf(const std::string& path) const;
  /// Paths of the nodes that end with session `session`, sorted.
  std::vector<std::string> EphemeralsOf(int64_t session) const;
  /// All paths, sorted.
  std::vector<std::string> Paths() const;

 private:
  struct Entry {
    Node node;
    std::set<std::string> children;
    int32_t creates = 0;  ///< Children ever created: the next sequential number.
  };
  /// How nodes were before a transaction, to take it back.
  using Undo = std::map<std::string, std::optional<Entry>>;

  std::optional<ZkError> Perform(const Op& op,
                                 int64_t zxid,
                                 int64_t session,
                                 AppliedTransaction& applied);
  void Remember(Undo& undo, const Op& op) const;
  void Perform(const TreeChange& change, int64_t zxid);
  std::optional<ZkError> Decide(const CreateOp& op, int64_t session, TreeChange& change) const;
  std::optional<ZkError> Decide(const SetOp& op, TreeChange& change) const;
  std::optional<ZkError> Decide(const DeleteOp& op, TreeChange& change) const;
  std::optional<ZkError> Check(const CheckOp& op) const;

  std::map<std::string, Entry> nodes_;
};

/// Path of the parent: "/a" of "/a/b", "/" of "/a".
std::string ParentOf(const std::string& path);

}  // namespace regent::zk
