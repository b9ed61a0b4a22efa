#include "broker-agent/kafka/request.h"

#include <utility>

#include <glog/logging.h>

#include "broker-agent/kafka/codec.h"
#include "broker-agent/kafka/reader.h"

namespace regent::kafka {
namespace {

/// Reads the body as the alternative of RequestBody that is of `api`.
template <class... Ms>
RequestBody ReadBody(Reader& reader,
                     const RequestHeader& header,
                     const std::variant<Ms...>* /*names the alternatives*/) {
  RequestBody body;
  const auto read_as = [&]<class M>() {
    if (M::kApi != header.api) {
      return false;
    }
    body = Codec<M>::Read(reader, header.version);
    return true;
  };
  const bool found = (read_as.template operator()<Ms>() || ...);
  CHECK(found) << header.api << " has no alternative in RequestBody";
  return body;
}

DecodedRequest Malformed(const std::string& what, const Reader& reader) {
  return MalformedRequest{.problem = what + ": " + reader.problem()};
}

}  // namespace

DecodedRequest DecodeRequest(const Slice& frame) {
  Reader reader(frame);
  const auto key = reader.ReadInt<int16_t>();
  RequestHeader header;
  header.version = reader.ReadInt<int16_t>();
  header.correlation_id = reader.ReadInt<int32_t>();
  if (!reader.ok()) {
    return Malformed("a request", reader);
  }
  const ApiSpec* const api = FindApi(key);
  if (api == nullptr) {
    return UnknownApi{.key = key};
  }
  header.api = api->key;
  if (!api->versions.Contains(header.version)) {
    return UnsupportedVersion{
        .api = header.api, .version = header.version, .correlation_id = header.correlation_id};
  }
  if (const auto client_id = reader.ReadText(Encoding::kPlain); client_id) {
    header.client_id = *client_id;
  }
  if (LayoutOf(header.api, header.version).encoding == Encoding::kFlexible) {
    reader.SkipTaggedFields();
  }
  RequestBody body = ReadBody(reader, header, static_cast<RequestBody*>(nullptr));
  if (!reader.ok()) {
    return Malformed(std::string(api->name) + " version " + std::to_string(header.version), reader);
  }
  return Request{.header = std::move(header), .body = std::move(body)};
}

ApiVersionsResponse SupportedApis(KafkaError error) {
  ApiVersionsResponse response{.error = error};
  for (const ApiSpec& api : Apis()) {
    response.apis.push_back({.key = static_cast<int16_t>(api.key),
                             .min_version = api.versions.min,
                             .max_version = api.versions.max});
  }
  return response;
}

}  // namespace regent::kafka
