#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <iostream>
#include <mutex>
#include <string>
#include <string_view>
#include <syncstream>
#include <thread>
#include <unistd.h>
#include <vector>

#include <CLI/CLI.hpp>
#include <glog/logging.h>
#include <nlohmann/json.hpp>

#include "tests/bench/load/client.h"
#include "tests/bench/load/producing.h"
#include "tests/bench/load/reading.h"
#include "tests/bench/load/records.h"

// regent-load: writes records at a pace, measures each from produce() to its delivery report, reads
// them back and compares. Prints a JSON object per line: one when the first record of a run is
// acknowledged, one for each run, one for the reading, and statistics if they are asked for.

namespace regent::bench {
namespace {

using std::chrono::steady_clock;

struct Options {
  std::string brokers;
  std::string topic;
  uint64_t records = 1000;
  bool until_eof = false;
  double per_second = 0;
  int runs = 1;
  RecordShape shape;
  std::string acks = "all";
  bool idempotence = false;
  std::string codec = "none";
  double linger_ms = 5;
  std::vector<std::string> settings;
  bool verify = false;
  bool tell_statistics = false;
  std::string transactional_id;
};

/// Waits for a moment, or for the end of standard input.
class Stop {
 public:
  explicit Stop(bool watch_input) {
    if (watch_input) {
      std::thread([this] {
        char byte = 0;
        while (read(STDIN_FILENO, &byte, 1) > 0) {
        }
        {
          const std::lock_guard lock(mutex_);
          ended_ = true;
        }
        changed_.notify_all();
      }).detach();  // Nothing can wake a read; the process ends with main.
    }
  }

  /// Returns whether it is time to stop.
  bool At(steady_clock::time_point due) {
    if (due <= steady_clock::now()) {
      return ended_;
    }
    std::unique_lock lock(mutex_);
    return changed_.wait_until(lock, due, [this] { return ended_.load(); });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::atomic<bool> ended_ = false;  ///< Set under the mutex.
};

/// The latency that this share of all records has not exceeded, in milliseconds.
double Percentile(const std::vector<int64_t>& sorted, double share) {
  if (sorted.empty()) {
    return 0;
  }
  const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(sorted.size())));
  return static_cast<double>(sorted[std::clamp<size_t>(rank, 1, sorted.size()) - 1]) / 1e6;
}

nlohmann::json ToJson(Delivered delivered) {
  std::ranges::sort(delivered.latencies_ns);
  const double seconds = std::max(delivered.seconds, 1e-9);
  return {{"kind", "produced"},
          {"records", delivered.records},
          {"bytes", delivered.bytes},
          {"seconds", delivered.seconds},
          {"recordsPerSecond", static_cast<double>(delivered.records) / seconds},
          {"mbPerSecond", static_cast<double>(delivered.bytes) / 1e6 / seconds},
          {"latencyMs",
           {{"p50", Percentile(delivered.latencies_ns, 0.5)},
            {"p99", Percentile(delivered.latencies_ns, 0.99)},
            {"p99.9", Percentile(delivered.latencies_ns, 0.999)},
            {"max", Percentile(delivered.latencies_ns, 1)}}},
          {"errors", delivered.errors}};
}

nlohmann::json ToJson(const Found& found) {
  return {{"kind", "read"},
          {"records", found.records},
          {"bytes", found.bytes},
          {"seconds", found.seconds},
          {"mbPerSecond", static_cast<double>(found.bytes) / 1e6 / std::max(found.seconds, 1e-9)},
          {"lost", found.lost},
          {"doubled", found.doubled},
          {"disordered", found.disordered},
          {"different", found.different},
          {"trouble", found.trouble}};
}

/// In one piece: more than one thread has something to say.
void Print(const nlohmann::json& object) {
  std::osyncstream(std::cout) << object << std::endl;
}

int Fail(const Error& error) {
  std::cerr << "regent-load: " << error << '\n';
  return 2;
}

/// Asks for a transactional producer's id and prints the answer.
int InitTransactions(const Options& options, ClientSettings settings) {
  settings["transactional.id"] = options.transactional_id;
  auto client = MakeClient(RD_KAFKA_PRODUCER, settings, {});
  if (!client.ok()) {
    return Fail(client.error());
  }
  constexpr int kTimeoutMs = 20'000;
  nlohmann::json answer = {{"kind", "transactions"}, {"error", ""}};
  if (rd_kafka_error_t* error = rd_kafka_init_transactions(client->get(), kTimeoutMs)) {
    answer["error"] = rd_kafka_error_name(error);
    answer["message"] = rd_kafka_error_string(error);
    answer["fatal"] = rd_kafka_error_is_fatal(error) != 0;
    answer["retriable"] = rd_kafka_error_is_retriable(error) != 0;
    rd_kafka_error_destroy(error);
  }
  Print(answer);
  return 0;
}

ClientSettings CommonSettings(const Options& options) {
  return {{"bootstrap.servers", options.brokers}, {"log_level", "0"}};
}

ClientSettings ProducerSettings(const Options& options) {
  auto settings = CommonSettings(options);
  settings["acks"] = options.acks;
  settings["enable.idempotence"] = options.idempotence ? "true" : "false";
  settings["compression.codec"] = options.codec;
  settings["linger.ms"] = std::to_string(options.linger_ms);
  settings["message.timeout.ms"] = "120000";
  settings["reconnect.backoff.max.ms"] = "200";
  settings["queue.buffering.max.messages"] = "100000";
  if (options.tell_statistics) {
    settings["statistics.interval.ms"] = "1000";
  }
  for (const std::string& setting : options.settings) {
    const size_t at = setting.find('=');
    settings[setting.substr(0, at)] = at == std::string::npos ? "" : setting.substr(at + 1);
  }
  return settings;
}

int Run(Options options) {
  if (!options.transactional_id.empty()) {
    return InitTransactions(options, CommonSettings(options));
  }
  if (options.shape.first_timestamp_ms == 0) {
    // A while ago, as a record a millisecond is written, and brokers refuse those of the future.
    options.shape.first_timestamp_ms =
        std::chrono::duration_cast<std::chrono::milliseconds>(
            (std::chrono::system_clock::now() - std::chrono::hours(1)).time_since_epoch())
            .count();
  }
  const RecordMaker maker(options.shape);
  auto producing = Producing::Make(
      ProducerSettings(options), options.topic, maker, [](std::string_view statistics) {
        Print({{"kind", "statistics"}, {"statistics", nlohmann::json::parse(statistics)}});
      });
  if (!producing.ok()) {
    return Fail(producing.error());
  }
  Stop stop(options.until_eof);
  const Pace pace{.records = options.until_eof ? 0 : options.records,
                  .per_second = options.per_second,
                  .stopped = [&](steady_clock::time_point due) { return stop.At(due); }};
  for (int run = 0; run < options.runs; ++run) {
    Print(ToJson((*producing)->Run(pace, [] { Print({{"kind", "underWay"}}); })));
  }
  if (options.verify) {
    const auto found =
        ReadBack(CommonSettings(options), options.topic, maker, (*producing)->acknowledged());
    if (!found.ok()) {
      return Fail(found.error());
    }
    Print(ToJson(*found));
  }
  return 0;
}

}  // namespace
}  // namespace regent::bench

// NOLINTNEXTLINE(bugprone-exception-escape): what nobody expects ends the process.
int main(int argc, char** argv) {
  google::InitGoogleLogging(argv[0]);
  FLAGS_logtostderr = true;
  regent::bench::Options options;
  CLI::App app("Writes records to a topic of its own, measures, reads them back and compares.");
  app.add_option("--brokers", options.brokers, "host:port,host:port")->required();
  app.add_option("--topic", options.topic, "An empty topic")->required();
  app.add_option("--records", options.records, "How many, in each run");
  app.add_flag("--until-eof", options.until_eof, "Until standard input ends, instead of --records");
  app.add_option("--per-second", options.per_second, "The pace; 0: as fast as it goes");
  app.add_option("--runs", options.runs, "How many runs, each reported for itself");
  app.add_option("--sizes", options.shape.sizes, "Sizes of values in bytes, in turn; -1: no value")
      ->delimiter(',');
  app.add_option("--partitions", options.shape.partitions, "Written in turn");
  app.add_flag("--keys", options.shape.keys, "A key, an empty key, none, in turn");
  app.add_option("--headers", options.shape.headers, "Headers of every record");
  app.add_option("--first-timestamp-ms", options.shape.first_timestamp_ms,
                 "The first record's; each has one more; 0: an hour ago");
  app.add_option("--acks", options.acks, "0, 1 or all");
  app.add_flag("--idempotence", options.idempotence, "As an idempotent producer");
  app.add_option("--codec", options.codec, "none, gzip, snappy, lz4 or zstd");
  app.add_option("--linger-ms", options.linger_ms, "How long a batch waits for more");
  app.add_option("-X,--setting", options.settings, "name=value for librdkafka's producer");
  app.add_flag("--verify", options.verify, "Read everything back and compare");
  app.add_flag("--tell-statistics", options.tell_statistics,
               "Print librdkafka's statistics of the producer every second");
  app.add_option("--init-transactions", options.transactional_id,
                 "Only ask for the producer id of this transactional id");
  CLI11_PARSE(app, argc, argv);
  return regent::bench::Run(std::move(options));
}
