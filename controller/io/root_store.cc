#include "controller/io/root_store.h"

#include <utility>

#include "common/base/uuid.h"
#include "common/wire/znode_json.h"
#include "common/zk/paths.h"

namespace regent::controller {

namespace {

constexpr int kLostAnswersMax = 20;

}  // namespace

/// A read of the root that is under way.
struct RootStore::Reading {
  RootRead read;
  int open = 0;
};

RootStore::RootStore(const StoreTools& tools, Emit emit)
    : client_(tools.client),
      rng_(tools.rng),
      reader_(tools.client, tools.executor, tools.backoff, tools.slowest),
      emit_(std::move(emit)),
      alive_(std::make_shared<int>()) {}

void RootStore::Reset() {
  reader_.Forget();
  to_create_.clear();
  preparing_ = false;
  alive_ = std::make_shared<int>();
}

void RootStore::Read() {
  auto reading = std::make_shared<Reading>();
  reading->read.generation = client_.generation().value();
  reading->read.readable = true;
  reading->read.base_paths = true;
  reader_.Sync([this, reading](const zk::Outcome<std::monostate>& outcome) {
    // A root that is not there yet cannot be synced; then the reads find nothing either.
    if (!outcome.ok() && !outcome.Is(zk::ErrorKind::kNoNode)) {
      reading->read.readable = false;
      reading->read.problem = outcome.ToText();
    }
    ReadBehindSync(reading);
  });
}

void RootStore::ReadBehindSync(const std::shared_ptr<Reading>& reading) {
  const auto fail = [reading](std::string problem) {
    reading->read.readable = false;
    reading->read.problem = std::move(problem);
  };
  const auto exists = [this, reading, fail](const std::string& path,
                                            std::function<void(bool)> found) {
    ++reading->open;
    reader_.Exists(path, zk::Watch::kNone,
                   [this, reading, fail,
                    found = std::move(found)](const zk::Outcome<std::optional<zk::Stat>>& outcome) {
                     if (outcome.ok()) {
                       found(outcome.value().has_value());
                     } else {
                       fail(outcome.ToText());
                     }
                     Finish(reading);
                   });
  };
  const auto get = [this, reading, fail](const std::string& path,
                                         std::function<Status(const std::string&)> found) {
    ++reading->open;
    reader_.Get(path, zk::Watch::kNone,
                [this, reading, fail, path,
                 found = std::move(found)](const zk::Outcome<zk::Node>& outcome) {
                  if (outcome.ok()) {
                    if (Status taken = found(outcome.value().data); !taken.ok()) {
                      fail(path + ": " + taken.error().message);
                    }
                  } else if (!outcome.Is(zk::ErrorKind::kNoNode)) {
                    fail(outcome.ToText());
                  }
                  Finish(reading);
                });
  };
  const auto children = [this, reading, fail](const std::string& path) {
    ++reading->open;
    reader_.Children(path, zk::Watch::kNone,
                     [this, reading, fail](const zk::Outcome<std::vector<std::string>>& outcome) {
                       if (outcome.ok()) {
                         reading->read.holds_cluster |= !outcome.value().empty();
                       } else if (!outcome.Is(zk::ErrorKind::kNoNode)) {
                         fail(outcome.ToText());
                       }
                       Finish(reading);
                     });
  };

  get(zk::RegentFormatPath(), [reading](const std::string& data) -> Status {
    reading->read.has_format = true;
    const Result<int32_t> version = wire::DecodeFormat(data);
    return version.ok() ? Status(Success{}) : Status(version.error());
  });
  get(zk::ClusterIdPath(), [reading](const std::string& data) -> Status {
    reading->read.holds_cluster = true;
    Result<std::string> id = wire::DecodeClusterId(data);
    if (!id.ok()) {
      return id.error();
    }
    reading->read.cluster_id = *std::move(id);
    return Success{};
  });
  exists(zk::ControllerPath(), [reading](bool is) { reading->read.holds_cluster |= is; });
  children(zk::BrokerIdsPath());
  children(zk::TopicsPath());
  for (const std::string& path : zk::BasePaths()) {
    exists(path, [reading](bool is) { reading->read.base_paths &= is; });
  }
}

void RootStore::Finish(const std::shared_ptr<Reading>& reading) {
  if (--reading->open == 0) {
    emit_(std::move(reading->read));
  }
}

void RootStore::Prepare(std::string cluster_id) {
  if (preparing_) {
    return;  // One answer serves both.
  }
  preparing_ = true;
  lost_answers_ = 0;
  if (cluster_id.empty()) {
    cluster_id = Uuid::Random(rng_).ToText();
  }
  // In reverse. "/" is the node that --zk-root names.
  to_create_.push_back({.path = zk::ClusterIdPath(), .data = wire::EncodeClusterId(cluster_id)});
  for (auto path = zk::BasePaths().rbegin(); path != zk::BasePaths().rend(); ++path) {
    to_create_.push_back({.path = *path});
  }
  to_create_.push_back({.path = zk::RegentFormatPath(), .data = wire::EncodeFormat()});
  to_create_.push_back({.path = zk::RegentPath()});
  to_create_.push_back({.path = "/"});
  CreateNext();
}

void RootStore::CreateNext() {
  if (to_create_.empty()) {
    Prepared(true, "");
    return;
  }
  const zk::CreateOp& next = to_create_.back();
  client_.Create(next, [this, alive = std::weak_ptr<int>(alive_),
                        path = next.path](const zk::Outcome<zk::OpResult>& outcome) {
    if (!alive.expired()) {
      OnCreated(path, outcome);
    }
  });
}

void RootStore::OnCreated(const std::string& path, const zk::Outcome<zk::OpResult>& outcome) {
  if (outcome.Is(zk::ErrorKind::kSessionExpired)) {
    return;
  }
  // That another candidate was faster, or we ourselves before a lost answer, is as good.
  if (outcome.ok() || outcome.Is(zk::ErrorKind::kNodeExists)) {
    to_create_.pop_back();
    lost_answers_ = 0;
    CreateNext();
    return;
  }
  if (outcome.unknown() && ++lost_answers_ < kLostAnswersMax) {
    CreateNext();
    return;
  }
  Prepared(false, "cannot create " + path + ": " + outcome.ToText());
}

void RootStore::Prepared(bool done, std::string problem) {
  to_create_.clear();
  preparing_ = false;
  emit_(RootPrepared{
      .generation = client_.generation().value(), .done = done, .problem = std::move(problem)});
}

}  // namespace regent::controller
