#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "broker-agent/kafka/client_service.h"
#include "broker-agent/kafka/frame.h"

// ClientService: records that clients read.

namespace regent::kafka {
namespace {

/// Where the answer to one of the backend's partitions goes.
struct Place {
  size_t topic = 0;
  size_t partition = 0;
};

/// One slice for all batches of a partition: what was read at once lies together, what was kept
/// when it was appended does not.
Slice RecordsOf(const std::vector<RecordBatch>& batches) {
  std::optional<Slice> whole = batches.front().payload;
  for (size_t i = 1; i < batches.size() && whole; ++i) {
    whole = whole->Joined(batches[i].payload);
  }
  if (whole) {
    return *whole;
  }
  std::string bytes;
  bytes.reserve(static_cast<size_t>(BytesOf(batches)));
  for (const RecordBatch& batch : batches) {
    bytes += batch.payload.bytes();
  }
  return Slice(std::move(bytes));
}

void Fill(FetchResponse::Partition& answer, const FetchedPartition& fetched) {
  answer.error = ErrorOf(fetched.problem);
  answer.high_watermark = fetched.high_watermark;
  // Without transactions everything committed is stable.
  answer.last_stable_offset = fetched.high_watermark;
  answer.log_start_offset = fetched.log_start;
  if (fetched.slice) {
    answer.records = *fetched.slice;
  } else if (!fetched.batches.empty()) {
    answer.records = RecordsOf(fetched.batches);
  }
}

}  // namespace

void ClientService::Do(const RequestHeader& header,
                       const FetchRequest& ask,
                       const CallRef& call) const {
  if (ask.replica_id != kNoBroker) {
    call->HangUp(
        "a replica fetches through the broker's own listener, not through that of clients");
    return;
  }
  FetchResponse response;
  // No session is made, so nobody can have one: a client then goes on with full requests.
  if (ask.session_epoch > 0) {
    response.error = KafkaError::kFetchSessionIdNotFound;
    call->Answer(EncodeResponse(header, response));
    return;
  }
  const std::shared_ptr<const MetadataView> view = backend_.metadata();
  FetchRequested wanted;
  std::vector<Place> places;
  bool failed = false;
  for (const FetchRequest::Topic& topic : ask.topics) {
    FetchResponse::Topic& answers = response.topics.emplace_back();
    answers.name = topic.name;
    for (const FetchRequest::Partition& partition : topic.partitions) {
      FetchResponse::Partition& answer = answers.partitions.emplace_back();
      answer.index = partition.index;
      answer.high_watermark = Offset(-1);
      answer.records = Slice();
      const NamedPartition named = FindPartition(view.get(), topic.name, partition.index);
      answer.error = named.error;
      if (named.error != KafkaError::kNone) {
        failed = true;
        continue;
      }
      places.push_back(
          {.topic = response.topics.size() - 1, .partition = answers.partitions.size() - 1});
      wanted.partitions.push_back({.partition = named.key,
                                   .leader_epoch = partition.current_leader_epoch,
                                   .from = partition.fetch_offset,
                                   .max_bytes = std::max(partition.max_bytes, 0)});
    }
  }
  const Duration wait =
      failed ? Duration(0)
             : std::min<Duration>(std::chrono::milliseconds(std::max(ask.max_wait_ms, 0)),
                                  options_.wait_max);
  wanted.min_bytes = std::min<int64_t>(ask.min_bytes, options_.fetch_bytes_max);
  wanted.max_bytes = std::min<int64_t>(ask.max_bytes, options_.fetch_bytes_max);
  wanted.deadline = backend_.Now() + wait;
  const FetchTicket ticket = backend_.Fetch(
      std::move(wanted), [header, call, response = std::move(response),
                          places = std::move(places)](const AnswerFetch& fetched) mutable {
        for (size_t i = 0; i < places.size() && i < fetched.partitions.size(); ++i) {
          Fill(response.topics[places[i].topic].partitions[places[i].partition],
               fetched.partitions[i]);
        }
        call->Answer(EncodeResponse(header, response));
      });
  call->OnGone([&backend = backend_, ticket]() { backend.Abandon(ticket); });
}

}  // namespace regent::kafka
