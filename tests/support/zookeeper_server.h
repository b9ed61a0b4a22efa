#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include <sys/types.h>

#include "common/base/instant.h"
#include "common/base/result.h"

namespace regent::testing {

/// A real, single ZooKeeper 3.8 server from Debian's package, on a free loopback port, with its
/// data in a temporary directory. Ends with the object.
class ZooKeeperServer {
 public:
  struct Options {
    /// Sessions last between 2 and 20 ticks.
    Duration tick = std::chrono::milliseconds(50);
    /// Where the server keeps everything; "" for a temporary directory that goes with the object.
    std::filesystem::path directory;
    /// fsync before answering, as in production; tests of nothing but the protocol need none.
    bool force_sync = false;
    /// 0 for a free one.
    int port = 0;
    /// A loopback address.
    std::string address = "127.0.0.1";
  };

  /// Starts the server and waits until it serves. The error says what is missing or shows the end
  /// of the server's log.
  static Result<std::unique_ptr<ZooKeeperServer>> Start(Options options);
  static Result<std::unique_ptr<ZooKeeperServer>> Start() { return Start(Options()); }
  ~ZooKeeperServer();
  ZooKeeperServer(const ZooKeeperServer&) = delete;
  ZooKeeperServer& operator=(const ZooKeeperServer&) = delete;

  /// "127.0.0.1:port".
  std::string hosts() const { return options_.address + ":" + std::to_string(port_); }
  int port() const { return port_; }
  pid_t pid() const { return pid_; }
  const std::filesystem::path& directory() const { return options_.directory; }

  /// SIGSTOP: accepts connections and answers nothing. Time goes on for it all the same.
  void Pause();
  void Resume();
  /// SIGKILL.
  void Kill();
  /// Serves again, on the same port and data, after Kill or instead of the running process.
  Status Restart();
  /// Answer of a four-letter word such as "srvr"; "" if none comes in time.
  std::string FourLetterWord(const std::string& word,
                             Duration patience = std::chrono::seconds(5)) const;
  /// True unless the server says that it has no such session.
  bool HasSession(int64_t session_id) const;
  /// The end of the server's log.
  std::string LogTail() const;

 private:
  explicit ZooKeeperServer(Options options);

  Status Launch();
  Status AwaitReady();
  bool Running();

  Options options_;
  bool owns_directory_ = false;
  int port_ = 0;
  pid_t pid_ = -1;
};

}  // namespace regent::testing
