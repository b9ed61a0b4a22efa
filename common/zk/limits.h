#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/zk/client.h"

// What every implementation of Client refuses before it sends anything.

namespace regent::zk {

/// Nothing if a request for `path` may be sent.
std::optional<ZkError> RefusalOf(const std::string& path);
/// Nothing if `op` may be sent by itself.
std::optional<ZkError> RefusalOf(const Op& op);
/// Nothing if `ops` may be sent as one multi; the refusal blames an operation where it can.
std::optional<ZkError> RefusalOf(const std::vector<Op>& ops);

/// What `op` takes of a multi's bytes.
size_t BytesOf(const Op& op);

const std::string& PathOf(const Op& op);
std::string& MutablePathOf(Op& op);

/// Puts the root in front of paths, and takes it off again: the C library's chroot is not used.
class RootPrefix {
 public:
  /// `prefix` is what ValidateRoot yields: "" or "/a/b".
  explicit RootPrefix(std::string prefix) : prefix_(std::move(prefix)) {}

  const std::string& prefix() const { return prefix_; }
  /// The server's path of ours; ours "/" is the root node itself.
  std::string Add(const std::string& path) const;
  std::string Remove(const std::string& path) const;
  /// The nodes above the root node, from the top: a create of "/" makes them first.
  std::vector<std::string> Ancestors() const;

 private:
  std::string prefix_;
};

}  // namespace regent::zk
