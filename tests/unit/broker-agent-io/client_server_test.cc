#include "broker-agent/io/client_server.h"

#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <asio.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker-agent/log/file_system.h"
#include "broker-agent/log/posix_file_system.h"
#include "common/base/mutex.h"

namespace regent {
namespace {

using asio::ip::tcp;
using ::testing::HasSubstr;

constexpr std::chrono::seconds kPatience{20};

/// A frame: the length, then the text.
std::string Frame(const std::string& text) {
  std::string frame(4, '\0');
  for (size_t i = 0; i < 4; ++i) {
    frame[i] = static_cast<char>(text.size() >> (8 * (3 - i)));
  }
  return frame + text;
}

/// Keeps the calls that arrive until the test ends them.
class Calls {
 public:
  struct Arrived {
    std::string text;
    std::shared_ptr<kafka::Call> call;
  };

  ClientServer::Serve Taker() {
    return [this](const Slice& frame, std::shared_ptr<kafka::Call> call) {
      const MutexLock lock(mutex_);
      arrived_.push_back({.text = std::string(frame.bytes()), .call = std::move(call)});
      changed_.notify_all();
    };
  }
  Arrived Next() {
    MutexLock lock(mutex_);
    const auto until = std::chrono::steady_clock::now() + kPatience;
    while (arrived_.empty()) {
      CHECK(changed_.wait_until(mutex_, until) == std::cv_status::no_timeout) << "no call came";
    }
    Arrived first = std::move(arrived_.front());
    arrived_.pop_front();
    return first;
  }
  size_t waiting() {
    const MutexLock lock(mutex_);
    return arrived_.size();
  }

 private:
  Mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<Arrived> arrived_ GUARDED_BY(mutex_);
};

void Answer(const Calls::Arrived& arrived, const std::string& text) {
  kafka::Pieces pieces;
  pieces.Append(text);
  arrived.call->Answer(std::move(pieces));
}

class ClientServerTest : public ::testing::Test {
 protected:
  void Start(const ClientServer::Options& options = {}) {
    Bind(options);
    server_->Start(calls_.Taker());
  }
  void Bind(ClientServer::Options options = {}) {
    options.listen = {.host = "127.0.0.1", .port = 0};
    auto bound = ClientServer::Bind(options);
    ASSERT_TRUE(bound.ok()) << bound.error();
    server_ = std::move(bound).value();
  }
  tcp::socket Connect() {
    tcp::socket socket(io_);
    socket.connect({asio::ip::make_address("127.0.0.1"), static_cast<uint16_t>(server_->port())});
    return socket;
  }
  static void Send(tcp::socket& socket, const std::string& bytes) {
    asio::write(socket, asio::buffer(bytes));
  }
  static std::string Read(tcp::socket& socket, size_t bytes) {
    std::string read(bytes, '\0');
    std::error_code error;
    read.resize(asio::read(socket, asio::buffer(read), error));
    return read;
  }
  static bool Closed(tcp::socket& socket) {
    char byte = 0;
    std::error_code error;
    return asio::read(socket, asio::buffer(&byte, 1), error) == 0 && error;
  }

  Calls calls_;
  asio::io_context io_;
  std::unique_ptr<ClientServer> server_;
};

TEST_F(ClientServerTest, AnswersOfAConnectionKeepTheOrderOfItsRequests) {
  Start();
  tcp::socket client = Connect();
  Send(client, Frame("a") + Frame("b") + Frame("c"));
  const Calls::Arrived a = calls_.Next();
  const Calls::Arrived b = calls_.Next();
  const Calls::Arrived c = calls_.Next();
  EXPECT_EQ(a.text + b.text + c.text, "abc") << "all are worked on at once";
  Answer(c, "3");
  b.call->AnswerNothing();
  Answer(a, "1");
  EXPECT_EQ(Read(client, 2), "13");
}

TEST_F(ClientServerTest, WhatMayNotBeServedAtOnceWaitsUntilAllBeforeItHasBeenAnswered) {
  Start({.served_at_once = [](std::string_view frame) { return frame != "ask"; }});
  tcp::socket client = Connect();
  Send(client, Frame("a") + Frame("ask") + Frame("b") + Frame("ask"));
  const Calls::Arrived a = calls_.Next();
  const Calls::Arrived b = calls_.Next();
  EXPECT_EQ(a.text + b.text, "ab");
  Answer(b, "3");
  Answer(a, "1");
  EXPECT_EQ(Read(client, 1), "1");
  const Calls::Arrived first = calls_.Next();
  EXPECT_EQ(first.text, "ask");
  EXPECT_EQ(calls_.waiting(), 0) << "the second one is behind the first";
  Answer(first, "2");
  EXPECT_EQ(Read(client, 2), "23");
  Answer(calls_.Next(), "4");
  EXPECT_EQ(Read(client, 1), "4");
}

TEST_F(ClientServerTest, WhoHasWaitedForItsTurnIsServedAfterARequestWithoutAnAnswer) {
  Start({.served_at_once = [](std::string_view frame) { return frame != "ask"; }});
  tcp::socket client = Connect();
  Send(client, Frame("a") + Frame("ask"));
  calls_.Next().call->AnswerNothing();
  Answer(calls_.Next(), "2");
  EXPECT_EQ(Read(client, 1), "2");
}

TEST_F(ClientServerTest, AFrameMayComeInPieces) {
  Start();
  tcp::socket client = Connect();
  for (const char byte : Frame("hello")) {
    Send(client, std::string(1, byte));
  }
  EXPECT_EQ(calls_.Next().text, "hello");
}

TEST_F(ClientServerTest, AConnectionHasABoundedNumberOfRequestsInFlight) {
  Start({.in_flight_max = 2});
  tcp::socket client = Connect();
  Send(client, Frame("a") + Frame("b") + Frame("c"));
  const Calls::Arrived a = calls_.Next();
  calls_.Next();
  EXPECT_EQ(calls_.waiting(), 0U);
  Answer(a, "1");
  EXPECT_EQ(calls_.Next().text, "c") << "the answer makes room";
}

TEST_F(ClientServerTest, AllConnectionsTogetherHoldABoundedNumberOfBytes) {
  Start({.total_bytes_max = 10});
  tcp::socket first = Connect();
  Send(first, Frame("0123456789"));
  const Calls::Arrived held = calls_.Next();
  tcp::socket second = Connect();
  Send(second, Frame("x"));
  EXPECT_EQ(server_->counters().held_bytes, 10);
  EXPECT_EQ(calls_.waiting(), 0U);
  Answer(held, "1");
  EXPECT_EQ(Read(first, 1), "1");
  EXPECT_EQ(calls_.Next().text, "x");
}

TEST_F(ClientServerTest, ALengthThatCannotBeEndsTheConnection) {
  Start({.request_bytes_max = 1000});
  for (const std::string& length : {std::string("\x00\x00\x03\xe9", 4), std::string(4, '\xff')}) {
    tcp::socket client = Connect();
    Send(client, length);
    EXPECT_TRUE(Closed(client));
  }
  EXPECT_EQ(server_->counters().broken_connections, 2U);
}

TEST_F(ClientServerTest, AServiceMayHangUp) {
  Start();
  tcp::socket client = Connect();
  Send(client, Frame("a") + Frame("b"));
  const Calls::Arrived a = calls_.Next();
  calls_.Next().call->HangUp("no");
  EXPECT_TRUE(Closed(client));
  Answer(a, "nobody hears it");
}

TEST_F(ClientServerTest, AClientThatGoesIsToldOf) {
  Start();
  Calls::Arrived arrived;
  Mutex mutex;
  std::condition_variable_any changed;
  bool gone = false;
  {
    tcp::socket client = Connect();
    Send(client, Frame("a"));
    arrived = calls_.Next();
    arrived.call->OnGone([&]() {
      const MutexLock lock(mutex);
      gone = true;
      changed.notify_all();
    });
  }
  MutexLock lock(mutex);
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (!gone) {
    ASSERT_EQ(changed.wait_until(mutex, until), std::cv_status::no_timeout);
  }
}

TEST_F(ClientServerTest, ThereIsAnEndToConnections) {
  Start({.connections_max = 1});
  tcp::socket first = Connect();
  Send(first, Frame("a"));
  calls_.Next();
  tcp::socket second = Connect();
  EXPECT_TRUE(Closed(second));
  EXPECT_EQ(server_->counters().refused_connections, 1U);
}

TEST_F(ClientServerTest, AnIdleConnectionIsClosedAndABusyOneIsNot) {
  Start({.idle_max = std::chrono::milliseconds(500)});
  tcp::socket busy = Connect();
  Send(busy, Frame("a"));
  const Calls::Arrived waiting = calls_.Next();
  tcp::socket idle = Connect();
  EXPECT_TRUE(Closed(idle));
  Answer(waiting, "1");
  EXPECT_EQ(Read(busy, 1), "1");
}

TEST_F(ClientServerTest, ServesThoseThatCameBeforeItBegan) {
  Bind();
  tcp::socket early = Connect();
  Send(early, Frame("a"));
  server_->Start(calls_.Taker());
  Answer(calls_.Next(), "1");
  EXPECT_EQ(Read(early, 1), "1");
}

TEST_F(ClientServerTest, ThoseThatWaitForItsBeginningAreLetGoByItsEnd) {
  Bind();
  tcp::socket early = Connect();
  server_->Stop();
  EXPECT_TRUE(Closed(early));
  server_->Start(calls_.Taker());
  std::error_code error;
  tcp::socket late(io_);
  late.connect({asio::ip::make_address("127.0.0.1"), static_cast<uint16_t>(server_->port())},
               error);
  EXPECT_TRUE(error) << "it does not begin after its end";
}

TEST_F(ClientServerTest, StopsWithCallsOpen) {
  Start();
  tcp::socket client = Connect();
  Send(client, Frame("a"));
  const Calls::Arrived open = calls_.Next();
  server_->Stop();
  EXPECT_TRUE(Closed(client));
  Answer(open, "late");
  server_.reset();
  Answer(open, "later still");
}

TEST_F(ClientServerTest, StopsAlsoWhenItIsAboutToLookForIdleConnections) {
  constexpr int kTimes = 2000;  // It looks all the time: some of the stops meet it.
  for (int i = 0; i < kTimes; ++i) {
    Start({.idle_max = std::chrono::microseconds(100)});
    const tcp::socket client = Connect();
    server_.reset();
  }
}

// --- Records in files ---

class ClientServerFilesTest : public ClientServerTest {
 protected:
  ClientServerFilesTest() {
    std::string pattern = ::testing::TempDir() + "regent-clients-XXXXXX";
    CHECK(::mkdtemp(pattern.data()) != nullptr);
    directory_ = pattern;
  }
  ~ClientServerFilesTest() override { std::filesystem::remove_all(directory_); }

  /// All of a file of that content.
  FileSlice InFile(const std::string& content) {
    CHECK(files_->Create(path(), content).ok());
    return {.file = files_->OpenRead(path()).value(), .position = 0, .length = content.size()};
  }
  std::string path() const { return storage::JoinPath(directory_, "records"); }
  static void AnswerSlice(const Calls::Arrived& arrived, const FileSlice& slice) {
    kafka::Pieces pieces;
    pieces.Append("<");
    pieces.Append(slice);
    pieces.Append(">");
    arrived.call->Answer(std::move(pieces));
  }

  std::unique_ptr<storage::FileSystem> files_ = storage::MakePosixFileSystem();
  std::string directory_;
};

TEST_F(ClientServerFilesTest, AreSentBetweenOtherAnswersHoweverLarge) {
  Start();
  tcp::socket client = Connect();
  Send(client, Frame("a") + Frame("b") + Frame("c"));
  std::string content;
  content.resize(10'000'000, 'r');
  const FileSlice slice = InFile(content);
  Answer(calls_.Next(), "1");
  AnswerSlice(calls_.Next(), slice);
  Answer(calls_.Next(), "3");
  const std::string wanted = "1<" + content + ">3";
  EXPECT_TRUE(Read(client, wanted.size()) == wanted);
}

TEST_F(ClientServerFilesTest, AFileThatIsTooShortEndsItsConnectionAndNoOther) {
  Start();
  tcp::socket client = Connect();
  tcp::socket other = Connect();
  Send(client, Frame("a"));
  const Calls::Arrived asked = calls_.Next();
  const FileSlice slice = InFile("0123456789");
  ASSERT_TRUE(files_->OpenAppend(path(), 3).ok());
  AnswerSlice(asked, slice);
  EXPECT_EQ(Read(client, 100), "<012") << "then it is closed";
  Send(other, Frame("b"));
  Answer(calls_.Next(), "2");
  EXPECT_EQ(Read(other, 1), "2");
  EXPECT_EQ(server_->counters().broken_connections, 1U);
}

TEST_F(ClientServerFilesTest, CountAsHeldUntilTheyAreSent) {
  Start({.connection_bytes_max = 1'000'000});
  tcp::socket client = Connect();
  tcp::socket other = Connect();
  Send(client, Frame("a"));
  std::string content;
  content.resize(30'000'000, 'r');  // More than sockets take.
  AnswerSlice(calls_.Next(), InFile(content));
  Send(client, Frame("b"));
  EXPECT_EQ(calls_.Next().text, "b") << "it was awaited already";
  Send(client, Frame("c"));
  Send(other, Frame("x"));
  EXPECT_EQ(calls_.Next().text, "x") << "of the first, nothing more is read";
  EXPECT_EQ(server_->counters().held_bytes, 30'000'000 + 5) << "records, frame, three requests";
  EXPECT_EQ(Read(client, content.size() + 2).size(), content.size() + 2);
  EXPECT_EQ(calls_.Next().text, "c");
  EXPECT_EQ(server_->counters().held_bytes, 3) << "the requests";
}

TEST_F(ClientServerTest, APortInUseIsNamedWithTheRemedy) {
  Start();
  const auto second =
      ClientServer::Bind({.listen = {.host = "127.0.0.1", .port = server_->port()}});
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(second.error().message, HasSubstr(std::to_string(server_->port())));
  EXPECT_THAT(second.error().message, HasSubstr("--listen"));
  const auto foreign = ClientServer::Bind({.listen = {.host = "192.0.2.1", .port = 0}});
  ASSERT_FALSE(foreign.ok());
  EXPECT_THAT(foreign.error().message, HasSubstr("192.0.2.1"));
}

}  // namespace
}  // namespace regent
