#include "broker-agent/io/frame_stream.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <asio.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker-agent/log/big_endian.h"
#include "common/base/mutex.h"

namespace regent {
namespace {

using asio::ip::tcp;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr auto kEventually = std::chrono::seconds(20);

std::string WithLength(const std::string& bytes) {
  std::string frame;
  storage::AppendBigEndian(frame, static_cast<uint32_t>(bytes.size()));
  return frame + bytes;
}

/// A part of a frame of which that many bytes are still to come.
std::string Part(std::string_view bytes, size_t left) {
  std::string part;
  storage::AppendBigEndian(part, uint32_t{1} << 24U | static_cast<uint32_t>(4 + bytes.size()));
  storage::AppendBigEndian(part, static_cast<uint32_t>(left));
  return part.append(bytes);
}

kafka::Pieces FrameOf(const std::string& bytes) {
  kafka::Pieces frame;
  frame.Append(WithLength(bytes));
  return frame;
}

/// Handles nothing until it is told to.
class HeldExecutor final : public Executor {
 public:
  bool Post(std::function<void()> task) override EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    tasks_.push_back(std::move(task));
    return true;
  }
  bool PostUrgent(std::function<void()> task) override { return Post(std::move(task)); }
  bool PostAt(Instant /*at*/, std::function<void()> task) override { return Post(std::move(task)); }
  Instant Now() const override { return MonotonicNow(); }

  void RunAll() EXCLUDES(mutex_) {
    std::deque<std::function<void()>> tasks;
    {
      const MutexLock lock(mutex_);
      tasks.swap(tasks_);
    }
    for (const auto& task : tasks) {
      task();
    }
  }

 private:
  Mutex mutex_;
  std::deque<std::function<void()>> tasks_ GUARDED_BY(mutex_);
};

/// What a stream has told.
class Told {
 public:
  FrameStream::Events Events() {
    return {.received = [this](const Slice& frame) -> Status {
              const MutexLock lock(mutex_);
              frames_.emplace_back(frame.bytes());
              changed_.notify_all();
              return frame.bytes() == "bad" ? Status(Error{ErrorCode::kInvalidArgument, "is bad"})
                                            : Status(Success{});
            },
            .lost =
                [this](const Error& why) {
                  const MutexLock lock(mutex_);
                  lost_.push_back(why);
                  changed_.notify_all();
                },
            .rested =
                [this](Duration rest) {
                  const MutexLock lock(mutex_);
                  ++rests_;
                  rested_ += rest;
                  changed_.notify_all();
                }};
  }

  /// Returns how often it has rested, and how long in all.
  std::pair<int, Duration> AwaitRested(int times) EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    Await([this, times]() REQUIRES(mutex_) { return rests_ >= times; });
    return {rests_, rested_};
  }

  std::vector<std::string> AwaitFrames(size_t count) EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    Await([this, count]() REQUIRES(mutex_) { return frames_.size() >= count; });
    return frames_;
  }
  std::vector<Error> AwaitLost() EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    Await([this]() REQUIRES(mutex_) { return !lost_.empty(); });
    return lost_;
  }
  int rests() EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    return rests_;
  }
  size_t frames() EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    return frames_.size();
  }

 private:
  template <class Condition>
  void Await(Condition condition) REQUIRES(mutex_) {
    const auto deadline = std::chrono::steady_clock::now() + kEventually;
    while (!condition() && changed_.wait_until(mutex_, deadline) == std::cv_status::no_timeout) {
    }
  }

  Mutex mutex_;
  std::condition_variable_any changed_;
  std::vector<std::string> frames_ GUARDED_BY(mutex_);
  std::vector<Error> lost_ GUARDED_BY(mutex_);
  int rests_ GUARDED_BY(mutex_) = 0;
  Duration rested_ GUARDED_BY(mutex_){0};
};

/// A stream that has connected, and the plain socket at its other end.
class FrameStreamTest : public ::testing::Test {
 protected:
  explicit FrameStreamTest(int rest = 1)
      : stream_(std::make_shared<FrameStream>(io_, executor_, told_.Events(), rest)),
        thread_([io = io_]() { io->run(); }) {
    stream_->Connect({.host = "127.0.0.1", .port = acceptor_.local_endpoint().port()});
    acceptor_.accept(peer_);
  }
  ~FrameStreamTest() override {
    stream_->Close();
    work_.reset();
    thread_.join();
  }

  /// Reads from the other end.
  std::string Read(size_t bytes) {
    std::string read(bytes, '\0');
    asio::read(peer_, asio::buffer(read));
    return read;
  }
  /// More than the stream lets wait.
  void SendTooMuch(void (FrameStream::*send)(kafka::Pieces)) {
    const std::string mebibyte(1 << 20, 'x');
    for (size_t i = 0; i < 2 * (StreamOutbox<kafka::Pieces>::kBytesMax >> 20U); ++i) {
      ((*stream_).*send)(FrameOf(mebibyte));
    }
  }
  void Write(const std::string& bytes) { asio::write(peer_, asio::buffer(bytes)); }

  std::shared_ptr<asio::io_context> io_ = std::make_shared<asio::io_context>(1);
  asio::executor_work_guard<asio::io_context::executor_type> work_ = asio::make_work_guard(*io_);
  asio::io_context here_;
  tcp::acceptor acceptor_{here_, {asio::ip::address_v4::loopback(), 0}};
  tcp::socket peer_{here_};
  HeldExecutor executor_;
  Told told_;
  std::shared_ptr<FrameStream> stream_;
  std::thread thread_;
};

TEST_F(FrameStreamTest, FramesThatComeInAnyPiecesAreTakenWhole) {
  const std::string large(300'000, 'x');
  const std::string all =
      WithLength("one") + WithLength("") + WithLength(large) + WithLength("end");
  for (size_t at = 0, piece = 1; at < all.size(); at += piece, piece = piece * 2 + 1) {
    Write(all.substr(at, piece));
  }
  EXPECT_THAT(told_.AwaitFrames(4), ElementsAre("one", "", large, "end"));
}

TEST_F(FrameStreamTest, WhatIsSentByManyThreadsArrivesInWholeFramesAndEachThreadsOrder) {
  constexpr int kEach = 300;
  const auto send = [this](char who, size_t bytes) {
    for (int number = 0; number < kEach; ++number) {
      stream_->Send(FrameOf(std::string(1, who) + std::string(1, static_cast<char>(number % 100)) +
                            std::string(bytes, who)));
    }
  };
  std::thread small(send, 's', 10);
  std::thread large(send, 'l', 50'000);
  std::map<char, int> next;
  for (int i = 0; i < 2 * kEach; ++i) {
    const std::string head = Read(4);
    const std::string frame = Read(storage::LoadBigEndian<uint32_t>(head, 0));
    ASSERT_EQ(frame[1], static_cast<char>(next[frame[0]]++ % 100));
    ASSERT_EQ(frame.substr(2), std::string(frame[0] == 's' ? 10 : 50'000, frame[0]));
  }
  small.join();
  large.join();
}

TEST_F(FrameStreamTest, AFrameOfAnUnknownKindEndsIt) {
  Write(std::string("\x02\x00\x00\x00", 4));
  const auto lost = told_.AwaitLost();
  ASSERT_EQ(lost.size(), 1U);
  EXPECT_EQ(lost[0].code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(lost[0].message, HasSubstr("unknown kind, 2"));
}

TEST_F(FrameStreamTest, AFrameThatComesInPartsIsTakenWholeAndOthersBetweenThem) {
  const std::string large(2'000'000, 'x');
  const std::string_view bytes = large;
  std::string all = Part(bytes.substr(0, 1), large.size());
  all += WithLength("one");
  all += Part(bytes.substr(1, 1'500'000), large.size() - 1);
  all += WithLength("two");
  all += Part(bytes.substr(1'500'001), large.size() - 1'500'001);
  all += WithLength("three");
  for (size_t at = 0, piece = 1; at < all.size(); at += piece, piece = piece * 2 + 1) {
    Write(all.substr(at, piece));
  }
  EXPECT_THAT(told_.AwaitFrames(4), ElementsAre("one", "two", large, "three"));
}

TEST_F(FrameStreamTest, APartOfAnotherFrameEndsIt) {
  Write(Part("ab", 4) + Part("cd", 3));
  const auto lost = told_.AwaitLost();
  ASSERT_EQ(lost.size(), 1U);
  EXPECT_EQ(lost[0].code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(lost[0].message, HasSubstr("3 bytes are still to come, instead of 2"));
}

class UnhurriedFrames : public FrameStreamTest {
 protected:
  explicit UnhurriedFrames(int rest = 1) : FrameStreamTest(rest) {}

  /// Reads a frame or a part from the other end; of a part, behind its head.
  std::pair<bool, std::string> ReadNext() {
    const auto word = storage::LoadBigEndian<uint32_t>(Read(4), 0);
    const bool part = word >> 24U == 1;
    std::string bytes = Read(word & 0xffffffU);
    return {part, part ? bytes.substr(4) : bytes};
  }
};

TEST_F(UnhurriedFrames, GoInPartsAndWhole) {
  std::string large;
  for (int i = 0; large.size() < 5 * FrameStream::kBytesPerPart / 2; ++i) {
    large += std::to_string(i);
  }
  stream_->SendUnhurried(FrameOf(large));
  stream_->SendUnhurried(FrameOf("x"));
  std::string back;
  while (back.size() < large.size()) {
    const auto [part, bytes] = ReadNext();
    ASSERT_TRUE(part);
    ASSERT_LE(bytes.size(), FrameStream::kBytesPerPart);
    back += bytes;
  }
  EXPECT_EQ(back, large);
  EXPECT_EQ(ReadNext(), std::pair(true, std::string("x"))) << "no part has bytes of two";
  const auto [times, rested] = told_.AwaitRested(2);
  EXPECT_GE(times, 2) << "after each part that another of the frame waited behind";
  EXPECT_GT(rested, Duration(0));
}

TEST_F(UnhurriedFrames, AreSentAlsoIfTheyComeWhileItRests) {
  for (int i = 0; i < 200; ++i) {
    stream_->SendUnhurried(FrameOf(std::string(1000, 'x')));
    ASSERT_EQ(ReadNext().second.size(), 1000U) << "the " << i << "th: or it waits for ever";
  }
}

class NoRests : public UnhurriedFrames {
 protected:
  NoRests() : UnhurriedFrames(0) {}
};

TEST_F(NoRests, AreHadIfNoneIsWanted) {
  stream_->SendUnhurried(FrameOf(std::string(5 * FrameStream::kBytesPerPart, 'x')));
  for (int part = 0; part < 5; ++part) {
    ASSERT_TRUE(ReadNext().first);
  }
  EXPECT_EQ(told_.rests(), 0);
}

/// As long as it may be.
class LongRests : public UnhurriedFrames {
 protected:
  LongRests() : UnhurriedFrames(1'000'000) {}
};

TEST_F(LongRests, AreOthersTimeToOvertake) {
  constexpr size_t kLarge = size_t{15} << 20U;  // Rests for more than two seconds in all.
  stream_->SendUnhurried(FrameOf(std::string(kLarge, 'x')));
  EXPECT_TRUE(ReadNext().first) << "it is on its way";
  stream_->Send(FrameOf("hurried"));
  size_t before = 0;
  for (auto next = ReadNext(); next.first; next = ReadNext()) {
    before += next.second.size();
  }
  EXPECT_LT(before, kLarge - FrameStream::kBytesPerPart);
}

TEST_F(UnhurriedFrames, HaveTheirTurnHoweverMuchOthersSend) {
  // More than the sockets hold, so that the outbox is never empty while the test reads.
  const std::string large(size_t{1} << 20U, 'h');
  for (int i = 0; i < 40; ++i) {
    stream_->Send(FrameOf(large));
  }
  stream_->SendUnhurried(FrameOf("unhurried"));
  int before = 0;
  for (auto next = ReadNext(); !next.first; next = ReadNext()) {
    ++before;
  }
  EXPECT_LT(before, 40);
}

TEST_F(UnhurriedFrames, APeerThatTakesNoneOfThemIsLeft) {
  SendTooMuch(&FrameStream::SendUnhurried);
  EXPECT_THAT(told_.AwaitLost().at(0).message, HasSubstr("takes nothing"));
}

TEST_F(FrameStreamTest, AFrameThatIsRefusedEndsItAndNothingIsTakenAfterIt) {
  Write(WithLength("good") + WithLength("bad") + WithLength("good"));
  const auto lost = told_.AwaitLost();
  ASSERT_EQ(lost.size(), 1U);
  EXPECT_EQ(lost[0].message, "is bad");
  EXPECT_THAT(told_.AwaitFrames(2), ElementsAre("good", "bad"));
}

TEST_F(FrameStreamTest, APeerThatGoesIsNoticed) {
  peer_.close();
  EXPECT_EQ(told_.AwaitLost().size(), 1U);
}

TEST_F(FrameStreamTest, APeerThatTakesNothingIsLeft) {
  SendTooMuch(&FrameStream::Send);
  EXPECT_THAT(told_.AwaitLost().at(0).message, HasSubstr("takes nothing"));
}

TEST_F(FrameStreamTest, AfterCloseThePeerSeesItsEndAndNothingIsTold) {
  Write(WithLength("one"));
  told_.AwaitFrames(1);
  stream_->Close();
  char byte = 0;
  std::error_code error;
  peer_.read_some(asio::buffer(&byte, 1), error);
  EXPECT_EQ(error, asio::error::eof);
  stream_->Send(FrameOf("nobody gets it"));
  work_.reset();
  thread_.join();
  thread_ = std::thread([]() {});
  EXPECT_EQ(told_.frames(), 1U);
}

TEST(FrameStream, ReadsNoFurtherThanTheExecutorHandles) {
  asio::io_context here;
  tcp::acceptor acceptor(here, {asio::ip::address_v4::loopback(), 0});
  tcp::socket peer(here);
  peer.connect(acceptor.local_endpoint());
  constexpr size_t kFrames = 4 * StreamInbox::kMessagesMax;
  std::string frames;
  for (size_t i = 0; i < kFrames; ++i) {
    frames += WithLength(std::string(100, 'x'));
  }
  asio::write(peer, asio::buffer(frames));  // The sockets' buffers have room for all of it.

  const auto io = std::make_shared<asio::io_context>(1);
  auto work = asio::make_work_guard(*io);
  HeldExecutor executor;
  Told told;
  const auto stream = std::make_shared<FrameStream>(io, executor, told.Events(), 1);
  stream->Begin(acceptor.accept().release());
  while (told.frames() < StreamInbox::kMessagesMax) {
    io->run_one();
  }
  while (io->poll() > 0) {
  }
  EXPECT_LT(told.frames(), kFrames / 2) << "one read brings some more than there is room for";
  while (told.frames() < kFrames) {
    executor.RunAll();
    io->poll();
  }
  stream->Close();
  work.reset();
  io->run();
}

TEST(FrameStream, WhoSaysNothingAfterConnectingIsLeft) {
  asio::io_context here;
  tcp::acceptor acceptor(here, {asio::ip::address_v4::loopback(), 0});
  tcp::socket peer(here);
  peer.connect(acceptor.local_endpoint());
  const auto io = std::make_shared<asio::io_context>(1);
  HeldExecutor executor;
  Told told;
  const auto stream = std::make_shared<FrameStream>(io, executor, told.Events(), 1);
  stream->Begin(acceptor.accept().release(), std::chrono::milliseconds(1));
  io->run();  // Returns when the stream has ended.
  EXPECT_THAT(told.AwaitLost().at(0).message, HasSubstr("a frame did not come in time"));
}

TEST(FrameStream, AHostsNameIsLookedUp) {
  asio::io_context here;
  tcp::acceptor acceptor(here, {asio::ip::address_v4::loopback(), 0});
  const auto io = std::make_shared<asio::io_context>(1);
  auto work = asio::make_work_guard(*io);
  HeldExecutor executor;
  Told told;
  const auto stream = std::make_shared<FrameStream>(io, executor, told.Events(), 1);
  std::thread thread([&io]() { io->run(); });
  // The C library knows this one on any machine: it is inet_aton's form of 127.0.0.1.
  stream->Connect({.host = "127.1", .port = acceptor.local_endpoint().port()});
  tcp::socket peer = acceptor.accept();
  asio::write(peer, asio::buffer(WithLength("hello")));
  EXPECT_THAT(told.AwaitFrames(1), ElementsAre("hello"));
  stream->Close();
  work.reset();
  thread.join();
}

TEST(FrameStream, NobodyAtTheAddressIsALoss) {
  const auto io = std::make_shared<asio::io_context>(1);
  int port = 0;
  {
    asio::io_context here;
    const tcp::acceptor unused(here, {asio::ip::address_v4::loopback(), 0});
    port = unused.local_endpoint().port();
  }
  HeldExecutor executor;
  Told told;
  const auto stream = std::make_shared<FrameStream>(io, executor, told.Events(), 1);
  stream->Send(FrameOf("waits for the connection"));
  stream->Connect({.host = "127.0.0.1", .port = port});
  io->run();
  EXPECT_EQ(told.AwaitLost().at(0).code, ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace regent
