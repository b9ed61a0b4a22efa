#pragma once

#include <string>
#include <vector>

#include "common/zk/client.h"
#include "controller/core/actions.h"
#include "controller/core/store.h"

namespace regent::controller {

/// A term's write as ZooKeeper takes it: one multi that starts with the licence (R2), and the way
/// back from its outcome to the term's words.
class FencedMulti {
 public:
  FencedMulti(ControllerEpochVersion licence, const std::vector<StoreOp>& ops);

  const std::vector<zk::Op>& ops() const { return ops_; }
  std::vector<zk::Op> TakeOps() { return std::move(ops_); }
  /// A node that this multi creates; empty if it creates none. Its czxid is the transaction's.
  const std::string& created_path() const { return created_path_; }
  /// Nothing in the returned WriteApplied's zxid if no result carries a stat: then the czxid of
  /// created_path() tells it.
  WriteOutcome Translate(const zk::Outcome<std::vector<zk::OpResult>>& outcome) const;

 private:
  /// What the term's operation behind a ZooKeeper operation is.
  struct Origin {
    size_t op = 0;
    bool directory = false;  ///< The parent that CreatePartitionState makes on the way.
  };

  class Adder;

  void Append(zk::Op op, Origin origin);
  WriteOutcome Refused(const zk::ZkError& error) const;

  std::vector<zk::Op> ops_;
  std::vector<Origin> origins_;  ///< One per ZooKeeper operation; that of the licence is not used.
  std::string created_path_;
};

}  // namespace regent::controller
