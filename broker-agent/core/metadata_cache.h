#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "broker-agent/core/full_state.h"
#include "broker-agent/core/metadata_view.h"
#include "common/model/control.h"

namespace regent {

/// The metadata that UpdateMetadata brings, one entry per partition, each only ever replaced by one
/// whose (leader epoch, partition epoch) is not below its own (H6). Between two publications it
/// copies what it changes: a topic, its bucket, and no more.
class MetadataCache {
 public:
  MetadataCache();

  /// Takes an update of the term `epoch`; false if it is part of a full state that another has
  /// replaced (R9): nothing changed. The caller has put requests in order (R5).
  bool Apply(ControllerEpoch epoch, const MetadataUpdate& update);
  /// LeaderAndIsr tells of these leaders: what is said of them later is news until `until`.
  void Expect(const LeaderAndIsrRequest& roles, Instant until);
  void SetController(const KnownController& controller);
  /// A new registration: its full state is yet to come.
  void ResetFullState();

  /// The present view. Its parts are shared with the cache's next one, never changed.
  std::shared_ptr<const MetadataView> Publish();
  std::shared_ptr<const MetadataView> published() const { return published_; }
  /// What Publish would show.
  const MetadataView& current() const { return next_ == nullptr ? *published_ : *next_; }
  /// Whether something changed since the last Publish.
  bool changed() const { return next_ != nullptr; }
  uint64_t stale_entries() const { return stale_entries_; }
  uint64_t malformed() const { return malformed_; }

 private:
  MetadataView& Next();
  MetadataView::Bucket& BucketOf(const std::string& name);
  void Put(std::shared_ptr<const TopicView> topic);
  void Remove(const std::string& name);
  void ApplyTopic(const MetadataTopic& update);
  /// Returns whether `view` changed.
  bool ApplyPartition(TopicView& view, const MetadataPartition& update);
  void RemoveAbsent();

  std::shared_ptr<const MetadataView> published_;
  std::unique_ptr<MetadataView> next_;
  /// Buckets that Next() has copied already and that nobody else sees yet.
  std::map<size_t, std::shared_ptr<MetadataView::Bucket>> own_;
  FullState full_;
  std::set<TopicId> named_;
  uint64_t stale_entries_ = 0;
  uint64_t malformed_ = 0;
};

}  // namespace regent
