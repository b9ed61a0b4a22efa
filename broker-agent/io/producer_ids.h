#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>

#include "common/base/instant.h"
#include "common/base/result.h"
#include "common/model/ids.h"
#include "common/runtime/loop.h"
#include "common/zk/client.h"

namespace regent {

/// Hands out ids for idempotent producers (KIP-98), each to one producer of the cluster for ever.
/// They come in blocks of a thousand: whoever moves /latest_producer_id_block on, by
/// compare-and-set, has the ids in between. An answer that is lost costs a block and nothing else,
/// so no controller is needed for it.
///
/// On the executor's thread.
class ProducerIds {
 public:
  using Done = std::function<void(const Result<int64_t>&)>;

  /// `client` and `executor` outlive it.
  ProducerIds(BrokerId self, zk::Client& client, Executor& executor)
      : self_(self), client_(client), executor_(executor) {}
  ~ProducerIds();
  ProducerIds(const ProducerIds&) = delete;
  ProducerIds& operator=(const ProducerIds&) = delete;

  /// `done` comes within the call if there is an id at hand; kUnavailable, after a bounded time, if
  /// none can be had: ask again.
  void Draw(Done done);

 private:
  struct Waiting {
    Done done;
    Instant until;
  };

  void Fetch();
  void Advance(const zk::Outcome<zk::Node>& latest);
  void Took(int64_t start, bool took, const std::string& why);
  void AnswerWaiting();
  void GiveUp(const std::string& why);

  BrokerId self_;
  zk::Client& client_;
  Executor& executor_;
  int64_t next_ = 0;
  int64_t end_ = 0;  ///< The first id that is not ours.
  std::deque<Waiting> waiting_;
  bool fetching_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace regent
