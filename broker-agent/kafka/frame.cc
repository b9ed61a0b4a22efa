#include "broker-agent/kafka/frame.h"

#include <utility>

namespace regent::kafka {
namespace {

bool HasTaggedFields(const RequestHeader& header) {
  return LayoutOf(header.api, header.version).encoding == Encoding::kFlexible;
}

/// A client that does not know yet which versions there are must be able to read the answer that
/// tells it.
bool AnswerHasTaggedFields(const RequestHeader& request) {
  return request.api != ApiKey::kApiVersions && HasTaggedFields(request);
}

}  // namespace

Result<size_t> DecodeFrameLength(std::string_view first_four, size_t bytes_max) {
  CHECK_EQ(first_four.size(), kFrameLengthBytes);
  const auto length = Reader(Slice(nullptr, first_four)).ReadInt<int32_t>();
  if (length < 0 || static_cast<size_t>(length) > bytes_max) {
    return Error{ErrorCode::kInvalidArgument, "a frame of " + std::to_string(length) + " bytes, " +
                                                  std::to_string(bytes_max) +
                                                  " are allowed: close the connection"};
  }
  return static_cast<size_t>(length);
}

Writer BeginRequest(const RequestHeader& header) {
  Writer writer;
  writer.WriteInt(int32_t{0});
  writer.WriteInt(static_cast<int16_t>(header.api));
  writer.WriteInt(header.version);
  writer.WriteInt(header.correlation_id);
  writer.WriteText(header.client_id, Encoding::kPlain);  // In both versions of the header.
  if (HasTaggedFields(header)) {
    writer.WriteUnsignedVarint(0);
  }
  return writer;
}

Writer BeginResponse(const RequestHeader& request) {
  Writer writer;
  writer.WriteInt(int32_t{0});
  writer.WriteInt(request.correlation_id);
  if (AnswerHasTaggedFields(request)) {
    writer.WriteUnsignedVarint(0);
  }
  return writer;
}

Pieces FinishFrame(Writer writer) {
  Pieces pieces = std::move(writer).Take();
  const size_t length = pieces.size() - kFrameLengthBytes;
  CHECK_LE(length, static_cast<size_t>(INT32_MAX)) << "the frame is longer than its length can say";
  const auto bytes = BigEndian(static_cast<int32_t>(length));
  pieces.Overwrite(0, std::string_view(bytes.data(), bytes.size()));
  return pieces;
}

void ReadResponseHeader(Reader& reader, const RequestHeader& request) {
  const auto correlation_id = reader.ReadInt<int32_t>();
  if (reader.ok() && correlation_id != request.correlation_id) {
    reader.Fail("correlation id " + std::to_string(correlation_id) + " instead of " +
                std::to_string(request.correlation_id));
  }
  if (AnswerHasTaggedFields(request)) {
    reader.SkipTaggedFields();
  }
}

}  // namespace regent::kafka
