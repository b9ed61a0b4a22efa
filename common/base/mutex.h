#pragma once

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
  std::mutex mutex_;
};

/// Holds a Mutex for a scope. Works with std::condition_variable_any.
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

}  // namespace regent
