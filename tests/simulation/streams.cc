#include "tests/simulation/streams.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "common/base/overloaded.h"
#include "tests/simulation/text.h"
#include "tests/unit/broker-agent-log/test_batches.h"

namespace regent::simulation {
namespace {

/// The same batch with another last byte, and the checksum right again.
RecordBatch Altered(RecordBatch batch) {
  std::string bytes(batch.payload.bytes());
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  storage::RepairCrc(bytes);
  batch.payload = Slice(std::move(bytes));
  return batch;
}

void AlterBatches(LeaderMessage& message) {
  for (LeaderItem& item : message.items) {
    if (auto* const batches = std::get_if<Batches>(&item)) {
      std::ranges::transform(batches->batches, batches->batches.begin(), Altered);
    }
  }
}

std::string ToText(const Truncate& answer) {
  return Text(answer.partition, " attempt ", answer.attempt, ": cut to ", answer.end.end,
              " of leader epoch ", answer.end.epoch);
}
std::string ToText(const Batches& answer) {
  return Text(answer.partition, " attempt ", answer.attempt, ": records from ", answer.base_offset,
              " to ", answer.next_offset, ", log ", answer.log_start, '/', answer.high_watermark,
              '/', answer.leader_end);
}
std::string ToText(const Refused& answer) {
  return Text(answer.partition, " attempt ", answer.attempt, ": refused, ", answer.reason);
}

void NoteAsked(Process& follower, const FollowerMessage& message) {
  if (follower.keeps_text()) {
    for (const Subscribe& ask : message.subscribe) {
      follower.Note(Text("subscribes to ", ask.partition, " attempt ", ask.attempt, " in ",
                         ask.leader_epoch, " from ", ask.log_end, " behind epoch ",
                         ask.last_epoch));
    }
  }
}

void NoteAnswered(Process& follower, const LeaderMessage& message) {
  if (follower.keeps_text()) {
    for (const LeaderItem& item : message.items) {
      follower.Note("hears of " + std::visit([](const auto& each) { return ToText(each); }, item));
    }
  }
}

/// What keeps the order of the stream, and what the rest of it may overtake.
std::pair<LeaderMessage, LeaderMessage> ByHurry(LeaderMessage message) {
  LeaderMessage hurried;
  LeaderMessage unhurried;
  for (LeaderItem& item : message.items) {
    (IsUnhurried(item) ? unhurried : hurried).items.push_back(std::move(item));
  }
  return {std::move(hurried), std::move(unhurried)};
}

void ConfirmMore(FollowerMessage& message) {
  for (Ack& ack : message.acks) {
    ack.log_end = Offset(ack.log_end.value() + 1);
  }
}

}  // namespace

SimStreams::SimStreams(Network& network, Process& self, Options options)
    : network_(network), self_(self), options_(std::move(options)) {}

SimStreams::~SimStreams() {
  Shutdown();
}

void SimStreams::Open(OpenStream open) {
  auto link = std::make_shared<Stream>();
  link->follower = &self_;
  link->follower_end = this;
  link->outbound = open.stream;
  link->leader = network_.At(open.endpoint.port);
  outbound_.emplace(open.stream, link);
  if (link->leader == nullptr) {
    Break(network_, link);
  }
}

void SimStreams::Send(SendToLeader send) {
  options_.subscriptions.OnSent(send.message);
  NoteAsked(self_, send.message);
  const auto found = outbound_.find(send.stream);
  if (found == outbound_.end() || !found->second->open) {
    return;
  }
  if (options_.mutant == Mutant::kConfirmedUnwritten) {
    ConfirmMore(send.message);
  }
  if (options_.mutant == Mutant::kTruncatesOnce) {
    for (Subscribe& ask : send.message.subscribe) {
      if (cut_.contains({ask.partition, ask.leader_epoch})) {
        ask.last_epoch = ask.leader_epoch;
      }
    }
  }
  const Link link = found->second;
  const auto arrival = network_.Arrival(*link->follower, *link->leader);
  if (!arrival) {
    Break(network_, link);
    return;
  }
  link->to_leader = std::max(link->to_leader, *arrival);
  network_.world().At(link->to_leader,
                      [&network = network_, link, message = std::move(send.message)] {
                        DeliverToLeader(network, link, message);
                      });
}

void SimStreams::DeliverToLeader(Network& network,
                                 const Link& link,
                                 const FollowerMessage& message) {
  if (!link->open) {
    return;
  }
  auto* const host = dynamic_cast<StreamHost*>(link->leader);
  SimStreams* const end = host == nullptr ? nullptr : host->streams();
  if (end == nullptr || (link->leader_life != 0 && end != link->leader_end)) {
    Break(network, link);
    return;
  }
  if (link->leader_life == 0) {
    link->leader_life = link->leader->life();
    link->leader_end = end;
    link->inbound = std::exchange(end->next_inbound_, end->next_inbound_.Next());
    end->inbound_.emplace(link->inbound, link);
  }
  for (const Subscribe& ask : message.subscribe) {
    link->asked[{ask.partition, ask.attempt}] = ask.leader_epoch;
  }
  end->sink_(FollowerMessageReceived{.stream = link->inbound, .message = message});
}

void SimStreams::OfOneEpoch(const Stream& stream, const LeaderMessage& message) const {
  const auto look = [&](const auto& item) {
    const auto asked = stream.asked.find({item.partition, item.attempt});
    if (asked != stream.asked.end() && asked->second != item.leader_epoch) {
      options_.report(Checker::kStaleEpochs, self_.name(),
                      Text(self_.name(), " serves ", stream.follower->name(), " in leader epoch ",
                           item.leader_epoch, ", which follows in ", asked->second));
    }
  };
  for (const LeaderItem& item : message.items) {
    std::visit(Overloaded{look, [](const Refused&) {}}, item);
  }
}

void SimStreams::Send(SendToFollower send) {
  const auto found = inbound_.find(send.stream);
  if (found == inbound_.end() || !found->second->open) {
    return;
  }
  OfOneEpoch(*found->second, send.message);
  if (options_.mutant == Mutant::kBatchAltered && network_.world().rng().Percent(5)) {
    AlterBatches(send.message);
  }
  auto [hurried, unhurried] = ByHurry(std::move(send.message));
  const Link link = found->second;
  if (!hurried.items.empty()) {
    Send(link, link->to_follower, std::move(hurried));
  }
  if (!unhurried.items.empty()) {
    link->to_follower_unhurried = std::max(link->to_follower_unhurried, link->to_follower);
    Send(link, link->to_follower_unhurried, std::move(unhurried));
  }
}

/// Sends it so that it arrives after whatever has `last`, and notes when.
void SimStreams::Send(const Link& link, Instant& last, LeaderMessage message) {
  const auto arrival = network_.Arrival(*link->leader, *link->follower);
  if (!arrival) {
    Break(network_, link);
    return;
  }
  last = std::max(last, *arrival);
  network_.world().At(last, [&network = network_, link, message = std::move(message)] {
    DeliverToFollower(network, link, message);
  });
}

void SimStreams::DeliverToFollower(Network& network,
                                   const Link& link,
                                   const LeaderMessage& message) {
  if (!link->open) {
    return;
  }
  if (link->follower_end == nullptr) {
    Break(network, link);
    return;
  }
  for (const LeaderItem& item : message.items) {
    if (const auto* const cut = std::get_if<Truncate>(&item)) {
      link->follower_end->cut_.insert({cut->partition, cut->leader_epoch});
    }
  }
  link->follower_end->options_.subscriptions.OnDelivered(message);
  NoteAnswered(*link->follower, message);
  link->follower_end->sink_(LeaderMessageReceived{.stream = link->outbound, .message = message});
}

void SimStreams::Break(Network& network, const Link& link) {
  if (!std::exchange(link->open, false)) {
    return;
  }
  network.world().After(network.UntilNoticed(), [link] {
    if (SimStreams* const end = std::exchange(link->follower_end, nullptr)) {
      end->Forget(link);
      end->sink_(OutboundLost{.stream = link->outbound});
    }
  });
  network.world().After(network.UntilNoticed(), [link] {
    if (SimStreams* const end = std::exchange(link->leader_end, nullptr)) {
      end->Forget(link);
      end->sink_(InboundLost{.stream = link->inbound});
    }
  });
}

void SimStreams::Forget(const Link& link) {
  if (link->follower == &self_) {
    outbound_.erase(link->outbound);
  } else {
    inbound_.erase(link->inbound);
  }
}

void SimStreams::Close(CloseStream close) {
  const auto link = outbound_.extract(close.stream);
  if (!link.empty()) {
    link.mapped()->follower_end = nullptr;
    Break(network_, link.mapped());
  }
}

void SimStreams::Drop(DropFollower drop) {
  const auto link = inbound_.extract(drop.stream);
  if (!link.empty()) {
    link.mapped()->leader_end = nullptr;
    Break(network_, link.mapped());
  }
}

void SimStreams::Shutdown() {
  for (const auto& [id, link] : std::exchange(outbound_, {})) {
    link->follower_end = nullptr;
    Break(network_, link);
  }
  for (const auto& [id, link] : std::exchange(inbound_, {})) {
    link->leader_end = nullptr;
    Break(network_, link);
  }
}

}  // namespace regent::simulation
