#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/instant.h"
#include "common/runtime/loop.h"
#include "common/zk/client.h"

namespace regent::controller {

struct ReadBackoff {
  Duration min = std::chrono::milliseconds(20);
  Duration max = std::chrono::seconds(2);
};

/// How long the slowest request to ZooKeeper took, since somebody asked last.
class SlowestRequest {
 public:
  void Note(Duration took) { longest_ = std::max(longest_, took); }
  Duration Take() { return std::exchange(longest_, Duration(0)); }

 private:
  Duration longest_{0};
};

/// Reads ZooKeeper until there is a definite answer: a read whose answer was lost is asked again,
/// with a growing back-off, while the session that it was asked in lives.
///
/// `done` never sees Unknown or kSessionExpired, and is never called once the session has ended,
/// Forget was called, or the reader is gone. All on the client's loop thread.
class PatientReader {
 public:
  /// `client` and `executor` outlive the reader.
  /// All but `backoff` outlive the reader.
  PatientReader(zk::Client& client,
                Executor& executor,
                ReadBackoff backoff,
                SlowestRequest& slowest);
  PatientReader(const PatientReader&) = delete;
  PatientReader& operator=(const PatientReader&) = delete;

  void Get(std::string path, zk::Watch watch, zk::Callback<zk::Node> done);
  void Exists(std::string path, zk::Watch watch, zk::Callback<std::optional<zk::Stat>> done);
  void Children(std::string path, zk::Watch watch, zk::Callback<std::vector<std::string>> done);
  void Sync(zk::Callback<std::monostate> done);

  /// No `done` of an earlier call comes any more.
  void Forget();

 private:
  template <class T>
  using Ask = std::function<void(zk::Callback<T>)>;

  template <class T>
  void Try(Ask<T> ask, zk::Callback<T> done, zk::Generation generation);
  void TryLater(std::function<void()> again);
  void RunRetries();

  zk::Client& client_;
  Executor& executor_;
  ReadBackoff backoff_;
  SlowestRequest& slowest_;
  Duration next_wait_;
  std::vector<std::function<void()>> retries_;
  std::shared_ptr<int> alive_;  ///< Replaced by Forget; callbacks hold it weakly.
};

}  // namespace regent::controller
