#include "broker-agent/io/rpc_port.h"

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <unistd.h>
#include <utility>

#include <asio.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace regent {
namespace {

using asio::ip::tcp;
using ::testing::HasSubstr;

const Endpoint kHere = {.host = "127.0.0.1", .port = 0};

/// What a connection was given to, and what is read from it there.
struct Taken {
  std::string by;
  std::string first;
};

class RpcPortTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto bound = RpcPort::Bind(kHere);
    ASSERT_TRUE(bound.ok()) << bound.error();
    port_ = std::move(bound).value();
    const auto take = [this](const std::string& by) {
      return [this, by](int socket) {
        std::string first(3, '\0');
        EXPECT_EQ(::read(socket, first.data(), first.size()), 3);
        taken_.set_value({.by = by, .first = first});
        ::close(socket);
      };
    };
    port_->Start({.grpc = take("grpc"), .replication = take("replication")});
    client_.connect({asio::ip::address_v4::loopback(), static_cast<uint16_t>(port_->port())});
  }

  asio::io_context io_;
  tcp::socket client_{io_};
  std::promise<Taken> taken_;
  std::unique_ptr<RpcPort> port_;
};

TEST_F(RpcPortTest, ALetterBeginsHttpAndNothingOfItHasBeenRead) {
  asio::write(client_, asio::buffer("PRI", 3));
  const Taken taken = taken_.get_future().get();
  EXPECT_EQ(taken.by, "grpc");
  EXPECT_EQ(taken.first, "PRI");
}

TEST_F(RpcPortTest, AZeroBeginsAFrameAndNothingOfItHasBeenRead) {
  asio::write(client_, asio::buffer("\0\0\1", 3));
  const Taken taken = taken_.get_future().get();
  EXPECT_EQ(taken.by, "replication");
  EXPECT_EQ(taken.first, std::string("\0\0\1", 3));
}

TEST_F(RpcPortTest, WhoSaysNothingIsClosedAtTheEnd) {
  port_->Stop();
  char byte = 0;
  std::error_code error;
  client_.read_some(asio::buffer(&byte, 1), error);
  EXPECT_TRUE(error);
  EXPECT_EQ(taken_.get_future().wait_for(std::chrono::seconds(0)), std::future_status::timeout);
}

TEST_F(RpcPortTest, OneThatIsTakenIsNamedWithTheRemedy) {
  const auto again = RpcPort::Bind({.host = "127.0.0.1", .port = port_->port()});
  ASSERT_FALSE(again.ok());
  EXPECT_THAT(again.error().message, HasSubstr(std::to_string(port_->port())));
  EXPECT_THAT(again.error().message, HasSubstr("--listen"));
}

}  // namespace
}  // namespace regent
