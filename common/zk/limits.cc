#include "common/zk/limits.h"

#include <algorithm>
#include <string_view>

#include "common/zk/paths.h"

namespace regent::zk {

namespace {

/// What ZooKeeper's encoding adds to an operation beside path and data, rounded up.
constexpr size_t kOpOverhead = 64;
constexpr size_t kBesideLargeNode = 16 * 1024;

size_t DataBytes(const Op& op) {
  if (const auto* create = std::get_if<CreateOp>(&op)) {
    return create->data.size();
  }
  if (const auto* set = std::get_if<SetOp>(&op)) {
    return set->data.size();
  }
  return 0;
}

}  // namespace

size_t BytesOf(const Op& op) {
  return PathOf(op).size() + DataBytes(op) + kOpOverhead;
}

const std::string& PathOf(const Op& op) {
  return std::visit([](const auto& o) -> const std::string& { return o.path; }, op);
}

std::string& MutablePathOf(Op& op) {
  return std::visit([](auto& o) -> std::string& { return o.path; }, op);
}

std::optional<ZkError> RefusalOf(const std::string& path) {
  if (const Status valid = ValidatePath(path); !valid.ok()) {
    return ZkError{.kind = ErrorKind::kOther, .message = valid.error().message};
  }
  return std::nullopt;
}

std::optional<ZkError> RefusalOf(const Op& op) {
  const std::string& path = PathOf(op);
  if (std::optional<ZkError> refusal = RefusalOf(path)) {
    return refusal;
  }
  if (DataBytes(op) > static_cast<size_t>(kNodeBytesMax)) {
    return ZkError{.kind = ErrorKind::kTooLarge,
                   .message = path + ": " + std::to_string(DataBytes(op)) +
                              " bytes, and a node holds " + std::to_string(kNodeBytesMax) +
                              " at most; spread the data over several nodes"};
  }
  return std::nullopt;
}

std::optional<ZkError> RefusalOf(const std::vector<Op>& ops) {
  if (ops.size() > static_cast<size_t>(kMultiOpsMax)) {
    return ZkError{.kind = ErrorKind::kTooLarge,
                   .message = "a multi of " + std::to_string(ops.size()) +
                              " operations, and one takes " + std::to_string(kMultiOpsMax) +
                              " at most; split it"};
  }
  size_t bytes = 0;
  size_t largest = 0;
  for (size_t i = 0; i < ops.size(); ++i) {
    if (std::optional<ZkError> refusal = RefusalOf(ops[i])) {
      refusal->failed_op = static_cast<int>(i);
      return refusal;
    }
    const size_t op_bytes = BytesOf(ops[i]);
    bytes += op_bytes;
    largest = std::max(largest, op_bytes);
  }
  // A multi is how a write carries its licence (R2), so one large node, which its own limit bounds,
  // may stand beside a few small operations.
  const bool small_but_for_one = bytes - largest <= kBesideLargeNode;
  if (bytes > static_cast<size_t>(kMultiBytesMax) && !small_but_for_one) {
    return ZkError{.kind = ErrorKind::kTooLarge,
                   .message = "a multi of " + std::to_string(bytes) + " bytes from " +
                              PathOf(ops.front()) + " on, and one takes " +
                              std::to_string(kMultiBytesMax) + " at most; split it"};
  }
  return std::nullopt;
}

std::string RootPrefix::Add(const std::string& path) const {
  if (prefix_.empty()) {
    return path;
  }
  return path == "/" ? prefix_ : prefix_ + path;
}

std::string RootPrefix::Remove(const std::string& path) const {
  if (prefix_.empty() || !path.starts_with(prefix_)) {
    return path;
  }
  return path.size() == prefix_.size() ? "/" : path.substr(prefix_.size());
}

std::vector<std::string> RootPrefix::Ancestors() const {
  std::vector<std::string> ancestors;
  for (size_t slash = prefix_.find('/', 1); slash != std::string::npos;
       slash = prefix_.find('/', slash + 1)) {
    ancestors.push_back(prefix_.substr(0, slash));
  }
  return ancestors;
}

}  // namespace regent::zk
