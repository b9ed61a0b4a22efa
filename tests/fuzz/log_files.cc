#include <array>
#include <string>
#include <string_view>
#include <vector>

#include <glog/logging.h>

#include "broker-agent/log/memory_file_system.h"
#include "broker-agent/log/offset_checkpoint.h"
#include "broker-agent/log/partition_log.h"
#include "tests/fuzz/read_on.h"
#include "tests/fuzz/target.h"
#include "tests/unit/broker-agent-log/log_checks.h"
#include "tests/unit/broker-agent-log/test_batches.h"

// What a disk may hold: a log is opened or refused with a reason; one that is opened can be read
// from end to end, fits its indexes, and opens the same again.

namespace regent::fuzz {
namespace {

using storage::LogOpening;
using storage::MemoryFileSystem;
using storage::PartitionLog;

const char* const kDirectory = "/d/t-0";
constexpr std::array kFiles = {
    "/d/t-0/00000000000000000000.log",       "/d/t-0/00000000000000000000.index",
    "/d/t-0/00000000000000000000.timeindex", "/d/t-0/00000000000000000020.log",
    "/d/t-0/00000000000000000020.index",     "/d/t-0/00000000000000000020.timeindex",
    "/d/t-0/leader-epoch-checkpoint",        "/d/t-0/partition.metadata",
    "/d/recovery-point-offset-checkpoint"};

void Make(MemoryFileSystem& files, const std::string& directory) {
  CHECK(files.CreateDirectory(directory).ok());
  CHECK(files.SyncDirectory("/").ok());
}

void OpenLog(MemoryFileSystem& files, const LogOpening& opening) {
  auto opened = PartitionLog::Open(files, kDirectory, {}, opening);
  if (!opened.ok()) {
    CHECK(!opened.error().message.empty());
    return;
  }
  PartitionLog& log = *opened->log;
  CHECK_LE(log.start(), log.end());
  ReadOn(log);
  static_cast<void>(log.FindOffsetByTime(storage::Timestamp(1000)));
  static_cast<void>(log.FindMaxTimestamp());
  const Offset end = log.end();
  const Offset start = log.start();
  if (opening.stop != LogOpening::Stop::kUnclean || !log.Close().ok()) {
    return;
  }
  const auto complaints = storage::DumpComplaints(files, kDirectory);
  CHECK(complaints.empty() || opening.recovery_point > Offset(0)) << complaints.front();
  const auto again = PartitionLog::Open(
      files, kDirectory, {},
      {.stop = LogOpening::Stop::kUnclean, .recovery_point = Offset(0), .log_start = start});
  CHECK(again.ok()) << again.error();
  CHECK(again->log->end() == end || opening.recovery_point > Offset(0));
}

}  // namespace

void Try(std::string_view input) {
  if (input.size() < 2) {
    return;
  }
  MemoryFileSystem files;
  Make(files, "/d");
  Make(files, kDirectory);
  const LogOpening opening{
      .stop = input[0] % 2 == 0 ? LogOpening::Stop::kUnclean : LogOpening::Stop::kClean,
      .recovery_point = Offset(static_cast<uint8_t>(input[1]) % 64),
      .log_start = Offset(static_cast<uint8_t>(input[0]) / 32)};
  Messages messages(input.substr(2));
  while (const auto message = messages.Next()) {
    static_cast<void>(files.Replace(kFiles.at(message->kind % kFiles.size()), message->bytes));
  }
  if (const auto text = files.Read("/d/recovery-point-offset-checkpoint", 1U << 20U); text.ok()) {
    static_cast<void>(storage::ParseOffsets(*text, "f"));
  }
  OpenLog(files, opening);
}

std::vector<std::string> Seeds() {
  MemoryFileSystem files;
  Make(files, "/d");
  Make(files, kDirectory);
  {
    auto log = PartitionLog::Create(files, kDirectory, {.segment_bytes = 400}, Offset(0));
    CHECK(log.ok());
    for (int64_t base = 0; base < 40; base += 10) {
      const std::string batch = storage::Encode(
          {.base = base, .count = 10, .epoch = base < 20 ? 1 : 3, .timestamp = 1000 + base});
      CHECK(storage::AppendOne(**log, batch).ok());
    }
    CHECK((*log)->Close().ok());
  }
  std::string whole;
  for (size_t i = 0; i < kFiles.size(); ++i) {
    const auto content = files.Read(kFiles.at(i), 1U << 16U);
    if (content.ok()) {
      whole += Framed(static_cast<uint8_t>(i), *content);
    }
  }
  const std::string offsets = Framed(8, "0\n1\nt 0 20\n");
  return {std::string("\0\0", 2) + whole, std::string("\0\x14", 2) + whole + offsets,
          std::string("\1\x28", 2) + whole};
}

}  // namespace regent::fuzz
