#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "broker-agent/core/epoch_history.h"
#include "broker-agent/core/events.h"
#include "broker-agent/core/file_slice.h"
#include "broker-agent/core/metadata_view.h"
#include "broker-agent/core/stream.h"
#include "common/base/out_of_line.h"
#include "common/base/result.h"
#include "common/model/control.h"
#include "common/model/topic.h"
#include "common/model/topic_settings.h"

// What a broker agent wants done. The shell carries actions out in the order given: those of one
// log strictly one after the other (actions of different logs may overlap), those of one stream in
// order.

namespace regent {

// --- Answers ---

/// Answers a control call. `response.broker_epoch` is the agent's own; a lower one than the
/// request's means "I do not know that registration yet: retry".
struct AnswerControl {
  CallId call{0};
  ControlResponse response;
};
struct AnswerAppend {
  AppendTicket ticket{0};
  /// Base offset of the batch, which a batch that is sent again has already. In no log:
  ///   kNotLeader, kInvalidArgument;
  ///   kRefused      too few replicas in sync (S32)
  ///   kConflict     a batch of its producer that comes before it is missing
  ///   kStaleEpoch   a later instance of its producer has written
  ///   kUnavailable  too much waits already: later
  /// It may become committed: kUnknownOutcome, kTimedOut.
  Result<Offset> base = Offset{0};
  /// The time that the leader has stamped on it (message.timestamp.type); −1: it has its
  /// producer's, or was there already.
  int64_t append_time_ms = -1;
};

/// Why a reader gets nothing of a partition.
enum class ReadProblem {
  kNone,
  kUnknownPartition,  ///< No replica of it is here.
  kNotLeader,
  kFencedEpoch,   ///< The reader knows an older leader epoch than this broker.
  kUnknownEpoch,  ///< The reader knows a newer one.
  kOutOfRange,    ///< Below the log's start or above its end.
  kNotAvailable,  ///< The new leader does not know yet how far its predecessor committed (KIP-207).
  kStorage,
};
const char* Name(ReadProblem problem);

struct FetchedPartition {
  ReadProblem problem = ReadProblem::kNone;
  Offset high_watermark = kNoOffset;
  Offset log_start = kNoOffset;
  std::vector<RecordBatch> batches = {};
  std::optional<FileSlice> slice = {};  ///< Where the batches lie, in place of them.
};
struct AnswerFetch {
  FetchTicket ticket{0};
  std::vector<FetchedPartition> partitions;  ///< In the order of the question.
};
struct AnswerOffset {
  OffsetTicket ticket{0};
  ReadProblem problem = ReadProblem::kNone;
  OffsetAndTime found = {};
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
};
struct AnswerEpochEnd {
  OffsetTicket ticket{0};
  ReadProblem problem = ReadProblem::kNone;
  EpochEnd end = {};  ///< Undefined: the log has no epoch that small, or the question was of none.
};
struct AnswerLeaders {
  NewsTicket ticket{0};
};

// --- Logs ---

/// What one control request asks of one replica's directory and of the journal.
struct LogChange {
  enum class Kind {
    kRecord,    ///< The log is open: only journal the epochs (and the epoch's start).
    kCreate,    ///< Make the directory and an empty log in the best log directory, then as kRecord.
    kTakeBack,  ///< Move it back from `…-stray`, then as kRecord.
    kSetAside,  ///< Close it and move it to `…-stray`; the journal keeps knowing it (R9).
    kDelete,    ///< Remove its files, stray or not; the journal forgets it.
  };
  Kind kind = Kind::kRecord;
  TopicPartition partition;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  PartitionEpoch partition_epoch = kNoPartitionEpoch;
  /// A leader's: noted in the epoch history, durably, before the broker leads (KAFKA-7415). As
  /// EpochHistory::Assign does it: an epoch that is already the latest keeps its start.
  std::optional<EpochStart> epoch_start;
  bool suspect = false;  ///< R11.

  friend bool operator==(const LogChange&, const LogChange&) = default;
};
const char* Name(LogChange::Kind kind);

/// The fallible work of one control request, as one batch with one sync; answered by one
/// LogsChanged. A change that fails leaves its replica as it was on disk and does not stop the
/// others.
struct ChangeLogs {
  OpId op{0};
  std::vector<LogChange> changes;
};
/// The logs of these replicas obey these settings from now on; nothing waits for it.
struct ConfigureLogs {
  struct Item {
    TopicPartition partition;
    std::shared_ptr<const TopicSettings> settings;  ///< Never null.
  };
  std::vector<Item> items;
};
/// Removes old records: whole segments below the high watermark, as the log's settings say, and
/// what lies below `log_start`. Answered by one LogsTrimmed once the new starts are durable; a log
/// has its turn only for some segments at once.
struct TrimLogs {
  struct Item {
    TopicPartition partition;
    Offset high_watermark{0};
    Offset log_start{0};
  };
  std::vector<Item> items;
};
/// Answered by LogAppended once the write call has returned.
struct AppendToLog {
  enum class Source {
    kProducer,  ///< The bytes are as they came: offset and epoch are still to be written into them.
    kLeader,    ///< The bytes are the leader's, and go into the log as they are.
  };
  /// What other logs' appends may do.
  enum class Turn {
    kInOrder,
    kBehindOthers,  ///< Nobody waits for these batches: a follower catches up.
    kUnhurried,     ///< Likewise, in small pieces with rests between them (Batches::unhurried).
  };
  Source source = Source::kProducer;
  TopicPartition partition;
  OpId op{0};
  std::vector<RecordBatch> batches;
  Turn turn = Turn::kInOrder;
};
/// Makes durable what the log holds by now, while appends go on. Answered by LogSynced.
struct SyncLog {
  TopicPartition partition;
  OpId op{0};
};
/// Cuts the log to end at `to`, which may be its end: then only epochs that begin there go.
/// Answered by LogTruncated once durable.
struct TruncateLog {
  TopicPartition partition;
  OpId op{0};
  Offset to{0};
  /// What is left of the log says anew which producers it knows: too little is remembered
  /// (ProducerStates::KnowsEnoughAt). A log that cannot be read for it has failed, as at the start.
  bool recall_producers = false;
};
/// Drops every record and begins anew at `at`. Answered by LogTruncated once durable.
struct RestartLog {
  TopicPartition partition;
  OpId op{0};
  Offset at{0};
};
/// Answered by LogRead, or by LogSliced.
struct ReadFromLog {
  enum class Alignment {
    kExact,  ///< The first batch begins at `from`: a follower appends it there.
    /// It contains `from`: a client skips what it has, and is content with a LogSliced.
    kContaining,
  };
  TopicPartition partition;
  OpId op{0};
  Offset from{0};
  Offset below{0};  ///< No batch that begins there or later: the LEO or the high watermark.
  int64_t max_bytes = 0;
  Alignment alignment = Alignment::kExact;
};
/// Asks for the first record below `below` that is not older than `timestamp_ms`; answered by
/// OffsetFound.
struct FindInLog {
  TopicPartition partition;
  OpId op{0};
  int64_t timestamp_ms = 0;
  Offset below{0};
};
/// Journals high watermarks and log starts; nothing waits for it.
struct RecordMarks {
  struct Mark {
    TopicPartition partition;
    Offset high_watermark{0};
    Offset log_start{0};
  };
  std::vector<Mark> marks;
};
/// Writes Kafka's checkpoint files of recovery points, log starts and high watermarks; nothing
/// waits for it.
struct WriteCheckpoints {};
/// Journals epochs that a replica learned outside of a LeaderAndIsr; nothing waits for it. Epochs
/// below those that the journal holds by then change nothing (H4).
struct RecordEpochs {
  TopicPartition partition;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  PartitionEpoch partition_epoch = kNoPartitionEpoch;
};

// --- Replication streams ---

/// Opens a stream to a leader. SendToLeader may follow at once; OutboundLost comes if it fails.
struct OpenStream {
  OutboundId stream{0};
  BrokerId leader = kNoBroker;
  Endpoint endpoint;
};
struct SendToLeader {
  OutboundId stream{0};
  FollowerMessage message;
};
/// The core has forgotten the stream: no OutboundLost is expected for it, and one does no harm.
struct CloseStream {
  OutboundId stream{0};
};
struct SendToFollower {
  InboundId stream{0};
  LeaderMessage message;
};
/// Ends a follower's stream; no InboundLost is expected for it, and one does no harm.
struct DropFollower {
  InboundId stream{0};
  Error reason;
};

// --- The controller ---

/// Calls AlterPartition at `controller`, with a deadline; answered by AlterPartitionAnswered or
/// AlterPartitionLost. At most one is worth an answer at a time: an older call may be cancelled.
struct SendAlterPartition {
  Endpoint controller;
  AlterPartitionRequest request;
};
/// Calls ControlledShutdown, with a deadline; answered by ControlledShutdownAnswered or …Lost.
struct SendControlledShutdown {
  uint64_t number = 0;
  Endpoint controller;
  ControlledShutdownRequest request;
};

// --- The rest of the process ---

/// Readers on other threads see this view from now on.
struct PublishMetadata {
  std::shared_ptr<const MetadataView> view;
};
/// The last action: close the logs (with a clean mark, if they can be), unregister, exit. Control
/// calls that still come in are answered "stopping".
struct Stopped {
  bool clean = false;          ///< The controller has moved everything that could be moved.
  std::optional<Error> error;  ///< Why not, or why the process must not go on.
};

struct AgentActionTypes {
  using Variant = std::variant<AnswerControl,
                               AnswerAppend,
                               AnswerFetch,
                               AnswerOffset,
                               AnswerEpochEnd,
                               AnswerLeaders,
                               ChangeLogs,
                               ConfigureLogs,
                               TrimLogs,
                               AppendToLog,
                               SyncLog,
                               TruncateLog,
                               RestartLog,
                               ReadFromLog,
                               FindInLog,
                               RecordMarks,
                               WriteCheckpoints,
                               RecordEpochs,
                               OpenStream,
                               SendToLeader,
                               CloseStream,
                               SendToFollower,
                               DropFollower,
                               SendAlterPartition,
                               SendControlledShutdown,
                               PublishMetadata,
                               Stopped>;
};
using AgentAction = OutOfLine<AgentActionTypes>;
extern template class OutOfLine<AgentActionTypes>;

}  // namespace regent
