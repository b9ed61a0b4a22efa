#include "common/zk/zookeeper_thread.h"

#include <algorithm>
#include <ctime>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <glog/logging.h>
#include <sys/eventfd.h>

#include "common/runtime/loop.h"

namespace regent::zk {

namespace {

timespec ToTimespec(Duration d) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(d);
  const auto rest = std::chrono::duration_cast<std::chrono::nanoseconds>(d - seconds);
  timespec spec{};
  spec.tv_sec = seconds.count();
  spec.tv_nsec = rest.count();
  return spec;
}

}  // namespace

ZooKeeperThread::ZooKeeperThread() : event_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  PCHECK(event_fd_ >= 0) << "eventfd";
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "zookeeper");
    Run();
  });
}

ZooKeeperThread::~ZooKeeperThread() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  Wake();
  thread_.join();
  close(event_fd_);
}

void ZooKeeperThread::Add(std::shared_ptr<Driven> driven) {
  {
    const MutexLock lock(mutex_);
    to_add_.push_back(std::move(driven));
  }
  Wake();
}

void ZooKeeperThread::Remove(const std::shared_ptr<Driven>& driven) {
  CHECK(std::this_thread::get_id() != thread_.get_id()) << "the thread cannot wait for itself";
  mutex_.lock();
  to_remove_.push_back(driven);
  Wake();
  while (std::ranges::find(to_remove_, driven) != to_remove_.end()) {
    removed_.Wait(mutex_);
  }
  mutex_.unlock();
}

void ZooKeeperThread::Wake() {
  if (!woken_.exchange(true)) {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(event_fd_, &one, sizeof one);
  }
}

bool ZooKeeperThread::Obey() {
  std::vector<std::shared_ptr<Driven>> ending;
  {
    const MutexLock lock(mutex_);
    for (auto& driven : to_add_) {
      driven_.push_back(std::move(driven));
    }
    to_add_.clear();
    ending = to_remove_;
    if (ending.empty()) {
      return !stopping_;
    }
  }
  for (const auto& driven : ending) {
    if (std::erase(driven_, driven) > 0) {
      driven->End();
    }
  }
  const MutexLock lock(mutex_);
  std::erase_if(to_remove_, [&](const auto& driven) {
    return std::ranges::find(ending, driven) != ending.end();
  });
  removed_.NotifyAll();
  return !stopping_;
}

void ZooKeeperThread::Run() {
  while (Obey()) {
    std::vector<Driven::Wants> wants;
    Instant until = Instant::Max();
    for (const auto& driven : driven_) {
      wants.push_back(driven->Prepare(MonotonicNow()));
      until = std::min(until, wants.back().until);
    }
    WaitAndProcess(until, wants);
  }
  CHECK(driven_.empty()) << "a ZooKeeper client outlives its thread";
}

void ZooKeeperThread::WaitAndProcess(Instant until, const std::vector<Driven::Wants>& wants) {
  std::vector<pollfd> fds{{.fd = event_fd_, .events = POLLIN, .revents = 0}};
  for (const Driven::Wants& want : wants) {
    const int events = (want.read ? POLLIN : 0) | (want.write ? POLLOUT : 0);
    fds.push_back({.fd = want.fd, .events = static_cast<short>(events), .revents = 0});
  }
  const Duration left = std::max(Duration{0}, until - MonotonicNow());
  const timespec timeout = ToTimespec(left);
  ppoll(fds.data(), fds.size(), until == Instant::Max() ? nullptr : &timeout, nullptr);
  if (fds[0].revents != 0) {
    uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = read(event_fd_, &count, sizeof count);
    // Before the queues are read: whoever adds to them from now on wakes us again.
    woken_ = false;
  }
  for (size_t i = 0; i < driven_.size(); ++i) {
    const int revents = fds[i + 1].revents;
    // An error is for the library to find, by reading or by finishing the connect.
    const Driven::Ready ready{.read = (revents & (POLLIN | POLLHUP | POLLERR)) != 0,
                              .write = (revents & (POLLOUT | POLLHUP | POLLERR)) != 0};
    if (ready.read || ready.write) {
      driven_[i]->Process(ready, MonotonicNow());
    }
  }
}

}  // namespace regent::zk
