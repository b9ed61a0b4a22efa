#include "controller/io/admin_service.h"

#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/wire/status.h"
#include "controller/io/admin_convert.h"

namespace regent::controller {

namespace {

/// Changes that wait for a watcher to read: an office does not change hands more often than that.
constexpr size_t kChangesQueuedMax = 64;

std::string WhoHolds(const OfficeView& office) {
  if (!office.holder) {
    return office.waiting_for.empty()
               ? "nobody holds the office at the moment; try again in a few seconds"
               : "nobody holds the office, as far as this process knows (" + office.waiting_for +
                     ")";
  }
  std::string text = "controller " + std::to_string(office.holder->id.value());
  if (office.active_here) {
    return text + ", this process, is about to begin or end its term; try again";
  }
  if (office.holder->endpoint.known()) {
    text += " at " + office.holder->endpoint.ToText();
  }
  return text + " holds the office; ask it";
}

}  // namespace

/// One stream of WatchController. gRPC holds it until OnDone.
class AdminService::Watcher final : public grpc::ServerWriteReactor<v1::ControllerChange> {
 public:
  explicit Watcher(AdminService& service) : service_(service) {}

  void Follow(OfficeSource& office, const std::shared_ptr<Watcher>& self) {
    const OfficeSource::ListenerId id =
        office.Listen([weak = std::weak_ptr<Watcher>(self)](const OfficeView& view) {
          if (const std::shared_ptr<Watcher> watcher = weak.lock()) {
            watcher->Offer(view);
          }
        });
    const MutexLock lock(mutex_);
    listener_ = id;
  }

  /// No later change is taken in; the stream ends when what is queued has been written.
  void End(grpc::Status status) EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    EndLocked(std::move(status));
  }

  std::optional<OfficeSource::ListenerId> listener() const EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    return listener_;
  }

  void OnWriteDone(bool ok) override EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    writing_ = false;
    queue_.pop_front();
    if (!ok) {
      queue_.clear();
      EndLocked(grpc::Status(grpc::StatusCode::CANCELLED, "the watcher has gone"));
    } else if (!queue_.empty()) {
      WriteNextLocked();
    } else if (ended_) {
      FinishLocked();
    }
  }
  void OnCancel() override EXCLUDES(mutex_) {
    End(grpc::Status(grpc::StatusCode::CANCELLED, "the watcher has gone"));
  }
  void OnDone() override { service_.Forget(this); }

 private:
  void Offer(const OfficeView& view) EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    if (ended_) {
      return;
    }
    if (queue_.size() >= kChangesQueuedMax) {
      queue_.resize(1);  // The one that is being written.
      EndLocked(grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED,
                             "the watcher reads too slowly; watch again"));
      return;
    }
    queue_.push_back(ToChange(view));
    WriteNextLocked();
  }

  void WriteNextLocked() REQUIRES(mutex_) {
    if (!writing_ && !queue_.empty()) {
      writing_ = true;
      StartWrite(&queue_.front());
    }
  }

  void EndLocked(grpc::Status status) REQUIRES(mutex_) {
    if (!ended_) {
      ended_ = std::move(status);
    }
    if (queue_.empty()) {
      FinishLocked();
    }
  }

  void FinishLocked() REQUIRES(mutex_) {
    if (!finished_) {
      finished_ = true;
      Finish(*ended_);
    }
  }

  AdminService& service_;
  mutable Mutex mutex_;
  std::optional<OfficeSource::ListenerId> listener_ GUARDED_BY(mutex_);
  /// The first is being written while `writing_`.
  std::deque<v1::ControllerChange> queue_ GUARDED_BY(mutex_);
  bool writing_ GUARDED_BY(mutex_) = false;
  std::optional<grpc::Status> ended_ GUARDED_BY(mutex_);
  bool finished_ GUARDED_BY(mutex_) = false;
};

AdminService::AdminService(OfficeSource& office,
                           ControllerCalls* calls,
                           std::function<int64_t()> wall_ms)
    : office_(office), calls_(calls), wall_ms_(std::move(wall_ms)) {}

AdminService::~AdminService() = default;

// --- The office ---

grpc::ServerUnaryReactor* AdminService::GetController(grpc::CallbackServerContext* context,
                                                      const v1::GetControllerRequest*,
                                                      v1::GetControllerResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  *response->mutable_header()->mutable_controller() = ToProto(office_.Current());
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

grpc::ServerWriteReactor<v1::ControllerChange>* AdminService::WatchController(
    grpc::CallbackServerContext*, const v1::WatchControllerRequest*) {
  auto watcher = std::make_shared<Watcher>(*this);
  bool ended = false;
  {
    const MutexLock lock(mutex_);
    ended = ended_;
    watchers_.emplace(watcher.get(), watcher);
  }
  if (ended) {
    watcher->End(wire::ToGrpcStatus(
        Error{ErrorCode::kShuttingDown, "this process is ending; watch another one"}));
  } else {
    watcher->Follow(office_, watcher);
  }
  return watcher.get();
}

void AdminService::EndWatches() {
  std::vector<std::shared_ptr<Watcher>> watchers;
  {
    const MutexLock lock(mutex_);
    ended_ = true;
    for (const auto& entry : watchers_) {
      watchers.push_back(entry.second);
    }
  }
  for (const std::shared_ptr<Watcher>& watcher : watchers) {
    watcher->End(wire::ToGrpcStatus(
        Error{ErrorCode::kShuttingDown, "this process is ending; watch another one"}));
  }
}

void AdminService::Forget(Watcher* watcher) {
  if (const std::optional<OfficeSource::ListenerId> listener = watcher->listener()) {
    office_.Unlisten(*listener);
  }
  std::shared_ptr<Watcher> last;  // Destroyed outside the lock.
  const MutexLock lock(mutex_);
  const auto found = watchers_.find(watcher);
  last = std::move(found->second);
  watchers_.erase(found);
}

// --- What only the active controller answers ---

void AdminService::Complete(v1::AnswerHeader* header) const {
  const OfficeView office = office_.Current();
  *header->mutable_controller() = ToProto(office);
  if (header->has_error() && header->error().code() == v1::NOT_CONTROLLER) {
    header->mutable_error()->set_message(WhoHolds(office));
  }
}

void AdminService::Fail(const Error& error, v1::AnswerHeader* header) const {
  *header->mutable_error() = wire::ToProto(error);
  Complete(header);
}

namespace {

Error NoCandidate() {
  return Error{ErrorCode::kNotController, "no controller candidate runs in this process"};
}

Error TooMany() {
  return Error{ErrorCode::kUnavailable,
               "others are asking for all topics at the moment: try again, or name one topic"};
}

}  // namespace

/// One query over many topics; its place is free again when it has been answered.
class AdminService::WideQuery {
 public:
  explicit WideQuery(std::atomic<int>& open) : open_(open) {}
  ~WideQuery() { --open_; }
  WideQuery(const WideQuery&) = delete;
  WideQuery& operator=(const WideQuery&) = delete;

 private:
  std::atomic<int>& open_;
};

std::shared_ptr<AdminService::WideQuery> AdminService::TakePlace() {
  auto place = std::make_shared<WideQuery>(wide_queries_);
  return ++wide_queries_ <= kWideQueriesMax ? std::move(place) : nullptr;
}

void AdminService::Reply(grpc::ServerUnaryReactor* reactor, std::function<void()> convert) {
  // Shared, not copied: it holds the answer.
  const auto shared = std::make_shared<const std::function<void()>>(std::move(convert));
  const auto reply = [reactor, shared] {
    (*shared)();
    reactor->Finish(grpc::Status::OK);
  };
  if (!converter_.Post(reply)) {
    reply();
  }
}

grpc::ServerUnaryReactor* AdminService::GetClusterStatus(grpc::CallbackServerContext* context,
                                                         const v1::GetClusterStatusRequest*,
                                                         v1::GetClusterStatusResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const auto answer = [this, reactor, response](Result<ClusterStatus> status) {
    Reply(reactor, [this, response, status = std::move(status)] {
      if (status.ok()) {
        Fill(*status, response);
        Complete(response->mutable_header());
      } else {
        Fail(status.error(), response->mutable_header());
      }
    });
  };
  if (calls_ == nullptr) {
    answer(NoCandidate());
  } else {
    calls_->Status(answer);
  }
  return reactor;
}

grpc::ServerUnaryReactor* AdminService::ListBrokers(grpc::CallbackServerContext* context,
                                                    const v1::ListBrokersRequest*,
                                                    v1::ListBrokersResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const auto answer = [this, reactor, response](Result<std::vector<BrokerStatus>> brokers) {
    Reply(reactor, [this, response, brokers = std::move(brokers)] {
      if (!brokers.ok()) {
        return Fail(brokers.error(), response->mutable_header());
      }
      for (const BrokerStatus& broker : *brokers) {
        Fill(broker, response->add_brokers());
      }
      Complete(response->mutable_header());
    });
  };
  if (calls_ == nullptr) {
    answer(NoCandidate());
  } else {
    calls_->Brokers(answer);
  }
  return reactor;
}

grpc::ServerUnaryReactor* AdminService::ListTopics(grpc::CallbackServerContext* context,
                                                   const v1::ListTopicsRequest*,
                                                   v1::ListTopicsResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const std::shared_ptr<WideQuery> place = TakePlace();
  const auto answer = [this, reactor, response, place](Result<std::vector<TopicSummary>> topics) {
    Reply(reactor, [this, response, place, topics = std::move(topics)] {
      if (!topics.ok()) {
        return Fail(topics.error(), response->mutable_header());
      }
      for (const TopicSummary& topic : *topics) {
        Fill(topic, response->add_topics());
      }
      Complete(response->mutable_header());
    });
  };
  if (calls_ == nullptr) {
    answer(NoCandidate());
  } else if (place == nullptr) {
    answer(TooMany());
  } else {
    calls_->Topics(answer);
  }
  return reactor;
}

grpc::ServerUnaryReactor* AdminService::DescribeTopics(grpc::CallbackServerContext* context,
                                                       const v1::DescribeTopicsRequest* request,
                                                       v1::DescribeTopicsResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  Result<DescribeSpec> spec = FromProto(*request);
  const bool wide = spec.ok() && spec->topics.size() != 1;
  const std::shared_ptr<WideQuery> place = wide ? TakePlace() : nullptr;
  const auto answer = [this, reactor, response,
                       place](Result<std::vector<TopicDescription>> topics) {
    Reply(reactor, [this, response, place, topics = std::move(topics)] {
      if (!topics.ok()) {
        return Fail(topics.error(), response->mutable_header());
      }
      const int64_t now = wall_ms_();
      for (const TopicDescription& topic : *topics) {
        Fill(topic, now, response->add_topics());
      }
      Complete(response->mutable_header());
    });
  };
  if (calls_ == nullptr) {
    answer(NoCandidate());
  } else if (!spec.ok()) {
    answer(spec.error());
  } else if (wide && place == nullptr) {
    answer(TooMany());
  } else {
    calls_->Describe(*std::move(spec), answer);
  }
  return reactor;
}

template <class Outcome, class Request, class Response, class Call>
grpc::ServerUnaryReactor* AdminService::Change(grpc::CallbackServerContext* context,
                                               const Request& request,
                                               Response* response,
                                               Call call) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const auto answer = [this, reactor, response](const Outcome& result) {
    Reply(reactor, [this, response, result] {
      Fill(result, response);
      Complete(response->mutable_header());
    });
  };
  auto spec = FromProto(request);
  if (calls_ == nullptr) {
    answer({.error = NoCandidate()});
  } else if (!spec.ok()) {
    answer({.error = spec.error()});
  } else {
    call(*std::move(spec), answer);
  }
  return reactor;
}

grpc::ServerUnaryReactor* AdminService::CreateTopic(grpc::CallbackServerContext* context,
                                                    const v1::CreateTopicRequest* request,
                                                    v1::CreateTopicResponse* response) {
  return Change<CreateTopicResult>(context, *request, response, [this](auto spec, auto done) {
    calls_->CreateTopic(std::move(spec), done);
  });
}

grpc::ServerUnaryReactor* AdminService::DeleteTopic(grpc::CallbackServerContext* context,
                                                    const v1::DeleteTopicRequest* request,
                                                    v1::DeleteTopicResponse* response) {
  return Change<DeleteTopicResult>(context, *request, response, [this](auto spec, auto done) {
    calls_->DeleteTopic(std::move(spec), done);
  });
}

grpc::ServerUnaryReactor* AdminService::ExtendTopic(grpc::CallbackServerContext* context,
                                                    const v1::ExtendTopicRequest* request,
                                                    v1::ExtendTopicResponse* response) {
  return Change<ExtendTopicResult>(context, *request, response, [this](auto spec, auto done) {
    calls_->ExtendTopic(std::move(spec), done);
  });
}

grpc::ServerUnaryReactor* AdminService::AlterTopicConfig(grpc::CallbackServerContext* context,
                                                         const v1::AlterTopicConfigRequest* request,
                                                         v1::AlterTopicConfigResponse* response) {
  return Change<AlterTopicConfigResult>(context, *request, response, [this](auto spec, auto done) {
    calls_->AlterTopicConfig(std::move(spec), done);
  });
}

grpc::ServerUnaryReactor* AdminService::DescribeTopicConfig(
    grpc::CallbackServerContext* context,
    const v1::DescribeTopicConfigRequest* request,
    v1::DescribeTopicConfigResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const auto answer = [this, reactor, response](Result<std::vector<TopicSetting>> settings) {
    Reply(reactor, [this, response, settings = std::move(settings)] {
      if (!settings.ok()) {
        return Fail(settings.error(), response->mutable_header());
      }
      for (const TopicSetting& setting : *settings) {
        Fill(setting, response->add_settings());
      }
      Complete(response->mutable_header());
    });
  };
  if (calls_ == nullptr) {
    answer(NoCandidate());
  } else {
    calls_->TopicSettings(request->name(), answer);
  }
  return reactor;
}

grpc::ServerUnaryReactor* AdminService::ElectLeaders(grpc::CallbackServerContext* context,
                                                     const v1::ElectLeadersRequest* request,
                                                     v1::ElectLeadersResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const auto answer = [this, reactor, response](ElectLeadersResult result) {
    Reply(reactor, [this, response, result = std::move(result)] {
      Fill(result, response);
      Complete(response->mutable_header());
    });
  };
  Result<ElectLeadersSpec> spec = FromProto(*request);
  if (calls_ == nullptr) {
    answer({.error = NoCandidate()});
  } else if (!spec.ok()) {
    answer({.error = spec.error()});
  } else {
    calls_->ElectLeaders(*std::move(spec), answer);
  }
  return reactor;
}

}  // namespace regent::controller
