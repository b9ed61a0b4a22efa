#include "controller/io/office_source.h"

#include <utility>

namespace regent::controller {

// Listeners are called with the lock held: that gives all of them the same order, and Unlisten its
// promise. They only copy into queues of their own.

void OfficeBoard::Publish(OfficeView view) {
  const MutexLock lock(mutex_);
  view.waiting_for = std::move(view_.waiting_for);
  view_ = std::move(view);
  for (const auto& entry : listeners_) {
    entry.second(view_);
  }
}

void OfficeBoard::SetWaiting(const std::string& part, const std::string& what) {
  const MutexLock lock(mutex_);
  if (what.empty()) {
    waiting_.erase(part);
  } else {
    waiting_[part] = what;
  }
  view_.waiting_for.clear();
  for (const auto& [who, for_what] : waiting_) {
    view_.waiting_for += (view_.waiting_for.empty() ? "" : "; ") + who + ": " + for_what;
  }
}

OfficeView OfficeBoard::Current() const {
  const MutexLock lock(mutex_);
  return view_;
}

OfficeSource::ListenerId OfficeBoard::Listen(Listener listener) {
  const MutexLock lock(mutex_);
  const ListenerId id = next_id_++;
  listener(view_);
  listeners_.emplace(id, std::move(listener));
  return id;
}

void OfficeBoard::Unlisten(ListenerId id) {
  const MutexLock lock(mutex_);
  listeners_.erase(id);
}

}  // namespace regent::controller
