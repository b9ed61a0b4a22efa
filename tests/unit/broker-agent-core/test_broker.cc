#include "tests/unit/broker-agent-core/test_broker.h"

#include <algorithm>
#include <iterator>

#include <glog/logging.h>

#include "common/base/overloaded.h"

namespace regent::testing {
namespace {

AgentOptions WithIdentity(AgentOptions options, int32_t id, LifeId life) {
  options.broker = BrokerId(id);
  options.life = life;
  options.cluster_id = options.cluster_id == kUnbound ? "" : kCluster;
  return options;
}

}  // namespace

TopicId IdOf(uint64_t number) {
  std::string bytes(16, '\0');
  bytes[0] = 1;
  for (int i = 0; i < 8; ++i) {
    bytes[static_cast<size_t>(15 - i)] = static_cast<char>(number >> (8 * i));
  }
  return *Uuid::FromBytes(bytes);
}

LifeId LifeOf(uint64_t number) {
  return IdOf(1'000'000 + number);
}

TopicRef Topic(const std::string& name, uint64_t id) {
  return std::make_shared<const TopicIdentity>(TopicIdentity{.name = name, .id = IdOf(id)});
}

TopicRef TheTopic() {
  static const TopicRef topic = Topic("t", 1);
  return topic;
}

TopicPartition P(int32_t index, const TopicRef& topic) {
  return {.topic = topic, .index = index};
}

PartitionKey K(int32_t index, const TopicRef& topic) {
  return {.topic = topic->id, .index = index};
}

BrokerList Ids(const std::vector<int32_t>& ids) {
  BrokerList list;
  for (const int32_t id : ids) {
    list.emplace_back(id);
  }
  return list;
}

BrokerEndpoint PeerAt(int32_t id, int64_t epoch) {
  return {.id = BrokerId(id),
          .epoch = BrokerEpoch(epoch),
          .listeners = {{.name = kRegentListener,
                         .endpoint = {.host = "127.0.0.1", .port = 7000 + id}}},
          .rack = {}};
}

std::vector<RecordBatch> Records(int64_t from, std::initializer_list<int32_t> epochs) {
  std::vector<RecordBatch> batches;
  for (const int32_t epoch : epochs) {
    batches.push_back({.base = Offset(from),
                       .next = Offset(from + 1),
                       .epoch = LeaderEpoch(epoch),
                       .payload = Slice("e" + std::to_string(epoch) + "@" + std::to_string(from))});
    ++from;
  }
  return batches;
}

ProducerStates ProducersOf(const std::vector<RecordBatch>& batches, Offset high_watermark) {
  ProducerStates producers;
  for (const RecordBatch& batch : batches) {
    producers.Append(batch, high_watermark, Instant());
  }
  return producers;
}

LeaderAndIsrPartition StateOf::Build() const {
  return {.index = index,
          .leader = BrokerId(leader),
          .leader_epoch = LeaderEpoch(epoch),
          .partition_epoch = PartitionEpoch(version),
          .isr = Ids(isr),
          .replicas = Ids(replicas),
          .state_czxid = Zxid(czxid),
          .recovery = LeaderRecovery::kRecovered};
}

RecoveredReplica Recovered(int32_t index,
                           int32_t leader_epoch,
                           int32_t partition_epoch,
                           const std::vector<RecordBatch>& batches,
                           int64_t high_watermark) {
  LogView log;
  log.Appended(batches);
  log.high_watermark = Offset(high_watermark);
  return {.partition = P(index),
          .leader_epoch = LeaderEpoch(leader_epoch),
          .partition_epoch = PartitionEpoch(partition_epoch),
          .log = log,
          .producers = ProducersOf(batches, log.high_watermark)};
}

TestBroker::TestBroker(int32_t number, AgentState recovered, AgentOptions options)
    : id(number),
      life(LifeOf(static_cast<uint64_t>(number))),
      agent(WithIdentity(std::move(options), number, life), std::move(recovered)) {}

void TestBroker::Do(const AgentEvent& event) {
  for (AgentAction& action : agent.Handle(event, now)) {
    (IsDiskWork(action) ? disk_queue_.emplace_back() : actions_.emplace_back()) = std::move(action);
  }
  if (!disk_held_ && !disk_busy_) {
    ReleaseDisk();
  }
}

void TestBroker::Start(int64_t epoch, int32_t controller) {
  broker_epoch = BrokerEpoch(epoch);
  controller_epoch = ControllerEpoch(controller);
  Do(Registered{
      .broker_epoch = broker_epoch, .cluster_id = kCluster, .directories_since = Zxid(50)});
  Do(ControllerSeen{.id = BrokerId(9),
                    .epoch = controller_epoch,
                    .endpoint = {.host = "127.0.0.1", .port = 7009}});
}

void TestBroker::Advance(Duration by) {
  const Instant end = now + by;
  while (agent.NextDeadline() <= end) {
    now = std::max(now, agent.NextDeadline());
    Do(TimePassed{});
  }
  now = end;
}

ControlHeader TestBroker::Header() {
  return {.controller = BrokerId(9),
          .controller_endpoint = {.host = "127.0.0.1", .port = 7009},
          .controller_epoch = controller_epoch,
          .broker = id,
          .broker_epoch = broker_epoch,
          .revision = Revision(++revision_),
          .cluster_id = kCluster};
}

std::shared_ptr<LeaderAndIsrRequest> TestBroker::Request(
    std::vector<LeaderAndIsrPartition> states) {
  auto request = std::make_shared<LeaderAndIsrRequest>();
  request->header = Header();
  request->topics.push_back({.topic = TheTopic(), .config = {}, .partitions = std::move(states)});
  for (int32_t broker = 0; broker < 3; ++broker) {
    request->leaders.push_back(PeerAt(broker, 100 + broker));
  }
  return request;
}

CallId TestBroker::Send(std::shared_ptr<const LeaderAndIsrRequest> request) {
  const CallId call(++next_call_);
  Do(LeaderAndIsrReceived{.call = call, .request = std::move(request)});
  return call;
}

std::optional<ControlResponse> TestBroker::AnswerTo(CallId call) {
  for (const AgentAction& action : actions_) {
    const auto* answer = std::get_if<AnswerControl>(&action);
    if (answer != nullptr && answer->call == call) {
      return answer->response;
    }
  }
  return std::nullopt;
}

ControlResponse TestBroker::Tell(std::vector<LeaderAndIsrPartition> states,
                                 std::optional<FullStatePart> full) {
  std::shared_ptr<LeaderAndIsrRequest> request = Request(std::move(states));
  request->full = full;
  return AnswerTo(Send(request)).value();
}

ControlResponse TestBroker::TellTopic(const TopicRef& topic,
                                      std::vector<LeaderAndIsrPartition> states,
                                      TopicConfig config,
                                      std::optional<FullStatePart> full) {
  std::shared_ptr<LeaderAndIsrRequest> request = Request({});
  request->full = full;
  request->topics = {
      {.topic = topic, .config = std::move(config), .partitions = std::move(states)}};
  return AnswerTo(Send(request)).value();
}

ControlResponse TestBroker::Stop(const TopicPartition& partition,
                                 int32_t epoch,
                                 bool delete_files) {
  auto request = std::make_shared<StopReplicaRequest>();
  request->header = Header();
  request->partitions = {
      {.partition = partition, .leader_epoch = LeaderEpoch(epoch), .delete_files = delete_files}};
  const CallId call(++next_call_);
  Do(StopReplicaReceived{.call = call, .request = request});
  return AnswerTo(call).value();
}

PartitionAnswer TestBroker::Only(const ControlResponse& response) {
  CHECK_EQ(response.answer, ControlAnswer::kDone);
  CHECK_LE(response.partitions.size(), size_t{1});
  return response.partitions.empty() ? PartitionAnswer::kApplied
                                     : response.partitions.front().answer;
}

void TestBroker::Produce(const PartitionKey& key, int count, Acks acks) {
  for (int i = 0; i < count; ++i) {
    ++next_ticket;
    Do(AppendRequested{.ticket = AppendTicket(next_ticket),
                       .partition = key,
                       .record_count = 1,
                       .payload = Slice(Payload("b" + std::to_string(id.value()) + "r" +
                                                std::to_string(next_ticket))),
                       .acks = acks,
                       .deadline = now + seconds(60)});
  }
}

void TestBroker::ReleaseDisk() {
  disk_held_ = false;
  disk_busy_ = true;
  while (!disk_queue_.empty() && !disk_held_) {
    const AgentAction action = std::move(disk_queue_.front());
    disk_queue_.pop_front();
    if (const std::optional<AgentEvent> result = Work(action)) {
      Do(*result);
    }
  }
  disk_busy_ = false;
}

bool TestBroker::IsDiskWork(const AgentAction& action) const {
  return std::holds_alternative<ChangeLogs>(action) ||
         std::holds_alternative<AppendToLog>(action) ||
         std::holds_alternative<TruncateLog>(action) ||
         std::holds_alternative<RestartLog>(action) || std::holds_alternative<TrimLogs>(action) ||
         std::holds_alternative<SyncLog>(action) || std::holds_alternative<ReadFromLog>(action) ||
         std::holds_alternative<FindInLog>(action);
}

LogSynced TestBroker::Sync(const SyncLog& sync) {
  ++syncs;
  const PartitionKey key = KeyOf(sync.partition);
  const Log& log = logs[key];
  return {.partition = key,
          .op = sync.op,
          .end = log.batches.empty() ? log.start : log.batches.back().next,
          .error = {}};
}

void TestBroker::ReleaseSyncs() {
  syncs_held_ = false;
  for (const LogSynced& synced : std::exchange(held_syncs_, {})) {
    Do(synced);
  }
}

void TestBroker::ReleaseOneSync() {
  const LogSynced synced = held_syncs_.front();
  held_syncs_.erase(held_syncs_.begin());
  Do(synced);
}

void TestBroker::FailSyncs() {
  for (LogSynced& synced : std::exchange(held_syncs_, {})) {
    synced.error = Error{ErrorCode::kUnavailable, "sync: Input/output error"};
    Do(synced);
  }
}

LogsTrimmed TestBroker::Trim(const TrimLogs& trim) {
  trims.push_back(trim);
  LogsTrimmed trimmed;
  for (const TrimLogs::Item& item : trim.items) {
    const PartitionKey key = KeyOf(item.partition);
    Log& log = logs[key];
    const auto old = too_old.find(key);
    const Offset below =
        old == too_old.end() ? log.start : std::min(old->second, item.high_watermark);
    log.start = std::max({log.start, item.log_start, below});
    std::erase_if(log.batches, [&](const RecordBatch& batch) { return batch.next <= log.start; });
    trimmed.items.push_back({.partition = key, .start = log.start});
  }
  return trimmed;
}

std::optional<AgentEvent> TestBroker::Work(const AgentAction& action) {
  if (const auto* change = std::get_if<ChangeLogs>(&action)) {
    LogsChanged result{.op = change->op, .failures = {}};
    for (const LogChange& each : change->changes) {
      const PartitionKey key = KeyOf(each.partition);
      changes.push_back(each);
      const auto error = change_error_.find(key);
      if (error != change_error_.end() && error->second) {
        result.failures.push_back({.partition = key, .error = *error->second});
      } else if (each.kind == LogChange::Kind::kDelete) {
        logs.erase(key);
      } else if (each.epoch_start) {
        logs[key].epoch_starts.push_back(*each.epoch_start);
      }
    }
    return result;
  }
  if (const auto* append = std::get_if<AppendToLog>(&action)) {
    const PartitionKey key = KeyOf(append->partition);
    std::vector<RecordBatch>& batches = logs[key].batches;
    batches.insert(batches.end(), append->batches.begin(), append->batches.end());
    LogAppended appended{
        .partition = key, .op = append->op, .error = {}, .append_time_ms = append_time_ms};
    if (tells_stored) {
      std::ranges::transform(append->batches, std::back_inserter(appended.stored),
                             &RecordBatch::payload);
    }
    return appended;
  }
  if (const auto* sync = std::get_if<SyncLog>(&action)) {
    LogSynced synced = Sync(*sync);
    if (!syncs_held_) {
      return synced;
    }
    held_syncs_.push_back(synced);
    return std::nullopt;
  }
  if (const auto* cut = std::get_if<TruncateLog>(&action)) {
    const PartitionKey key = KeyOf(cut->partition);
    std::vector<RecordBatch>& batches = logs[key].batches;
    std::erase_if(batches, [&](const RecordBatch& b) { return b.next > cut->to; });
    LogTruncated truncated{
        .partition = key, .op = cut->op, .end = {}, .error = {}, .producers = {}};
    if (cut->recall_producers) {
      truncated.producers = ProducersOf(batches, cut->to);
    }
    return truncated;
  }
  if (const auto* restart = std::get_if<RestartLog>(&action)) {
    const PartitionKey key = KeyOf(restart->partition);
    logs[key].batches.clear();
    logs[key].start = restart->at;
    return LogTruncated{
        .partition = key, .op = restart->op, .end = {}, .error = {}, .producers = {}};
  }
  if (const auto* trim = std::get_if<TrimLogs>(&action)) {
    return Trim(*trim);
  }
  if (const auto* find = std::get_if<FindInLog>(&action)) {
    // Records are as old as their offsets.
    const Offset offset(find->timestamp_ms);
    return OffsetFound{
        .op = find->op,
        .found = offset < find->below
                     ? OffsetAndTime{.offset = offset, .timestamp_ms = find->timestamp_ms}
                     : OffsetAndTime{}};
  }
  return Read(std::get<ReadFromLog>(action));
}

AgentEvent TestBroker::Read(const ReadFromLog& read) {
  ++reads;
  const bool containing = read.alignment == ReadFromLog::Alignment::kContaining;
  LogRead result{.partition = KeyOf(read.partition), .op = read.op};
  int64_t bytes = 0;
  for (const RecordBatch& batch : logs[result.partition].batches) {
    if (!containing && batch.base < read.from && batch.next > read.from) {
      result.batches = Error{ErrorCode::kConflict, "no batch begins there"};
      return result;
    }
    if ((containing ? batch.next > read.from : batch.base >= read.from) &&
        batch.base < read.below && (bytes == 0 || bytes + batch.bytes() <= read.max_bytes)) {
      bytes += batch.bytes();
      result.batches->push_back(batch);
    }
  }
  if (containing && slices) {
    return LogSliced{.op = read.op,
                     .slice = {.file = nullptr,
                               .position = static_cast<uint64_t>(read.from.value()),
                               .length = static_cast<uint64_t>(bytes)}};
  }
  return result;
}

}  // namespace regent::testing
