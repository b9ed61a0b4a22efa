#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "common/base/mutex.h"
#include "tests/bench/load/client.h"
#include "tests/bench/load/records.h"

namespace regent::bench {

/// How many records come how fast.
struct Pace {
  uint64_t records = 0;   ///< 0: until `stopped` says so.
  double per_second = 0;  ///< 0: as fast as it goes.
  /// Waits until that moment; returns whether it is time to stop.
  std::function<bool(std::chrono::steady_clock::time_point)> stopped;
};

/// What became of a run of records.
struct Delivered {
  uint64_t records = 0;
  uint64_t bytes = 0;  ///< Of their values.
  double seconds = 0;  ///< From the first record to the last report.
  /// From produce() to the delivery report: of the first record, and of those sent since its
  /// report.
  std::vector<int64_t> latencies_ns;
  std::map<std::string, uint64_t> errors;  ///< How many reports of each error.
};

/// Writes a maker's records to a topic, run after run, numbers going on.
class Producing {
 public:
  /// What is called with librdkafka's statistics, JSON, if the settings have it give them.
  using OnStatistics = std::function<void(std::string_view)>;

  /// `maker` must outlive this. `on_statistics` is called on a thread of its own.
  static Result<std::unique_ptr<Producing>> Make(const ClientSettings& settings,
                                                 std::string topic,
                                                 const RecordMaker& maker,
                                                 OnStatistics on_statistics);
  ~Producing();

  /// Returns when all records of the run have had their delivery reports. Calls `on_first` at the
  /// first report of success.
  Delivered Run(const Pace& pace, std::function<void()> on_first);

  /// Which of all records sent have been acknowledged, by number.
  std::vector<bool> acknowledged() EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    return acknowledged_;
  }

 private:
  Producing(std::string topic, const RecordMaker& maker, OnStatistics on_statistics);

  static void OnDelivery(rd_kafka_t* client, const rd_kafka_message_t* message, void* context);
  static int TakeStatistics(rd_kafka_t* client, char* json, size_t size, void* context);
  void Note(const rd_kafka_message_t& message) EXCLUDES(mutex_);
  void Send(uint64_t number);

  const std::string topic_;
  const RecordMaker& maker_;
  const OnStatistics on_statistics_;
  uint64_t next_ = 0;
  Mutex mutex_;
  Delivered run_ GUARDED_BY(mutex_);
  std::chrono::steady_clock::time_point last_report_ GUARDED_BY(mutex_);
  std::function<void()> on_first_ GUARDED_BY(mutex_);
  int64_t under_way_ns_ GUARDED_BY(mutex_) = 0;  ///< When the run's first report came.
  std::vector<bool> acknowledged_ GUARDED_BY(mutex_);
  Client client_;
  std::jthread reports_;  ///< Serves the delivery reports.
};

}  // namespace regent::bench
