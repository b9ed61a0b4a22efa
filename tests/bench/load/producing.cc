#include "tests/bench/load/producing.h"

#include <array>
#include <bit>
#include <utility>

#include <glog/logging.h>

namespace regent::bench {
namespace {

using std::chrono::steady_clock;

constexpr int kReportsMs = 100;
constexpr auto kQueueFull = std::chrono::milliseconds(1);

int64_t Nanoseconds(steady_clock::time_point moment) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(moment.time_since_epoch()).count();
}

rd_kafka_vu_t Part(rd_kafka_vtype_t type) {
  rd_kafka_vu_t part{};
  part.vtype = type;
  return part;
}

rd_kafka_headers_t* Headers(const Record& record) {
  rd_kafka_headers_t* headers = rd_kafka_headers_new(record.headers.size());
  for (const auto& [name, value] : record.headers) {
    rd_kafka_header_add(headers, name.data(), static_cast<ssize_t>(name.size()),
                        value ? value->data() : nullptr,
                        value ? static_cast<ssize_t>(value->size()) : 0);
  }
  return headers;
}

}  // namespace

Producing::Producing(std::string topic, const RecordMaker& maker, OnStatistics on_statistics)
    : topic_(std::move(topic)), maker_(maker), on_statistics_(std::move(on_statistics)) {}

Result<std::unique_ptr<Producing>> Producing::Make(const ClientSettings& settings,
                                                   std::string topic,
                                                   const RecordMaker& maker,
                                                   OnStatistics on_statistics) {
  std::unique_ptr<Producing> producing(
      new Producing(std::move(topic), maker, std::move(on_statistics)));
  auto client = MakeClient(RD_KAFKA_PRODUCER, settings,
                           {.context = producing.get(),
                            .on_delivery = &Producing::OnDelivery,
                            .on_statistics = &Producing::TakeStatistics});
  if (!client.ok()) {
    return client.error();
  }
  producing->client_ = std::move(client).value();
  producing->reports_ = std::jthread([self = producing.get()](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      rd_kafka_poll(self->client_.get(), kReportsMs);
    }
  });
  return producing;
}

Producing::~Producing() {
  if (reports_.joinable()) {
    reports_.request_stop();
    reports_.join();
  }
}

Delivered Producing::Run(const Pace& pace, std::function<void()> on_first) {
  const auto start = steady_clock::now();
  {
    const MutexLock lock(mutex_);
    run_ = {};
    on_first_ = std::move(on_first);
    last_report_ = start;
  }
  const uint64_t first = next_;
  while (pace.records == 0 || next_ - first < pace.records) {
    auto due = start;
    if (pace.per_second > 0) {
      due += std::chrono::duration_cast<steady_clock::duration>(
          std::chrono::duration<double>(static_cast<double>(next_ - first) / pace.per_second));
    }
    if (pace.stopped(due)) {
      break;
    }
    Send(next_);
    ++next_;
  }
  while (rd_kafka_flush(client_.get(), kReportsMs) == RD_KAFKA_RESP_ERR__TIMED_OUT) {
  }
  const MutexLock lock(mutex_);
  run_.seconds = std::chrono::duration<double>(last_report_ - start).count();
  acknowledged_.resize(next_);
  return std::exchange(run_, {});
}

void Producing::Send(uint64_t number) {
  const Record record = maker_.Make(number);
  auto topic = Part(RD_KAFKA_VTYPE_TOPIC);
  topic.u.cstr = topic_.c_str();
  auto partition = Part(RD_KAFKA_VTYPE_PARTITION);
  partition.u.i32 = record.partition;
  auto timestamp = Part(RD_KAFKA_VTYPE_TIMESTAMP);
  timestamp.u.i64 = record.timestamp_ms;
  auto value = Part(RD_KAFKA_VTYPE_VALUE);  // Lies in the maker, so it need not be copied.
  if (record.value) {
    value.u.mem = {.ptr = const_cast<char*>(record.value->data()), .size = record.value->size()};
  }
  auto key = Part(RD_KAFKA_VTYPE_KEY);
  if (record.key) {
    key.u.mem = {.ptr = const_cast<char*>(record.key->data()), .size = record.key->size()};
  }
  auto headers = Part(RD_KAFKA_VTYPE_HEADERS);
  headers.u.headers = record.headers.empty() ? nullptr : Headers(record);
  auto opaque = Part(RD_KAFKA_VTYPE_OPAQUE);
  for (;;) {
    const auto now = steady_clock::now();
    opaque.u.ptr = std::bit_cast<void*>(Nanoseconds(now));
    const std::array parts = {topic, partition, timestamp, value, key, opaque, headers};
    const size_t count = headers.u.headers == nullptr ? parts.size() - 1 : parts.size();
    rd_kafka_error_t* error = rd_kafka_produceva(client_.get(), parts.data(), count);
    if (error == nullptr) {
      return;
    }
    const rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    const std::string text = rd_kafka_error_string(error);
    rd_kafka_error_destroy(error);
    if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
      if (headers.u.headers != nullptr) {
        rd_kafka_headers_destroy(headers.u.headers);
      }
      const MutexLock lock(mutex_);
      ++run_.errors[text];
      return;
    }
    std::this_thread::sleep_until(now + kQueueFull);  // The polling step.
  }
}

void Producing::OnDelivery(rd_kafka_t* /*client*/,
                           const rd_kafka_message_t* message,
                           void* context) {
  static_cast<Producing*>(context)->Note(*message);
}

int Producing::TakeStatistics(rd_kafka_t* /*client*/, char* json, size_t size, void* context) {
  static_cast<Producing*>(context)->on_statistics_({json, size});
  return 0;  // librdkafka frees the text.
}

void Producing::Note(const rd_kafka_message_t& message) {
  const auto now = steady_clock::now();
  const MutexLock lock(mutex_);
  last_report_ = now;
  if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    ++run_.errors[rd_kafka_err2name(message.err)];
    return;
  }
  ++run_.records;
  run_.bytes += message.len;
  const auto sent = std::bit_cast<int64_t>(message._private);
  if (on_first_) {
    under_way_ns_ = Nanoseconds(now);
  }
  if (run_.records == 1 || sent >= under_way_ns_) {
    run_.latencies_ns.push_back(Nanoseconds(now) - sent);
  }
  const auto number = maker_.NumberOf(rd_kafka_message_timestamp(&message, nullptr));
  CHECK(number) << "a report of a record that is not ours";
  if (acknowledged_.size() <= *number) {
    acknowledged_.resize(*number + 1);
  }
  acknowledged_[*number] = true;
  if (on_first_) {
    std::exchange(on_first_, nullptr)();
  }
}

}  // namespace regent::bench
