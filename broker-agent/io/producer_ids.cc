#include "broker-agent/io/producer_ids.h"

#include <chrono>
#include <limits>
#include <utility>

#include <glog/logging.h>

#include "common/wire/znode_json.h"
#include "common/zk/paths.h"

namespace regent {
namespace {

constexpr int64_t kBlock = 1000;
constexpr Duration kPatience = std::chrono::seconds(5);
constexpr Duration kRetry = std::chrono::milliseconds(100);
constexpr size_t kWaitingMax = 10'000;

}  // namespace

ProducerIds::~ProducerIds() {
  *alive_ = false;
  for (Waiting& waiting : waiting_) {
    waiting.done(Error{ErrorCode::kUnavailable, "the broker stops"});
  }
}

void ProducerIds::Draw(Done done) {
  if (next_ < end_) {
    done(next_++);
    return;
  }
  if (waiting_.size() >= kWaitingMax) {
    done(Error{ErrorCode::kUnavailable, "too many wait for a producer id: retry later"});
    return;
  }
  waiting_.push_back({.done = std::move(done), .until = executor_.Now() + kPatience});
  executor_.PostAt(waiting_.back().until, [this, alive = alive_]() {
    if (*alive) {
      GiveUp("ZooKeeper does not answer");
    }
  });
  if (!std::exchange(fetching_, true)) {
    Fetch();
  }
}

void ProducerIds::Fetch() {
  client_.Get(zk::ProducerIdBlockPath(), zk::Watch::kNone,
              [this, alive = alive_](const zk::Outcome<zk::Node>& latest) {
                if (*alive) {
                  Advance(latest);
                }
              });
}

void ProducerIds::Advance(const zk::Outcome<zk::Node>& latest) {
  if (!latest.ok()) {
    Took(0, false, latest.ToText());
    return;
  }
  const Result<wire::ProducerIdBlock> block = wire::DecodeProducerIdBlock(latest.value().data);
  if (!block.ok() || block->end > std::numeric_limits<int64_t>::max() - kBlock) {
    Took(0, false,
         zk::ProducerIdBlockPath() + ": " +
             (block.ok() ? "there are no ids left" : block.error().message));
    return;
  }
  const int64_t start = block->end + 1;
  client_.Set({.path = zk::ProducerIdBlockPath(),
               .data = wire::EncodeProducerIdBlock(
                   {.broker = self_, .start = start, .end = start + kBlock - 1}),
               .expected = zk::AtVersion{latest.value().stat.version}},
              [this, alive = alive_, start](const zk::Outcome<zk::Stat>& set) {
                if (*alive) {
                  Took(start, set.ok(), set.ToText());
                }
              });
}

void ProducerIds::Took(int64_t start, bool took, const std::string& why) {
  if (took) {
    fetching_ = false;
    next_ = start;
    end_ = start + kBlock;
    LOG(INFO) << "producer ids taken first=" << start << " last=" << end_ - 1;
    AnswerWaiting();
    return;
  }
  // Somebody else was faster, or nobody knows: the next block is as good.
  LOG_EVERY_N(WARNING, 10) << "producer ids not taken reason=\"" << why << '"';
  executor_.PostAt(executor_.Now() + kRetry, [this, alive = alive_]() {
    if (!*alive) {
      return;
    }
    if (waiting_.empty()) {
      fetching_ = false;
    } else {
      Fetch();
    }
  });
}

void ProducerIds::AnswerWaiting() {
  while (!waiting_.empty() && next_ < end_) {
    Waiting first = std::move(waiting_.front());
    waiting_.pop_front();
    first.done(next_++);
  }
  if (!waiting_.empty() && !std::exchange(fetching_, true)) {
    Fetch();
  }
}

void ProducerIds::GiveUp(const std::string& why) {
  while (!waiting_.empty() && waiting_.front().until <= executor_.Now()) {
    Waiting first = std::move(waiting_.front());
    waiting_.pop_front();
    first.done(Error{ErrorCode::kUnavailable, "no producer id could be had: " + why});
  }
}

}  // namespace regent
