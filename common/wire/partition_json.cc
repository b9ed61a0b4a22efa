#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <glog/logging.h>

#include "common/wire/json_reader.h"
#include "common/wire/json_text.h"
#include "common/wire/znode_json.h"

namespace regent::wire {
namespace {

constexpr int kStateVersion = 1;

/// Walks over text that is expected to be exactly what EncodePartitionState or Kafka writes. The
/// first surprise ends it: the JSON library then has the word.
class CanonicalText {
 public:
  explicit CanonicalText(std::string_view text) : text_(text) {}

  bool Literal(std::string_view expected) {
    if (!text_.starts_with(expected)) {
      return false;
    }
    text_.remove_prefix(expected.size());
    return true;
  }
  bool Integer(int32_t& value) {
    const auto [end, fault] = std::from_chars(text_.data(), text_.data() + text_.size(), value);
    const auto size = static_cast<size_t>(end - text_.data());
    // JSON has no leading zeros; −0 is not worth a thought either.
    const bool leading_zero = size > 1 && (text_[0] == '0' || text_.starts_with("-0"));
    if (fault != std::errc() || leading_zero) {
      return false;
    }
    text_.remove_prefix(size);
    return true;
  }
  bool Brokers(BrokerList& brokers) {
    if (!Literal("[")) {
      return false;
    }
    if (Literal("]")) {
      return true;
    }
    int32_t id = 0;
    while (Integer(id)) {
      brokers.emplace_back(id);
      if (Literal("]")) {
        return true;
      }
      if (!Literal(",")) {
        return false;
      }
    }
    return false;
  }
  bool AtEnd() const { return text_.empty(); }

 private:
  std::string_view text_;
};

bool HasDuplicates(const BrokerList& brokers) {
  for (auto at = brokers.begin(); at != brokers.end(); ++at) {
    if (std::find(brokers.begin(), at, *at) != at) {
      return true;
    }
  }
  return false;
}

/// Whoever stands in two of the lists; each alone names nobody twice.
std::optional<BrokerId> FindTwofold(const PartitionState& state) {
  for (const BrokerId id : state.elr) {
    if (Contains(state.isr, id) || Contains(state.last_known_elr, id)) {
      return id;
    }
  }
  for (const BrokerId id : state.last_known_elr) {
    if (Contains(state.isr, id)) {
      return id;
    }
  }
  return std::nullopt;
}

/// A state that is written canonically and breaks no rule; nothing otherwise.
std::optional<PartitionState> DecodeCanonical(std::string_view text) {
  CanonicalText in(text);
  int32_t controller_epoch = 0;
  int32_t leader = 0;
  int32_t leader_epoch = 0;
  PartitionState state;
  const bool read = in.Literal(R"({"controller_epoch":)") && in.Integer(controller_epoch) &&
                    in.Literal(R"(,"leader":)") && in.Integer(leader) &&
                    in.Literal(R"(,"version":1,"leader_epoch":)") && in.Integer(leader_epoch) &&
                    in.Literal(R"(,"isr":)") && in.Brokers(state.isr) && in.Literal("}") &&
                    in.AtEnd();
  state.controller_epoch = ControllerEpoch(controller_epoch);
  state.leader = BrokerId(leader);
  state.leader_epoch = LeaderEpoch(leader_epoch);
  const bool sound = controller_epoch >= 0 && state.controller_epoch <= kControllerEpochMax &&
                     leader_epoch >= 0 && state.leader_epoch <= kLeaderEpochMax && leader >= -1 &&
                     std::ranges::all_of(state.isr, [](BrokerId id) { return id.value() >= 0; }) &&
                     (leader == -1 || Contains(state.isr, state.leader));
  // The quadratic look for duplicates is for the few replicas that a partition has.
  constexpr size_t kIsrSizeMax = 32;
  if (!read || !sound || state.isr.size() > kIsrSizeMax || HasDuplicates(state.isr)) {
    return std::nullopt;
  }
  return state;
}

}  // namespace

std::string EncodePartitionState(const PartitionState& state) {
  std::string out;
  out.reserve(128 + state.extra.size());
  out += R"({"controller_epoch":)";
  AppendInteger(out, state.controller_epoch.value());
  out += R"(,"leader":)";
  AppendInteger(out, state.leader.value());
  out += R"(,"version":)";
  AppendInteger(out, kStateVersion);
  out += R"(,"leader_epoch":)";
  AppendInteger(out, state.leader_epoch.value());
  out += R"(,"isr":)";
  AppendBrokers(out, state.isr);
  if (state.recovery == LeaderRecovery::kRecovering) {
    out += R"(,"leader_recovery_state":1)";
  }
  if (!state.elr.empty()) {
    out += R"(,"elr":)";
    AppendBrokers(out, state.elr);
  }
  if (!state.last_known_elr.empty()) {
    out += R"(,"lastKnownElr":)";
    AppendBrokers(out, state.last_known_elr);
  }
  AppendFieldsOf(out, state.extra);
  out += '}';
  return out;
}

Result<PartitionState> DecodePartitionState(std::string_view text) {
  if (auto state = DecodeCanonical(text)) {
    return *std::move(state);
  }
  JsonReader reader("partition state", text);
  PartitionState state;
  // Written by every Kafka; read by none. A version of the future would have its reasons.
  reader.IntegerOr("version", kStateVersion, {.min = kStateVersion, .max = kStateVersion});
  state.leader = BrokerId(reader.Int32("leader", {.min = -1}));
  state.leader_epoch = LeaderEpoch(reader.Int32("leader_epoch", {.max = kLeaderEpochMax.value()}));
  state.controller_epoch =
      ControllerEpoch(reader.Int32("controller_epoch", {.max = kControllerEpochMax.value()}));
  state.isr = reader.Brokers("isr");
  state.recovery = reader.IntegerOr("leader_recovery_state", 0, {.max = 1}) == 0
                       ? LeaderRecovery::kRecovered
                       : LeaderRecovery::kRecovering;
  state.elr = reader.OptionalBrokers("elr");
  state.last_known_elr = reader.OptionalBrokers("lastKnownElr");
  state.extra = reader.Rest();
  if (state.leader != kNoBroker && !Contains(state.isr, state.leader)) {
    reader.Fault("leader", Json(state.leader.value()), "must be -1 or a member of isr");
  }
  if (const auto twofold = FindTwofold(state)) {
    reader.Fault("a broker id", Json(twofold->value()),
                 "must stand in one of isr, elr and lastKnownElr only");
  }
  if (!reader.ok()) {
    return reader.error();
  }
  return state;
}

}  // namespace regent::wire
