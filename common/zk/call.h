#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "common/base/instant.h"
#include "common/zk/client.h"

// A request of the real client on its way from the owner's thread to ZooKeeper's and back.

namespace regent::zk {

class Handle;

struct GetArgs {
  std::string path;
  Watch watch;
};
struct ExistsArgs {
  std::string path;
  Watch watch;
};
struct ChildrenArgs {
  std::string path;
  Watch watch;
};
struct MultiArgs {
  std::vector<Op> ops;
};
struct SyncArgs {
  std::string path;
};
/// Paths are the server's.
using CallArgs =
    std::variant<GetArgs, ExistsArgs, ChildrenArgs, CreateOp, SetOp, DeleteOp, MultiArgs, SyncArgs>;

/// Moves between threads by ownership; never shared.
class Call {
 public:
  explicit Call(CallArgs call_args) : args(std::move(call_args)) {}
  virtual ~Call() = default;
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  virtual void Fail(ZkError error) = 0;
  virtual void Lose(std::string why) = 0;
  /// Runs the callback; on the owner's thread, once.
  virtual void Deliver() = 0;

  CallArgs args;
  Generation generation;
  Instant made;
  Instant sent;
  size_t root_bytes = 0;  ///< Length of the root in front of every path: not for others to see.
  Handle* handle = nullptr;
  bool probe = false;     ///< Of the session's own: its answer shows that the session lives.
  bool answered = false;  ///< The server said something: the session lived when this was sent.
  /// Where the C library writes the results of a multi.
  std::shared_ptr<void> buffers;
};

template <class T>
class TypedCall final : public Call {
 public:
  TypedCall(CallArgs call_args, Callback<T> done)
      : Call(std::move(call_args)), done_(std::move(done)) {}

  void Finish(Outcome<T> result) { outcome_.emplace(std::move(result)); }
  void Fail(ZkError error) override { Finish(std::move(error)); }
  void Lose(std::string why) override { Finish(Unknown{std::move(why)}); }
  void Deliver() override {
    if (done_) {
      done_(std::move(*outcome_));
    }
  }

 private:
  Callback<T> done_;
  std::optional<Outcome<T>> outcome_;
};

}  // namespace regent::zk
