#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/base/instant.h"
#include "common/base/result.h"
#include "common/runtime/loop.h"
#include "common/zk/client.h"
#include "common/zk/host_list.h"
#include "common/zk/mailbox.h"
#include "common/zk/zookeeper_thread.h"

namespace regent::zk {

struct RealClientOptions {
  std::string hosts;  ///< "h1:2181,h2,h3"
  std::string root;   ///< "", or a path that all paths are put under, e.g. "/regent-a".
  Duration session_timeout = std::chrono::seconds(6);
  std::string digest;  ///< "user:password"; "": no credentials, open ACLs.
  int window = 1000;   ///< Requests in flight at most; the rest waits in order.
  /// Looks names up, on a thread of its own; for tests to move servers about.
  std::function<std::string(const HostList&)> resolve = &HostList::Resolve;
};

/// A client of a real ensemble, over Debian's C library. Beyond Client it tells how it fares.
class RealClient : public Client {
 public:
  /// Any thread.
  virtual ClientStats stats() const = 0;
};

/// Begins to connect, and goes on until it is closed; an ensemble that is not there is waited for.
/// `thread`, `owner` and `listener` outlive the client; the owner's loop may be closed before it.
///
/// state() says kLeaseEnded as soon as the clock does, ahead of the event: who acts by the session
/// asks it before each act. The owner calls Heartbeat from the start, also before kConnected.
Result<std::unique_ptr<RealClient>> MakeRealClient(ZooKeeperThread& thread,
                                                   const RealClientOptions& options,
                                                   Executor& owner,
                                                   SessionListener& listener);

}  // namespace regent::zk
