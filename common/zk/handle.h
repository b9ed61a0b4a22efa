#pragma once

#include <deque>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/base/instant.h"
#include "common/zk/call.h"
#include "common/zk/zookeeper_thread.h"

struct _zhandle;  // NOLINT(bugprone-reserved-identifier): the C library calls it that.

namespace regent::zk {

/// One session of Debian's single-threaded C client, and the only code that knows that library.
///
/// All of it runs on the ZooKeeper thread: the library counts its requests in a static variable. It
/// keeps clear of the library's traps: no chroot, no names to look up, validated paths only, no
/// multi on a dead handle, results of a multi read only where they mean something.
class Handle {
 public:
  enum class State {
    kIdle,         ///< Between two attempts to connect.
    kConnecting,   ///< Waiting for TCP.
    kHandshaking,  ///< Waiting for the server to grant or find the session.
    kConnected,
    kExpired,     ///< Dead.
    kAuthFailed,  ///< Dead.
  };
  struct Options {
    std::string addresses;  ///< "127.0.0.1:2181,…": numeric.
    Duration session_timeout{0};
    std::string digest;  ///< "user:password", or "" for none.
  };

  /// Begins to connect. Nothing, with errno, if the library refuses the addresses.
  static std::unique_ptr<Handle> Open(Options options);
  /// Ends the session, waiting for the server's answer if there is a connection. Calls that are
  /// outstanding are lost: take them with TakeDone after Close.
  ~Handle();
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  /// Sends `call`; its answer comes in TakeDone. Only when connected.
  void Submit(std::unique_ptr<Call> call);
  /// Requests between the two leave in full packets: the library writes each in two pieces.
  void BeginBatch();
  void EndBatch();

  ZooKeeperThread::Driven::Wants Interest(Instant now);
  void Process(ZooKeeperThread::Driven::Ready ready);
  /// Waits for the answers to what has been sent; false if they do not all come in time.
  bool AwaitOutstanding(Duration patience);
  /// Breaks the connection, so that the next server is tried.
  void CutConnection();
  /// Only while not connected: the library forgets what is outstanding otherwise.
  void SetServers(const std::string& addresses);
  const std::string& addresses() const { return options_.addresses; }
  void Close();

  struct Done {
    std::unique_ptr<Call> call;  ///< Has its outcome. Nothing: a watch has fired instead.
    std::string watched_path;    ///< The server's path.
  };
  /// What the server has said, in its order.
  std::vector<Done> TakeDone() { return std::exchange(done_, {}); }
  /// Calls sent and not answered, oldest first.
  const std::deque<std::unique_ptr<Call>>& outstanding() const { return outstanding_; }
  size_t outstanding_ops() const { return outstanding_ops_; }

  State state() const;
  int64_t session_id() const;
  Duration negotiated_timeout() const;
  /// When the present attempt to connect began.
  Instant attempt_started() const { return attempt_started_; }
  size_t watched_bytes() const { return watched_bytes_; }

 private:
  friend struct Completions;

  explicit Handle(Options options);

  std::unique_ptr<Call> TakeOutstanding(const Call* call);
  void Complete(std::unique_ptr<Call> call);
  void NoteWatch(const std::string& path);
  void OnWatch(const std::string& path);
  int Send(Call& call);
  int SendMulti(Call& call, const MultiArgs& args);

  Options options_;
  _zhandle* zh_ = nullptr;
  int fd_ = -1;
  Instant attempt_started_;
  std::deque<std::unique_ptr<Call>> outstanding_;
  size_t outstanding_ops_ = 0;
  std::vector<Done> done_;
  std::set<std::string> watched_;
  size_t watched_bytes_ = 0;
  bool watched_bytes_reported_ = false;
};

}  // namespace regent::zk
