#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "common/base/instant.h"
#include "common/base/mutex.h"
#include "common/model/broker.h"
#include "common/model/ids.h"

namespace regent::controller {

/// Who is the controller, as one process knows it.
struct OfficeView {
  std::optional<ControllerRegistration> holder;  ///< Nothing: nobody that we know of.
  ControllerEpoch epoch{0};
  bool active_here = false;  ///< This process holds the office and has loaded the cluster.
  std::string reason;        ///< Of the last change, for people.
  Duration failover{-1};     ///< From the predecessor's disappearance to active; −1: not known.
  int64_t timestamp_ms = 0;  ///< Wall clock of the change.
  /// What this process waits for, part by part and for people; empty: nothing.
  std::string waiting_for;
};

/// Tells who the controller is: to redirect callers, and to those who watch. Any thread.
class OfficeSource {
 public:
  using Listener = std::function<void(const OfficeView&)>;
  using ListenerId = uint64_t;

  virtual ~OfficeSource() = default;
  virtual OfficeView Current() const = 0;
  /// Calls `listener` with the present view before it returns, then with each change, in order;
  /// on whatever thread brings the change, so it copies and returns.
  virtual ListenerId Listen(Listener listener) = 0;
  /// No call comes after it returns. Not to be called from a listener.
  virtual void Unlisten(ListenerId id) = 0;
};

/// The office as it was last published in this process.
class OfficeBoard final : public OfficeSource {
 public:
  /// What is waited for stays as it is.
  void Publish(OfficeView view) EXCLUDES(mutex_);
  /// What a part of this process, "candidate" say, waits for; empty: nothing. No listener hears of
  /// it: the office is the same.
  void SetWaiting(const std::string& part, const std::string& what) EXCLUDES(mutex_);

  OfficeView Current() const override EXCLUDES(mutex_);
  ListenerId Listen(Listener listener) override EXCLUDES(mutex_);
  void Unlisten(ListenerId id) override EXCLUDES(mutex_);

 private:
  mutable Mutex mutex_;
  OfficeView view_ GUARDED_BY(mutex_);
  std::map<std::string, std::string> waiting_ GUARDED_BY(mutex_);
  std::map<ListenerId, Listener> listeners_ GUARDED_BY(mutex_);
  ListenerId next_id_ GUARDED_BY(mutex_) = 1;
};

}  // namespace regent::controller
