#include "broker-agent/io/parted_frame.h"

#include <algorithm>
#include <string>
#include <utility>
#include <variant>

#include "broker-agent/log/big_endian.h"
#include "common/base/overloaded.h"

namespace regent {
namespace {

using kafka::Pieces;

constexpr uint32_t kPart = 1;
constexpr uint32_t kKindShift = 24;
constexpr size_t kLeftBytes = kPartHeadBytes - kFrameHeadBytes;

Error NoFrame(const std::string& why) {
  return {ErrorCode::kInvalidArgument, why + ": close the connection"};
}

}  // namespace

Result<std::optional<FrameHead>> DecodeFrameHead(std::string_view came) {
  if (came.size() < kFrameHeadBytes) {
    return std::optional<FrameHead>();
  }
  const auto word = storage::LoadBigEndian<uint32_t>(came, 0);
  const uint32_t kind = word >> kKindShift;
  const size_t length = word & kFrameBytesMax;
  if (kind == 0) {
    return std::optional(FrameHead{.head = kFrameHeadBytes, .bytes = length});
  }
  if (kind != kPart) {
    return NoFrame("a frame of an unknown kind, " + std::to_string(kind));
  }
  if (came.size() < kPartHeadBytes) {
    return std::optional<FrameHead>();
  }
  const FrameHead head{.head = kPartHeadBytes,
                       .bytes = length - std::min(length, kLeftBytes),
                       .left = storage::LoadBigEndian<uint32_t>(came, kFrameHeadBytes)};
  if (head.bytes == 0 || head.bytes > head.left || head.left > kFrameBytesMax) {
    return NoFrame("a part of " + std::to_string(head.bytes) + " bytes of a frame of which " +
                   std::to_string(head.left) + " are still to come");
  }
  return std::optional(head);
}

PartedFrame::PartedFrame(Pieces frame)
    : frame_(std::make_shared<const Pieces>(std::move(frame))), left_(frame_->size()) {
  for (Pieces::Piece& piece : frame_->InOrder()) {
    pieces_.push_back(std::move(piece));
  }
  Pieces head;
  Take(kFrameHeadBytes, head);
}

Pieces PartedFrame::Next(size_t bytes_max) {
  const size_t bytes = std::min({left_, bytes_max, kFrameBytesMax - kLeftBytes});
  std::string head;
  storage::AppendBigEndian(head, kPart << kKindShift | static_cast<uint32_t>(kLeftBytes + bytes));
  storage::AppendBigEndian(head, static_cast<uint32_t>(left_));
  Pieces part;
  part.Append(head);
  Take(bytes, part);
  return part;
}

void PartedFrame::Take(size_t bytes, Pieces& out) {
  left_ -= bytes;
  while (bytes > 0) {
    Pieces::Piece& piece = pieces_.front();
    const size_t taken = std::min(bytes, kafka::SizeOf(piece));
    std::visit(Overloaded{
                   [&](std::string_view view) { out.Append(Slice(frame_, view.substr(0, taken))); },
                   [&](FileSlice slice) {
                     slice.length = taken;
                     out.Append(std::move(slice));
                   },
               },
               piece);
    kafka::RemoveFront(piece, taken);
    bytes -= taken;
    if (kafka::SizeOf(piece) == 0) {
      pieces_.pop_front();
    }
  }
}

}  // namespace regent
