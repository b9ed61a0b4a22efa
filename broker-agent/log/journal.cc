#include "broker-agent/log/journal.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <glog/logging.h>

#include "broker-agent/log/bytes.h"
#include "broker-agent/log/crc32c.h"
#include "common/base/overloaded.h"

namespace regent::storage {
namespace {

constexpr std::string_view kMagic = "REGENTJ1";
constexpr size_t kFrameHeadBytes = 8;
constexpr uint32_t kBodyBytesMax = 4096;
constexpr uint64_t kJournalBytesMax = uint64_t{1} << 31U;
/// The file is written anew when it has grown to twice what it was, and by at least this.
constexpr uint64_t kCompactionSlackBytes = uint64_t{1} << 20U;

enum class Kind : uint8_t {
  kReplica = 1,
  kEpochStart = 2,
  kCutEpochs = 3,
  kMarks = 4,
  kForget = 5,
  kRecoveryPoint = 6,
};

void PutKey(ByteWriter& out, Kind kind, const ReplicaKey& key) {
  out.Put(static_cast<uint8_t>(kind));
  out.PutRaw(key.topic.ToBytes());
  out.Put(key.index);
}

std::string Body(const JournalRecord& record) {
  ByteWriter out;
  std::visit(Overloaded{
                 [&](const NoteReplica& note) {
                   PutKey(out, Kind::kReplica, KeyOf(note.partition));
                   out.Put(note.leader_epoch.value());
                   out.Put(note.partition_epoch.value());
                   out.Put(static_cast<uint8_t>(note.suspect ? 1 : 0));
                   out.PutText(note.partition.topic->name);
                 },
                 [&](const NoteEpochStart& note) {
                   PutKey(out, Kind::kEpochStart, note.replica);
                   out.Put(note.mark.epoch.value());
                   out.Put(note.mark.start.value());
                 },
                 [&](const CutEpochs& cut) {
                   PutKey(out, Kind::kCutEpochs, cut.replica);
                   out.Put(cut.end.value());
                 },
                 [&](const NoteMarks& marks) {
                   PutKey(out, Kind::kMarks, marks.replica);
                   out.Put(marks.high_watermark.value());
                   out.Put(marks.log_start.value());
                 },
                 [&](const NoteRecoveryPoint& note) {
                   PutKey(out, Kind::kRecoveryPoint, note.replica);
                   out.Put(note.recovery_point.value());
                 },
                 [&](const ForgetReplica& forget) { PutKey(out, Kind::kForget, forget.replica); },
             },
             record);
  return out.bytes();
}

void PutFrame(ByteWriter& out, const JournalRecord& record) {
  const std::string body = Body(record);
  CHECK_LE(body.size(), kBodyBytesMax);
  out.Put(static_cast<uint32_t>(body.size()));
  out.Put(Crc32c(body));
  out.PutRaw(body);
}

/// Takes a frame's body off the front of `rest`; nothing if what stands there is no frame.
std::optional<std::string_view> TakeFrame(std::string_view& rest) {
  ByteReader in(rest);
  const auto length = in.Get<uint32_t>();
  const auto crc = in.Get<uint32_t>();
  if (!in.ok() || length == 0 || length > kBodyBytesMax) {
    return std::nullopt;
  }
  const std::string_view body = in.GetRaw(length);
  if (!in.ok() || Crc32c(body) != crc) {
    return std::nullopt;
  }
  rest.remove_prefix(kFrameHeadBytes + length);
  return body;
}

JournalRecord ParseFields(Kind kind, const ReplicaKey& key, ByteReader& in) {
  switch (kind) {
    case Kind::kReplica: {
      NoteReplica note;
      note.leader_epoch = LeaderEpoch(in.Get<int32_t>());
      note.partition_epoch = PartitionEpoch(in.Get<int32_t>());
      note.suspect = in.Get<uint8_t>() != 0;
      note.partition.topic = std::make_shared<const TopicIdentity>(
          TopicIdentity{.name = std::string(in.GetText()), .id = key.topic});
      note.partition.index = key.index;
      return note;
    }
    case Kind::kEpochStart: {
      NoteEpochStart note;
      note.replica = key;
      note.mark.epoch = LeaderEpoch(in.Get<int32_t>());
      note.mark.start = Offset(in.Get<int64_t>());
      return note;
    }
    case Kind::kCutEpochs: return CutEpochs{.replica = key, .end = Offset(in.Get<int64_t>())};
    case Kind::kMarks: {
      NoteMarks marks;
      marks.replica = key;
      marks.high_watermark = Offset(in.Get<int64_t>());
      marks.log_start = Offset(in.Get<int64_t>());
      return marks;
    }
    case Kind::kRecoveryPoint:
      return NoteRecoveryPoint{.replica = key, .recovery_point = Offset(in.Get<int64_t>())};
    case Kind::kForget: break;
  }
  return ForgetReplica{.replica = key};
}

std::optional<JournalRecord> ParseBody(std::string_view body) {
  ByteReader in(body);
  const auto kind = in.Get<uint8_t>();
  const std::optional<TopicId> topic = TopicId::FromBytes(in.GetRaw(16));
  const auto index = in.Get<int32_t>();
  if (!topic || kind < static_cast<uint8_t>(Kind::kReplica) ||
      kind > static_cast<uint8_t>(Kind::kRecoveryPoint)) {
    return std::nullopt;
  }
  JournalRecord record =
      ParseFields(static_cast<Kind>(kind), {.topic = *topic, .index = index}, in);
  if (!in.ok() || !in.at_end()) {
    return std::nullopt;
  }
  return record;
}

void Apply(const JournalRecord& record, std::map<ReplicaKey, JournalEntry>& entries) {
  const auto with = [&](const ReplicaKey& key, auto&& change) {
    if (const auto entry = entries.find(key); entry != entries.end()) {
      change(entry->second);
    }
  };
  std::visit(Overloaded{
                 [&](const NoteReplica& note) {
                   JournalEntry& entry = entries[KeyOf(note.partition)];
                   entry.partition = note.partition;
                   entry.leader_epoch = note.leader_epoch;
                   entry.partition_epoch = note.partition_epoch;
                   entry.suspect = note.suspect;
                 },
                 [&](const NoteEpochStart& note) {
                   with(note.replica, [&](JournalEntry& entry) {
                     if (!entry.epochs.empty() && entry.epochs.back().epoch == note.mark.epoch) {
                       return;
                     }
                     std::erase_if(entry.epochs, [&](const EpochMark& mark) {
                       return mark.epoch >= note.mark.epoch || mark.start >= note.mark.start;
                     });
                     entry.epochs.push_back(note.mark);
                   });
                 },
                 [&](const CutEpochs& cut) {
                   with(cut.replica, [&](JournalEntry& entry) {
                     std::erase_if(entry.epochs,
                                   [&](const EpochMark& mark) { return mark.start >= cut.end; });
                   });
                 },
                 [&](const NoteMarks& marks) {
                   with(marks.replica, [&](JournalEntry& entry) {
                     entry.high_watermark = marks.high_watermark;
                     entry.log_start = marks.log_start;
                   });
                 },
                 [&](const NoteRecoveryPoint& note) {
                   with(note.replica,
                        [&](JournalEntry& entry) { entry.recovery_point = note.recovery_point; });
                 },
                 [&](const ForgetReplica& forget) { entries.erase(forget.replica); },
             },
             record);
}

std::string Snapshot(const std::map<ReplicaKey, JournalEntry>& entries) {
  ByteWriter out;
  out.PutRaw(kMagic);
  for (const auto& [key, entry] : entries) {
    PutFrame(out, NoteReplica{.partition = entry.partition,
                              .leader_epoch = entry.leader_epoch,
                              .partition_epoch = entry.partition_epoch,
                              .suspect = entry.suspect});
    PutFrame(out, NoteMarks{.replica = key,
                            .high_watermark = entry.high_watermark,
                            .log_start = entry.log_start});
    if (entry.recovery_point > Offset(0)) {
      PutFrame(out, NoteRecoveryPoint{.replica = key, .recovery_point = entry.recovery_point});
    }
    for (const EpochMark& mark : entry.epochs) {
      PutFrame(out, NoteEpochStart{.replica = key, .mark = mark});
    }
  }
  return out.bytes();
}

/// Whether a good frame begins anywhere in `bytes`.
bool HoldsFrame(std::string_view bytes) {
  while (bytes.size() > kFrameHeadBytes) {
    std::string_view rest = bytes;
    if (const auto body = TakeFrame(rest); body && ParseBody(*body)) {
      return true;
    }
    bytes.remove_prefix(1);
  }
  return false;
}

}  // namespace

Result<std::unique_ptr<Journal>> Journal::Open(FileSystem& files, const std::string& path) {
  std::unique_ptr<Journal> journal(new Journal(files, path));
  const Result<bool> exists = files.Exists(path);
  if (!exists.ok()) {
    return exists.error();
  }
  Status ready = Success{};
  if (*exists) {
    const Result<std::string> content = files.Read(path, kJournalBytesMax);
    if (!content.ok()) {
      return content.error();
    }
    ready = journal->Load(*content);
  } else {
    ready = journal->Rewrite({});
  }
  if (!ready.ok()) {
    return ready.error();
  }
  return journal;
}

Status Journal::Load(std::string_view content) {
  if (!content.starts_with(kMagic)) {
    return Error{ErrorCode::kCorrupt,
                 path_ + " does not begin like a journal of this version (" + std::string(kMagic) +
                     "); restore it, or set the directory aside and start with an empty one"};
  }
  std::string_view rest = content.substr(kMagic.size());
  while (!rest.empty()) {
    std::string_view after = rest;
    const std::optional<std::string_view> body = TakeFrame(after);
    const std::optional<JournalRecord> record = body ? ParseBody(*body) : std::nullopt;
    if (!record) {
      break;
    }
    Apply(*record, entries_);
    rest = after;
  }
  const uint64_t good = content.size() - rest.size();
  if (!rest.empty() && HoldsFrame(rest.substr(1))) {
    return Error{ErrorCode::kCorrupt,
                 path_ + " cannot be read at byte " + std::to_string(good) +
                     " although good records follow; restore it, or set the directory aside and "
                     "start with an empty one"};
  }
  torn_bytes_ = rest.size();
  Result<std::unique_ptr<AppendFile>> opened = files_.OpenAppend(path_, good);
  if (!opened.ok()) {
    return opened.error();
  }
  file_ = std::move(opened).value();
  dirty_ = true;  // By an earlier life, for all that is known.
  compacted_bytes_ = Snapshot(entries_).size();
  return Success{};
}

Status Journal::Rewrite(const std::map<ReplicaKey, JournalEntry>& entries) {
  file_.reset();
  const std::string content = Snapshot(entries);
  if (Status replaced = files_.Replace(path_, content); !replaced.ok()) {
    return replaced;
  }
  Result<std::unique_ptr<AppendFile>> opened = files_.OpenAppend(path_, content.size());
  if (!opened.ok()) {
    return opened.error();
  }
  file_ = std::move(opened).value();
  dirty_ = false;
  compacted_bytes_ = content.size();
  return Success{};
}

Status Journal::Commit(const std::vector<JournalRecord>& records, Durability durability) {
  if (records.empty()) {
    return Success{};
  }
  const bool grown =
      file_ != nullptr && file_->size() > 2 * compacted_bytes_ + kCompactionSlackBytes;
  if (file_ == nullptr || grown) {
    if (Status rewritten = Rewrite(entries_); !rewritten.ok()) {
      return rewritten;
    }
  }
  ByteWriter out;
  for (const JournalRecord& record : records) {
    PutFrame(out, record);
  }
  Status written = file_->Append(out.bytes());
  if (written.ok() && durability == Durability::kSynced) {
    written = file_->Sync();
  }
  if (!written.ok()) {
    (void)Distrust();
    return written;
  }
  ++commits_;
  dirty_ = durability == Durability::kWritten;
  for (const JournalRecord& record : records) {
    Apply(record, entries_);
  }
  return Success{};
}

Result<std::optional<JournalSync>> Journal::BeginSync() {
  if (file_ == nullptr) {
    if (Status rewritten = Rewrite(entries_); !rewritten.ok()) {
      return rewritten.error();
    }
  }
  return dirty_ ? std::optional(JournalSync{.file = file_, .commits = commits_}) : std::nullopt;
}

Status Journal::FinishSync(const JournalSync& sync, const Status& outcome) {
  if (file_ != sync.file) {
    // Written anew since, durably, unless that has failed, too.
    return file_ != nullptr ? Success{} : Rewrite(entries_);
  }
  if (!outcome.ok()) {
    return Distrust();
  }
  dirty_ = dirty_ && commits_ != sync.commits;
  return Success{};
}

/// fsync does not say it twice: the file is written anew, now if the disk lets us, before the next
/// record otherwise.
Status Journal::Distrust() {
  file_.reset();
  Status rewritten = Rewrite(entries_);
  LOG_IF(WARNING, !rewritten.ok())
      << "journal not trusted path=" << path_ << " error=\"" << rewritten.error() << '"';
  return rewritten;
}

}  // namespace regent::storage
