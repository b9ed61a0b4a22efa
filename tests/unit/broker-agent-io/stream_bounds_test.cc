#include "broker-agent/io/stream_bounds.h"

#include <string>

#include <gtest/gtest.h>

namespace regent {
namespace {

TEST(StreamOutbox, HoldsNoMoreThanItsBytes) {
  StreamOutbox<std::string> outbox;
  const std::string quarter(StreamOutbox<std::string>::kBytesMax / 4, 'x');
  for (int i = 0; i < 4; ++i) {
    EXPECT_TRUE(outbox.Push(quarter, quarter.size()));
  }
  EXPECT_FALSE(outbox.Push("one more", 8));
  EXPECT_EQ(outbox.Pop(), quarter);
  EXPECT_TRUE(outbox.Push("one more", 8));
}

TEST(StreamOutbox, HoldsNoMoreThanItsMessagesAndKeepsTheirOrder) {
  StreamOutbox<std::string> outbox;
  for (size_t i = 0; i < StreamOutbox<std::string>::kMessagesMax; ++i) {
    EXPECT_TRUE(outbox.Push(std::to_string(i), 1));
  }
  EXPECT_FALSE(outbox.Push("one more", 8));
  EXPECT_EQ(outbox.Pop(), "0");
  EXPECT_EQ(outbox.Pop(), "1");
}

TEST(StreamInbox, ReadsOnWhenMessagesAndBytesAreHandled) {
  StreamInbox inbox;
  for (size_t i = 0; i < StreamInbox::kMessagesMax; ++i) {
    EXPECT_TRUE(inbox.HasRoom());
    inbox.Took(10);
  }
  EXPECT_FALSE(inbox.HasRoom());
  inbox.Handled(1, 10);
  EXPECT_TRUE(inbox.HasRoom());
  inbox.Took(StreamInbox::kBytesMax);
  EXPECT_FALSE(inbox.HasRoom());
  inbox.Handled(1, StreamInbox::kBytesMax);
  EXPECT_TRUE(inbox.HasRoom());
}

}  // namespace
}  // namespace regent
