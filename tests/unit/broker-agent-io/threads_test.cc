// Brokers on their real threads, for the thread sanitizer: agents, disks, streams, a controller,
// clients. No gRPC runs here.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker-agent/log/record_batch_view.h"
#include "tests/unit/broker-agent-io/threaded_brokers.h"
#include "tests/unit/broker-agent-log/test_batches.h"

namespace regent {
namespace {

using std::chrono::milliseconds;
using testing::BrokerCluster;
using ::testing::Each;
using ::testing::Field;

constexpr int32_t kPartitions = 2;
constexpr int kProducers = 2;  // Of each partition.
constexpr int kTurns = 13;     // Leaders move in nine of them, an odd number.
constexpr int kBatchesPerTurn = 6;
constexpr int kBatchesPerProducer = kTurns * kBatchesPerTurn;
constexpr int kBatchesPerPartition = kProducers * kBatchesPerProducer;
constexpr int kBatchesBetweenCuts = 5;

/// A batch as clients know it: where it begins, and the bytes of its records.
using Stored = std::pair<int64_t, std::string>;

/// Asks for something and waits for the answer.
template <class Answer>
Answer Await(const std::function<void(std::function<void(const Answer&)>)>& ask) {
  const auto answer = std::make_shared<std::promise<Answer>>();
  ask([answer](const Answer& given) { answer->set_value(given); });
  return answer->get_future().get();
}

/// Runs each of `works` on a thread of its own, to the end.
void AtOnce(std::vector<std::function<void()>> works) {
  std::vector<std::thread> threads;
  threads.reserve(works.size());
  for (std::function<void()>& work : works) {
    threads.emplace_back(std::move(work));
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
}

/// Keeps producers and what disturbs them together: neither gets more than two turns ahead.
class Pace {
 public:
  void Acknowledged() EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    ++acknowledged_;
    changed_.notify_all();
  }
  void Disturbed() EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    ++turns_;
    changed_.notify_all();
  }
  /// Waits until all producers together have so many batches acknowledged.
  void AwaitAcknowledged(int batches) EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    while (acknowledged_ < batches) {
      changed_.wait(mutex_);
    }
  }
  /// Waits until so many turns have been disturbed.
  void AwaitDisturbed(int turns) EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    while (turns_ < turns) {
      changed_.wait(mutex_);
    }
  }

 private:
  Mutex mutex_;
  std::condition_variable_any changed_;
  int acknowledged_ GUARDED_BY(mutex_) = 0;
  int turns_ GUARDED_BY(mutex_) = 0;
};

/// A producer of one partition, idempotent.
class Producer {
 public:
  Producer(BrokerCluster& cluster, int32_t index)
      : cluster_(cluster), index_(index), id_(DrawId(cluster.broker(BrokerId(index)).backend())) {}

  /// Sends the next batch until it is acknowledged.
  Stored Produce() {
    const AppendRequested request = Next();
    while (true) {
      const auto base =
          Await<Result<Offset>>([&](auto done) { Leader().Append(request, std::move(done)); });
      if (base.ok()) {
        return {base->value(),
                std::string(request.payload.bytes().substr(storage::kBatchHeaderBytes))};
      }
      CHECK(MayComeAgain(base.error().code)) << base.error();
      std::this_thread::yield();
    }
  }
  /// Sends the next batch once.
  Status Try() { return Start().get(); }
  /// Sends the next batch once, and does not wait.
  std::future<Status> Start() {
    const auto answer = std::make_shared<std::promise<Status>>();
    Leader().Append(Next(), [answer](const Result<Offset>& base) {
      answer->set_value(base.ok() ? Status(Success{}) : Status(base.error()));
    });
    return answer->get_future();
  }

 private:
  static int64_t DrawId(kafka::Backend& backend) {
    return Await<Result<int64_t>>([&](auto done) { backend.DrawProducerId(std::move(done)); })
        .value();
  }
  static bool MayComeAgain(ErrorCode code) {
    return code == ErrorCode::kNotLeader || code == ErrorCode::kRefused ||
           code == ErrorCode::kUnknownOutcome;
  }

  kafka::Backend& Leader() { return cluster_.broker(cluster_.Newest(index_).leader).backend(); }

  /// One to three records.
  AppendRequested Next() {
    const int32_t count = 1 + sequence_ % 3;
    storage::TestBatch batch{.producer_id = id_, .producer_epoch = 0, .base_sequence = sequence_};
    const ProducerMark mark{
        .id = id_, .epoch = 0, .first = sequence_, .last = sequence_ + count - 1};
    for (int32_t i = 0; i < count; ++i) {
      batch.records.push_back({.value = std::to_string(id_) + "/" + std::to_string(sequence_++)});
    }
    return {.partition = cluster_.Key(index_),
            .record_count = count,
            .payload = Slice(storage::EncodeBatch(batch)),
            .producer = mark,
            .acks = Acks::kAll};
  }

  BrokerCluster& cluster_;
  const int32_t index_;
  const int64_t id_;
  int32_t sequence_ = 0;
};

/// A reader of one partition, from its beginning.
class Reader {
 public:
  Reader(BrokerCluster& cluster, int32_t index) : cluster_(cluster), index_(index) {}

  /// Reads on until it has had so many batches.
  std::vector<Stored> ReadUpTo(size_t batches) {
    while (read_.size() < batches) {
      const MetadataPartition known = cluster_.Newest(index_);
      kafka::Backend& backend = cluster_.broker(known.leader).backend();
      Take(Fetch(backend, known.leader_epoch));
      AskAndGo(backend);
    }
    return read_;
  }

 private:
  FetchRequested Request(LeaderEpoch epoch, Instant deadline) const {
    return {.partitions = {{.partition = cluster_.Key(index_),
                            .leader_epoch = epoch,
                            .from = next_,
                            .max_bytes = 1000}},
            .min_bytes = 1,
            .max_bytes = 1000,
            .deadline = deadline};
  }

  FetchedPartition Fetch(kafka::Backend& backend, LeaderEpoch epoch) const {
    const auto answer = Await<AnswerFetch>([&](auto done) {
      backend.Fetch(Request(epoch, backend.Now() + milliseconds(5)), std::move(done));
    });
    CHECK_EQ(answer.partitions.size(), 1U);
    return answer.partitions.front();
  }

  void Take(const FetchedPartition& fetched) {
    CHECK(MayComeAgain(fetched.problem)) << Name(fetched.problem);
    for (const RecordBatch& batch : fetched.batches) {
      const storage::BatchHeader header = storage::DecodeBatchHeader(batch.payload.bytes());
      EXPECT_EQ(header.base, next_);
      read_.emplace_back(header.base.value(),
                         batch.payload.bytes().substr(storage::kBatchHeaderBytes));
      next_ = header.next();
    }
  }

  /// Does not wait for the answer, like a client that disconnects.
  void AskAndGo(kafka::Backend& backend) const {
    backend.Abandon(backend.Fetch(Request(kNoLeaderEpoch, Instant::Max()), [](const auto&) {}));
  }

  /// An offset out of range is none of them: who leads in the reader's epoch or a later one has
  /// everything that the reader was ever shown.
  static bool MayComeAgain(ReadProblem problem) {
    return problem == ReadProblem::kNone || problem == ReadProblem::kNotLeader ||
           problem == ReadProblem::kFencedEpoch || problem == ReadProblem::kUnknownEpoch ||
           problem == ReadProblem::kNotAvailable;
  }

  BrokerCluster& cluster_;
  const int32_t index_;
  Offset next_{0};
  std::vector<Stored> read_;
};

/// What clients have seen of a partition.
struct Seen {
  std::vector<Stored> acknowledged[kProducers];
  std::vector<Stored> read;  ///< Meanwhile.
};

/// By how many shards each of the two brokers has.
class BrokerThreads : public ::testing::TestWithParam<std::array<int32_t, 2>> {
 protected:
  BrokerThreads() { cluster_.controller().AwaitFullIsrs(); }

  /// Produces and reads while streams are cut, leaders move and followers leave the ISR. At the end
  /// everybody is in sync, and every partition has another leader than at first.
  std::vector<Seen> Work() {
    std::vector<Seen> seen(kPartitions);
    Pace pace;
    std::vector<std::function<void()>> works = {[&]() { CutStreams(pace); },
                                                [&]() { MoveRoles(pace); }};
    for (int32_t index = 0; index < kPartitions; ++index) {
      Seen& here = seen[static_cast<size_t>(index)];
      for (std::vector<Stored>& acknowledged : here.acknowledged) {
        works.emplace_back([&, index]() { acknowledged = Produce(index, pace); });
      }
      works.emplace_back([&, index]() { here.read = ReadAll(index); });
    }
    AtOnce(std::move(works));
    return seen;
  }

  std::vector<Stored> ReadAll(int32_t index) {
    return Reader(cluster_, index).ReadUpTo(kBatchesPerPartition);
  }

  BrokerCluster cluster_{kPartitions, GetParam()};

 private:
  std::vector<Stored> Produce(int32_t index, Pace& pace) {
    Producer producer(cluster_, index);
    std::vector<Stored> acknowledged;
    for (int i = 0; i < kBatchesPerProducer; ++i) {
      pace.AwaitDisturbed(i / kBatchesPerTurn - 1);
      acknowledged.push_back(producer.Produce());
      pace.Acknowledged();
    }
    return acknowledged;
  }

  void CutStreams(Pace& pace) {
    for (int at = 0; at < kPartitions * kBatchesPerPartition; at += kBatchesBetweenCuts) {
      pace.AwaitAcknowledged(at);
      cluster_.network().Cut();
    }
  }

  void MoveRoles(Pace& pace) {
    for (int turn = 0; turn < kTurns; ++turn) {
      pace.AwaitAcknowledged(turn * kBatchesPerTurn * kProducers * kPartitions);
      if (turn % 3 == 1) {
        cluster_.controller().ShrinkIsrs();
        cluster_.controller().AwaitFullIsrs();
      } else {
        cluster_.controller().MoveLeaders();
      }
      pace.Disturbed();
    }
  }
};

TEST_P(BrokerThreads, LoseNoAcknowledgedBatchAndRepeatNone) {
  const std::vector<Seen> seen = Work();
  for (int32_t index = 0; index < kPartitions; ++index) {
    ASSERT_EQ(cluster_.Newest(index).leader, BrokerId(1 - index));
    std::vector<Stored> acknowledged;
    for (const std::vector<Stored>& one : seen[static_cast<size_t>(index)].acknowledged) {
      EXPECT_TRUE(std::ranges::is_sorted(one)) << "the order of one producer's batches";
      acknowledged.insert(acknowledged.end(), one.begin(), one.end());
    }
    std::ranges::sort(acknowledged);
    EXPECT_EQ(ReadAll(index), acknowledged);
  }
}

TEST_P(BrokerThreads, ShowReadersOnlyWhatStays) {
  const std::vector<Seen> seen = Work();
  for (int32_t index = 0; index < kPartitions; ++index) {
    EXPECT_EQ(seen[static_cast<size_t>(index)].read, ReadAll(index));
  }
}

TEST_P(BrokerThreads, LeaveReplicasThatAreEqualByteForByte) {
  Work();
  EXPECT_THAT(cluster_.Stop(), Each(Field(&Stopped::clean, true)));
  for (int32_t index = 0; index < kPartitions; ++index) {
    const std::string log = cluster_.LogOf(0, index);
    EXPECT_GT(log.size(), kBatchesPerPartition * storage::kBatchHeaderBytes);
    EXPECT_TRUE(log == cluster_.LogOf(1, index)) << "partition " << index;
  }
}

TEST_P(BrokerThreads, OpenNewStreamsForThoseThatAreCut) {
  const size_t before = cluster_.network().opened();
  Work();
  EXPECT_GT(cluster_.network().opened(), before);
}

/// Asks a broker all that there is to ask, until it refuses.
class Asker {
 public:
  Asker(BrokerCluster& cluster, BrokerId broker)
      : cluster_(cluster), backend_(cluster.broker(broker).backend()) {}

  void Ask() {
    const OffsetRequested latest{.partition = cluster_.Key(0), .which = OffsetRequested::Latest{}};
    const EpochEndRequested end{.partition = cluster_.Key(0), .epoch = LeaderEpoch(0)};
    Await<AnswerOffset>([&](auto done) { backend_.FindOffset(latest, std::move(done)); });
    Await<AnswerEpochEnd>([&](auto done) { backend_.FindEpochEnd(end, std::move(done)); });
    static_cast<void>(
        Await<Result<int64_t>>([&](auto done) { backend_.DrawProducerId(std::move(done)); }));
    EXPECT_EQ(backend_.cluster_id(), testing::kClusterId);
    EXPECT_NE(backend_.metadata(), nullptr);
    static_cast<void>(cluster_.broker(backend_.self()).metrics());
  }

  /// For more than there will ever be.
  AnswerFetch AskForTooMuch(int32_t index) {
    const FetchRequested fetch{
        .partitions = {{.partition = cluster_.Key(index), .max_bytes = kTooMuch}},
        .min_bytes = kTooMuch,
        .max_bytes = kTooMuch};
    return Await<AnswerFetch>([&](auto done) { backend_.Fetch(fetch, std::move(done)); });
  }

 private:
  static constexpr int64_t kTooMuch = int64_t{1} << 30U;

  BrokerCluster& cluster_;
  kafka::Backend& backend_;
};

TEST_P(BrokerThreads, AnswerEveryCallThatAStopFinds) {
  std::atomic<bool> closed = false;
  Pace pace;
  const auto until_closed = [&](const std::function<void()>& call) {
    while (!closed) {
      call();
      pace.Acknowledged();
    }
    call();
  };
  std::vector<std::function<void()>> works = {[&]() {
    pace.AwaitAcknowledged(100);
    cluster_.network().Cut();
    cluster_.Stop();
    for (const auto& broker : cluster_.brokers()) {
      broker->CloseLoops();
    }
    closed = true;
  }};
  for (const int32_t id : {0, 1}) {
    const auto producer = std::make_shared<Producer>(cluster_, id);
    const auto asker = std::make_shared<Asker>(cluster_, BrokerId(id));
    works.emplace_back([=]() {
      until_closed([&]() { static_cast<void>(producer->Try()); });
      EXPECT_FALSE(producer->Try().ok());
    });
    works.emplace_back([=]() { until_closed([&]() { asker->Ask(); }); });
    works.emplace_back([=]() { asker->AskForTooMuch(id); });
  }
  AtOnce(std::move(works));
}

TEST_P(BrokerThreads, AnswerEveryCallThatAnEndWithoutOrderFinds) {
  constexpr int kCalls = 50;
  std::vector<std::future<Status>> open;
  for (int32_t index = 0; index < kPartitions; ++index) {
    for (int i = 0; i < kCalls; ++i) {
      open.push_back(Producer(cluster_, index).Start());
    }
  }
  cluster_.network().Cut();
  cluster_.EndAtOnce();
  for (std::future<Status>& answer : open) {
    EXPECT_EQ(answer.wait_for(std::chrono::seconds(0)), std::future_status::ready);
  }
}

INSTANTIATE_TEST_SUITE_P(Shards,
                         BrokerThreads,
                         ::testing::Values(std::array{1, 1}, std::array{2, 3}),
                         [](const auto& shards) {
                           return std::to_string(shards.param[0]) + "and" +
                                  std::to_string(shards.param[1]);
                         });

}  // namespace
}  // namespace regent
