#include <memory>
#include <utility>

#include "broker-agent/kafka/client_service.h"
#include "broker-agent/kafka/frame.h"
#include "broker-agent/kafka/gather.h"

// ClientService: questions about offsets and epochs.

namespace regent::kafka {
namespace {

template <class Ask, class Answers>
size_t Prepare(const Ask& ask, Answers& answers) {
  size_t partitions = 0;
  for (const auto& topic : ask.topics) {
    auto& answer = answers.topics.emplace_back();
    answer.name = topic.name;
    for (const auto& partition : topic.partitions) {
      answer.partitions.emplace_back().index = partition.index;
      ++partitions;
    }
  }
  return partitions;
}

decltype(OffsetRequested::which) WhichOf(int64_t timestamp) {
  switch (timestamp) {
    case kLatestTimestamp: return OffsetRequested::Latest{};
    case kEarliestTimestamp: return OffsetRequested::Earliest{};
    default: return OffsetRequested::AtTime{.timestamp_ms = timestamp};
  }
}

void Fill(ListOffsetsResponse::Partition& answer, const AnswerOffset& found) {
  answer.error = ErrorOf(found.problem);
  answer.timestamp = found.found.timestamp_ms;
  answer.offset = found.found.offset;
  answer.leader_epoch = found.leader_epoch;
  if (found.problem == ReadProblem::kNone && found.found.offset != kNoOffset) {
    answer.old_style_offsets = {found.found.offset};
  }
}

}  // namespace

void ClientService::Do(const RequestHeader& header,
                       const ListOffsetsRequest& ask,
                       const CallRef& call) const {
  const std::shared_ptr<const MetadataView> view = backend_.metadata();
  ListOffsetsResponse response;
  const size_t partitions = Prepare(ask, response);
  const auto gather = Gather<ListOffsetsResponse>::For(
      partitions, std::move(response), [header, call](const ListOffsetsResponse& whole) {
        call->Answer(EncodeResponse(header, whole));
      });
  for (size_t t = 0; t < ask.topics.size(); ++t) {
    for (size_t p = 0; p < ask.topics[t].partitions.size(); ++p) {
      ListOffsetsResponse::Partition& answer = gather->value().topics[t].partitions[p];
      const ListOffsetsRequest::Partition& asked = ask.topics[t].partitions[p];
      const NamedPartition named = FindPartition(view.get(), ask.topics[t].name, asked.index);
      if (named.error != KafkaError::kNone) {
        answer.error = named.error;
        gather->Arrived();
        continue;
      }
      backend_.FindOffset({.ticket = OffsetTicket(0),
                           .partition = named.key,
                           .leader_epoch = asked.current_leader_epoch,
                           .which = WhichOf(asked.timestamp)},
                          [gather, &answer](const AnswerOffset& found) {
                            Fill(answer, found);
                            gather->Arrived();
                          });
    }
  }
}

void ClientService::Do(const RequestHeader& header,
                       const OffsetForLeaderEpochRequest& ask,
                       const CallRef& call) const {
  const std::shared_ptr<const MetadataView> view = backend_.metadata();
  OffsetForLeaderEpochResponse response;
  const size_t partitions = Prepare(ask, response);
  const auto gather = Gather<OffsetForLeaderEpochResponse>::For(
      partitions, std::move(response), [header, call](const OffsetForLeaderEpochResponse& whole) {
        call->Answer(EncodeResponse(header, whole));
      });
  for (size_t t = 0; t < ask.topics.size(); ++t) {
    for (size_t p = 0; p < ask.topics[t].partitions.size(); ++p) {
      OffsetForLeaderEpochResponse::Partition& answer = gather->value().topics[t].partitions[p];
      const OffsetForLeaderEpochRequest::Partition& asked = ask.topics[t].partitions[p];
      const NamedPartition named = FindPartition(view.get(), ask.topics[t].name, asked.index);
      if (named.error != KafkaError::kNone) {
        answer.error = named.error;
        gather->Arrived();
        continue;
      }
      backend_.FindEpochEnd({.ticket = OffsetTicket(0),
                             .partition = named.key,
                             .leader_epoch = asked.current_leader_epoch,
                             .epoch = asked.leader_epoch},
                            [gather, &answer](const AnswerEpochEnd& found) {
                              answer.error = ErrorOf(found.problem);
                              answer.leader_epoch = found.end.epoch;
                              answer.end_offset = found.end.end;
                              gather->Arrived();
                            });
    }
  }
}

}  // namespace regent::kafka
