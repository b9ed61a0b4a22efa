#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/instant.h"
#include "common/base/mutex.h"
#include "common/runtime/loop.h"
#include "common/zk/client.h"
#include "common/zk/in_memory_tree.h"
#include "common/zk/limits.h"

namespace regent::zk {

class InMemoryClient;
namespace internal {
struct InMemoryCall;
struct InMemoryLink;
struct InMemoryService;
}  // namespace internal

/// Where a lost answer is lost: on the way there, or on the way back.
enum class Lost { kBeforeEffect, kAfterEffect };

/// What becomes of a server that the ensemble has lost.
enum class Rejoins {
  kInTime,   ///< It finds its leader again: what waited there is carried out.
  kTooLate,  ///< It gives its clients up, and they find another one: what waited is lost.
};

/// A ZooKeeper ensemble inside the process, deterministic: no thread, no clock, no random number.
/// It serves any number of InMemoryClients; what they see follows from the order in which their
/// executors run tasks.
///
/// Time passes only in AdvanceTo: sessions whose client is cut off, or whose owner's heartbeats
/// have stopped, end their lease and expire by it. Who never calls it has sessions that live until
/// ExpireSession.
///
/// Thread-safe; tests and simulations call it from wherever they like.
class InMemoryZooKeeper {
 public:
  InMemoryZooKeeper();
  ~InMemoryZooKeeper();
  InMemoryZooKeeper(const InMemoryZooKeeper&) = delete;
  InMemoryZooKeeper& operator=(const InMemoryZooKeeper&) = delete;

  /// The ensemble ends the session now. Its client is told if it is connected, otherwise when it
  /// next is.
  void ExpireSession(int64_t session_id) EXCLUDES(mutex_);
  /// Moves time on: ends leases, expires sessions.
  void AdvanceTo(Instant now) EXCLUDES(mutex_);
  /// All clients lose their connections and no session expires, until EndOutage grants each a full
  /// timeout.
  void BeginOutage() EXCLUDES(mutex_);
  void EndOutage() EXCLUDES(mutex_);

  /// A change by somebody who is no client of ours, as one multi. Paths are the server's: a
  /// client's root is part of them. Ephemeral nodes are not for outsiders.
  Outcome<std::vector<OpResult>> Apply(const std::vector<Op>& ops) EXCLUDES(mutex_);
  std::optional<Node> Find(const std::string& path) const EXCLUDES(mutex_);
  std::vector<std::string> ChildrenOf(const std::string& path) const EXCLUDES(mutex_);
  /// All paths, sorted.
  std::vector<std::string> Paths() const EXCLUDES(mutex_);
  /// Of the latest transaction.
  int64_t zxid() const EXCLUDES(mutex_);
  bool HasSession(int64_t session_id) const EXCLUDES(mutex_);

 private:
  friend class InMemoryClient;
  friend struct internal::InMemoryService;
  using Link = internal::InMemoryLink;
  using Call = internal::InMemoryCall;

  struct Session {
    Duration timeout{0};
    Instant last_contact;
  };

  // For InMemoryClient.
  void Attach(const std::shared_ptr<Link>& link) EXCLUDES(mutex_);
  void Detach(Link& link) EXCLUDES(mutex_);
  void Submit(Link& link, std::unique_ptr<Call> call) EXCLUDES(mutex_);
  void TransmitOne(Link& link) EXCLUDES(mutex_);
  std::function<void()> TakeDelivery(Link& link) EXCLUDES(mutex_);
  /// After Detach: the answers that had arrived, and Unknown for what had not.
  std::vector<std::function<void()>> TakeRest(Link& link) EXCLUDES(mutex_);
  void BeginGeneration(Link& link, Generation generation) EXCLUDES(mutex_);
  void SetReachable(Link& link, bool reachable) EXCLUDES(mutex_);
  void SetLag(Link& link, size_t transactions) EXCLUDES(mutex_);
  void LoseAnswers(Link& link, int count, Lost lost) EXCLUDES(mutex_);
  void CutOff(Link& link) EXCLUDES(mutex_);
  void Rejoin(Link& link, Rejoins rejoins) EXCLUDES(mutex_);
  bool IsCutOff(const Link& link) const EXCLUDES(mutex_);
  void NoteHeartbeat(Link& link, Instant now) EXCLUDES(mutex_);

  void Connect(Link& link) REQUIRES(mutex_);
  void Disconnect(Link& link) REQUIRES(mutex_);
  void Expire(int64_t session_id) REQUIRES(mutex_);
  void TellExpired(Link& link) REQUIRES(mutex_);
  void Advance(Link& link, Instant now) REQUIRES(mutex_);
  void Push(Link& link, SessionState state) REQUIRES(mutex_);
  void Carry(Link& link, const Call& call) REQUIRES(mutex_);
  void Thaw(Link& link) REQUIRES(mutex_);
  void Commit(const std::vector<TreeChange>& changes) REQUIRES(mutex_);
  void CatchUp(Link& link, size_t missing_at_most) REQUIRES(mutex_);
  void Fire(Link& link, const std::vector<TreeChange>& changes) REQUIRES(mutex_);
  const InMemoryTree& TreeOf(const Link& link) const REQUIRES(mutex_);

  Outcome<std::vector<OpResult>> Write(Link& link, const std::vector<Op>& ops) REQUIRES(mutex_);

  mutable Mutex mutex_;
  InMemoryTree tree_ GUARDED_BY(mutex_);
  int64_t zxid_ GUARDED_BY(mutex_) = 0;
  int64_t next_session_ GUARDED_BY(mutex_) = 1;
  std::map<int64_t, Session> sessions_ GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<Link>> links_ GUARDED_BY(mutex_);
  bool outage_ GUARDED_BY(mutex_) = false;
  Instant now_ GUARDED_BY(mutex_);
};

struct InMemoryClientOptions {
  std::string root;  ///< As ValidateRoot yields it.
  Duration session_timeout = std::chrono::seconds(6);
  /// How long a request and its answer travel; by default as long as the executor takes to come to
  /// the next task. They never overtake each other.
  std::function<Duration()> request_delay;
  std::function<Duration()> answer_delay;
  /// The pace of the client's clock, in thousandths of the server's: it measures its lease (R4).
  int64_t clock_permille = 1000;
};

/// A client of InMemoryZooKeeper. Connects by itself, later, like a real one.
class InMemoryClient final : public Client {
 public:
  /// The server, `owner` and `listener` outlive the client.
  InMemoryClient(InMemoryZooKeeper& server,
                 Executor& owner,
                 SessionListener& listener,
                 InMemoryClientOptions options = {});
  ~InMemoryClient() override;
  InMemoryClient(const InMemoryClient&) = delete;
  InMemoryClient& operator=(const InMemoryClient&) = delete;

  void Get(const std::string& path, Watch watch, Callback<Node> done) override;
  void Exists(const std::string& path, Watch watch, Callback<std::optional<Stat>> done) override;
  void Children(const std::string& path,
                Watch watch,
                Callback<std::vector<std::string>> done) override;
  void Create(CreateOp op, Callback<OpResult> done) override;
  void Set(SetOp op, Callback<Stat> done) override;
  void Delete(DeleteOp op, Callback<std::monostate> done) override;
  void Multi(std::vector<Op> ops, Callback<std::vector<OpResult>> done) override;
  void Sync(const std::string& path, Callback<std::monostate> done) override;

  Generation generation() const override;
  SessionState state() const override;
  int64_t session_id() const override;
  void Heartbeat(Instant now) override;
  void Close() override;

  // --- for tests and simulations -----------------------------------------------------------------

  /// The connection breaks: what is in flight ends as Unknown (answers on their way back were for
  /// effects that happened), and the client hears of nothing until Reconnect.
  void Disconnect();
  void Reconnect();
  /// Reads answer from a server that is `transactions` behind, until a Sync or a write of this
  /// client brings it up to date; then it falls behind again. 0: not behind.
  void LagBehind(int transactions);
  /// This client's server loses the ensemble (and keeps its clients, as a real one does for
  /// syncLimit ticks): it answers reads, without news from now on; a write or sync waits there, and
  /// whatever comes behind it. The ensemble does not hear of this client. Nothing changes while it
  /// is not connected.
  void CutOffServer();
  /// Undoes it; nothing happens if the client has left that server.
  void RejoinServer(Rejoins rejoins);
  bool server_cut_off() const;
  /// The next `count` requests end as Unknown, without or with their effect.
  void LoseAnswers(int count, Lost lost);

 private:
  friend class InMemoryZooKeeper;
  using Link = internal::InMemoryLink;

  template <class Call>
  void Submit(Call request);
  void Deliver(bool all);
  void OnSession(const SessionEvent& event);
  void OnWatch(const WatchEvent& event);

  InMemoryZooKeeper& server_;
  SessionListener& listener_;
  std::shared_ptr<Link> link_;
  Generation generation_{1};
  SessionState state_ = SessionState::kDisconnected;
  int64_t session_id_ = 0;
};

}  // namespace regent::zk
