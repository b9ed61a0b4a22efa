#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "broker-agent/core/file_slice.h"
#include "broker-agent/core/log_view.h"
#include "broker-agent/core/metadata_view.h"
#include "broker-agent/core/partition_key.h"
#include "broker-agent/core/producer_states.h"
#include "broker-agent/core/slice.h"
#include "broker-agent/core/stream.h"
#include "common/base/instant.h"
#include "common/base/out_of_line.h"
#include "common/base/result.h"
#include "common/model/broker.h"
#include "common/model/control.h"
#include "common/model/ids.h"

// What happened to a broker agent. Every value in here may come from the network or a disk: the
// core answers bad ones and never dies of them.

namespace regent {

/// Names a control call that waits for its AnswerControl. Numbered by the shell, never used twice.
using CallId = StrongId<struct AgentCallIdTag, uint64_t>;
/// Names a log operation; its result carries it. Numbered by the core, never used twice.
using OpId = StrongId<struct OpIdTag, uint64_t>;
/// Names an append that waits for its AnswerAppend. Numbered by the shell, never used twice.
using AppendTicket = StrongId<struct AppendTicketTag, uint64_t>;
/// Names a fetch that waits for its AnswerFetch. Numbered by the shell, never used twice.
using FetchTicket = StrongId<struct FetchTicketTag, uint64_t>;
/// Names a question about offsets or epochs. Numbered by the shell, never used twice.
using OffsetTicket = StrongId<struct OffsetTicketTag, uint64_t>;
/// Names who waits for its AnswerLeaders. Numbered by the shell, never used twice.
using NewsTicket = StrongId<struct NewsTicketTag, uint64_t>;

// --- Sessions and time ---

/// The broker's znode stands, in a session that is its own. The shell has checked that the
/// directory belongs to `cluster_id`; the core checks again (R10).
struct Registered {
  BrokerEpoch broker_epoch = kNoBrokerEpoch;  ///< czxid of the znode.
  std::string cluster_id;
  /// Since then nobody has been registered as this broker with other log directories than these
  /// (R10); nothing: that is not known.
  std::optional<Zxid> directories_since = {};
  /// The latest when the znode stood; 0: there has been none. Whoever held an earlier one has been
  /// deposed, whatever it may have read of this registration (R2).
  ControllerEpoch controller_epoch{0};
};
/// The session expired. Changes nothing but what the metrics say (R4): a new Registered follows.
struct SessionLost {};
/// ZooKeeper (or a NOT_CONTROLLER answer's hint) names the controller. An epoch below the highest
/// that was heard of is ignored; id −1 means that the office is vacant.
struct ControllerSeen {
  BrokerId id = kNoBroker;
  ControllerEpoch epoch{0};
  Endpoint endpoint;
};
/// Agent::NextDeadline() has been reached.
struct TimePassed {};
/// SIGTERM, or an operator: leave in good order.
struct StopRequested {};

// --- The controller's requests; each is answered by one AnswerControl ---

struct LeaderAndIsrReceived {
  CallId call{0};
  std::shared_ptr<const LeaderAndIsrRequest> request;  ///< Never null.
};
struct StopReplicaReceived {
  CallId call{0};
  std::shared_ptr<const StopReplicaRequest> request;  ///< Never null.
};
struct UpdateMetadataReceived {
  CallId call{0};
  UpdateMetadataRequest request;
};

// --- The controller's answers ---

struct AlterPartitionAnswered {
  uint64_t number = 0;  ///< Of the request.
  AlterPartitionResponse response;
};
/// No answer: deadline passed, connection refused or broken. The outcome is unknown (R3).
struct AlterPartitionLost {
  uint64_t number = 0;
};
struct ControlledShutdownAnswered {
  uint64_t number = 0;  ///< Of SendControlledShutdown.
  ControlledShutdownResponse response;
};
struct ControlledShutdownLost {
  uint64_t number = 0;
};

// --- Results of log actions. Those of one log come in the order of the actions ---

/// The batch of one control request is durable, but for the failures listed.
struct LogsChanged {
  struct Failure {
    PartitionKey partition;
    Error error;
  };
  OpId op{0};
  std::vector<Failure> failures;
};
struct LogAppended {
  PartitionKey partition;
  OpId op{0};
  std::optional<Error> error;
  /// What a leader's log has stamped on the batches; −1: they have their producers' times.
  int64_t append_time_ms = -1;
  /// A leader's batches as the log keeps them, stamps included: one for each that was appended.
  /// Empty: whoever wants them reads them.
  std::vector<Slice> stored = {};
};
struct LogSynced {
  PartitionKey partition;
  OpId op{0};
  Offset end{0};  ///< Below it everything is durable.
  std::optional<Error> error;
};
/// TruncateLog or RestartLog is durable.
struct LogTruncated {
  PartitionKey partition;
  OpId op{0};
  /// Where the log ends now, if that is below what was asked for: a batch is never split.
  std::optional<Offset> end;
  std::optional<Error> error;
  std::optional<ProducerStates> producers;  ///< If they were to be recalled.
};
struct LogsTrimmed {
  struct Item {
    PartitionKey partition;
    Offset start{0};
    bool more = false;  ///< There are old records left: it may be trimmed again at once.
  };
  std::vector<Item> items;
};
struct LogRead {
  PartitionKey partition;
  OpId op{0};
  /// Whole batches, aligned as asked for; at least one if there is one below the limit, even when
  /// it is larger than asked for. kConflict: none begins where one was to begin.
  Result<std::vector<RecordBatch>> batches = std::vector<RecordBatch>{};
};
/// Answers a ReadFromLog in place of LogRead: the same batches, at least one, where they lie.
struct LogSliced {
  OpId op{0};
  FileSlice slice;
};
/// A record, found by its time; −1, −1: there is none.
struct OffsetAndTime {
  Offset offset = kNoOffset;
  int64_t timestamp_ms = -1;

  friend bool operator==(const OffsetAndTime&, const OffsetAndTime&) = default;
};
struct OffsetFound {
  OpId op{0};
  Result<OffsetAndTime> found = OffsetAndTime{};
};
/// The log cannot be used any more (its directory failed).
struct LogFailed {
  PartitionKey partition;
  Error error;
};

// --- Replication streams ---

/// A message on a stream that this broker opened.
struct LeaderMessageReceived {
  OutboundId stream{0};
  LeaderMessage message;
};
/// A stream that this broker opened could not be opened, or ended, for whatever reason.
struct OutboundLost {
  OutboundId stream{0};
};
/// A message on a stream that a follower opened. The first one of a stream carries the Hello.
struct FollowerMessageReceived {
  InboundId stream{0};
  FollowerMessage message;
};
struct InboundLost {
  InboundId stream{0};
};

// --- Records of producers ---

enum class Acks { kLeader, kAll };

/// Somebody wants a batch appended at the leader; answered by one AnswerAppend.
struct AppendRequested {
  AppendTicket ticket{0};
  PartitionKey partition;
  int32_t record_count = 0;
  /// The batch as it came: the store writes its offset and epoch into the head.
  Slice payload;
  ProducerMark producer = {};
  Acks acks = Acks::kAll;
  Instant deadline = Instant::Max();
};

// --- Readers ---

/// Somebody wants records below the high watermark; answered by one AnswerFetch, with what there is
/// once `min_bytes` can be read, a partition has a problem, or the deadline has come.
struct FetchRequested {
  struct Partition {
    PartitionKey partition;
    LeaderEpoch leader_epoch = kNoLeaderEpoch;  ///< As the reader knows it; −1: not compared.
    Offset from{0};
    int64_t max_bytes = 0;
  };
  FetchTicket ticket{0};
  std::vector<Partition> partitions;
  int64_t min_bytes = 0;
  int64_t max_bytes = 0;
  Instant deadline = Instant::Max();
};
/// The reader has enough from elsewhere: what there is goes out now.
struct FetchHurried {
  FetchTicket ticket{0};
};
/// The reader has gone: no answer is wanted.
struct FetchAbandoned {
  FetchTicket ticket{0};
};
/// Somebody asks for an offset; answered by one AnswerOffset.
struct OffsetRequested {
  struct Earliest {};
  struct Latest {};  ///< The high watermark.
  struct AtTime {
    int64_t timestamp_ms = 0;  ///< The first record that is not older.
  };
  OffsetTicket ticket{0};
  PartitionKey partition;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;  ///< As the reader knows it; −1: not compared.
  std::variant<Earliest, Latest, AtTime> which;
};
/// Somebody asks where an epoch ends in the leader's log; answered by one AnswerEpochEnd.
struct EpochEndRequested {
  OffsetTicket ticket{0};
  PartitionKey partition;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;  ///< As the reader knows it; −1: not compared.
  LeaderEpoch epoch = kNoLeaderEpoch;
};
/// Somebody is about to tell who leads these topics; answered by one AnswerLeaders, once the
/// metadata name every leader that this broker has been told of, or have not for too long.
struct LeadersAwaited {
  NewsTicket ticket{0};
  TopicNames topics;
};

struct AgentEventTypes {
  using Variant = std::variant<Registered,
                               SessionLost,
                               ControllerSeen,
                               TimePassed,
                               StopRequested,
                               LeaderAndIsrReceived,
                               StopReplicaReceived,
                               UpdateMetadataReceived,
                               AlterPartitionAnswered,
                               AlterPartitionLost,
                               ControlledShutdownAnswered,
                               ControlledShutdownLost,
                               LogsChanged,
                               LogAppended,
                               LogSynced,
                               LogTruncated,
                               LogsTrimmed,
                               LogRead,
                               LogSliced,
                               OffsetFound,
                               LogFailed,
                               LeaderMessageReceived,
                               OutboundLost,
                               FollowerMessageReceived,
                               InboundLost,
                               AppendRequested,
                               FetchRequested,
                               FetchHurried,
                               FetchAbandoned,
                               OffsetRequested,
                               EpochEndRequested,
                               LeadersAwaited>;
};
using AgentEvent = OutOfLine<AgentEventTypes>;
extern template class OutOfLine<AgentEventTypes>;

}  // namespace regent
