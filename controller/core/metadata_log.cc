#include "controller/core/metadata_log.h"

#include <algorithm>
#include <set>
#include <utility>

namespace regent::controller {
namespace {

constexpr size_t kRecentStretches = 4;
constexpr uint64_t kSnapshotStaleAfter = 1000;
constexpr size_t kEntriesWorthTrimming = 4096;

}  // namespace

void MetadataLog::Publish(PartitionRef ref) {
  entries_.push_back(ref);
  Partition& p = cluster_.at(ref);
  p.published = Revision(end());
  p.offline_changed = false;
}

MetadataPartition MetadataLog::FaceOf(PartitionRef ref) const {
  const Partition& p = cluster_.at(ref);
  MetadataPartition face;
  face.index = ref.index;
  face.leader = p.state.leader;
  face.leader_epoch = p.state.leader_epoch;
  face.partition_epoch = p.epoch;
  face.isr = p.state.isr;
  face.replicas = p.replicas;
  face.unconfirmed = p.unconfirmed();
  for (const BrokerId replica : p.replicas) {
    if (cluster_.IsOffline(ref, replica)) {
      face.offline_replicas.push_back(replica);
    }
  }
  return face;
}

MetadataTopic& MetadataLog::TopicOf(MetadataUpdate& update, uint32_t index) const {
  const Topic& topic = cluster_.topic(index);
  if (update.topics.empty() || update.topics.back().topic != topic.identity) {
    update.topics.push_back({.topic = topic.identity,
                             .deleted = topic.gone,
                             .config = topic.config,
                             .partition_count = static_cast<int32_t>(topic.partitions.size()),
                             .partitions = {}});
  }
  return update.topics.back();
}

std::vector<BrokerEndpoint> MetadataLog::LiveBrokers() const {
  std::vector<BrokerEndpoint> live;
  for (const auto& [id, broker] : cluster_.brokers()) {
    if (broker.live) {
      live.push_back({.id = id,
                      .epoch = broker.epoch,
                      .listeners = broker.registration.listeners,
                      .rack = broker.registration.rack});
    }
  }
  return live;
}

PartFiller MetadataLog::FillerFor(bool with_brokers) const {
  PartFiller::Limits limits = limits_;
  if (with_brokers) {
    limits.bytes = BytesBesideBrokers(cluster_, limits.bytes);
  }
  return {cluster_, limits};
}

std::shared_ptr<const MetadataLog::Snapshot> MetadataLog::TakeSnapshot(uint64_t full_state_number,
                                                                       bool incomplete) {
  if (auto latest = latest_.lock(); latest && latest->brokers == brokers_ &&
                                    end() - latest->cursor < kSnapshotStaleAfter &&
                                    Covers(latest->cursor)) {
    return latest;
  }
  std::vector<MetadataUpdate> parts(1);
  parts.front().brokers = LiveBrokers();
  PartFiller filler = FillerFor(true);
  for (uint32_t t = 0; t < cluster_.topics().size(); ++t) {
    const Topic& topic = cluster_.topic(t);
    if (topic.gone || !topic.announced) {
      continue;
    }
    for (int32_t i = 0; static_cast<size_t>(i) < topic.partitions.size(); ++i) {
      const Partition& p = topic.partitions[static_cast<size_t>(i)];
      if (!p.has_state() || p.unreadable) {
        continue;
      }
      if (!filler.Take({t, i})) {
        parts.emplace_back();
        filler.Clear();
        filler.Take({t, i});
      }
      TopicOf(parts.back(), t).partitions.push_back(FaceOf({t, i}));
    }
  }
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->cursor = end();
  snapshot->brokers = brokers_;
  for (size_t i = 0; i < parts.size(); ++i) {
    parts[i].full = FullStatePart{.number = full_state_number,
                                  .part = static_cast<int32_t>(i),
                                  .parts = static_cast<int32_t>(parts.size()),
                                  .incomplete = incomplete};
    snapshot->parts.push_back(std::make_shared<const MetadataUpdate>(std::move(parts[i])));
  }
  latest_ = snapshot;
  return snapshot;
}

MetadataLog::Stretch MetadataLog::Read(uint64_t cursor, uint64_t brokers_known) {
  const bool with_brokers = brokers_known != brokers_;
  for (const Stretch& recent : recent_) {
    if (recent.from == cursor && recent.brokers == brokers_ &&
        recent.with_brokers == with_brokers && (recent.cursor == end() || recent.full)) {
      return recent;
    }
  }
  Stretch stretch{.from = cursor,
                  .cursor = std::min<uint64_t>(end(), cursor + limits_.partitions),
                  .brokers = brokers_,
                  .with_brokers = with_brokers,
                  .full = cursor + limits_.partitions <= end(),
                  .update = nullptr};
  auto update = std::make_shared<MetadataUpdate>();
  if (with_brokers) {
    update->brokers = LiveBrokers();
  }
  // Sorted, so that a topic stands once; a partition that changed again later comes later.
  std::set<PartitionRef> refs;
  PartFiller filler = FillerFor(with_brokers);
  for (uint64_t at = cursor; at < stretch.cursor; ++at) {
    const PartitionRef ref = entries_[at - base_];
    if (cluster_.at(ref).published != Revision(at + 1)) {
      continue;
    }
    if (!filler.Take(ref)) {
      stretch.cursor = at;
      stretch.full = true;
      break;
    }
    refs.insert(ref);
  }
  for (const PartitionRef ref : refs) {
    const Topic& topic = cluster_.topic(ref.topic);
    MetadataTopic& entry = TopicOf(*update, ref.topic);
    if (!topic.gone && cluster_.at(ref).has_state()) {
      entry.partitions.push_back(FaceOf(ref));
    }
  }
  stretch.update = std::move(update);
  recent_.push_back(stretch);
  if (recent_.size() > kRecentStretches) {
    recent_.pop_front();
  }
  return stretch;
}

bool MetadataLog::WorthTrimming() const {
  return entries_.size() >= kEntriesWorthTrimming;
}

void MetadataLog::Trim(uint64_t least_cursor) {
  const uint64_t too_long_ago =
      end() - std::min<uint64_t>(end(), 2 * static_cast<uint64_t>(cluster_.counts().partitions) +
                                            kEntriesWorthTrimming);
  const uint64_t until = std::max(std::min(least_cursor, end()), too_long_ago);
  while (base_ < until) {
    entries_.pop_front();
    ++base_;
  }
}

}  // namespace regent::controller
