#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <glog/logging.h>

#include "broker-agent/io/frame_buffer.h"
#include "broker-agent/kafka/frame.h"
#include "broker-agent/log/big_endian.h"
#include "tests/fuzz/target.h"

// The bytes of a client's connection, in pieces of any size: cut into the frames that they are made
// of, or refused at the length that is none.

namespace regent::fuzz {
namespace {

constexpr size_t kFrameMax = size_t{4} << 20U;

/// As the listener reads: four bytes of length, then the frame, whatever the socket has at a time.
class Reader {
 public:
  /// False once the client has to be hung up on.
  bool Take(std::string_view bytes) {
    while (!bytes.empty()) {
      if (!(frame_ ? TakeFrame(bytes) : TakeLength(bytes))) {
        return false;
      }
    }
    return true;
  }
  const std::vector<std::string>& frames() const { return frames_; }

 private:
  bool TakeLength(std::string_view& bytes) {
    const size_t count = std::min(bytes.size(), kafka::kFrameLengthBytes - length_.size());
    length_.append(bytes.substr(0, count));
    bytes.remove_prefix(count);
    if (length_.size() < kafka::kFrameLengthBytes) {
      return true;
    }
    const Result<size_t> length = kafka::DecodeFrameLength(length_, kFrameMax);
    if (!length.ok()) {
      CHECK(!length.error().message.empty());
      return false;
    }
    CHECK_LE(*length, kFrameMax);
    length_.clear();
    came_ = 0;
    frame_.emplace(*length);
    EndFrame();
    return true;
  }

  bool TakeFrame(std::string_view& bytes) {
    const std::span<char> room = frame_->Room();
    CHECK(!room.empty());
    const size_t count = std::min(bytes.size(), room.size());
    std::copy_n(bytes.data(), count, room.data());
    frame_->Came(count);
    came_ += count;
    CHECK_LE(frame_->capacity(), std::max(FrameBuffer::kFirstBytes, 2 * came_))
        << "a length alone costs memory";
    bytes.remove_prefix(count);
    EndFrame();
    return true;
  }

  void EndFrame() {
    if (frame_->complete()) {
      frames_.emplace_back(std::move(*frame_).Take().bytes());
      frame_.reset();
    }
  }

  std::string length_;
  std::optional<FrameBuffer> frame_;
  size_t came_ = 0;
  std::vector<std::string> frames_;
};

std::string Length(size_t length) {
  std::string bytes;
  storage::AppendBigEndian(bytes, static_cast<uint32_t>(length));
  return bytes;
}

}  // namespace

void Try(std::string_view input) {
  Reader pieces;
  Reader whole;
  std::string all;
  Messages messages(input);
  bool goes_on = true;
  while (const auto message = messages.Next()) {
    all += message->bytes;
    goes_on = goes_on && pieces.Take(message->bytes);
  }
  CHECK_EQ(whole.Take(all), goes_on) << "how the bytes are cut makes a difference";
  CHECK(whole.frames() == pieces.frames());
  std::string framed;
  for (const std::string& frame : pieces.frames()) {
    framed += Length(frame.size()) + frame;
  }
  CHECK(all.starts_with(framed)) << "a frame is not what was sent";
}

std::vector<std::string> Seeds() {
  const std::string frame = Length(5) + "frame";
  return {
      Framed(0, frame),
      Framed(0, frame + frame),
      Framed(0, frame.substr(0, 2)) + Framed(0, frame.substr(2, 3)) + Framed(0, frame.substr(5)),
      Framed(0, Length(0) + frame),
      Framed(0, Length(kFrameMax) + "x") + Framed(0, std::string(1000, 'y')),
      Framed(0, frame + Length(kFrameMax + 1) + "x"),
      Framed(0, Length(size_t{1} << 31U) + "x")};
}

}  // namespace regent::fuzz
