#include "broker-agent/io/piece_sender.h"

#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <memory>
#include <string>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "broker-agent/log/memory_file_system.h"
#include "broker-agent/log/posix_file_system.h"

namespace regent {
namespace {

using kafka::Pieces;
using ::testing::HasSubstr;
using Progress = PieceSender::Progress;

constexpr size_t kUnlimited = size_t{1} << 30U;

std::string Text(size_t bytes) {
  std::string text(bytes, '\0');
  for (size_t i = 0; i < bytes; ++i) {
    text[i] = static_cast<char>('a' + i % 23);
  }
  return text;
}

/// A pair of sockets that do not block, and a directory for files.
class PieceSenderTest : public ::testing::Test {
 protected:
  PieceSenderTest() {
    BlockBrokenPipeSignal();
    CHECK_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets_), 0);
    std::string pattern = ::testing::TempDir() + "regent-sender-XXXXXX";
    CHECK(::mkdtemp(pattern.data()) != nullptr);
    directory_ = pattern;
  }
  ~PieceSenderTest() override {
    ::close(sockets_[0]);
    HangUp();
    std::filesystem::remove_all(directory_);
  }

  FileSlice InFile(const std::string& content, uint64_t position, uint64_t length) {
    CHECK(files_->Create(path(), content).ok());
    return {.file = files_->OpenRead(path()).value(), .position = position, .length = length};
  }
  std::string path() const { return storage::JoinPath(directory_, "records"); }
  Progress Send(PieceSender& sender, size_t bytes_max = kUnlimited) {
    return sender.Send(sockets_[0], bytes_max);
  }
  /// Returns what lies in the socket.
  std::string Read() {
    std::string all;
    char room[4096];
    for (ssize_t came = 0; (came = ::read(sockets_[1], room, sizeof(room))) > 0;) {
      all.append(room, static_cast<size_t>(came));
    }
    return all;
  }
  void HangUp() {
    if (sockets_[1] >= 0) {
      ::close(sockets_[1]);
      sockets_[1] = -1;
    }
  }

  std::unique_ptr<storage::FileSystem> files_ = storage::MakePosixFileSystem();
  std::string directory_;
  int sockets_[2] = {-1, -1};
};

TEST_F(PieceSenderTest, KeepsTheOrderHoweverLittleGoesAtATime) {
  Pieces first;
  first.Append("head");
  first.Append(Slice(std::string("memory")));
  first.Append(InFile(Text(50), 7, 20));
  first.Append("middle");
  first.Append(FileSlice{.file = files_->OpenRead(path()).value(), .position = 9, .length = 0});
  Pieces second;
  second.Append(FileSlice{.file = files_->OpenRead(path()).value(), .position = 40, .length = 10});
  second.Append("end");
  const std::string wanted = first.Flatten() + second.Flatten();
  for (size_t step = 1; step <= wanted.size() + 1; ++step) {
    PieceSender sender;
    sender.Add(first);
    sender.Add(second);
    std::string came;
    Progress progress = Progress::kTurnOver;
    while (progress == Progress::kTurnOver) {
      progress = Send(sender, step);
      const std::string part = Read();
      EXPECT_LE(part.size(), step);
      came += part;
    }
    EXPECT_EQ(progress, Progress::kAllSent);
    EXPECT_EQ(came, wanted) << "in steps of " << step;
  }
}

TEST_F(PieceSenderTest, GoesOnWhereAFullSocketHasStoppedIt) {
  const int small = 1;  // The kernel makes it as small as it can.
  ASSERT_EQ(::setsockopt(sockets_[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
  const std::string content = Text(300'000);
  Pieces pieces;
  pieces.Append(Text(100'000));
  pieces.Append(InFile(content, 1, 299'998));
  pieces.Append("end");
  PieceSender sender;
  sender.Add(pieces);
  std::string came;
  int full = 0;
  Progress progress = Progress::kSocketFull;
  while ((progress = Send(sender)) == Progress::kSocketFull) {
    ++full;
    const std::string part = Read();
    ASSERT_FALSE(part.empty()) << "full of nothing";
    came += part;
  }
  EXPECT_EQ(progress, Progress::kAllSent);
  EXPECT_GT(full, 2);
  EXPECT_TRUE(came + Read() == pieces.Flatten());
}

TEST_F(PieceSenderTest, AFileThatHasLostItsNameIsSentAllTheSame) {
  Pieces pieces;
  pieces.Append(InFile("0123456789", 2, 5));
  ASSERT_TRUE(files_->RemoveTree(path()).ok());
  PieceSender sender;
  sender.Add(pieces);
  EXPECT_EQ(Send(sender), Progress::kAllSent);
  EXPECT_EQ(Read(), "23456");
}

TEST_F(PieceSenderTest, AFileThatHasBecomeShorterEndsTheFrameWhereItEnds) {
  Pieces pieces;
  pieces.Append("head");
  pieces.Append(InFile("0123456789", 2, 5));
  pieces.Append("end");
  ASSERT_TRUE(files_->OpenAppend(path(), 4).ok());
  PieceSender sender;
  sender.Add(pieces);
  EXPECT_EQ(Send(sender), Progress::kFileFailed);
  EXPECT_EQ(Read(), "head23") << "and nothing in place of what is missing";
  EXPECT_THAT(sender.problem(), HasSubstr(path()));
  EXPECT_THAT(sender.problem(), HasSubstr("shorter"));
}

TEST_F(PieceSenderTest, WhatSendfileDoesNotTakeIsAFailureOfTheFile) {
  storage::MemoryFileSystem memory;
  ASSERT_TRUE(memory.Create("/f", "0123456789").ok());
  Pieces pieces;
  pieces.Append(FileSlice{.file = memory.OpenRead("/f").value(), .position = 0, .length = 10});
  PieceSender sender;
  sender.Add(pieces);
  EXPECT_EQ(Send(sender), Progress::kFileFailed);
  EXPECT_THAT(sender.problem(), HasSubstr("sendfile"));
}

TEST_F(PieceSenderTest, APeerThatHasGoneIsNoFailureOfTheFile) {
  Pieces pieces;
  pieces.Append(InFile("0123456789", 2, 5));
  PieceSender sender;
  sender.Add(pieces);
  HangUp();
  EXPECT_EQ(Send(sender), Progress::kPeerGone) << "and no signal ends the process";
}

}  // namespace
}  // namespace regent
