#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <glog/logging.h>

#include "broker-agent/core/slice.h"
#include "broker-agent/kafka/api.h"
#include "broker-agent/kafka/codec.h"
#include "broker-agent/kafka/pieces.h"
#include "broker-agent/kafka/reader.h"
#include "broker-agent/kafka/writer.h"
#include "common/base/result.h"

namespace regent::kafka {

// A frame is an int32, the length of the rest; a header; a body. The headers:
//
//   request v1   api key, api version, correlation id, client id
//   request v2   the same, tagged fields     in the flexible versions of an API
//   response v0  correlation id
//   response v1  the same, tagged fields     in the flexible versions, but never of ApiVersions

inline constexpr size_t kFrameLengthBytes = 4;

struct RequestHeader {
  ApiKey api = ApiKey::kApiVersions;
  int16_t version = 0;
  int32_t correlation_id = 0;
  std::optional<std::string> client_id;

  friend bool operator==(const RequestHeader&, const RequestHeader&) = default;
};

/// Returns how many bytes follow a frame's first four. Refuses a length that is negative or above
/// `bytes_max`: the connection cannot go on.
Result<size_t> DecodeFrameLength(std::string_view first_four, size_t bytes_max);

// --- What the templates below are made of ---

/// Returns a writer that has room for the length and has written the header.
Writer BeginRequest(const RequestHeader& header);
/// The same for the answer to a request.
Writer BeginResponse(const RequestHeader& request);
/// Fills in the length.
Pieces FinishFrame(Writer writer);
/// Reads the answer's header; another correlation id than the request's is a problem.
void ReadResponseHeader(Reader& reader, const RequestHeader& request);

// --- Whole frames ---

/// Returns the answer to a request, with the frame's length in front.
template <Message M>
Pieces EncodeResponse(const RequestHeader& request, const M& response) {
  CHECK_EQ(request.api, M::kApi);
  Writer writer = BeginResponse(request);
  Codec<M>::Write(writer, response, request.version);
  return FinishFrame(std::move(writer));
}

/// Returns a request, with the frame's length in front.
template <Message M>
Pieces EncodeRequest(const RequestHeader& header, const M& request) {
  CHECK_EQ(header.api, M::kApi);
  Writer writer = BeginRequest(header);
  Codec<M>::Write(writer, request, header.version);
  return FinishFrame(std::move(writer));
}

/// Reads the answer to a request, without the frame's length.
template <Message M>
Result<M> DecodeResponse(const RequestHeader& request, const Slice& frame) {
  CHECK_EQ(request.api, M::kApi);
  Reader reader(frame);
  ReadResponseHeader(reader, request);
  M response = Codec<M>::Read(reader, request.version);
  reader.ExpectEnd();
  if (!reader.ok()) {
    return Error{ErrorCode::kCorrupt, reader.problem()};
  }
  return response;
}

}  // namespace regent::kafka
