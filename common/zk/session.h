#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/instant.h"
#include "common/base/mutex.h"
#include "common/zk/handle.h"
#include "common/zk/host_list.h"
#include "common/zk/limits.h"
#include "common/zk/mailbox.h"
#include "common/zk/zookeeper_thread.h"

namespace regent::zk {

/// The half of a real client that lives on the ZooKeeper thread: connects, sends in a bounded
/// window, keeps the session alive while its owner is, notices its end and begins the next one
/// when the owner knows.
///
///   (no handle) ──► connecting ◄──► connected ──► ended ──(owner has heard)──► (no handle)
class Session final : public ZooKeeperThread::Driven {
 public:
  struct Options {
    HostList hosts;
    std::string root;
    Duration session_timeout{0};
    std::string digest;
    size_t window = 0;
    std::function<std::string(const HostList&)> resolve;
    std::function<void(bool urgent)> drain;  ///< Has the owner take its mail.
  };

  Session(Options options, std::shared_ptr<Mailbox> mailbox);

  Wants Prepare(Instant now) override;
  void Process(Ready ready, Instant now) override;
  void End() override;

 private:
  /// A look-up of names that runs beside the loop, because it may take long.
  struct LookUp {
    Mutex mutex;
    bool running GUARDED_BY(mutex) = false;
    std::optional<std::string> found GUARDED_BY(mutex);
  };

  void TakeOrders();
  /// Answers those that wait for a session which is no more.
  void RefuseOlderThan(Generation generation);
  bool Neglected(Instant now);
  void Open(Instant now);
  /// Knows the addresses, or has somebody ask the name service.
  void LookUpHosts(Instant now);
  void UseNewAddresses();
  void ReportAway(Instant now);
  void Pump(Instant now);
  void Probe(Instant now);
  /// Acts on what time has brought; says when it must be called again.
  Instant KeepTime(Instant now);
  void Observe(Instant now);
  void OnEstablished(Instant now);
  void OnEnded(Instant now);
  void Collect(Instant now);
  void Announce();
  void Put(SessionState state);
  void Send();

  const Options options_;
  const RootPrefix root_;
  const std::shared_ptr<Mailbox> mailbox_;
  const std::shared_ptr<LookUp> look_up_;

  Generation generation_{1};
  std::unique_ptr<Handle> handle_;
  Handle::State seen_ = Handle::State::kIdle;  ///< The handle's state when last looked at.
  bool ended_ = false;                         ///< Waits for the owner to have heard.
  bool announced_ = false;                     ///< The owner has been told of this connection.
  Duration timeout_;
  std::string addresses_;
  Instant open_not_before_;
  Instant look_up_not_before_;
  Instant last_asked_leader_;
  Instant last_heard_;
  bool neglected_ = false;
  Instant away_since_;
  Instant away_reported_;
  std::deque<std::unique_ptr<Call>> waiting_;
  std::vector<Mailbox::Item> outbox_;
  ClientStats stats_;
};

}  // namespace regent::zk
