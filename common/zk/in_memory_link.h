#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "common/base/instant.h"
#include "common/runtime/loop.h"
#include "common/zk/client.h"
#include "common/zk/in_memory.h"
#include "common/zk/in_memory_tree.h"
#include "common/zk/paths.h"

// What goes between an in-memory ZooKeeper and its clients; nobody else's.

namespace regent::zk::internal {

template <class T>
using SharedCallback = std::shared_ptr<Callback<T>>;

// One request each. Callbacks are shared between the answer and what is run if it is lost.
struct GetCall {
  std::string path;
  Watch watch;
  SharedCallback<Node> done;
};
struct ExistsCall {
  std::string path;
  Watch watch;
  SharedCallback<std::optional<Stat>> done;
};
struct ChildrenCall {
  std::string path;
  Watch watch;
  SharedCallback<std::vector<std::string>> done;
};
struct CreateCall {
  CreateOp op;
  std::vector<std::string> ancestors;  ///< Made first, where they are missing.
  SharedCallback<OpResult> done;
};
struct SetCall {
  SetOp op;
  SharedCallback<Stat> done;
};
struct DeleteCall {
  DeleteOp op;
  SharedCallback<std::monostate> done;
};
struct MultiCall {
  std::vector<Op> ops;
  SharedCallback<std::vector<OpResult>> done;
};
struct SyncCall {
  std::string path;
  SharedCallback<std::monostate> done;
};
using Request = std::variant<GetCall,
                             ExistsCall,
                             ChildrenCall,
                             CreateCall,
                             SetCall,
                             DeleteCall,
                             MultiCall,
                             SyncCall>;

struct InMemoryCall {
  Generation generation;
  Request request;
  std::optional<ZkError> refusal;  ///< Answered by the client, without the server.

  /// Returns what calls back with that error.
  std::function<void()> Failure(ZkError error) const;
  /// Returns what calls back with an unknown outcome.
  std::function<void()> Loss(const std::string& why) const;
};

/// Something on its way to a client.
struct Delivery {
  std::function<void()> run;
  std::function<void()> lost;  ///< Of an answer: runs instead, if the connection breaks first.
  enum class Kind { kAnswer, kWatch, kSession } kind = Kind::kAnswer;
};

/// Whether a server needs its leader for it.
bool NeedsLeader(const Request& request);

struct Transaction {
  int64_t zxid = 0;
  std::vector<TreeChange> changes;
};

/// What a client that lags sees instead of the leader's tree.
struct View {
  InMemoryTree tree;
  std::deque<Transaction> missing;
  size_t lag = 0;
  bool frozen = false;  ///< Its server is cut off.

  size_t missing_at_most() const { return frozen ? SIZE_MAX : lag; }
};

/// A client as the server knows it. `client` belongs to the owner's thread, the rest to the
/// server's lock.
struct InMemoryLink : std::enable_shared_from_this<InMemoryLink> {
  InMemoryClient* client = nullptr;
  Executor* owner = nullptr;
  InMemoryClientOptions options;
  RootPrefix root{""};
  std::function<void(bool)> deliver;  ///< On the owner's thread: one delivery, or all.
  std::function<void()> transmit;     ///< On the owner's thread: one request.

  std::deque<std::unique_ptr<InMemoryCall>> uplink;
  std::deque<Delivery> downlink;
  std::deque<Delivery> parked;  ///< Watches that fired while there was no connection.
  /// At a server that is cut off: what waits for its leader, and what came behind that.
  std::deque<std::unique_ptr<InMemoryCall>> held;
  std::set<std::string> data_watches;
  std::set<std::string> child_watches;
  std::optional<View> view;

  Generation generation{1};
  int64_t session = 0;
  bool reachable = true;
  bool established = false;
  bool told_expired = false;  ///< The next session waits for the owner to have heard.
  bool lease_ended = false;
  bool closed = false;
  bool cut_off = false;  ///< Its server has lost the ensemble…
  Instant last_contact;  ///< … which heard of it then for the last time.
  Instant heartbeat;
  int lose_before = 0;
  int lose_after = 0;

  void PostDelivery(Delivery delivery, bool urgent);
  void PostTransmission() const;
};

}  // namespace regent::zk::internal
