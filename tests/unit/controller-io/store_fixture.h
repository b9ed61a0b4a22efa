#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "common/wire/znode_json.h"
#include "common/zk/in_memory.h"
#include "common/zk/paths.h"
#include "controller/io/zookeeper_store.h"
#include "tests/unit/controller-io/manual_executor.h"

namespace regent::controller {

/// A store on the ZooKeeper inside the process, with everything that it has said.
class StoreTest : public testing::Test, protected zk::SessionListener {
 protected:
  StoreTest() : client_(server_, executor_, *this), rng_(1) {
    self_.id = BrokerId(7);
    self_.life = Uuid::Random(rng_);
    self_.endpoint = {.host = "127.0.0.1", .port = 9190};
    store_ = std::make_unique<ZooKeeperStore>(
        ZooKeeperStoreOptions{.self = self_, .wall_ms = [] { return int64_t{1000}; }}, client_,
        executor_, rng_, [this](Event event) { events_.push_back(std::move(event)); });
    executor_.RunDue();
  }

  void OnSession(const zk::SessionEvent& event) override {
    if (store_) {
      store_->OnSession(event);
    }
  }
  void OnWatch(const zk::WatchEvent& event) override { store_->OnWatch(event); }

  /// The next event of that kind, if it comes within ten seconds; others before it are dropped.
  template <class E>
  std::optional<E> Await() {
    std::optional<E> found;
    executor_.AdvanceUntil(
        [&] {
          while (!events_.empty() && !found) {
            if (auto* event = std::get_if<E>(&events_.front())) {
              found = std::move(*event);
            }
            events_.erase(events_.begin());
          }
          return found.has_value();
        },
        std::chrono::seconds(10));
    return found;
  }
  template <class E>
  bool Nothing(Duration within = std::chrono::seconds(3)) {
    executor_.Advance(within);
    for (const Event& event : events_) {
      if (std::holds_alternative<E>(event)) {
        return false;
      }
    }
    return true;
  }

  void Put(const std::string& path, const std::string& data) {
    const auto outcome =
        server_.Find(path)
            ? server_.Apply({zk::SetOp{.path = path, .data = data, .expected = zk::AnyVersion{}}})
            : server_.Apply({zk::CreateOp{.path = path, .data = data}});
    ASSERT_TRUE(outcome.ok()) << path << ": " << outcome.ToText();
  }
  void Remove(const std::string& path) {
    ASSERT_TRUE(server_.Apply({zk::DeleteOp{.path = path, .expected = zk::AnyVersion{}}}).ok());
  }

  void PrepareRoot() {
    store_->Do(controller::PrepareRoot{.cluster_id = "c"});
    const auto prepared = Await<RootPrepared>();
    ASSERT_TRUE(prepared && prepared->done) << (prepared ? prepared->problem : "no answer");
  }
  /// Begins a term by a won claim.
  void Win() {
    PrepareRoot();
    store_->Do(ClaimOffice{});
    const auto claim = Await<ClaimDone>();
    ASSERT_TRUE(claim);
    ASSERT_EQ(claim->outcome, ClaimDone::Outcome::kWon);
    term_ = {.epoch = claim->epoch, .licence = claim->epoch_version};
    store_->Do(term_);
  }
  WriteOutcome Write(std::vector<StoreOp> ops) {
    store_->Do(controller::Write{.id = next_write_, .ops = std::move(ops)});
    const auto done = Await<WriteDone>();
    EXPECT_TRUE(done);
    EXPECT_EQ(done->id, next_write_);
    next_write_ = next_write_.Next();
    return done->outcome;
  }
  TopicRef MakeTopic(const std::string& name) {
    return std::make_shared<TopicIdentity>(TopicIdentity{.name = name, .id = Uuid::Random(rng_)});
  }
  /// A topic with its states, as an earlier term has left it.
  TopicRef PutTopic(const std::string& name, int partitions) {
    TopicRef topic = MakeTopic(name);
    std::vector<StoreOp> ops{
        CreateTopicNode{.topic = topic,
                        .assignment = {static_cast<size_t>(partitions), {BrokerId(1)}}},
        CreatePartitionsDirectory{.topic = topic}};
    for (int i = 0; i < partitions; ++i) {
      ops.push_back(CreatePartitionState{.partition = {topic, i}, .state = StateOf(i)});
    }
    EXPECT_TRUE(std::holds_alternative<WriteApplied>(Write(std::move(ops))));
    return topic;
  }
  static PartitionState StateOf(int epoch) {
    return {.leader = BrokerId(1),
            .leader_epoch = LeaderEpoch(epoch),
            .isr = {BrokerId(1)},
            .controller_epoch = ControllerEpoch(1)};
  }

  zk::InMemoryZooKeeper server_;
  ManualExecutor executor_;
  zk::InMemoryClient client_;
  Rng rng_;
  ControllerRegistration self_;
  std::unique_ptr<ZooKeeperStore> store_;
  std::vector<Event> events_;
  BeginTerm term_;
  WriteId next_write_{1};
};

}  // namespace regent::controller
