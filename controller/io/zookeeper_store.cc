#include "controller/io/zookeeper_store.h"

#include <utility>

namespace regent::controller {

ZooKeeperStore::ZooKeeperStore(
    ZooKeeperStoreOptions options, zk::Client& client, Executor& executor, Rng& rng, Emit emit)
    : options_(std::move(options)),
      client_(client),
      executor_(executor),
      rng_(rng),
      emit_(std::move(emit)),
      root_(client, executor, rng, options_.backoff, emit_),
      office_(client, executor, options_.backoff, options_.self, options_.wall_ms, emit_) {}

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
  term_ = std::make_shared<TermStore>(action, client_, executor_, rng_, options_.backoff, counters_,
                                      emit_);
}

void ZooKeeperStore::Do(const EndTerm&) {
  if (!term_) {
    return;
  }
  term_->Close();
  // The term may be ending inside one of its own callbacks: it is destroyed after that.
  executor_.Post([ended = std::exchange(term_, nullptr)] {});
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
  if (event.generation != client_.generation()) {
    return;
  }
  office_.OnWatch(event.path);
  if (term_) {
    term_->OnWatch(event.path);
  }
}

}  // namespace regent::controller
