#include "broker-agent/io/stream_convert.h"

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include "broker-agent/log/batch_check.h"
#include "broker-agent/log/record_batch_view.h"
#include "broker-agent/log/replica_logs.h"
#include "common/base/overloaded.h"

namespace regent {
namespace {

/// A message is closed once it is larger: with one read of the leader's on top it stays well below
/// the limit of a gRPC message.
constexpr size_t kMessageBytes = size_t{4} << 20U;
constexpr int kMessageItems = 10'000;
/// A smaller batch is copied: that costs less than a share in it.
constexpr size_t kSharedFrom = 1024;

// --- To protobuf ---------------------------------------------------------------------------------

void Fill(const PartitionKey& key, v1::PartitionKey* out) {
  out->set_topic_id(key.topic.ToBytes());
  out->set_index(key.index);
}

void Fill(const Hello& hello, v1::Hello* out) {
  out->set_broker_id(hello.broker.value());
  out->set_broker_epoch(hello.broker_epoch.value());
  out->set_life(hello.life.ToBytes());
  out->set_leader_id(hello.leader.value());
  out->set_cluster_id(hello.cluster_id);
}

void Fill(const Subscribe& subscribe, v1::Subscribe* out) {
  Fill(subscribe.partition, out->mutable_partition());
  out->set_broker_epoch(subscribe.broker_epoch.value());
  out->set_leader_epoch(subscribe.leader_epoch.value());
  out->set_log_start(subscribe.log_start.value());
  out->set_log_end(subscribe.log_end.value());
  out->set_last_epoch(subscribe.last_epoch.value());
  out->set_attempt(subscribe.attempt.value());
}

void Fill(const Truncate& truncate, v1::Truncate* out) {
  Fill(truncate.partition, out->mutable_partition());
  out->set_attempt(truncate.attempt.value());
  out->set_leader_epoch(truncate.leader_epoch.value());
  out->set_end_epoch(truncate.end.epoch.value());
  out->set_end_offset(truncate.end.end.value());
}

/// Everything but the records.
void Fill(const Batches& batches, v1::Batches* out) {
  Fill(batches.partition, out->mutable_partition());
  out->set_attempt(batches.attempt.value());
  out->set_leader_epoch(batches.leader_epoch.value());
  out->set_base_offset(batches.base_offset.value());
  out->set_next_offset(batches.next_offset.value());
  for (const RecordBatch& batch : batches.batches) {
    v1::BatchHead* const head = out->add_heads();
    head->set_base(batch.base.value());
    head->set_next(batch.next.value());
    head->set_epoch(batch.epoch.value());
    head->set_bytes(static_cast<uint32_t>(batch.bytes()));
  }
  out->set_high_watermark(batches.high_watermark.value());
  out->set_log_start(batches.log_start.value());
  out->set_leader_end(batches.leader_end.value());
}

v1::RefusedReason ToProto(RefusedReason reason) {
  switch (reason) {
    case RefusedReason::kUnknown: return v1::REFUSED_UNKNOWN;
    case RefusedReason::kOtherTopicId: return v1::REFUSED_OTHER_TOPIC_ID;
    case RefusedReason::kNotLeader: return v1::REFUSED_NOT_LEADER;
    case RefusedReason::kFenced: return v1::REFUSED_FENCED;
    case RefusedReason::kNotReplica: return v1::REFUSED_NOT_REPLICA;
    case RefusedReason::kBrokerEpoch: return v1::REFUSED_BROKER_EPOCH;
    case RefusedReason::kStorage: return v1::REFUSED_STORAGE;
  }
  return v1::REFUSED_UNKNOWN;
}

void Fill(const Refused& refused, v1::Refused* out) {
  Fill(refused.partition, out->mutable_partition());
  out->set_attempt(refused.attempt.value());
  out->set_reason(ToProto(refused.reason));
  out->set_leader_epoch(refused.leader_epoch.value());
}

/// What stands in front of a field that has a length.
std::string FieldHead(int field, size_t length) {
  using google::protobuf::internal::WireFormatLite;
  using google::protobuf::io::CodedOutputStream;
  std::array<uint8_t, 10> bytes = {};
  uint8_t* end = CodedOutputStream::WriteVarint32ToArray(
      WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_LENGTH_DELIMITED), bytes.data());
  end = CodedOutputStream::WriteVarint32ToArray(static_cast<uint32_t>(length), end);
  return {bytes.data(), end};
}

/// Adds v1::LeaderMessage.batches. Fields of protobuf have no order: the records come last.
void Append(const Batches& batches, kafka::Pieces& out) {
  v1::Batches marks;
  Fill(batches, &marks);
  const std::string head = marks.SerializeAsString();
  const auto records = static_cast<size_t>(BytesOf(batches.batches));
  const std::string data_head =
      records == 0 ? std::string() : FieldHead(v1::Batches::kDataFieldNumber, records);
  out.Append(
      FieldHead(v1::LeaderMessage::kBatchesFieldNumber, head.size() + data_head.size() + records));
  out.Append(head);
  out.Append(data_head);
  for (const RecordBatch& batch : batches.batches) {
    if (batch.payload.size() < kSharedFrom) {
      out.Append(batch.payload.bytes());
    } else {
      out.Append(batch.payload);
    }
  }
}

/// Adds fields of v1::LeaderMessage; messages that follow one another are one.
void Append(const v1::LeaderMessage& message, kafka::Pieces& out) {
  out.Append(message.SerializeAsString());
}

// --- From protobuf -------------------------------------------------------------------------------

/// The first complaint about a message; later ones do not matter.
class Complaint {
 public:
  void Require(bool holds, const std::string& field, const std::string& rule) {
    if (!holds && !error_) {
      error_ = Error{ErrorCode::kInvalidArgument, field + " " + rule};
    }
  }
  void NotNegative(int64_t value, const std::string& field) {
    Require(value >= 0, field, "is " + std::to_string(value) + ", which is negative");
  }
  /// An epoch or an offset that may be −1, "none".
  void AtLeastNone(int64_t value, const std::string& field) {
    Require(value >= -1, field, "is " + std::to_string(value) + ", which is below -1");
  }
  Uuid Id(const std::string& bytes, const std::string& field) {
    const std::optional<Uuid> id = Uuid::FromBytes(bytes);
    Require(id.has_value() && !id->is_zero(), field, "is not an id of 16 bytes");
    return id.value_or(Uuid());
  }
  PartitionKey Key(const v1::PartitionKey& key, const std::string& field) {
    NotNegative(key.index(), field + ".partition.index");
    return {.topic = Id(key.topic_id(), field + ".partition.topic_id"), .index = key.index()};
  }
  const std::optional<Error>& error() const { return error_; }

 private:
  std::optional<Error> error_;
};

Hello Take(const v1::Hello& hello, Complaint& complaint) {
  complaint.NotNegative(hello.broker_id(), "hello.broker_id");
  complaint.NotNegative(hello.leader_id(), "hello.leader_id");
  complaint.AtLeastNone(hello.broker_epoch(), "hello.broker_epoch");
  return {.broker = BrokerId(hello.broker_id()),
          .broker_epoch = BrokerEpoch(hello.broker_epoch()),
          .life = complaint.Id(hello.life(), "hello.life"),
          .leader = BrokerId(hello.leader_id()),
          .cluster_id = hello.cluster_id()};
}

Subscribe Take(const v1::Subscribe& subscribe, Complaint& complaint) {
  complaint.AtLeastNone(subscribe.broker_epoch(), "subscribe.broker_epoch");
  complaint.AtLeastNone(subscribe.leader_epoch(), "subscribe.leader_epoch");
  complaint.NotNegative(subscribe.log_start(), "subscribe.log_start");
  complaint.Require(subscribe.log_end() >= subscribe.log_start(), "subscribe.log_end",
                    "is below subscribe.log_start");
  complaint.AtLeastNone(subscribe.last_epoch(), "subscribe.last_epoch");
  return {.partition = complaint.Key(subscribe.partition(), "subscribe"),
          .broker_epoch = BrokerEpoch(subscribe.broker_epoch()),
          .leader_epoch = LeaderEpoch(subscribe.leader_epoch()),
          .log_start = Offset(subscribe.log_start()),
          .log_end = Offset(subscribe.log_end()),
          .last_epoch = LeaderEpoch(subscribe.last_epoch()),
          .attempt = Attempt(subscribe.attempt())};
}

Ack Take(const v1::Ack& ack, Complaint& complaint) {
  complaint.NotNegative(ack.log_start(), "acks.log_start");
  complaint.Require(ack.log_end() >= ack.log_start(), "acks.log_end", "is below acks.log_start");
  return {.partition = complaint.Key(ack.partition(), "acks"),
          .attempt = Attempt(ack.attempt()),
          .log_end = Offset(ack.log_end()),
          .log_start = Offset(ack.log_start())};
}

Truncate Take(const v1::Truncate& truncate, Complaint& complaint) {
  complaint.AtLeastNone(truncate.leader_epoch(), "truncate.leader_epoch");
  complaint.AtLeastNone(truncate.end_epoch(), "truncate.end_epoch");
  complaint.AtLeastNone(truncate.end_offset(), "truncate.end_offset");
  return {
      .partition = complaint.Key(truncate.partition(), "truncate"),
      .attempt = Attempt(truncate.attempt()),
      .leader_epoch = LeaderEpoch(truncate.leader_epoch()),
      .end = {.epoch = LeaderEpoch(truncate.end_epoch()), .end = Offset(truncate.end_offset())}};
}

/// Checks that a batch's bytes are whole and what its head says, and takes from them what it does
/// not (KAFKA-18723).
void TakeBytes(RecordBatch& batch, Complaint& complaint) {
  const std::string_view bytes = batch.payload.bytes();
  if (const auto fault = storage::ReplicatedFault(bytes)) {
    complaint.Require(false, "batches.data", "is no record batch: " + fault->message);
    return;
  }
  const storage::BatchHeader header = storage::DecodeBatchHeader(bytes);
  complaint.Require(header.bytes() == bytes.size() && header.base == batch.base &&
                        header.next() == batch.next && header.epoch == batch.epoch,
                    "batches.data", "is not what its heads say");
  batch.producer = storage::MarkOf(header);
}

std::vector<RecordBatch> TakeRecords(v1::Batches& batches, Complaint& complaint) {
  const Slice data(std::move(*batches.mutable_data()));
  std::vector<RecordBatch> records;
  uint64_t at = 0;
  for (const v1::BatchHead& head : batches.heads()) {
    complaint.NotNegative(head.base(), "batches.heads.base");
    complaint.Require(head.next() > head.base(), "batches.heads.next", "is not above base");
    complaint.NotNegative(head.epoch(), "batches.heads.epoch");
    complaint.Require(at + head.bytes() <= data.size(), "batches.heads.bytes",
                      "go beyond batches.data");
    if (complaint.error()) {
      return {};
    }
    RecordBatch batch;
    batch.base = Offset(head.base());
    batch.next = Offset(head.next());
    batch.epoch = LeaderEpoch(head.epoch());
    batch.payload = data.Part(at, head.bytes());
    at += head.bytes();
    TakeBytes(batch, complaint);
    records.push_back(std::move(batch));
  }
  complaint.Require(at == data.size(), "batches.data", "is longer than its heads say");
  return records;
}

Batches Take(v1::Batches& batches, Complaint& complaint) {
  complaint.AtLeastNone(batches.leader_epoch(), "batches.leader_epoch");
  complaint.NotNegative(batches.base_offset(), "batches.base_offset");
  complaint.Require(batches.next_offset() >= batches.base_offset(), "batches.next_offset",
                    "is below batches.base_offset");
  complaint.NotNegative(batches.high_watermark(), "batches.high_watermark");
  complaint.NotNegative(batches.log_start(), "batches.log_start");
  complaint.NotNegative(batches.leader_end(), "batches.leader_end");
  return {.partition = complaint.Key(batches.partition(), "batches"),
          .attempt = Attempt(batches.attempt()),
          .leader_epoch = LeaderEpoch(batches.leader_epoch()),
          .base_offset = Offset(batches.base_offset()),
          .next_offset = Offset(batches.next_offset()),
          .batches = TakeRecords(batches, complaint),
          .high_watermark = Offset(batches.high_watermark()),
          .log_start = Offset(batches.log_start()),
          .leader_end = Offset(batches.leader_end())};
}

/// A reason that this version does not know is "unknown".
RefusedReason TakeReason(v1::RefusedReason reason) {
  switch (reason) {
    case v1::REFUSED_OTHER_TOPIC_ID: return RefusedReason::kOtherTopicId;
    case v1::REFUSED_NOT_LEADER: return RefusedReason::kNotLeader;
    case v1::REFUSED_FENCED: return RefusedReason::kFenced;
    case v1::REFUSED_NOT_REPLICA: return RefusedReason::kNotReplica;
    case v1::REFUSED_BROKER_EPOCH: return RefusedReason::kBrokerEpoch;
    case v1::REFUSED_STORAGE: return RefusedReason::kStorage;
    default: return RefusedReason::kUnknown;
  }
}

Refused Take(const v1::Refused& refused, Complaint& complaint) {
  complaint.AtLeastNone(refused.leader_epoch(), "refused.leader_epoch");
  return {.partition = complaint.Key(refused.partition(), "refused"),
          .attempt = Attempt(refused.attempt()),
          .reason = TakeReason(refused.reason()),
          .leader_epoch = LeaderEpoch(refused.leader_epoch())};
}

}  // namespace

v1::FollowerMessage ToProto(const FollowerMessage& message) {
  v1::FollowerMessage out;
  if (message.hello) {
    Fill(*message.hello, out.mutable_hello());
  }
  for (const Subscribe& subscribe : message.subscribe) {
    Fill(subscribe, out.add_subscribe());
  }
  for (const Unsubscribe& unsubscribe : message.unsubscribe) {
    v1::Unsubscribe* const added = out.add_unsubscribe();
    Fill(unsubscribe.partition, added->mutable_partition());
    added->set_attempt(unsubscribe.attempt.value());
  }
  for (const Ack& ack : message.acks) {
    v1::Ack* const added = out.add_acks();
    Fill(ack.partition, added->mutable_partition());
    added->set_attempt(ack.attempt.value());
    added->set_log_end(ack.log_end.value());
    added->set_log_start(ack.log_start.value());
  }
  out.set_credit_bytes(message.credit_bytes);
  return out;
}

std::vector<kafka::Pieces> Encode(const LeaderMessage& message) {
  std::vector<kafka::Pieces> out;
  int items = 0;
  for (const LeaderItem& item : message.items) {
    if (out.empty() || out.back().size() >= kMessageBytes || items >= kMessageItems) {
      out.emplace_back();
      items = 0;
    }
    kafka::Pieces& last = out.back();
    ++items;
    v1::LeaderMessage other;
    std::visit(Overloaded{
                   [&](const Truncate& truncate) { Fill(truncate, other.add_truncate()); },
                   [&](const Batches& batches) { Append(batches, last); },
                   [&](const Refused& refused) { Fill(refused, other.add_refused()); },
               },
               item);
    Append(other, last);
  }
  return out;
}

Result<FollowerMessage> FromProto(const v1::FollowerMessage& message) {
  Complaint complaint;
  FollowerMessage out;
  if (message.has_hello()) {
    out.hello = Take(message.hello(), complaint);
  }
  for (const v1::Subscribe& subscribe : message.subscribe()) {
    out.subscribe.push_back(Take(subscribe, complaint));
  }
  for (const v1::Unsubscribe& unsubscribe : message.unsubscribe()) {
    out.unsubscribe.push_back({.partition = complaint.Key(unsubscribe.partition(), "unsubscribe"),
                               .attempt = Attempt(unsubscribe.attempt())});
  }
  for (const v1::Ack& ack : message.acks()) {
    out.acks.push_back(Take(ack, complaint));
  }
  out.credit_bytes = message.credit_bytes();
  if (complaint.error()) {
    return *complaint.error();
  }
  return out;
}

Result<LeaderMessage> FromProto(v1::LeaderMessage message) {
  Complaint complaint;
  LeaderMessage out;
  for (const v1::Truncate& truncate : message.truncate()) {
    out.items.emplace_back(Take(truncate, complaint));
  }
  for (v1::Batches& batches : *message.mutable_batches()) {
    out.items.emplace_back(Take(batches, complaint));
  }
  for (const v1::Refused& refused : message.refused()) {
    out.items.emplace_back(Take(refused, complaint));
  }
  if (complaint.error()) {
    return *complaint.error();
  }
  return out;
}

}  // namespace regent
