#pragma once

#include <optional>
#include <string>
#include <variant>

#include "broker-agent/kafka/codec.h"
#include "broker-agent/kafka/request.h"
#include "tests/unit/broker-agent-kafka/all_messages.h"
#include "tests/unit/broker-agent-kafka/golden.h"

namespace regent::kafka {

/// What became of a frame that was decoded and encoded again.
struct Recoded {
  std::string bytes;  ///< With the length in front.
  std::string text;   ///< Of the body.
};

inline std::optional<Recoded> RecodeRequest(const Slice& frame) {
  const DecodedRequest decoded = DecodeRequest(frame);
  const auto* const request = std::get_if<Request>(&decoded);
  if (request == nullptr) {
    return std::nullopt;
  }
  return std::visit(
      [&]<class M>(const M& body) {
        return Recoded{.bytes = EncodeRequest(request->header, body).Flatten(),
                       .text = Codec<M>::DebugText(body, request->header.version)};
      },
      request->body);
}

inline std::optional<Recoded> RecodeResponse(const RequestHeader& request, const Slice& frame) {
  std::optional<Recoded> recoded;
  ForEachResponse([&]<class M>(TypeOf<M> /*type*/) {
    if (M::kApi != request.api) {
      return;
    }
    if (const Result<M> response = DecodeResponse<M>(request, frame); response) {
      recoded = {.bytes = EncodeResponse(request, *response).Flatten(),
                 .text = Codec<M>::DebugText(*response, request.version)};
    }
  });
  return recoded;
}

/// Decodes `frame`, which lies where that of `golden` did; nothing if it cannot be.
inline std::optional<Recoded> Recode(const GoldenFrame& golden, const Slice& frame) {
  switch (golden.direction) {
    case Direction::kRequest: return RecodeRequest(frame);
    case Direction::kResponse: return RecodeResponse(golden.request, frame);
  }
  return std::nullopt;
}

}  // namespace regent::kafka
