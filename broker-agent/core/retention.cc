#include "broker-agent/core/retention.h"

#include <algorithm>
#include <utility>

namespace regent {
namespace {

constexpr AgentDeadline kNext{.kind = AgentDeadline::Kind::kTrimLogs, .partition = {}, .number = 0};

bool MayTrim(const Replica& replica) {
  return replica.settings != nullptr && replica.log && !replica.failure && !replica.frozen &&
         replica.log->start < replica.log->end;
}

TrimLogs::Item ItemOf(const Replica& replica) {
  return {.partition = replica.partition,
          .high_watermark = replica.log->high_watermark,
          .log_start = replica.log->start};
}

}  // namespace

void Retention::Step() {
  const auto& all = replicas_.all();
  const size_t step = std::max<size_t>(context_.options.trims_per_step_max, 1);
  auto next = last_ ? all.upper_bound(*last_) : all.begin();
  TrimLogs trim;
  for (size_t seen = 0; seen < step && next != all.end(); ++seen, ++next) {
    last_ = next->first;
    if (MayTrim(next->second)) {
      trim.items.push_back(ItemOf(next->second));
    }
  }
  if (!trim.items.empty()) {
    any_records_ = true;
    context_.Do(std::move(trim));
  }
  const bool round_ends = next == all.end();
  if (round_ends) {
    last_.reset();
  }
  if (!round_ends || std::exchange(any_records_, false)) {
    const auto parts = static_cast<int64_t>((all.size() + step - 1) / step);
    context_.deadlines.Set(kNext, context_.now + context_.options.retention_check_interval /
                                                     std::max<int64_t>(parts, 1));
  }
}

void Retention::Again(const Replica& replica) {
  if (MayTrim(replica)) {
    context_.Do(TrimLogs{.items = {ItemOf(replica)}});
  }
}

}  // namespace regent
