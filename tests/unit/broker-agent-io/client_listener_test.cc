#include "broker-agent/io/client_listener.h"

#include <string>
#include <unistd.h>

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace regent {
namespace {

using ::testing::HasSubstr;

TEST(ClientListener, HoldsThePortAndClosesWhoConnects) {
  auto listener = ClientListener::Start({.host = "127.0.0.1", .port = 0});
  ASSERT_TRUE(listener.ok()) << listener.error();
  const int port = (*listener)->port();
  ASSERT_GT(port, 0);

  const auto second = ClientListener::Start({.host = "127.0.0.1", .port = port});
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(second.error().message, HasSubstr("127.0.0.1:" + std::to_string(port)));
  EXPECT_THAT(second.error().message, HasSubstr("--listen"));

  for (int i = 0; i < 3; ++i) {
    const int client = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(::connect(client, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    char byte = 0;
    EXPECT_EQ(::read(client, &byte, 1), 0) << "closed without a word";
    ::close(client);
  }
}

TEST(ClientListener, RefusesAnAddressThatIsNotOurs) {
  const auto listener = ClientListener::Start({.host = "192.0.2.1", .port = 0});
  ASSERT_FALSE(listener.ok());
  EXPECT_THAT(listener.error().message, HasSubstr("192.0.2.1"));
}

}  // namespace
}  // namespace regent
