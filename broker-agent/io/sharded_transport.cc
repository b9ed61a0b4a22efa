#include "broker-agent/io/sharded_transport.h"

#include <utility>
#include <variant>

#include "broker-agent/core/deal.h"
#include "broker-agent/core/shard.h"

namespace regent {
namespace {

int64_t RecordBytesOf(const LeaderMessage& message) {
  int64_t bytes = 0;
  for (const LeaderItem& item : message.items) {
    if (const auto* const batches = std::get_if<Batches>(&item)) {
      bytes += BytesOf(batches->batches);
    }
  }
  return bytes;
}

}  // namespace

/// What the shards share: who listens, and what each has sent on followers' streams.
struct ShardedTransport::Inbound {
  explicit Inbound(int32_t count) : shards(count), sinks(static_cast<size_t>(count)) {}

  const int32_t shards;
  Mutex mutex;
  std::vector<AgentEventSink> sinks GUARDED_BY(mutex);  ///< Null: not started, or shut down.
  int32_t started GUARDED_BY(mutex) = 0;
  int32_t ended GUARDED_BY(mutex) = 0;
  std::map<InboundId, CreditShares> credits GUARDED_BY(mutex);

  AgentEventSink SinkOf(int32_t shard) EXCLUDES(mutex) {
    const MutexLock lock(mutex);
    return sinks[static_cast<size_t>(shard)];
  }

  /// An event of the transport below.
  void Take(AgentEvent event) EXCLUDES(mutex);
  void Take(const FollowerMessageReceived& received) EXCLUDES(mutex);
  void Sent(int32_t shard, const SendToFollower& send) EXCLUDES(mutex);
  /// Tells all shards, but one that knows it: −1: none does.
  void Lose(InboundId stream, int32_t knows) EXCLUDES(mutex);
};

void ShardedTransport::Inbound::Take(AgentEvent event) {
  // The shards number their own streams, so a stream's number on the transport says whose it is.
  const auto to_owner = [this](auto received) {
    const auto count = static_cast<uint64_t>(shards);
    const uint64_t id = received.stream.value();
    received.stream = OutboundId(id / count);
    if (const AgentEventSink sink = SinkOf(static_cast<int32_t>(id % count))) {
      sink(std::move(received));
    }
  };
  if (const auto* const message = std::get_if<FollowerMessageReceived>(&event)) {
    Take(*message);
  } else if (const auto* const lost = std::get_if<InboundLost>(&event)) {
    Lose(lost->stream, -1);
  } else if (auto* const answer = std::get_if<LeaderMessageReceived>(&event)) {
    to_owner(std::move(*answer));
  } else if (const auto* const gone = std::get_if<OutboundLost>(&event)) {
    to_owner(*gone);
  }
}

void ShardedTransport::Inbound::Take(const FollowerMessageReceived& received) {
  const uint64_t credit = received.message.credit_bytes;
  std::vector<FollowerMessage> dealt = Deal(received.message, shards);
  std::vector<AgentEventSink> listening;
  {
    const MutexLock lock(mutex);
    if (dealt.front().hello) {
      credits.try_emplace(received.stream, shards);
    }
    const auto account = credits.find(received.stream);
    if (account == credits.end()) {
      return;  // It was dropped, or never said hello.
    }
    const std::vector<uint64_t> given = account->second.Give(credit);
    for (size_t shard = 0; shard < dealt.size(); ++shard) {
      dealt[shard].credit_bytes = given[shard];
    }
    listening = sinks;
  }
  for (size_t shard = 0; shard < dealt.size(); ++shard) {
    if (!dealt[shard].empty() && listening[shard] != nullptr) {
      listening[shard](
          FollowerMessageReceived{.stream = received.stream, .message = std::move(dealt[shard])});
    }
  }
}

void ShardedTransport::Inbound::Sent(int32_t shard, const SendToFollower& send) {
  const int64_t bytes = RecordBytesOf(send.message);
  const MutexLock lock(mutex);
  // Of a stream that was lost meanwhile nothing is kept.
  if (const auto found = credits.find(send.stream); found != credits.end()) {
    found->second.Sent(shard, bytes);
  }
}

void ShardedTransport::Inbound::Lose(InboundId stream, int32_t knows) {
  std::vector<AgentEventSink> listening;
  {
    const MutexLock lock(mutex);
    credits.erase(stream);
    listening = sinks;
  }
  for (size_t shard = 0; shard < listening.size(); ++shard) {
    if (static_cast<int32_t>(shard) != knows && listening[shard] != nullptr) {
      listening[shard](InboundLost{.stream = stream});
    }
  }
}

/// A shard's end.
class ShardedTransport::Port final : public ReplicationTransport {
 public:
  Port(ReplicationTransport& base, std::shared_ptr<Inbound> inbound, int32_t shard)
      : base_(base), inbound_(std::move(inbound)), shard_(shard) {}

  void Start(AgentEventSink sink) override {
    bool all = false;
    {
      const MutexLock lock(inbound_->mutex);
      inbound_->sinks[static_cast<size_t>(shard_)] = std::move(sink);
      all = ++inbound_->started == inbound_->shards;
    }
    if (all) {
      base_.Start([inbound = inbound_](AgentEvent event) { inbound->Take(std::move(event)); });
    }
  }
  void Open(OpenStream open) override {
    open.stream = OnBase(open.stream);
    base_.Open(std::move(open));
  }
  void Send(SendToLeader send) override {
    send.stream = OnBase(send.stream);
    base_.Send(std::move(send));
  }
  void Close(CloseStream close) override { base_.Close({.stream = OnBase(close.stream)}); }
  void Send(SendToFollower send) override {
    inbound_->Sent(shard_, send);
    base_.Send(std::move(send));
  }
  void Drop(DropFollower drop) override {
    const InboundId stream = drop.stream;
    base_.Drop(std::move(drop));
    inbound_->Lose(stream, shard_);
  }
  void Shutdown() override {
    bool all = false;
    {
      const MutexLock lock(inbound_->mutex);
      AgentEventSink& sink = inbound_->sinks[static_cast<size_t>(shard_)];
      if (std::exchange(sink, nullptr) == nullptr) {
        return;
      }
      all = ++inbound_->ended == inbound_->shards;
    }
    if (all) {
      base_.Shutdown();
    }
  }

 private:
  OutboundId OnBase(OutboundId stream) const {
    return OutboundId(stream.value() * static_cast<uint64_t>(inbound_->shards) +
                      static_cast<uint64_t>(shard_));
  }

  ReplicationTransport& base_;
  std::shared_ptr<Inbound> inbound_;
  const int32_t shard_;
};

ShardedTransport::ShardedTransport(ReplicationTransport& base, int32_t shards)
    : base_(base), inbound_(std::make_shared<Inbound>(shards)) {
  if (shards == 1) {
    return;
  }
  for (int32_t index = 0; index < shards; ++index) {
    ports_.push_back(std::make_unique<Port>(base, inbound_, index));
  }
}

ShardedTransport::~ShardedTransport() = default;

ReplicationTransport& ShardedTransport::shard(int32_t index) {
  return ports_.empty() ? base_ : *ports_[static_cast<size_t>(index)];
}

}  // namespace regent
