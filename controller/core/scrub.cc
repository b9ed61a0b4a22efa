#include "controller/core/scrub.h"

#include <algorithm>
#include <chrono>

namespace regent::controller {
namespace {

/// What may be made up for at once, when a batch took long.
constexpr double kBatchMax = 250;

double Seconds(Duration span) {
  return std::chrono::duration<double>(span).count();
}

}  // namespace

void Scrub::Tick() {
  if (!term_.loaded || term_.fenced()) {
    last_.reset();
    return;
  }
  const Instant since = last_.value_or(term_.now());
  last_ = term_.now();
  const auto topics = static_cast<double>(term_.cluster.topics_by_name().size());
  const double rate = std::min(topics / Seconds(term_.options().scrub_round_min),
                               static_cast<double>(term_.options().scrub_topics_per_second_max));
  due_ = std::min({due_ + rate * Seconds(term_.now() - since), kBatchMax, topics});
  if (out_ || due_ < 1) {
    return;
  }
  std::vector<std::string> names = Next(static_cast<size_t>(due_));
  if (names.empty()) {
    return;
  }
  due_ -= static_cast<double>(names.size());
  out_ = true;
  term_.IssueStat(names, [this, names](const Result<std::vector<TopicStat>>& stats) {
    out_ = false;
    Stated(names, stats);
  });
}

std::vector<std::string> Scrub::Next(size_t most) {
  const auto& topics = term_.cluster.topics_by_name();
  std::vector<std::string> names;
  auto next = at_ ? topics.upper_bound(*at_) : topics.begin();
  for (; next != topics.end() && names.size() < most; ++next) {
    names.push_back(next->first);
  }
  at_ = next == topics.end() ? std::nullopt : std::optional(names.back());
  return names;
}

void Scrub::Stated(const std::vector<std::string>& names,
                   const Result<std::vector<TopicStat>>& stats) {
  if (!stats.ok()) {
    return;  // The next round comes.
  }
  std::vector<std::string> changed;
  for (size_t i = 0; i < names.size(); ++i) {
    const TopicStat& stat = (*stats)[i];
    const auto index = term_.cluster.FindTopic(names[i]);
    if (!index) {
      continue;
    }
    const Topic& topic = term_.cluster.topic(*index);
    if (!stat.exists || stat.node_version != topic.node_version ||
        stat.config_version > topic.config.version) {
      changed.push_back(names[i]);
    }
  }
  if (!changed.empty()) {
    term_.IssueRead(std::move(changed), TopicDepth::kNodes,
                    [this](Result<std::vector<TopicRead>> topics) { Read(std::move(topics)); });
  }
}

void Scrub::Read(Result<std::vector<TopicRead>> topics) {
  if (!topics.ok()) {
    return;
  }
  for (TopicRead& read : *topics) {
    const auto index = term_.cluster.FindTopic(read.name);
    if (!index) {
      continue;
    }
    if (!read.exists || !read.problem.empty() ||
        read.id != term_.cluster.topic(*index).identity->id) {
      topics_.LookFor(read.name);  // Gone, replaced, broken: that is another's affair.
      continue;
    }
    if (!topics_.IsBeingDeleted(read.name)) {
      extensions_.Take(*index, read);
    }
    configs_.Take(*index, read);
  }
}

}  // namespace regent::controller
