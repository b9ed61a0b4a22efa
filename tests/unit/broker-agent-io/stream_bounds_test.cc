#include "broker-agent/io/stream_bounds.h"

#include <string>

#include <gtest/gtest.h>

namespace regent {
namespace {

using Step = ServerStreamSteps::Step;

TEST(ServerStreamSteps, TheCallIsNotFinishedUnderAReadThatHasNotBeenHandedOver) {
  ServerStreamSteps steps;
  ASSERT_EQ(steps.Next({.finish = false, .write = false, .read = true}), Step::kRead);
  // Another thread learns that the call was cancelled before the first one calls StartRead.
  EXPECT_EQ(steps.Next({.finish = true, .write = false, .read = true}), Step::kNothing);
  steps.Started();
  EXPECT_EQ(steps.Next({.finish = true, .write = false, .read = true}), Step::kFinish)
      << "the read itself ends with the call";
  EXPECT_EQ(steps.Next({.finish = true, .write = false, .read = true}), Step::kNothing);
}

TEST(ServerStreamSteps, TheCallIsNotFinishedUnderAWriteWhoseCallHasNotReturned) {
  ServerStreamSteps steps;
  ASSERT_EQ(steps.Next({.finish = false, .write = true, .read = true}), Step::kWrite);
  steps.WriteDone();  // May come while StartWrite is still on its way back.
  EXPECT_EQ(steps.Next({.finish = true, .write = false, .read = true}), Step::kNothing);
  steps.Started();
  EXPECT_EQ(steps.Next({.finish = true, .write = false, .read = true}), Step::kFinish);
}

TEST(ServerStreamSteps, TheCallIsFinishedAfterTheLastWrite) {
  ServerStreamSteps steps;
  ASSERT_EQ(steps.Next({.finish = false, .write = true, .read = false}), Step::kWrite);
  steps.Started();
  EXPECT_EQ(steps.Next({.finish = true, .write = true, .read = false}), Step::kNothing);
  steps.WriteDone();
  EXPECT_EQ(steps.Next({.finish = true, .write = true, .read = false}), Step::kFinish);
}

TEST(ServerStreamSteps, OneReadAndOneWriteAtATime) {
  ServerStreamSteps steps;
  const ServerStreamSteps::Wants both{.finish = false, .write = true, .read = true};
  EXPECT_EQ(steps.Next(both), Step::kWrite);
  EXPECT_EQ(steps.Next(both), Step::kRead);
  EXPECT_EQ(steps.Next(both), Step::kNothing);
  steps.Started();
  steps.Started();
  steps.ReadDone();
  EXPECT_EQ(steps.Next(both), Step::kRead);
  steps.Started();
  steps.WriteDone();
  EXPECT_EQ(steps.Next(both), Step::kWrite);
}

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
  for (int i = 0; i < StreamInbox::kMessagesMax; ++i) {
    EXPECT_TRUE(inbox.HasRoom());
    inbox.Took(10);
  }
  EXPECT_FALSE(inbox.HasRoom());
  inbox.Handled(10);
  EXPECT_TRUE(inbox.HasRoom());
  inbox.Took(StreamInbox::kBytesMax);
  EXPECT_FALSE(inbox.HasRoom());
  inbox.Handled(StreamInbox::kBytesMax);
  EXPECT_TRUE(inbox.HasRoom());
}

}  // namespace
}  // namespace regent
