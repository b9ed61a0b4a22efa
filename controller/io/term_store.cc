#include "controller/io/term_store.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>
#include <utility>

#include "common/wire/znode_json.h"
#include "common/zk/paths.h"
#include "controller/io/store_ops.h"

namespace regent::controller {

namespace {

std::optional<BrokerId> BrokerIdOf(const std::string& name) {
  int32_t id = -1;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), id);
  if (error != std::errc() || end != name.data() + name.size() || id < 0) {
    return std::nullopt;
  }
  return BrokerId(id);
}

std::vector<BrokerRead> BrokersNamed(const std::vector<std::string>& names) {
  std::vector<BrokerRead> brokers;
  for (const std::string& name : names) {
    if (const std::optional<BrokerId> id = BrokerIdOf(name)) {
      brokers.push_back({.id = *id});
    } else {
      LOG(WARNING) << "not a broker id path=" << zk::BrokerIdsPath() << '/' << name;
    }
  }
  return brokers;
}

BrokerRead BrokerOf(BrokerId id, const zk::Node& node) {
  BrokerRead read;
  read.id = id;
  read.epoch = BrokerEpoch(node.stat.czxid);
  Result<BrokerRegistration> registration = wire::DecodeBrokerRegistration(id, node.data);
  if (registration.ok()) {
    read.registration = *std::move(registration);
  } else {
    read.problem = registration.error().message;
  }
  return read;
}

PreferredElectionRead ElectionOf(const zk::Node& node) {
  PreferredElectionRead read;
  read.version = node.stat.version;
  read.czxid = Zxid(node.stat.czxid);
  Result<std::vector<wire::PartitionName>> names = wire::DecodePreferredElection(node.data);
  if (!names.ok()) {
    read.problem = zk::PreferredElectionPath() + ": " + names.error().message;
    return read;
  }
  for (wire::PartitionName& name : *names) {
    read.partitions.emplace_back(std::move(name.topic), name.index);
  }
  return read;
}

ConfigChange ChangeOf(const std::string& name, const zk::Outcome<zk::Node>& node) {
  constexpr std::string_view kTopics = "topics/";
  ConfigChange change{.node = name};
  if (!node.ok()) {
    change.problem = node.Is(zk::ErrorKind::kNoNode) ? "" : node.ToText();
    return change;
  }
  Result<std::string> path = wire::DecodeConfigChange(node.value().data);
  if (!path.ok()) {
    change.problem = path.error().message;
  } else if (path->starts_with(kTopics)) {
    change.topic = path->substr(kTopics.size());
  }
  return change;
}

}  // namespace

/// A reading of the brokers that is under way.
struct TermStore::BrokerReading {
  std::vector<BrokerRead> brokers;
  size_t open = 0;
  std::function<void(BrokersOrError)> done;
};

/// The load that opens the term.
struct TermStore::Loading {
  ClusterSnapshot snapshot;
  std::string error;  ///< Of a list without which nothing can be said.
  int open = 0;
  Instant started;
};

struct TermStore::PartitionReading {
  ReadId id;
  std::vector<TopicPartition> partitions;
  std::vector<PartitionStateRead> states;
  size_t open = 0;
};

TermStore::TermStore(BeginTerm term, const StoreTools& tools, Counters& counters, Emit emit)
    : term_(term),
      client_(tools.client),
      executor_(tools.executor),
      rng_(tools.rng),
      slowest_(tools.slowest),
      reader_(tools.client, tools.executor, tools.backoff, tools.slowest),
      counters_(counters),
      emit_(std::move(emit)),
      alive_(std::make_shared<int>()) {}

TermStore::~TermStore() = default;

void TermStore::Close() {
  alive_ = nullptr;
  reader_.Forget();
}

void TermStore::Later(Duration wait, std::function<void()> task) {
  executor_.PostAt(executor_.Now() + wait,
                   [alive = std::weak_ptr<int>(alive_), task = std::move(task)] {
                     if (!alive.expired()) {
                       task();
                     }
                   });
}

// --- What two kinds of reading share ---

void TermStore::FetchBrokers(std::function<void(BrokersOrError)> done) {
  auto list = std::make_shared<BrokerReading>();
  list->done = std::move(done);
  reader_.Children(
      zk::BrokerIdsPath(), zk::Watch::kArm,
      [this, list](const zk::Outcome<std::vector<std::string>>& names) {
        if (!names.ok()) {
          list->done(Error{ErrorCode::kUnavailable, "cannot list the brokers: " + names.ToText()});
          return;
        }
        list->brokers = BrokersNamed(names.value());
        list->open = list->brokers.size();
        if (list->brokers.empty()) {
          list->done(std::vector<BrokerRead>{});
          return;
        }
        for (size_t i = 0; i < list->brokers.size(); ++i) {
          FetchBroker(list, i);
        }
      });
}

void TermStore::FetchBroker(const std::shared_ptr<BrokerReading>& list, size_t index) {
  reader_.Get(zk::BrokerIdPath(list->brokers[index].id.value()), zk::Watch::kArm,
              [list, index](const zk::Outcome<zk::Node>& node) {
                BrokerRead& broker = list->brokers[index];
                if (node.ok()) {
                  broker = BrokerOf(broker.id, node.value());
                } else if (node.Is(zk::ErrorKind::kNoNode)) {
                  broker.id = kNoBroker;  // Gone since; the children's watch has fired.
                } else {
                  broker.problem = node.ToText();
                }
                if (--list->open == 0) {
                  std::erase_if(list->brokers,
                                [](const BrokerRead& read) { return read.id == kNoBroker; });
                  list->done(std::move(list->brokers));
                }
              });
}

void TermStore::FetchPreferredElection(
    std::function<void(std::optional<PreferredElectionRead>)> done) {
  // Exists arms the watch also on an absent node.
  reader_.Exists(
      zk::PreferredElectionPath(), zk::Watch::kArm,
      [this, done = std::move(done)](const zk::Outcome<std::optional<zk::Stat>>& exists) mutable {
        if (!exists.ok()) {
          done(std::nullopt);
          return;
        }
        if (!exists.value()) {
          done(PreferredElectionRead{.exists = false});
          return;
        }
        reader_.Get(zk::PreferredElectionPath(), zk::Watch::kNone,
                    [done = std::move(done)](const zk::Outcome<zk::Node>& node) {
                      if (node.ok()) {
                        done(ElectionOf(node.value()));
                      } else if (node.Is(zk::ErrorKind::kNoNode)) {
                        done(PreferredElectionRead{.exists = false});
                      } else {
                        done(std::nullopt);
                      }
                    });
      });
}

// --- The load ---

void TermStore::Do(const LoadCluster&) {
  if (loading_) {
    return;
  }
  loading_ = std::make_unique<Loading>();
  loading_->started = executor_.Now();
  reader_.Sync([this](const zk::Outcome<std::monostate>&) { LoadBehindSync(); });
}

void TermStore::LoadBehindSync() {
  loading_->open = 9;
  LoadClusterId();
  LoadMarks(zk::RegentDeletionsPath(), [this](const std::string& data) -> Status {
    Result<DeletionMark> mark = DeletionOf(data);
    if (!mark.ok()) {
      return mark.error();
    }
    loading_->snapshot.deletions.push_back(*std::move(mark));
    return Success{};
  });
  FetchNames(zk::DeleteTopicsPath(), [this](std::vector<std::string> names) {
    loading_->snapshot.deletion_requests = std::move(names);
    Loaded();
  });
  // Before the configs: what is listed here is in what is read there.
  FetchNames(zk::ConfigChangesPath(), [this](std::vector<std::string> names) {
    changes_known_ = {names.begin(), names.end()};
    loading_->snapshot.config_changes = std::move(names);
    Loaded();
  });
  FetchBrokers([this](BrokersOrError brokers) {
    if (brokers.ok()) {
      loading_->snapshot.brokers = *std::move(brokers);
    } else {
      loading_->error = brokers.error().message;
    }
    Loaded();
  });
  FetchPreferredElection([this](std::optional<PreferredElectionRead> election) {
    if (election && election->exists) {
      loading_->snapshot.preferred_election = std::move(election);
    }
    Loaded();
  });
  LoadMarks(zk::RegentStoppingsPath(), [this](const std::string& data) -> Status {
    const Result<wire::StoppingMark> mark = wire::DecodeStoppingMark(data);
    if (!mark.ok()) {
      return mark.error();
    }
    loading_->snapshot.stopping.push_back(
        {.broker = mark->broker, .broker_epoch = mark->broker_epoch, .life = mark->life});
    return Success{};
  });
  LoadMarks(zk::RegentQuarantinesPath(), [this](const std::string& data) -> Status {
    const Result<wire::QuarantineEntry> entry = wire::DecodeQuarantineEntry(data);
    if (!entry.ok()) {
      return entry.error();
    }
    loading_->snapshot.quarantine.push_back({.path = entry->path,
                                             .node_version = entry->node_version,
                                             .reason = entry->reason,
                                             .controller_epoch = entry->controller_epoch});
    return Success{};
  });
  LoadTopics();
}

void TermStore::LoadClusterId() {
  reader_.Get(zk::ClusterIdPath(), zk::Watch::kNone, [this](const zk::Outcome<zk::Node>& node) {
    std::string problem = node.ok() ? "" : node.ToText();
    if (node.ok()) {
      Result<std::string> id = wire::DecodeClusterId(node.value().data);
      if (id.ok()) {
        loading_->snapshot.cluster_id = *std::move(id);
      } else {
        problem = id.error().message;
      }
    }
    if (!problem.empty()) {
      loading_->snapshot.problems.push_back(zk::ClusterIdPath() + ": " + problem);
    }
    Loaded();
  });
}

void TermStore::LoadMarks(const std::string& directory,
                          std::function<Status(const std::string& data)> take) {
  reader_.Children(directory, zk::Watch::kNone,
                   [this, directory,
                    take = std::move(take)](const zk::Outcome<std::vector<std::string>>& names) {
                     if (names.ok()) {
                       loading_->open += static_cast<int>(names.value().size());
                       for (const std::string& name : names.value()) {
                         LoadMark(directory + '/' + name, take);
                       }
                     } else if (!names.Is(zk::ErrorKind::kNoNode)) {
                       loading_->snapshot.problems.push_back(names.ToText());
                     }
                     Loaded();
                   });
}

void TermStore::LoadMark(const std::string& path,
                         const std::function<Status(const std::string&)>& take) {
  reader_.Get(path, zk::Watch::kNone, [this, path, take](const zk::Outcome<zk::Node>& node) {
    std::vector<std::string>& problems = loading_->snapshot.problems;
    if (node.ok()) {
      if (const Status taken = take(node.value().data); !taken.ok()) {
        problems.push_back(path + ": " + taken.error().message);
      }
    } else if (!node.Is(zk::ErrorKind::kNoNode)) {
      problems.push_back(node.ToText());
    }
    Loaded();
  });
}

void TermStore::LoadTopics() {
  reader_.Children(
      zk::TopicsPath(), zk::Watch::kArm, [this](zk::Outcome<std::vector<std::string>> names) {
        std::vector<std::string> topics;
        if (names.ok()) {
          topics = std::move(names.value());
        } else {
          loading_->error = "cannot list the topics: " + names.ToText();
        }
        const uint64_t number = next_reading_++;
        auto& reads = topic_reads_[number];
        reads = std::make_unique<TopicReads>(reader_, rng_, std::move(topics), TopicDepth::kAll,
                                             [this, number](std::vector<TopicRead> read) {
                                               loading_->snapshot.topics = std::move(read);
                                               topic_reads_.erase(number);
                                               Loaded();
                                             });
        reads->Start();
      });
}

void TermStore::Loaded() {
  if (--loading_->open > 0) {
    return;
  }
  const auto took =
      std::chrono::duration_cast<std::chrono::milliseconds>(executor_.Now() - loading_->started);
  LOG(INFO) << "cluster read controller_epoch=" << term_.epoch
            << " topics=" << loading_->snapshot.topics.size()
            << " brokers=" << loading_->snapshot.brokers.size()
            << " problems=" << loading_->snapshot.problems.size() << " ms=" << took.count();
  ClusterLoaded event{.term = term_.epoch, .snapshot = std::move(loading_->snapshot)};
  if (!loading_->error.empty()) {
    event.snapshot = Error{ErrorCode::kUnavailable, std::move(loading_->error)};
  }
  loading_ = nullptr;
  if (std::exchange(changed_while_loading_, false)) {
    OnReconnected();
  }
  emit_(std::move(event));
}

// --- Watches ---

void TermStore::OnWatch(const std::string& path) {
  if (loading_) {
    changed_while_loading_ = true;  // News of a cluster that is not known yet would be no news.
    return;
  }
  if (path == zk::TopicsPath()) {
    ListTopics();
  } else if (path == zk::PreferredElectionPath()) {
    CheckPreferredElection();
  } else if (path == zk::DeleteTopicsPath()) {
    CheckDeletionRequests();
  } else if (path == zk::ConfigChangesPath()) {
    CheckConfigChanges();
  } else if (path == zk::BrokerIdsPath() || path.starts_with(zk::BrokerIdsPath() + "/")) {
    RereadBrokers();
  }
}

void TermStore::OnReconnected() {
  if (loading_) {
    changed_while_loading_ = true;
    return;
  }
  RereadBrokers();
  ListTopics();
  CheckPreferredElection();
  CheckConfigChanges();
  CheckDeletionRequests();
}

void TermStore::Do(const ReadPreferredElection&) {
  CheckPreferredElection();
}

void TermStore::Do(const ReadBrokers&) {
  RereadBrokers();
}

void TermStore::RereadBrokers() {
  if (brokers_reading_) {
    brokers_again_ = true;
    return;
  }
  brokers_reading_ = true;
  reader_.Sync([this](const zk::Outcome<std::monostate>&) {
    brokers_again_ = false;  // What was asked until now is answered by what follows.
    FetchBrokers([this](BrokersOrError brokers) { OnBrokersReread(std::move(brokers)); });
  });
}

void TermStore::OnBrokersReread(BrokersOrError brokers) {
  brokers_reading_ = false;
  if (!brokers.ok()) {
    LOG(ERROR) << "brokers not read problem=\"" << brokers.error().message << '"';
    Later(kRefusedRetry, [this] { RereadBrokers(); });
    return;
  }
  if (std::exchange(brokers_again_, false)) {
    RereadBrokers();
  }
  emit_(BrokersRead{.term = term_.epoch, .brokers = *std::move(brokers)});
}

void TermStore::ListTopics() {
  if (topics_reading_) {
    topics_again_ = true;
    return;
  }
  topics_reading_ = true;
  const Instant now = executor_.Now();
  const Instant at = std::max(now, topics_not_before_);
  topics_not_before_ = at + kTopicsListedEvery;
  const auto list = [this] {
    topics_again_ = false;  // What was asked until now is answered by what follows.
    reader_.Children(
        zk::TopicsPath(), zk::Watch::kArm,
        [this](zk::Outcome<std::vector<std::string>> names) { OnTopicsListed(std::move(names)); });
  };
  if (at == now) {
    list();
  } else {
    Later(at - now, list);
  }
}

void TermStore::OnTopicsListed(zk::Outcome<std::vector<std::string>> names) {
  topics_reading_ = false;
  if (!names.ok()) {
    LOG(ERROR) << "topics not listed problem=\"" << names.ToText() << '"';
    Later(kRefusedRetry, [this] { ListTopics(); });
    return;
  }
  if (std::exchange(topics_again_, false)) {
    ListTopics();
  }
  emit_(TopicsListed{.term = term_.epoch, .names = std::move(names.value())});
}

void TermStore::CheckPreferredElection() {
  if (election_reading_) {
    election_again_ = true;
    return;
  }
  election_reading_ = true;
  reader_.Sync([this](const zk::Outcome<std::monostate>&) {
    election_again_ = false;  // What was asked until now is answered by what follows.
    FetchPreferredElection([this](std::optional<PreferredElectionRead> election) {
      election_reading_ = false;
      if (std::exchange(election_again_, false)) {
        CheckPreferredElection();
      }
      if (election) {
        emit_(PreferredElectionFound{.term = term_.epoch, .election = *std::move(election)});
      }
    });
  });
}

void TermStore::CheckDeletionRequests() {
  if (requests_reading_) {
    requests_again_ = true;
    return;
  }
  requests_reading_ = true;
  requests_again_ = false;
  FetchNames(zk::DeleteTopicsPath(), [this](std::vector<std::string> names) {
    requests_reading_ = false;
    if (requests_again_) {
      CheckDeletionRequests();
    }
    emit_(DeletionsRequested{.term = term_.epoch, .names = std::move(names)});
  });
}

void TermStore::CheckConfigChanges() {
  if (changes_reading_) {
    changes_again_ = true;
    return;
  }
  changes_reading_ = true;
  changes_again_ = false;
  FetchNames(zk::ConfigChangesPath(), [this](const std::vector<std::string>& names) {
    std::vector<std::string> news;
    std::ranges::set_difference(names, changes_known_, std::back_inserter(news));
    changes_known_ = {names.begin(), names.end()};
    FetchConfigChanges(news);
  });
}

void TermStore::FetchConfigChanges(const std::vector<std::string>& names) {
  struct Reading {
    std::vector<ConfigChange> changes;
    size_t open = 0;
  };
  const auto finish = [this](std::vector<ConfigChange> changes) {
    changes_reading_ = false;
    if (changes_again_) {
      CheckConfigChanges();
    }
    if (!changes.empty()) {
      emit_(ConfigChangesFound{.term = term_.epoch, .changes = std::move(changes)});
    }
  };
  if (names.empty()) {
    finish({});
    return;
  }
  auto reading = std::make_shared<Reading>();
  reading->changes.resize(names.size());
  reading->open = names.size();
  for (size_t i = 0; i < names.size(); ++i) {
    reader_.Get(zk::ConfigChangesPath() + '/' + names[i], zk::Watch::kNone,
                [reading, i, name = names[i], finish](const zk::Outcome<zk::Node>& node) {
                  reading->changes[i] = ChangeOf(name, node);
                  if (--reading->open == 0) {
                    finish(std::move(reading->changes));
                  }
                });
  }
}

void TermStore::FetchNames(const std::string& directory,
                           std::function<void(std::vector<std::string>)> done) {
  reader_.Children(
      directory, zk::Watch::kArm,
      [directory, done = std::move(done)](zk::Outcome<std::vector<std::string>> names) {
        if (names.ok()) {
          done(std::move(names.value()));
          return;
        }
        if (!names.Is(zk::ErrorKind::kNoNode)) {
          LOG(ERROR) << "not listed path=" << directory << " problem=\"" << names.ToText() << '"';
        }
        done({});
      });
}

// --- Reads that the term asks for ---

void TermStore::Do(const ReadTopics& ask) {
  const uint64_t number = next_reading_++;
  topic_reads_[number] =
      std::make_unique<TopicReads>(reader_, rng_, ask.names, ask.depth,
                                   [this, number, id = ask.id](std::vector<TopicRead> topics) {
                                     topic_reads_.erase(number);
                                     emit_(TopicsRead{.id = id, .topics = std::move(topics)});
                                   });
  reader_.Sync(
      [this, number](const zk::Outcome<std::monostate>&) { topic_reads_.at(number)->Start(); });
}

void TermStore::Do(const StatTopics& ask) {
  struct Reading {
    std::vector<TopicStat> stats;
    size_t open = 0;
    std::string problem;
  };
  auto reading = std::make_shared<Reading>();
  reading->stats.resize(ask.names.size());
  reading->open = 2 * ask.names.size();
  const auto look = [this, reading, id = ask.id](
                        const std::string& path,
                        std::function<void(const std::optional<zk::Stat>&)> take) {
    reader_.Exists(path, zk::Watch::kNone,
                   [this, reading, id,
                    take = std::move(take)](const zk::Outcome<std::optional<zk::Stat>>& stat) {
                     if (stat.ok()) {
                       take(stat.value());
                     } else {
                       reading->problem = stat.ToText();
                     }
                     if (--reading->open > 0) {
                       return;
                     }
                     TopicsStated stated{.id = id, .topics = std::move(reading->stats)};
                     if (!reading->problem.empty()) {
                       stated.topics = Error{ErrorCode::kUnavailable, reading->problem};
                     }
                     emit_(std::move(stated));
                   });
  };
  for (size_t i = 0; i < ask.names.size(); ++i) {
    look(zk::TopicPath(ask.names[i]), [reading, i](const std::optional<zk::Stat>& stat) {
      reading->stats[i].exists = stat.has_value();
      reading->stats[i].node_version = stat ? stat->version : 0;
    });
    look(zk::TopicConfigPath(ask.names[i]), [reading, i](const std::optional<zk::Stat>& stat) {
      reading->stats[i].config_version = ConfigVersion(stat ? stat->mzxid : 0);
    });
  }
}

void TermStore::Do(const ReadTopicTree& ask) {
  const uint64_t number = next_reading_++;
  tree_reads_[number] = std::make_unique<TopicTreeReading>(
      reader_, ask.topic, ask.deletion, [this, number, id = ask.id](Result<TopicTreeRead> tree) {
        tree_reads_.erase(number);
        emit_(TopicTreeFound{.id = id, .tree = std::move(tree)});
      });
  reader_.Sync(
      [this, number](const zk::Outcome<std::monostate>&) { tree_reads_.at(number)->Start(); });
}

void TermStore::Do(const ReadPartitions& ask) {
  auto reading = std::make_shared<PartitionReading>();
  reading->id = ask.id;
  reading->partitions = ask.partitions;
  reading->open = ask.partitions.size();
  reading->states.resize(ask.partitions.size());
  reader_.Sync([this, reading](const zk::Outcome<std::monostate>&) { FetchStates(reading); });
}

void TermStore::FetchStates(const std::shared_ptr<PartitionReading>& reading) {
  const auto finish = [this, reading] {
    emit_(PartitionsRead{.id = reading->id, .states = std::move(reading->states)});
  };
  if (reading->partitions.empty()) {
    finish();
    return;
  }
  for (size_t i = 0; i < reading->partitions.size(); ++i) {
    const TopicPartition& partition = reading->partitions[i];
    reader_.Get(zk::PartitionStatePath(partition.topic->name, partition.index), zk::Watch::kNone,
                [reading, i, finish](const zk::Outcome<zk::Node>& node) {
                  reading->states[i] = StateOf(node);
                  if (--reading->open == 0) {
                    finish();
                  }
                });
  }
}

// --- Writes ---

void TermStore::Do(const Write& write) {
  auto multi = std::make_shared<FencedMulti>(term_.licence, write.ops);
  ++counters_.multis;
  counters_.operations += static_cast<int64_t>(multi->ops().size());
  client_.Multi(multi->TakeOps(), [this, multi, id = write.id, sent = executor_.Now(),
                                   alive = std::weak_ptr<int>(alive_)](
                                      const zk::Outcome<std::vector<zk::OpResult>>& outcome) {
    if (alive.expired()) {
      return;
    }
    slowest_.Note(executor_.Now() - sent);
    FinishWrite(id, multi->Translate(outcome), multi->created_path());
  });
}

void TermStore::FinishWrite(WriteId id, WriteOutcome outcome, const std::string& created_path) {
  if (std::holds_alternative<WriteFenced>(outcome)) {
    ++counters_.writes_fenced;
    LOG(WARNING) << "write fenced controller_epoch=" << term_.epoch << " licence=" << term_.licence;
  }
  const auto* applied = std::get_if<WriteApplied>(&outcome);
  if (applied == nullptr || applied->zxid != Zxid(0) || created_path.empty()) {
    emit_(WriteDone{.id = id, .outcome = std::move(outcome)});
    return;
  }
  // Only creations, and the server told no stat: what was created knows the transaction (R10).
  reader_.Exists(created_path, zk::Watch::kNone,
                 [this, id](const zk::Outcome<std::optional<zk::Stat>>& stat) {
                   if (stat.ok() && stat.value()) {
                     emit_(WriteDone{.id = id, .outcome = WriteApplied{Zxid(stat.value()->czxid)}});
                   } else {
                     emit_(WriteDone{.id = id, .outcome = WriteUnknown{}});
                   }
                 });
}

}  // namespace regent::controller
