#include "tests/bench/load/reading.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <set>

namespace regent::bench {
namespace {

using std::chrono::steady_clock;

constexpr auto kPatience = std::chrono::seconds(30);
constexpr int kPollMs = 500;

Record ToRecord(const rd_kafka_message_t& message) {
  Record record;
  record.partition = message.partition;
  record.timestamp_ms = rd_kafka_message_timestamp(&message, nullptr);
  if (message.key != nullptr) {
    record.key = std::string(static_cast<const char*>(message.key), message.key_len);
  }
  if (message.payload != nullptr) {
    record.value = std::string_view(static_cast<const char*>(message.payload), message.len);
  }
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
    const char* name = nullptr;
    const void* value = nullptr;
    size_t size = 0;
    for (size_t i = 0;
         rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
         ++i) {
      std::optional<std::string> copy;
      if (value != nullptr) {
        copy = std::string(static_cast<const char*>(value), size);
      }
      record.headers.emplace_back(name, std::move(copy));
    }
  }
  return record;
}

class Comparison {
 public:
  Comparison(const RecordMaker& maker, const std::vector<bool>& acknowledged)
      : maker_(maker), missing_(acknowledged), seen_(acknowledged.size()) {
    last_.resize(static_cast<size_t>(maker.shape().partitions));
    lost_ = static_cast<uint64_t>(std::ranges::count(missing_, true));
  }

  void Take(const rd_kafka_message_t& message) {
    const auto now = steady_clock::now();
    const Record record = ToRecord(message);
    if (found_.records == 0) {
      first_ = now;
    }
    ++found_.records;
    found_.bytes += message.len;
    found_.seconds = std::chrono::duration<double>(now - first_).count();
    const auto number = maker_.NumberOf(record.timestamp_ms);
    if (!number || *number >= seen_.size() || record != maker_.Make(*number)) {
      ++found_.different;
      return;
    }
    found_.doubled += seen_[*number] ? 1 : 0;
    seen_[*number] = true;
    if (missing_[*number]) {
      missing_[*number] = false;
      --lost_;
    }
    auto& last = last_[static_cast<size_t>(record.partition)];
    found_.disordered += last && *number < *last ? 1 : 0;
    last = std::max(last.value_or(0), *number);
  }

  bool complete() const { return lost_ == 0; }
  Found Result() {
    found_.lost = lost_;
    return found_;
  }

 private:
  const RecordMaker& maker_;
  std::vector<bool> missing_;  ///< Acknowledged and not yet found.
  std::vector<bool> seen_;
  std::vector<std::optional<uint64_t>> last_;  ///< By partition.
  uint64_t lost_ = 0;
  steady_clock::time_point first_;
  Found found_;
};

}  // namespace

Result<Found> ReadBack(const ClientSettings& settings,
                       const std::string& topic,
                       const RecordMaker& maker,
                       const std::vector<bool>& acknowledged) {
  ClientSettings all = settings;
  all.insert({{"group.id", "unused"},
              {"enable.auto.commit", "false"},
              {"enable.partition.eof", "true"},
              {"auto.offset.reset", "error"}});
  auto client = MakeClient(RD_KAFKA_CONSUMER, all, {});
  if (!client.ok()) {
    return client.error();
  }
  rd_kafka_t* consumer = client->get();
  rd_kafka_poll_set_consumer(consumer);
  rd_kafka_topic_partition_list_t* all_of_them =
      rd_kafka_topic_partition_list_new(maker.shape().partitions);
  for (int32_t p = 0; p < maker.shape().partitions; ++p) {
    rd_kafka_topic_partition_list_add(all_of_them, topic.c_str(), p)->offset = 0;
  }
  rd_kafka_assign(consumer, all_of_them);
  rd_kafka_topic_partition_list_destroy(all_of_them);

  Comparison comparison(maker, acknowledged);
  std::set<int32_t> at_end;
  std::string trouble;
  // What was acknowledged by the leader alone is shown once the followers have it, so the end may
  // come more than once.
  auto last_progress = steady_clock::now();
  while (at_end.size() < static_cast<size_t>(maker.shape().partitions) || !comparison.complete()) {
    if (steady_clock::now() - last_progress > kPatience) {
      trouble = "nothing more came";
      break;
    }
    rd_kafka_message_t* message = rd_kafka_consumer_poll(consumer, kPollMs);
    if (message == nullptr) {
      continue;
    }
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      comparison.Take(*message);
      last_progress = steady_clock::now();
      at_end.erase(message->partition);
    } else if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      at_end.insert(message->partition);
    }
    rd_kafka_message_destroy(message);
  }
  Found found = comparison.Result();
  found.trouble = trouble;
  rd_kafka_consumer_close(consumer);
  return found;
}

}  // namespace regent::bench
