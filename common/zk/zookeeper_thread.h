#pragma once

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "common/base/instant.h"
#include "common/base/mutex.h"

namespace regent::zk {

/// The process's one thread for ZooKeeper: it drives every session (the C library's handles must
/// stay on one thread), waits in poll() for their sockets, and is woken by whoever has work for it.
///
/// It must outlive the clients that use it.
class ZooKeeperThread {
 public:
  /// What the thread drives. Every member is called on the thread.
  class Driven {
   public:
    struct Wants {
      int fd = -1;  ///< −1: no socket now.
      bool read = false;
      bool write = false;
      Instant until = Instant::Max();  ///< Prepare wants to be called again by then.
    };
    struct Ready {
      bool read = false;
      bool write = false;
    };

    virtual ~Driven() = default;
    /// Before each wait.
    virtual Wants Prepare(Instant now) = 0;
    /// After each wait in which the socket became ready.
    virtual void Process(Ready ready, Instant now) = 0;
    /// Last of all.
    virtual void End() = 0;
  };

  ZooKeeperThread();
  ~ZooKeeperThread();
  ZooKeeperThread(const ZooKeeperThread&) = delete;
  ZooKeeperThread& operator=(const ZooKeeperThread&) = delete;

  void Add(std::shared_ptr<Driven> driven) EXCLUDES(mutex_);
  /// Returns when End has returned and nothing more will be called. Not from the thread itself.
  void Remove(const std::shared_ptr<Driven>& driven) EXCLUDES(mutex_);
  /// Makes the thread call Prepare soon. Cheap when it has been woken already.
  void Wake();

 private:
  void Run() EXCLUDES(mutex_);
  /// Takes over what Add and Remove ask for; false when the thread is to end.
  bool Obey() EXCLUDES(mutex_);
  void WaitAndProcess(Instant until, const std::vector<Driven::Wants>& wants);

  Mutex mutex_;
  CondVar removed_;
  std::vector<std::shared_ptr<Driven>> to_add_ GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<Driven>> to_remove_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::vector<std::shared_ptr<Driven>> driven_;  ///< The thread's own.
  std::atomic<bool> woken_ = false;
  int event_fd_ = -1;
  std::thread thread_;
};

}  // namespace regent::zk
