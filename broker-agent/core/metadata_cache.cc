#include "broker-agent/core/metadata_cache.h"

#include <algorithm>
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

Instant MetadataView::NewsExpectedUntil(const TopicNames& topics) const {
  if (!topics) {
    return expecting_ == 0 ? Instant() : news_until_;
  }
  Instant until;
  for (const std::string& name : *topics) {
    if (const auto topic = Find(name)) {
      for (const auto& [index, news] : topic->expected) {
        until = std::max(until, news.until);
      }
    }
  }
  return until;
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
    if (*brokers != current().brokers()) {
      Next().brokers_ = std::move(brokers);
    }
  }
  if (part_of_full_state) {
    if (full_.AbsenceCounts()) {
      RemoveAbsent();
    }
    if (full_.Complete() && !current().whole()) {
      Next().whole_ = true;
    }
    full_.EndIfArrived();
  }
  return true;
}

void MetadataCache::Expect(const LeaderAndIsrRequest& roles, Instant until) {
  for (const LeaderAndIsrTopic& topic : roles.topics) {
    const auto known = topic.topic == nullptr ? nullptr : current().Find(topic.topic->name);
    if (known == nullptr || known->topic->id != topic.topic->id) {
      continue;  // Nobody is told of a former leader.
    }
    std::shared_ptr<TopicView> next;
    for (const LeaderAndIsrPartition& partition : topic.partitions) {
      const auto entry = known->partitions.find(partition.index);
      const auto expected = known->expected.find(partition.index);
      if (entry == known->partitions.end() || entry->second.unconfirmed ||
          partition.leader_epoch <= entry->second.leader_epoch ||
          (expected != known->expected.end() &&
           partition.leader_epoch <= expected->second.leader_epoch)) {
        continue;
      }
      next = next == nullptr ? std::make_shared<TopicView>(*known) : next;
      next->expected.insert_or_assign(
          partition.index, TopicView::News{.leader_epoch = partition.leader_epoch, .until = until});
    }
    if (next != nullptr) {
      Put(std::move(next));
      Next().news_until_ = std::max(Next().news_until_, until);
    }
  }
}

void MetadataCache::SetController(const KnownController& controller) {
  if (current().controller() != controller) {
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

void MetadataCache::Put(std::shared_ptr<const TopicView> topic) {
  const std::string& name = topic->topic->name;
  Remove(name);
  Next().expecting_ += topic->expected.empty() ? 0 : 1;
  BucketOf(name).emplace(name, std::move(topic));
}

void MetadataCache::Remove(const std::string& name) {
  if (const auto topic = BucketOf(name).extract(name); !topic.empty()) {
    Next().expecting_ -= topic.mapped()->expected.empty() ? 0 : 1;
  }
}

void MetadataCache::ApplyTopic(const MetadataTopic& update) {
  const std::string& name = update.topic->name;
  const std::shared_ptr<const TopicView> known = current().Find(name);
  const bool same = known != nullptr && known->topic->id == update.topic->id;
  if (update.deleted) {
    if (same) {  // An older topic of the name is gone already.
      Remove(name);
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
    Put(std::move(view));
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
  const auto expected = view.expected.find(update.index);
  if (expected != view.expected.end() && expected->second.leader_epoch <= update.leader_epoch) {
    view.expected.erase(expected);
  }
  return true;
}

void MetadataCache::RemoveAbsent() {
  std::vector<std::string> absent;
  for (const auto& topic : current().Topics()) {
    if (!named_.contains(topic->topic->id)) {
      absent.push_back(topic->topic->name);
    }
  }
  for (const std::string& name : absent) {
    Remove(name);
  }
}

}  // namespace regent
