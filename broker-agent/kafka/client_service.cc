#include "broker-agent/kafka/client_service.h"

#include <algorithm>
#include <utility>
#include <variant>
#include <vector>

#include "broker-agent/kafka/frame.h"
#include "common/base/overloaded.h"

namespace regent::kafka {
namespace {

/// Where the codec reads more than is served, of an API: Fetch 13 names topics by id alone,
/// ListOffsets 7 asks for the greatest timestamp.
constexpr int16_t kFetchMax = 12;
constexpr int16_t kListOffsetsMax = 6;

std::vector<ApiSpec> MakeOffered() {
  std::vector<ApiSpec> offered;
  for (const ApiSpec& api : Apis()) {
    offered.push_back(api);
    if (api.key == ApiKey::kFetch) {
      offered.back().versions.max = kFetchMax;
    } else if (api.key == ApiKey::kListOffsets) {
      offered.back().versions.max = kListOffsetsMax;
    }
  }
  return offered;
}

ApiVersionsResponse OfferedAs(KafkaError error) {
  ApiVersionsResponse response;
  response.error = error;
  for (const ApiSpec& api : ClientService::Offered()) {
    response.apis.push_back({.key = static_cast<int16_t>(api.key),
                             .min_version = api.versions.min,
                             .max_version = api.versions.max});
  }
  return response;
}

bool IsProduce(std::string_view frame) {
  return frame.starts_with(std::string_view("\0\0", 2));  // Its key is 0.
}

bool IsOffered(const RequestHeader& header) {
  const auto offered = ClientService::Offered();
  const auto api = std::ranges::find(offered, header.api, &ApiSpec::key);
  return api != offered.end() && api->versions.Contains(header.version);
}

}  // namespace

std::span<const ApiSpec> ClientService::Offered() {
  static const std::vector<ApiSpec> offered = MakeOffered();
  return offered;
}

bool ClientService::ServedAtOnce(std::string_view frame) {
  return IsProduce(frame);
}

void ClientService::Serve(const Slice& frame, const CallRef& call, Patience patience) const {
  if (frame.size() > options_.small_request_bytes_max && !IsProduce(frame.bytes())) {
    call->HangUp("a request of " + std::to_string(frame.size()) + " bytes, and only Produce may " +
                 "have more than " + std::to_string(options_.small_request_bytes_max));
    return;
  }
  std::visit(Overloaded{
                 [&](const Request& request) {
                   if (!IsOffered(request.header)) {
                     call->HangUp(std::string(SpecOf(request.header.api).name) + " version " +
                                  std::to_string(request.header.version) + " is not offered");
                     return;
                   }
                   // Decoded again later: the frame takes up less room meanwhile.
                   const auto* metadata = std::get_if<MetadataRequest>(&request.body);
                   if (metadata != nullptr && patience == Patience::kAwaitsLeaders &&
                       backend_.AwaitLeaders(
                           TopicsAwaited(request.header, *metadata),
                           [this, frame, call] { Serve(frame, call, Patience::kHasWaited); })) {
                     return;
                   }
                   std::visit([&](const auto& ask) { Do(request.header, ask, call); },
                              request.body);
                 },
                 [&](const UnknownApi& unknown) {
                   call->HangUp("api key " + std::to_string(unknown.key) + " is not known");
                 },
                 [&](const UnsupportedVersion& unsupported) {
                   if (unsupported.api != ApiKey::kApiVersions) {
                     call->HangUp(std::string(SpecOf(unsupported.api).name) + " version " +
                                  std::to_string(unsupported.version) + " is not offered");
                     return;
                   }
                   // In the oldest form, which every client reads; it asks again.
                   call->Answer(EncodeResponse({.api = ApiKey::kApiVersions,
                                                .version = 0,
                                                .correlation_id = unsupported.correlation_id,
                                                .client_id = std::nullopt},
                                               OfferedAs(KafkaError::kUnsupportedVersion)));
                 },
                 [&](const MalformedRequest& malformed) { call->HangUp(malformed.problem); },
             },
             DecodeRequest(frame));
}

void ClientService::Do(const RequestHeader& header,
                       const ApiVersionsRequest& /*ask*/,
                       const CallRef& call) const {
  call->Answer(EncodeResponse(header, OfferedAs(KafkaError::kNone)));
}

NamedPartition FindPartition(const MetadataView* view, std::string_view topic, int32_t index) {
  if (view == nullptr) {
    return {.error = KafkaError::kNotLeaderOrFollower};  // As yet.
  }
  const std::shared_ptr<const TopicView> found = view->Find(topic);
  if (found == nullptr) {
    return {.error = KafkaError::kUnknownTopicOrPartition};
  }
  const auto partition = found->partitions.find(index);
  if (partition == found->partitions.end()) {
    return {.error = KafkaError::kUnknownTopicOrPartition};
  }
  return {.error = KafkaError::kNone,
          .key = {.topic = found->topic->id, .index = index},
          .leader = partition->second.leader,
          .leader_epoch = partition->second.leader_epoch};
}

KafkaError ErrorOf(ReadProblem problem) {
  switch (problem) {
    case ReadProblem::kNone: return KafkaError::kNone;
    // The topic is known: another broker leads it.
    case ReadProblem::kUnknownPartition:
    case ReadProblem::kNotLeader: return KafkaError::kNotLeaderOrFollower;
    case ReadProblem::kFencedEpoch: return KafkaError::kFencedLeaderEpoch;
    case ReadProblem::kUnknownEpoch: return KafkaError::kUnknownLeaderEpoch;
    case ReadProblem::kOutOfRange: return KafkaError::kOffsetOutOfRange;
    case ReadProblem::kNotAvailable: return KafkaError::kOffsetNotAvailable;
    case ReadProblem::kStorage: return KafkaError::kKafkaStorageError;
  }
  return KafkaError::kUnknownServerError;
}

}  // namespace regent::kafka
