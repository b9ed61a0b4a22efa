#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "common/base/instant.h"
#include "common/base/strong_id.h"

// A ZooKeeper client as this project wants it: typed requests, asynchronous, three-way outcomes,
// session generations. Three implementations: real (Debian's C library), in memory, and one that
// injects faults. Paths are absolute and already validated by zk/paths.h; --zk-root is applied by
// the implementation, so users of the interface never see it.

namespace regent::zk {

/// Counts the sessions that one Client has had: 1 for the first.
using Generation = StrongId<struct GenerationTag, uint64_t>;

struct Stat {
  int64_t czxid = 0;
  int64_t mzxid = 0;
  int64_t pzxid = 0;
  int32_t version = 0;
  int32_t cversion = 0;
  int64_t ephemeral_owner = 0;  ///< Session id; 0 for a persistent node.
  int32_t num_children = 0;

  friend bool operator==(const Stat&, const Stat&) = default;
};

struct Node {
  std::string data;
  Stat stat;
};

/// A definite answer that is not the one hoped for: nothing was changed.
enum class ErrorKind {
  kNoNode,
  kNodeExists,
  kBadVersion,
  kNotEmpty,
  kNoAuth,
  kNoChildrenForEphemerals,
  kTooLarge,        ///< Refused by the client: node above 1 MB, or multi above the limits below.
  kSessionExpired,  ///< The session this was asked of is gone, and the request was never sent.
  kOther,
};
const char* Name(ErrorKind kind);
inline std::ostream& operator<<(std::ostream& out, ErrorKind kind) {
  return out << Name(kind);
}

struct ZkError {
  ErrorKind kind = ErrorKind::kOther;
  /// Of a multi: the operation that was refused; −1 if none can be blamed.
  int failed_op = -1;
  std::string message;  ///< Names the path.
};

/// The answer was lost: the request may or may not have been applied (R3).
struct Unknown {
  std::string message;
};

/// What became of a request. For a read, Unknown merely means "ask again".
template <class T>
class [[nodiscard]] Outcome {
 public:
  Outcome(T value) : value_(std::move(value)) {}            // NOLINT(google-explicit-constructor)
  Outcome(ZkError error) : value_(std::move(error)) {}      // NOLINT(google-explicit-constructor)
  Outcome(Unknown unknown) : value_(std::move(unknown)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return std::holds_alternative<T>(value_); }
  bool unknown() const { return std::holds_alternative<Unknown>(value_); }
  bool Is(ErrorKind kind) const {
    const auto* error = std::get_if<ZkError>(&value_);
    return error != nullptr && error->kind == kind;
  }
  const T& value() const { return std::get<T>(value_); }
  T& value() { return std::get<T>(value_); }
  const ZkError& error() const { return std::get<ZkError>(value_); }
  const std::variant<T, ZkError, Unknown>& AsVariant() const { return value_; }
  /// For logs: "ok", the error, or what is not known.
  std::string ToText() const {
    if (ok()) {
      return "ok";
    }
    return unknown() ? "unknown outcome: " + std::get<Unknown>(value_).message
                     : std::string(Name(error().kind)) + ": " + error().message;
  }

 private:
  std::variant<T, ZkError, Unknown> value_;
};

/// The version that a write expects to find: a type, not a magic −1.
struct AtVersion {
  int32_t version = 0;
};
struct AnyVersion {};
using Expected = std::variant<AtVersion, AnyVersion>;

enum class CreateMode { kPersistent, kEphemeral, kPersistentSequential };

struct CreateOp {
  std::string path;
  std::string data;
  CreateMode mode = CreateMode::kPersistent;
};
struct SetOp {
  std::string path;
  std::string data;
  Expected expected;
};
struct DeleteOp {
  std::string path;
  Expected expected;
};
struct CheckOp {
  std::string path;
  int32_t version = 0;
};
using Op = std::variant<CreateOp, SetOp, DeleteOp, CheckOp>;

/// What one operation of a multi that succeeded left behind: for a create the path (sequential
/// nodes get their number there) and for a set the new stat. A create in a multi yields no stat.
struct OpResult {
  std::string created_path;
  Stat stat;
};

/// Limits that the client holds a multi to (engineering reference 1.5).
inline constexpr int kMultiOpsMax = 500;
inline constexpr int kMultiBytesMax = 256 * 1024;
inline constexpr int kNodeBytesMax = 1'000'000;

enum class Watch { kNone, kArm };

enum class SessionState {
  kConnected,     ///< Established, or found alive again in the same generation.
  kDisconnected,  ///< No connection; the session may live on.
  /// The client's own clock says that the session may have expired elsewhere: whoever holds an
  /// office by it must stop acting now (R4). kConnected in the same generation lifts it.
  kLeaseEnded,
  kExpired,     ///< Gone for good. A new session follows by itself in the next generation.
  kAuthFailed,  ///< The server refused the credentials; retried with back-off.
};
const char* Name(SessionState state);
inline std::ostream& operator<<(std::ostream& out, SessionState s) {
  return out << Name(s);
}

struct SessionEvent {
  SessionState state = SessionState::kDisconnected;
  Generation generation{0};
  int64_t session_id = 0;
  Duration negotiated_timeout{0};  ///< Valid with kConnected.
};

/// A one-shot watch has fired, or may have been lost: read again, which arms it again.
struct WatchEvent {
  Generation generation{0};
  std::string path;
};

/// Receives what no request asked for. Called like the callbacks of Client.
class SessionListener {
 public:
  virtual ~SessionListener() = default;
  virtual void OnSession(const SessionEvent& event) = 0;
  virtual void OnWatch(const WatchEvent& event) = 0;
};

template <class T>
using Callback = std::function<void(Outcome<T>)>;

/// One logical session, rebuilt in a new generation whenever it expires.
///
/// Every call is made on the owner's loop thread, and every callback comes there, exactly once, in
/// the order of ZooKeeper's answers, never from inside the call. Requests made while disconnected
/// wait in the bounded pipeline until the connection is back or the session ends; a request sent
/// and not answered ends as Unknown. After kExpired no callback of the old generation other than
/// Unknown or kSessionExpired arrives, and all of them arrive before the next kConnected.
class Client {
 public:
  virtual ~Client() = default;

  virtual void Get(const std::string& path, Watch watch, Callback<Node> done) = 0;
  /// The stat, or nothing if the node does not exist. Arms a watch even on an absent node.
  virtual void Exists(const std::string& path, Watch watch, Callback<std::optional<Stat>> done) = 0;
  /// Names (not paths) of the children, sorted.
  virtual void Children(const std::string& path,
                        Watch watch,
                        Callback<std::vector<std::string>> done) = 0;
  /// Yields the created path and its stat.
  virtual void Create(CreateOp op, Callback<OpResult> done) = 0;
  virtual void Set(SetOp op, Callback<Stat> done) = 0;
  virtual void Delete(DeleteOp op, Callback<std::monostate> done) = 0;
  /// All or nothing.
  virtual void Multi(std::vector<Op> ops, Callback<std::vector<OpResult>> done) = 0;
  /// Reads that follow see everything that was acknowledged anywhere before this was answered.
  virtual void Sync(const std::string& path, Callback<std::monostate> done) = 0;

  /// Of the session that a request made now would be asked of.
  virtual Generation generation() const = 0;
  /// May say kLeaseEnded before the event has come: whoever acts by the session asks it first.
  virtual SessionState state() const = 0;
  virtual int64_t session_id() const = 0;

  /// The owner's loop is alive at `now`: without such a call within a third of the session
  /// timeout the session is no longer kept up, so a stuck loop loses it.
  virtual void Heartbeat(Instant now) = 0;
  /// Ends the session, and with it its ephemeral nodes. Requests in flight end with their answer if
  /// it comes at once, otherwise as Unknown; those never sent may end as kSessionExpired. No
  /// callback comes after it returns, and requests made from then on, or from inside those last
  /// callbacks, are dropped.
  virtual void Close() = 0;
};

}  // namespace regent::zk
