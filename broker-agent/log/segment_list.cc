#include "broker-agent/log/segment_list.h"

#include <algorithm>

#include <glog/logging.h>

namespace regent::storage {

Status SegmentList::Begin(Offset base) {
  std::unique_ptr<Segment> segment = Make(base);
  if (Status made = segment->Create(); !made.ok()) {
    return made;
  }
  names_dirty_ = true;
  Add(std::move(segment));
  return Success{};
}

Status SegmentList::Roll() {
  if (Status sealed = active().Seal(); !sealed.ok()) {
    return sealed;
  }
  return Begin(active().next());
}

Status SegmentList::RemoveFrom(size_t first) {
  while (segments_.size() > first) {
    if (Status removed = segments_.back()->Remove(); !removed.ok()) {
      return removed;
    }
    segments_.pop_back();
    names_dirty_ = true;
  }
  return SyncNames();
}

Status SegmentList::RemoveOldest(size_t count) {
  for (; count > 0; --count) {
    if (Status removed = segments_.front()->Remove(); !removed.ok()) {
      return removed;
    }
    segments_.erase(segments_.begin());
  }
  return Success{};
}

Status SegmentList::RestartAt(Offset base) {
  const auto same = std::ranges::find(segments_, base, [](const auto& s) { return s->base(); });
  if (same != segments_.end()) {
    // Its name stays, so that there is a log at every moment.
    const auto index = static_cast<size_t>(same - segments_.begin());
    if (Status removed = RemoveFrom(index + 1); !removed.ok()) {
      return removed;
    }
    if (Status cleared = active().Clear(); !cleared.ok()) {
      return cleared;
    }
    if (Status removed = RemoveOldest(index); !removed.ok()) {
      return removed;
    }
    names_dirty_ = true;
    return SyncNames();
  }
  const size_t before = segments_.size();
  if (Status begun = Begin(base); !begun.ok()) {
    return begun;
  }
  // The new one goes to the front, where the removal of the others leaves it alone.
  std::rotate(segments_.begin(), segments_.begin() + static_cast<std::ptrdiff_t>(before),
              segments_.end());
  return RemoveFrom(1);
}

Status SegmentList::SyncNames() {
  if (!names_dirty_) {
    return Success{};
  }
  Status synced = files_.SyncDirectory(directory_);
  names_dirty_ = !synced.ok();
  return synced;
}

Status SegmentList::SyncUpTo(Offset offset) {
  if (Status synced = SyncNames(); !synced.ok()) {
    return synced;
  }
  for (const auto& segment : segments_) {
    if (segment->base() >= offset && segment->base() != segment->next()) {
      break;
    }
    if (Status synced = segment->Sync(); !synced.ok()) {
      return synced;
    }
  }
  return Success{};
}

Offset SegmentList::synced_to() const {
  for (const auto& segment : segments_) {
    if (segment->synced_to() < segment->next()) {
      return segment->synced_to();
    }
  }
  return active().next();
}

Status SegmentList::Release() {
  Status released = Success{};
  for (const auto& segment : segments_) {
    if (Status one = segment->Release(); !one.ok()) {
      released = one;
    }
  }
  return released;
}

size_t SegmentList::IndexOf(Offset offset) const {
  const auto after = std::ranges::upper_bound(segments_, offset, {},
                                              [](const auto& segment) { return segment->base(); });
  CHECK(after != segments_.begin()) << offset << " in " << directory_;
  return static_cast<size_t>(after - segments_.begin()) - 1;
}

uint64_t SegmentList::bytes() const {
  uint64_t sum = 0;
  for (const auto& segment : segments_) {
    sum += segment->bytes();
  }
  return sum;
}

}  // namespace regent::storage
