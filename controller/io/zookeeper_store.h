#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "common/base/rng.h"
#include "common/runtime/loop.h"
#include "common/zk/client.h"
#include "controller/core/actions.h"
#include "controller/core/events.h"
#include "controller/io/office_store.h"
#include "controller/io/patient_reader.h"
#include "controller/io/root_store.h"
#include "controller/io/term_store.h"

namespace regent::controller {

struct ZooKeeperStoreOptions {
  ControllerRegistration self;
  std::function<int64_t()> wall_ms;  ///< For timestamps that people read.
  ReadBackoff backoff;
};

/// Carries out what a candidate wants of ZooKeeper, and reports back by events. It decides nothing:
/// lost answers to reads are asked again, lost answers to writes are told.
///
/// All on the client's loop thread. Events come from the client's callbacks, never from inside a
/// call; none of a term comes after EndTerm.
class ZooKeeperStore {
 public:
  using Emit = std::function<void(Event)>;

  /// `client`, `executor` and `rng` outlive the store.
  ZooKeeperStore(
      ZooKeeperStoreOptions options, zk::Client& client, Executor& executor, Rng& rng, Emit emit);
  ~ZooKeeperStore();
  ZooKeeperStore(const ZooKeeperStore&) = delete;
  ZooKeeperStore& operator=(const ZooKeeperStore&) = delete;

  void Do(const ReadRoot& action);
  void Do(const PrepareRoot& action);
  void Do(const ReadOffice& action);
  void Do(const ClaimOffice& action);
  void Do(const ResignOffice& action);
  void Do(const BeginTerm& action);
  void Do(const EndTerm& action);

  // Of the term begun; without one they are ignored, as is what they would have led to.
  void Do(const LoadCluster& action) { InTerm(action); }
  void Do(const ReadBrokers& action) { InTerm(action); }
  void Do(const ReadPreferredElection& action) { InTerm(action); }
  void Do(const ReadTopics& action) { InTerm(action); }
  void Do(const ReadPartitions& action) { InTerm(action); }
  void Do(const StatTopics& action) { InTerm(action); }
  void Do(const ReadTopicTree& action) { InTerm(action); }
  void Do(const Write& action) { InTerm(action); }

  /// To be called before the candidate hears of it.
  void OnSession(const zk::SessionEvent& event);
  void OnWatch(const zk::WatchEvent& event);

  /// Figures over all terms.
  const TermStore::Counters& counters() const { return counters_; }
  /// The slowest read or write since the last call.
  Duration TakeLatencyMax() { return slowest_.Take(); }

 private:
  template <class Action>
  void InTerm(const Action& action) {
    if (term_) {
      term_->Do(action);
    }
  }

  SlowestRequest slowest_;
  const StoreTools tools_;
  Emit emit_;
  RootStore root_;
  OfficeStore office_;
  TermStore::Counters counters_;
  std::shared_ptr<TermStore> term_;
};

}  // namespace regent::controller
