#include "broker-agent/core/metadata_cache.h"

#include <tuple>
#include <utility>
#include <vector>

namespace regent {
namespace {

/// FNV-1a: the same bucket on every library.
size_t BucketIndex(std::string_view name) {
  uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : name) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  }
  return hash % MetadataView::kBuckets;
}

auto VersionOf(const MetadataPartition& p) {
  return std::pair(p.leader_epoch, p.partition_epoch);
}

}  // namespace

std::shared_ptr<const TopicView> MetadataView::Find(std::string_view name) const {
  const std::shared_ptr<const Bucket>& bucket = buckets_[BucketIndex(name)];
  if (bucket == nullptr) {
    return nullptr;
  }
  const auto found = bucket->find(name);
  return found == bucket->end() ? nullptr : found->second;
}

std::vector<std::shared_ptr<const TopicView>> MetadataView::Topics() const {
  std::map<std::string_view, std::shared_ptr<const TopicView>> ordered;
  for (const auto& bucket : buckets_) {
    if (bucket != nullptr) {
      for (const auto& [name, topic] : *bucket) {
        ordered.emplace(name, topic);
      }
    }
  }
  std::vector<std::shared_ptr<const TopicView>> topics;
  topics.reserve(ordered.size());
  for (auto& [name, topic] : ordered) {
    topics.push_back(std::move(topic));
  }
  return topics;
}

size_t MetadataView::topic_count() const {
  size_t count = 0;
  for (const auto& bucket : buckets_) {
    count += bucket == nullptr ? 0 : bucket->size();
  }
  return count;
}

MetadataCache::MetadataCache() : published_(std::make_shared<const MetadataView>()) {}

bool MetadataCache::Apply(ControllerEpoch epoch, const MetadataUpdate& update) {
  bool part_of_full_state = false;
  if (update.full && FullState::WellFormed(*update.full)) {
    const uint64_t before = full_.stamp();
    part_of_full_state = full_.Take(epoch, *update.full);
    if (!part_of_full_state) {
      return false;
    }
    if (full_.stamp() != before) {
      named_.clear();
    }
  } else if (update.full) {
    ++malformed_;
  }
  for (const MetadataTopic& topic : update.topics) {
    if (topic.topic == nullptr) {
      ++malformed_;
      continue;
    }
    if (full_.stamp() != 0) {
      named_.insert(topic.topic->id);
    }
    ApplyTopic(topic);
  }
  if (update.brokers) {
    auto brokers = std::make_shared<std::map<BrokerId, BrokerEndpoint>>();
    for (const BrokerEndpoint& broker : *update.brokers) {
      brokers->insert_or_assign(broker.id, broker);
    }
    if (*brokers != (next_ == nullptr ? published_->brokers() : next_->brokers())) {
      Next().brokers_ = std::move(brokers);
    }
  }
  if (part_of_full_state) {
    if (full_.AbsenceCounts()) {
      RemoveAbsent();
    }
    const bool whole = next_ == nullptr ? published_->whole() : next_->whole();
    if (full_.Complete() && !whole) {
      Next().whole_ = true;
    }
    full_.EndIfArrived();
  }
  return true;
}

void MetadataCache::SetController(const KnownController& controller) {
  const MetadataView& current = next_ == nullptr ? *published_ : *next_;
  if (current.controller() != controller) {
    Next().controller_ = controller;
  }
}

void MetadataCache::ResetFullState() {
  full_.Reset();
  named_.clear();
}

std::shared_ptr<const MetadataView> MetadataCache::Publish() {
  if (next_ != nullptr) {
    published_ = std::shared_ptr<const MetadataView>(std::move(next_));
    own_.clear();
  }
  return published_;
}

MetadataView& MetadataCache::Next() {
  if (next_ == nullptr) {
    next_ = std::make_unique<MetadataView>(*published_);
  }
  return *next_;
}

MetadataView::Bucket& MetadataCache::BucketOf(const std::string& name) {
  const size_t index = BucketIndex(name);
  std::shared_ptr<MetadataView::Bucket>& own = own_[index];
  if (own == nullptr) {
    std::shared_ptr<const MetadataView::Bucket>& shared = Next().buckets_[index];
    own = shared == nullptr ? std::make_shared<MetadataView::Bucket>()
                            : std::make_shared<MetadataView::Bucket>(*shared);
    shared = own;
  }
  return *own;
}

void MetadataCache::ApplyTopic(const MetadataTopic& update) {
  const std::string& name = update.topic->name;
  const MetadataView& current = next_ == nullptr ? *published_ : *next_;
  const std::shared_ptr<const TopicView> known = current.Find(name);
  const bool same = known != nullptr && known->topic->id == update.topic->id;
  if (update.deleted) {
    if (same) {  // An older topic of the name is gone already.
      BucketOf(name).erase(name);
    }
    return;
  }
  auto view = same ? std::make_shared<TopicView>(*known) : std::make_shared<TopicView>();
  bool changed = !same;
  if (!same) {
    view->topic = update.topic;
    view->config = update.config;
  } else if (update.config.version > view->config.version) {
    view->config = update.config;
    changed = true;
  }
  if (update.partition_count > view->partition_count) {
    view->partition_count = update.partition_count;
    changed = true;
  }
  for (const MetadataPartition& partition : update.partitions) {
    changed = ApplyPartition(*view, partition) || changed;
  }
  if (changed) {
    BucketOf(name).insert_or_assign(name, std::move(view));
  }
}

bool MetadataCache::ApplyPartition(TopicView& view, const MetadataPartition& update) {
  if (update.index < 0) {
    ++malformed_;
    return false;
  }
  const auto found = view.partitions.find(update.index);
  if (update.unconfirmed) {
    if (found != view.partitions.end()) {
      return false;  // Who knows it keeps what it knows (R1).
    }
    MetadataPartition entry = update;
    entry.leader = kNoBroker;
    view.partitions.emplace(update.index, std::move(entry));
    return true;
  }
  if (found == view.partitions.end()) {
    view.partitions.emplace(update.index, update);
    return true;
  }
  if (!found->second.unconfirmed && VersionOf(update) < VersionOf(found->second)) {
    ++stale_entries_;
    return false;
  }
  if (found->second == update) {
    return false;
  }
  found->second = update;
  return true;
}

void MetadataCache::RemoveAbsent() {
  const MetadataView& current = next_ == nullptr ? *published_ : *next_;
  std::vector<std::string> absent;
  for (const auto& topic : current.Topics()) {
    if (!named_.contains(topic->topic->id)) {
      absent.push_back(topic->topic->name);
    }
  }
  for (const std::string& name : absent) {
    BucketOf(name).erase(name);
  }
}

}  // namespace regent
