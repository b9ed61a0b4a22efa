#include "common/zk/in_memory_service.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace regent::zk::internal {
namespace {

template <class T>
Delivery Answer(const SharedCallback<T>& done, Outcome<T> outcome) {
  return Delivery{
      .run = [done, outcome = std::move(outcome)]() mutable { (*done)(std::move(outcome)); }};
}

ZkError NoNode(const std::string& path) {
  return ZkError{.kind = ErrorKind::kNoNode, .message = path};
}

}  // namespace

ZkError InMemoryService::Shown(ZkError error) const {
  const std::string& prefix = link.root.prefix();
  if (!prefix.empty() && error.message.starts_with(prefix)) {
    error.message = error.message.substr(prefix.size());
  }
  return error;
}

Delivery InMemoryService::operator()(const GetCall& call) {
  const std::string path = link.root.Add(call.path);
  std::optional<Node> node = server.TreeOf(link).Find(path);
  if (!node) {
    return Answer<Node>(call.done, NoNode(call.path));
  }
  if (call.watch == Watch::kArm) {
    link.data_watches.insert(path);
  }
  return Answer<Node>(call.done, std::move(*node));
}

Delivery InMemoryService::operator()(const ExistsCall& call) {
  const std::string path = link.root.Add(call.path);
  if (call.watch == Watch::kArm) {
    link.data_watches.insert(path);
  }
  const std::optional<Node> node = server.TreeOf(link).Find(path);
  return Answer<std::optional<Stat>>(
      call.done, node ? std::optional<Stat>(node->stat) : std::optional<Stat>());
}

Delivery InMemoryService::operator()(const ChildrenCall& call) {
  const std::string path = link.root.Add(call.path);
  auto names = server.TreeOf(link).ChildrenOf(path);
  if (!names) {
    return Answer<std::vector<std::string>>(call.done, NoNode(call.path));
  }
  if (call.watch == Watch::kArm) {
    link.child_watches.insert(path);
  }
  return Answer<std::vector<std::string>>(call.done, std::move(*names));
}

Outcome<OpResult> InMemoryService::WriteOne(Op op) {
  MutablePathOf(op) = link.root.Add(PathOf(op));
  auto outcome = server.Write(link, {std::move(op)});
  if (!outcome.ok()) {
    ZkError error = Shown(outcome.error());
    error.failed_op = -1;
    return error;
  }
  OpResult result = std::move(outcome.value().front());
  result.created_path = link.root.Remove(result.created_path);
  return result;
}

Delivery InMemoryService::operator()(const CreateCall& call) {
  for (const std::string& ancestor : call.ancestors) {
    (void)server.Write(link, {CreateOp{.path = ancestor}});
  }
  return Answer<OpResult>(call.done, WriteOne(call.op));
}

Delivery InMemoryService::operator()(const SetCall& call) {
  Outcome<OpResult> outcome = WriteOne(call.op);
  return Answer<Stat>(call.done, outcome.ok() ? Outcome<Stat>(outcome.value().stat)
                                              : Outcome<Stat>(outcome.error()));
}

Delivery InMemoryService::operator()(const DeleteCall& call) {
  Outcome<OpResult> outcome = WriteOne(call.op);
  return Answer<std::monostate>(call.done, outcome.ok() ? Outcome<std::monostate>(std::monostate{})
                                                        : Outcome<std::monostate>(outcome.error()));
}

Delivery InMemoryService::operator()(const MultiCall& call) {
  std::vector<Op> ops = call.ops;
  for (Op& op : ops) {
    MutablePathOf(op) = link.root.Add(PathOf(op));
  }
  auto outcome = server.Write(link, ops);
  if (!outcome.ok()) {
    return Answer<std::vector<OpResult>>(call.done, Shown(outcome.error()));
  }
  for (OpResult& result : outcome.value()) {
    if (!result.created_path.empty()) {
      result.created_path = link.root.Remove(result.created_path);
      result.stat = Stat{};  // As the C library: a create in a multi yields no stat.
    }
  }
  return Answer<std::vector<OpResult>>(call.done, std::move(outcome));
}

Delivery InMemoryService::operator()(const SyncCall& call) {
  server.CatchUp(link, 0);
  return Answer<std::monostate>(call.done, std::monostate{});
}

}  // namespace regent::zk::internal
