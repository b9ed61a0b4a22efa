#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string_view>

#include "broker-agent/kafka/pieces.h"
#include "common/base/result.h"

namespace regent {

// What the frames of a replication stream begin with, the most significant byte first:
//
//   a frame         0, its length in 3 bytes
//   a part of one   1, its length in 3 bytes, of which the first 4 say how many bytes of the frame
//                   that it is a part of are still to come, its own among them
//
// The parts of a frame keep their order; other frames may come between them, but no other's parts.

inline constexpr size_t kFrameHeadBytes = 4;
inline constexpr size_t kPartHeadBytes = kFrameHeadBytes + 4;
inline constexpr size_t kFrameBytesMax = (size_t{1} << 24U) - 1;

struct FrameHead {
  size_t head = 0;   ///< How many bytes all this takes.
  size_t bytes = 0;  ///< How many of the frame, or the part, come behind it.
  size_t left = 0;   ///< A part's: how many of its frame are still to come; else 0.
};

/// Reads one from the first bytes that have come; nothing: they are too few. kInvalidArgument: it
/// is none, so that the stream cannot go on.
Result<std::optional<FrameHead>> DecodeFrameHead(std::string_view came);

/// A frame that goes in parts.
class PartedFrame {
 public:
  /// Takes it as it would be sent whole. It has not more than kFrameBytesMax.
  explicit PartedFrame(kafka::Pieces frame);

  bool all_taken() const { return left_ == 0; }
  /// Returns the next part, of that many bytes at the most: at least one, if not all is taken. It
  /// shares in the frame.
  kafka::Pieces Next(size_t bytes_max);

 private:
  void Take(size_t bytes, kafka::Pieces& out);

  std::shared_ptr<const kafka::Pieces> frame_;
  std::deque<kafka::Pieces::Piece> pieces_;  ///< What is left of it, none of them empty.
  size_t left_ = 0;
};

}  // namespace regent
