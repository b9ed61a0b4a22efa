#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

// Thread-safety annotations for clang; nothing elsewhere.
#if defined(__clang__)
#define REGENT_TSA(x) __attribute__((x))
#else
#define REGENT_TSA(x)
#endif
#undef GUARDED_BY  // Abseil, which gRPC's headers bring along, has one that means the same.
#define GUARDED_BY(x) REGENT_TSA(guarded_by(x))
#define REQUIRES(...) REGENT_TSA(requires_capability(__VA_ARGS__))
#define EXCLUDES(...) REGENT_TSA(locks_excluded(__VA_ARGS__))

namespace regent {

/// std::mutex that clang's thread-safety analysis understands.
class REGENT_TSA(capability("mutex")) Mutex {
 public:
  void lock() REGENT_TSA(acquire_capability()) { mutex_.lock(); }
  void unlock() REGENT_TSA(release_capability()) { mutex_.unlock(); }

 private:
  friend class CondVar;

  std::mutex mutex_;
};

/// Holds a Mutex for a scope.
class REGENT_TSA(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) REGENT_TSA(acquire_capability(mutex)) : mutex_(mutex) {
    mutex_.lock();
  }
  ~MutexLock() REGENT_TSA(release_capability()) { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

/// std::condition_variable for a Mutex. (std::condition_variable_any takes any lock, and has one of
/// its own beside it, at which the thread that is woken stops once more.)
///
/// Notify without the mutex where threads matter: on one processor the thread that is woken often
/// runs at once, finds the mutex taken, and has to be woken again.
class CondVar {
 public:
  void NotifyOne() { changed_.notify_one(); }
  void NotifyAll() { changed_.notify_all(); }

  /// May return though nobody has notified.
  void Wait(Mutex& mutex) REQUIRES(mutex) {
    std::unique_lock lock(mutex.mutex_, std::adopt_lock);
    changed_.wait(lock);
    lock.release();  // The caller's, as before.
  }
  template <class Rep, class Period>
  void WaitFor(Mutex& mutex, const std::chrono::duration<Rep, Period>& longest) REQUIRES(mutex) {
    std::unique_lock lock(mutex.mutex_, std::adopt_lock);
    changed_.wait_for(lock, longest);
    lock.release();
  }

 private:
  std::condition_variable changed_;
};

}  // namespace regent
