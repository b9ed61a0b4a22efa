#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/result.h"

namespace prometheus {
class Counter;
class Exposer;
class Gauge;
class Histogram;
}  // namespace prometheus

// Figures for Prometheus: kept here, fetched over HTTP. Every call is thread-safe. Names are
// Prometheus's (letters, digits, underscores; `_total` behind counters, the unit behind the rest);
// a name that is not one, or one that stands for two kinds of figure, is our mistake and ends the
// process.

namespace regent {

using MetricLabels = std::map<std::string, std::string>;

/// Only rises.
class Counter {
 public:
  explicit Counter(prometheus::Counter& counter) : counter_(&counter) {}
  void Increment(double by = 1) const;

 private:
  prometheus::Counter* counter_;
};

/// Rises and falls.
class Gauge {
 public:
  explicit Gauge(prometheus::Gauge& gauge) : gauge_(&gauge) {}
  void Set(double value) const;
  void Add(double by) const;

 private:
  prometheus::Gauge* gauge_;
};

/// Counts observations by size.
class Histogram {
 public:
  explicit Histogram(prometheus::Histogram& histogram) : histogram_(&histogram) {}
  void Observe(double value) const;

 private:
  prometheus::Histogram* histogram_;
};

/// One series of a family at the moment of a scrape.
struct MetricSample {
  MetricLabels labels;
  double value = 0;
};

/// All figures of a process. The handles that it gives out are valid as long as it is.
class MetricsRegistry {
 public:
  using Sampler = std::function<std::vector<MetricSample>()>;

  MetricsRegistry();
  ~MetricsRegistry();
  MetricsRegistry(const MetricsRegistry&) = delete;
  MetricsRegistry& operator=(const MetricsRegistry&) = delete;

  /// The same name and labels yield the same series.
  Counter AddCounter(const std::string& name,
                     const std::string& help,
                     const MetricLabels& labels = {});
  Gauge AddGauge(const std::string& name, const std::string& help, const MetricLabels& labels = {});
  /// `bounds` are the upper bounds of the buckets, rising; another one above them is implied.
  Histogram AddHistogram(const std::string& name,
                         const std::string& help,
                         const std::vector<double>& bounds,
                         const MetricLabels& labels = {});

  /// A family whose series and values are asked for at each scrape, on the thread that serves it:
  /// for figures that somebody else keeps, and for series that come and go. Until the registry is
  /// gone, or the name is sampled anew, `sample` must stay callable.
  void SampleGauges(const std::string& name, const std::string& help, Sampler sample);
  void SampleCounters(const std::string& name, const std::string& help, Sampler sample);
  /// Likewise for one series without labels.
  void SampleGauge(const std::string& name,
                   const std::string& help,
                   std::function<double()> sample);

  /// Everything in Prometheus's text format.
  std::string ToText() const;

 private:
  friend class MetricsServer;
  class Families;

  std::shared_ptr<Families> families_;
};

/// Serves a registry at http://host:port/metrics with a thread or two of its own.
class MetricsServer {
 public:
  /// With port 0 a free one is taken. `registry` must outlive the server. A port in use, or a host
  /// that is not this machine's, is kUnavailable.
  static Result<std::unique_ptr<MetricsServer>> Start(const std::string& host,
                                                      int port,
                                                      const MetricsRegistry& registry);
  /// Ends the server; no sampler runs after it returns.
  ~MetricsServer();
  MetricsServer(const MetricsServer&) = delete;
  MetricsServer& operator=(const MetricsServer&) = delete;

  int port() const { return port_; }

 private:
  MetricsServer(std::unique_ptr<prometheus::Exposer> exposer, std::string host, int port);

  /// Opens a connection and closes it.
  void Knock() const;

  std::unique_ptr<prometheus::Exposer> exposer_;
  std::string host_;
  int port_;
};

/// Bounds from 100 µs to 30 s, in seconds: for waits and latencies.
const std::vector<double>& LatencyBounds();

}  // namespace regent
