#include "controller/io/patient_reader.h"

#include <algorithm>
#include <utility>

namespace regent::controller {

PatientReader::PatientReader(zk::Client& client,
                             Executor& executor,
                             ReadBackoff backoff,
                             SlowestRequest& slowest)
    : client_(client),
      executor_(executor),
      backoff_(backoff),
      slowest_(slowest),
      next_wait_(backoff.min),
      alive_(std::make_shared<int>()) {}

void PatientReader::Get(std::string path, zk::Watch watch, zk::Callback<zk::Node> done) {
  Try<zk::Node>(
      [this, path = std::move(path), watch](zk::Callback<zk::Node> answered) {
        client_.Get(path, watch, std::move(answered));
      },
      std::move(done), client_.generation());
}

void PatientReader::Exists(std::string path,
                           zk::Watch watch,
                           zk::Callback<std::optional<zk::Stat>> done) {
  Try<std::optional<zk::Stat>>(
      [this, path = std::move(path), watch](zk::Callback<std::optional<zk::Stat>> answered) {
        client_.Exists(path, watch, std::move(answered));
      },
      std::move(done), client_.generation());
}

void PatientReader::Children(std::string path,
                             zk::Watch watch,
                             zk::Callback<std::vector<std::string>> done) {
  Try<std::vector<std::string>>(
      [this, path = std::move(path), watch](zk::Callback<std::vector<std::string>> answered) {
        client_.Children(path, watch, std::move(answered));
      },
      std::move(done), client_.generation());
}

void PatientReader::Sync(zk::Callback<std::monostate> done) {
  Try<std::monostate>(
      [this](zk::Callback<std::monostate> answered) { client_.Sync("/", std::move(answered)); },
      std::move(done), client_.generation());
}

void PatientReader::Forget() {
  alive_ = std::make_shared<int>();
  retries_.clear();
  next_wait_ = backoff_.min;
}

template <class T>
void PatientReader::Try(Ask<T> ask, zk::Callback<T> done, zk::Generation generation) {
  // The copy that is kept for another try shares nothing that the first one consumes.
  ask([this, alive = std::weak_ptr<int>(alive_), ask, done = std::move(done), generation,
       asked = executor_.Now()](zk::Outcome<T> outcome) mutable {
    if (alive.expired() || outcome.Is(zk::ErrorKind::kSessionExpired)) {
      return;
    }
    slowest_.Note(executor_.Now() - asked);
    if (!outcome.unknown()) {
      next_wait_ = backoff_.min;
      done(std::move(outcome));
      return;
    }
    TryLater([this, ask = std::move(ask), done = std::move(done), generation]() mutable {
      if (client_.generation() == generation && client_.state() != zk::SessionState::kExpired) {
        Try<T>(std::move(ask), std::move(done), generation);
      }
    });
  });
}

void PatientReader::TryLater(std::function<void()> again) {
  retries_.push_back(std::move(again));
  if (retries_.size() > 1) {
    return;  // The timer of the first one takes all that have gathered by then.
  }
  executor_.PostAt(executor_.Now() + next_wait_, [this, alive = std::weak_ptr<int>(alive_)] {
    if (!alive.expired()) {
      RunRetries();
    }
  });
  next_wait_ = std::min(next_wait_ * 2, backoff_.max);
}

void PatientReader::RunRetries() {
  const std::vector<std::function<void()>> retries = std::exchange(retries_, {});
  for (const auto& again : retries) {
    again();
  }
}

}  // namespace regent::controller
