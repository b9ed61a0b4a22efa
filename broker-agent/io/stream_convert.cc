#include "broker-agent/io/stream_convert.h"

#include <climits>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "regent/v1/replication.pb.h"

#include "broker-agent/log/batch_check.h"
#include "broker-agent/log/big_endian.h"
#include "broker-agent/log/record_batch_view.h"
#include "broker-agent/log/replica_logs.h"
#include "common/base/overloaded.h"

namespace regent {
namespace {

/// A frame is closed once it has that much: small messages do not wait long behind one, and with
/// one read of the leader's on top it stays well below the limit of a frame.
constexpr size_t kFrameBytes = size_t{256} << 10U;
constexpr int kFrameItems = 10'000;
constexpr size_t kHeadLengthBytes = 4;
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
  out->set_unhurried(batches.unhurried);
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

std::string FourBytes(size_t value) {
  std::string bytes;
  storage::AppendBigEndian(bytes, static_cast<uint32_t>(value));
  return bytes;
}

/// A frame of a leader in the making.
class LeaderFrame {
 public:
  bool empty() const { return items_ == 0; }
  bool full() const { return bytes_ >= kFrameBytes || items_ >= kFrameItems; }

  void Add(const LeaderItem& item) {
    ++items_;
    std::visit(Overloaded{
                   [this](const Truncate& truncate) { Fill(truncate, head_.add_truncate()); },
                   [this](const Batches& batches) {
                     Fill(batches, head_.add_batches());
                     bytes_ += static_cast<size_t>(BytesOf(batches.batches));
                     records_.push_back(&batches.batches);
                   },
                   [this](const Refused& refused) { Fill(refused, head_.add_refused()); },
               },
               item);
  }

  kafka::Pieces Finish() const {
    const std::string head = head_.SerializeAsString();
    kafka::Pieces frame;
    frame.Append(FourBytes(kHeadLengthBytes + head.size() + bytes_));
    frame.Append(FourBytes(head.size()));
    frame.Append(head);
    for (const std::vector<RecordBatch>* const batches : records_) {
      for (const RecordBatch& batch : *batches) {
        if (batch.payload.size() < kSharedFrom) {
          frame.Append(batch.payload.bytes());
        } else {
          frame.Append(batch.payload);
        }
      }
    }
    return frame;
  }

 private:
  v1::LeaderMessage head_;
  std::vector<const std::vector<RecordBatch>*> records_;  ///< The caller's.
  size_t bytes_ = 0;                                      ///< Of the records.
  int items_ = 0;
};

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
    complaint.Require(false, "batches.records", "are no record batch: " + fault->message);
    return;
  }
  const storage::BatchHeader header = storage::DecodeBatchHeader(bytes);
  complaint.Require(header.bytes() == bytes.size() && header.base == batch.base &&
                        header.next() == batch.next && header.epoch == batch.epoch,
                    "batches.records", "are not what their heads say");
  batch.producer = storage::MarkOf(header);
}

/// The records that lie behind a frame's head, given out in the order of the heads.
class Records {
 public:
  explicit Records(Slice all) : all_(std::move(all)) {}

  std::vector<RecordBatch> Take(const v1::Batches& batches, Complaint& complaint) {
    std::vector<RecordBatch> records;
    records.reserve(static_cast<size_t>(batches.heads_size()));
    for (const v1::BatchHead& head : batches.heads()) {
      complaint.NotNegative(head.base(), "batches.heads.base");
      complaint.Require(head.next() > head.base(), "batches.heads.next", "is not above base");
      complaint.NotNegative(head.epoch(), "batches.heads.epoch");
      complaint.Require(head.bytes() > 0, "batches.heads.bytes", "are none");
      complaint.Require(head.bytes() <= all_.size() - taken_, "batches.heads.bytes",
                        "go beyond the records");
      if (complaint.error()) {
        return {};
      }
      RecordBatch batch;
      batch.base = Offset(head.base());
      batch.next = Offset(head.next());
      batch.epoch = LeaderEpoch(head.epoch());
      batch.payload = all_.Part(taken_, head.bytes());
      taken_ += head.bytes();
      TakeBytes(batch, complaint);
      records.push_back(std::move(batch));
    }
    return records;
  }
  bool all_taken() const { return taken_ == all_.size(); }

 private:
  const Slice all_;
  size_t taken_ = 0;
};

Batches Take(const v1::Batches& batches, Records& records, Complaint& complaint) {
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
          .batches = records.Take(batches, complaint),
          .high_watermark = Offset(batches.high_watermark()),
          .log_start = Offset(batches.log_start()),
          .leader_end = Offset(batches.leader_end()),
          .unhurried = batches.unhurried()};
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

Result<LeaderMessage> FromProto(const v1::LeaderMessage& message, const Slice& behind) {
  Complaint complaint;
  Records records(behind);
  LeaderMessage out;
  for (const v1::Truncate& truncate : message.truncate()) {
    out.items.emplace_back(Take(truncate, complaint));
  }
  for (const v1::Batches& batches : message.batches()) {
    out.items.emplace_back(Take(batches, records, complaint));
  }
  for (const v1::Refused& refused : message.refused()) {
    out.items.emplace_back(Take(refused, complaint));
  }
  complaint.Require(records.all_taken(), "batches.heads.bytes", "are fewer than the records have");
  if (complaint.error()) {
    return *complaint.error();
  }
  return out;
}

/// protobuf counts bytes in an int.
template <class Message>
bool Parse(std::string_view bytes, Message& message) {
  return bytes.size() <= INT_MAX &&
         message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

}  // namespace

kafka::Pieces Encode(const FollowerMessage& message) {
  const std::string bytes = ToProto(message).SerializeAsString();
  kafka::Pieces frame;
  frame.Append(FourBytes(bytes.size()));
  frame.Append(bytes);
  return frame;
}

LeaderFrames Encode(const LeaderMessage& message) {
  LeaderFrames frames;
  LeaderFrame hurried;
  LeaderFrame unhurried;
  const auto finish = [](LeaderFrame& frame, std::vector<kafka::Pieces>& out) {
    if (!frame.empty()) {
      out.push_back(std::exchange(frame, {}).Finish());
    }
  };
  for (const LeaderItem& item : message.items) {
    const bool waits = IsUnhurried(item);
    LeaderFrame& frame = waits ? unhurried : hurried;
    if (frame.full()) {
      finish(frame, waits ? frames.unhurried : frames.hurried);
    }
    frame.Add(item);
  }
  finish(hurried, frames.hurried);
  finish(unhurried, frames.unhurried);
  return frames;
}

Result<FollowerMessage> DecodeFollowerMessage(const Slice& frame) {
  v1::FollowerMessage message;
  if (!Parse(frame.bytes(), message)) {
    return Error{ErrorCode::kInvalidArgument, "no message of a follower"};
  }
  return FromProto(message);
}

Result<LeaderMessage> DecodeLeaderMessage(const Slice& frame) {
  if (frame.size() < kHeadLengthBytes) {
    return Error{ErrorCode::kInvalidArgument, "no message of a leader: it has no head"};
  }
  const size_t rest = frame.size() - kHeadLengthBytes;
  const auto head = storage::LoadBigEndian<uint32_t>(frame.bytes(), 0);
  v1::LeaderMessage message;
  if (head > rest || !Parse(frame.bytes().substr(kHeadLengthBytes, head), message)) {
    return Error{ErrorCode::kInvalidArgument, "no message of a leader"};
  }
  return FromProto(message, frame.Part(kHeadLengthBytes + head, rest - head));
}

}  // namespace regent
