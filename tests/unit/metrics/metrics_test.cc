#include "common/runtime/metrics.h"

#include <array>
#include <atomic>
#include <thread>
#include <unistd.h>

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace regent {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

/// Returns what an HTTP GET of /metrics on the loopback port answers, head and body.
std::string Fetch(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string answer;
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
    const std::string request = "GET /metrics HTTP/1.0\r\n\r\n";
    EXPECT_EQ(send(fd, request.data(), request.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(request.size()));
    std::array<char, 4096> buffer{};
    ssize_t size = 0;
    while ((size = recv(fd, buffer.data(), buffer.size(), 0)) > 0) {
      answer.append(buffer.data(), static_cast<size_t>(size));
    }
  }
  close(fd);
  return answer;
}

TEST(Metrics, OneNameWithOneSetOfLabelsIsOneSeries) {
  MetricsRegistry registry;
  registry.AddCounter("elections_total", "Elections.", {{"type", "clean"}}).Increment();
  registry.AddCounter("elections_total", "Elections.", {{"type", "clean"}}).Increment(2);
  registry.AddCounter("elections_total", "Elections.", {{"type", "unclean"}});
  const std::string text = registry.ToText();
  EXPECT_THAT(text, HasSubstr("# TYPE elections_total counter"));
  EXPECT_THAT(text, HasSubstr("elections_total{type=\"clean\"} 3"));
  EXPECT_THAT(text, HasSubstr("elections_total{type=\"unclean\"} 0"));
}

TEST(Metrics, GaugesRiseAndFallAndHistogramsCount) {
  MetricsRegistry registry;
  const Gauge gauge = registry.AddGauge("partitions_offline", "Offline.");
  gauge.Set(5);
  gauge.Add(-2);
  const Histogram waits = registry.AddHistogram("event_wait_seconds", "Waits.", LatencyBounds());
  waits.Observe(0.02);
  waits.Observe(100);
  const std::string text = registry.ToText();
  EXPECT_THAT(text, HasSubstr("partitions_offline 3"));
  EXPECT_THAT(text, HasSubstr("event_wait_seconds_bucket{le=\"0.01\"} 0"));
  EXPECT_THAT(text, HasSubstr("event_wait_seconds_bucket{le=\"30\"} 1"));
  EXPECT_THAT(text, HasSubstr("event_wait_seconds_count 2"));
}

TEST(Metrics, SampledSeriesComeAndGoWithWhatTheyTellOf) {
  MetricsRegistry registry;
  std::vector<MetricSample> samples = {{.labels = {{"broker", "1"}}, .value = 7}};
  registry.SampleGauges("unacknowledged", "By broker.", [&samples] { return samples; });
  registry.SampleCounters("writes_total", "Writes.",
                          [] { return std::vector<MetricSample>{{.labels = {}, .value = 9}}; });
  double active = 0;
  registry.SampleGauge("controller_active", "1 if active.", [&active] { return active; });
  EXPECT_THAT(registry.ToText(), HasSubstr("unacknowledged{broker=\"1\"} 7"));
  EXPECT_THAT(registry.ToText(), HasSubstr("controller_active 0"));
  EXPECT_THAT(registry.ToText(), HasSubstr("# TYPE writes_total counter"));

  samples = {{.labels = {{"broker", "2"}}, .value = 1}};
  active = 1;
  const std::string text = registry.ToText();
  EXPECT_THAT(text, HasSubstr("unacknowledged{broker=\"2\"} 1"));
  EXPECT_THAT(text, Not(HasSubstr("broker=\"1\"")));
  EXPECT_THAT(text, HasSubstr("controller_active 1"));
}

TEST(Metrics, AreServedOnAFreeLoopbackPort) {
  MetricsRegistry registry;
  registry.AddGauge("answer", "The answer.").Set(42);
  auto server = MetricsServer::Start("127.0.0.1", 0, registry);
  ASSERT_TRUE(server.ok()) << server.error();
  EXPECT_GT((*server)->port(), 0);
  const std::string page = Fetch((*server)->port());
  EXPECT_THAT(page, HasSubstr("200 OK"));
  EXPECT_THAT(page, HasSubstr("answer 42"));
}

TEST(Metrics, APortInUseIsSaidAndHarmsNobody) {
  MetricsRegistry registry;
  auto first = MetricsServer::Start("127.0.0.1", 0, registry);
  ASSERT_TRUE(first.ok()) << first.error();
  const int port = (*first)->port();
  const auto second = MetricsServer::Start("127.0.0.1", port, registry);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(second.error().message, HasSubstr("127.0.0.1:" + std::to_string(port)));
  EXPECT_THAT(Fetch(port), HasSubstr("200 OK"));
  (*first).reset();
  EXPECT_TRUE(MetricsServer::Start("127.0.0.1", port, registry).ok());
}

TEST(Metrics, AHostOfAnotherMachineIsAnError) {
  MetricsRegistry registry;
  EXPECT_FALSE(MetricsServer::Start("192.0.2.1", 0, registry).ok());
  EXPECT_FALSE(MetricsServer::Start("no such host", 0, registry).ok());
}

TEST(Metrics, AreCountedAndScrapedFromManyThreads) {
  MetricsRegistry registry;
  const Counter counter = registry.AddCounter("events_total", "Events.");
  std::atomic<int> sampled{0};
  registry.SampleGauge("sampled", "How often.", [&sampled] { return double(++sampled); });
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 500; ++i) {
          counter.Increment();
          if (i % 50 == 0) {
            registry.AddCounter("events_total", "Events.", {{"n", std::to_string(i)}});
            EXPECT_FALSE(registry.ToText().empty());
          }
        }
      });
    }
  }
  EXPECT_THAT(registry.ToText(), HasSubstr("events_total 2000"));
  EXPECT_EQ(sampled, 41);
}

TEST(MetricsDeathTest, ANameThatIsNoneOrOfAnotherTypeIsOurMistake) {
  MetricsRegistry registry;
  registry.AddGauge("depth", "Depth.");
  EXPECT_DEATH(registry.AddCounter("depth", "Depth."), "another type");
  EXPECT_DEATH(registry.AddGauge("two words", "No."), "cannot be called");
  EXPECT_DEATH(registry.AddGauge("", "No."), "cannot be called");
}

}  // namespace
}  // namespace regent
