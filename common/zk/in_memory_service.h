#pragma once

#include "common/base/mutex.h"
#include "common/zk/in_memory_link.h"

namespace regent::zk::internal {

/// Carries out a client's request, with the server's lock held, and returns the answer.
struct InMemoryService {
  InMemoryZooKeeper& server;
  InMemoryLink& link;

  Delivery operator()(const GetCall& call) REQUIRES(server.mutex_);
  Delivery operator()(const ExistsCall& call) REQUIRES(server.mutex_);
  Delivery operator()(const ChildrenCall& call) REQUIRES(server.mutex_);
  Delivery operator()(const CreateCall& call) REQUIRES(server.mutex_);
  Delivery operator()(const SetCall& call) REQUIRES(server.mutex_);
  Delivery operator()(const DeleteCall& call) REQUIRES(server.mutex_);
  Delivery operator()(const MultiCall& call) REQUIRES(server.mutex_);
  Delivery operator()(const SyncCall& call) REQUIRES(server.mutex_);

 private:
  /// As RealClient does: the operation alone, no part of a multi to blame.
  Outcome<OpResult> WriteOne(Op op) REQUIRES(server.mutex_);
  /// Errors speak of paths as the client's owner knows them.
  ZkError Shown(ZkError error) const;
};

}  // namespace regent::zk::internal
