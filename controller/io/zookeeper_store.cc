#include "controller/io/zookeeper_store.h"

#include <utility>

namespace regent::controller {

ZooKeeperStore::ZooKeeperStore(
    ZooKeeperStoreOptions options, zk::Client& client, Executor& executor, Rng& rng, Emit emit)
    : tools_{.client = client,
             .executor = executor,
             .rng = rng,
             .backoff = options.backoff,
             .slowest = slowest_},
      emit_(std::move(emit)),
      root_(tools_, emit_),
      office_(tools_, std::move(options.self), std::move(options.wall_ms), emit_) {}

ZooKeeperStore::~ZooKeeperStore() = default;

void ZooKeeperStore::Do(const ReadRoot&) {
  root_.Read();
}

void ZooKeeperStore::Do(const PrepareRoot& action) {
  root_.Prepare(action.cluster_id);
}

void ZooKeeperStore::Do(const ReadOffice&) {
  office_.Read();
}

void ZooKeeperStore::Do(const ClaimOffice& action) {
  office_.Claim(action);
}

void ZooKeeperStore::Do(const ResignOffice& action) {
  office_.Resign(action);
}

void ZooKeeperStore::Do(const BeginTerm& action) {
  CHECK(term_ == nullptr) << "a term begins before the one of epoch " << action.epoch << " ended";
  term_ = std::make_shared<TermStore>(action, tools_, counters_, emit_);
}

void ZooKeeperStore::Do(const EndTerm&) {
  if (!term_) {
    return;
  }
  term_->Close();
  // The term may be ending inside one of its own callbacks: it is destroyed after that.
  tools_.executor.Post([ended = std::exchange(term_, nullptr)] {});
}

void ZooKeeperStore::OnSession(const zk::SessionEvent& event) {
  switch (event.state) {
    case zk::SessionState::kConnected:
      if (term_) {
        term_->OnReconnected();
      }
      return;
    case zk::SessionState::kExpired:
      root_.Reset();
      office_.Reset();
      return;
    case zk::SessionState::kDisconnected:
    case zk::SessionState::kLeaseEnded:
    case zk::SessionState::kAuthFailed: return;
  }
}

void ZooKeeperStore::OnWatch(const zk::WatchEvent& event) {
  if (event.generation != tools_.client.generation()) {
    return;
  }
  office_.OnWatch(event.path);
  if (term_) {
    term_->OnWatch(event.path);
  }
}

}  // namespace regent::controller
