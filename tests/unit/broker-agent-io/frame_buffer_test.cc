#include "broker-agent/io/frame_buffer.h"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

namespace regent {
namespace {

/// Puts bytes there as a socket would, at most `step` at once.
Slice Filled(const std::string& bytes, size_t step) {
  FrameBuffer buffer(bytes.size());
  size_t put = 0;
  while (!buffer.complete()) {
    const std::span<char> room = buffer.Room();
    const size_t count = std::min({room.size(), step, bytes.size() - put});
    std::copy_n(bytes.data() + put, count, room.data());
    buffer.Came(count);
    put += count;
  }
  return std::move(buffer).Take();
}

std::string Alphabet(size_t size) {
  std::string bytes(size, ' ');
  std::generate(bytes.begin(), bytes.end(),
                [next = 0]() mutable { return static_cast<char>('a' + next++ % 26); });
  return bytes;
}

TEST(FrameBuffer, GivesBackWhatCame) {
  for (const size_t size : {size_t{0}, size_t{1}, size_t{1000}, FrameBuffer::kFirstBytes,
                            FrameBuffer::kFirstBytes + 1, 5 * FrameBuffer::kFirstBytes + 7}) {
    const std::string bytes = Alphabet(size);
    EXPECT_EQ(Filled(bytes, 100'000).bytes(), bytes) << size;
  }
}

TEST(FrameBuffer, HoldsNoMoreThanTwiceWhatHasComeOfALongFrame) {
  FrameBuffer buffer(size_t{100} << 20U);
  EXPECT_EQ(buffer.capacity(), FrameBuffer::kFirstBytes) << "nothing has come";
  buffer.Came(buffer.Room().size());
  EXPECT_EQ(buffer.capacity(), FrameBuffer::kFirstBytes) << "the next byte may not come";
  buffer.Came(buffer.Room().size());
  EXPECT_EQ(buffer.capacity(), 2 * FrameBuffer::kFirstBytes);
}

TEST(FrameBuffer, NeverAsksForMoreThanTheFrame) {
  FrameBuffer buffer(FrameBuffer::kFirstBytes + 10);
  buffer.Came(buffer.Room().size());
  EXPECT_EQ(buffer.Room().size(), 10U);
}

}  // namespace
}  // namespace regent
