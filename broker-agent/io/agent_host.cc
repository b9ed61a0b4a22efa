#include "broker-agent/io/agent_host.h"

#include <utility>

#include <glog/logging.h>

#include "common/zk/real_client.h"

namespace regent {

AgentHost::AgentHost(AgentHostOptions options,
                     AgentState recovered,
                     std::vector<AgentRunner::Parts> parts)
    : options_(std::move(options)),
      parts_(std::move(parts)),
      executor_(parts_.front().executor),
      shards_(options_.agent,
              std::move(recovered),
              parts_,
              [this](const Stopped& stopped) { OnAgentStopped(stopped); }),
      registration_(
          options_.registration,
          executor_,
          parts_.front().store,
          {.events = [this](const AgentEvent& event) { TakeEvent(event); },
           .give_up =
               [this](Error error) { OnAgentStopped({.clean = false, .error = std::move(error)}); },
           .status = options_.status}) {}

AgentHost::~AgentHost() {
  *alive_ = false;
  producer_ids_.reset();
  if (client_ != nullptr) {
    client_->Close();
  }
}

void AgentHost::TakeEvent(const AgentEvent& event) {
  if (const auto* const seen = std::get_if<ControllerSeen>(&event);
      seen != nullptr && options_.on_controller) {
    options_.on_controller(*seen);
  }
  shards_.Tell(event);
}

void AgentHost::Start(std::optional<BrokerRegistration> self) {
  executor_.Post([this, alive = alive_, self = std::move(self)]() {
    if (*alive) {
      if (self) {
        registration_.set_self(*self);
      }
      Open();
    }
  });
}

void AgentHost::Open() {
  Result<std::unique_ptr<zk::Client>> client = options_.make_client(executor_, registration_);
  if (!client.ok()) {
    Finish({.clean = false, .error = client.error()});
    return;
  }
  client_ = std::move(client).value();
  producer_ids_ = std::make_unique<ProducerIds>(options_.agent.broker, *client_, executor_);
  registration_.Start(*client_);
  informed_by_ = executor_.Now() + options_.informed_max;
  Tick();
}

void AgentHost::Tick() {
  if (finished_) {
    return;
  }
  const Instant now = executor_.Now();
  if (shards_.AllLive()) {
    client_->Heartbeat(now);
  }
  LookWhetherInformed(now);
  PublishMetrics(now);
  executor_.PostAt(now + options_.tick, [this, alive = alive_]() {
    if (*alive) {
      Tick();
    }
  });
}

void AgentHost::LookWhetherInformed(Instant now) {
  if (!informed_by_) {
    return;
  }
  const std::shared_ptr<const MetadataView> view = shards_.metadata();
  const bool whole = view != nullptr && view->whole();
  if (!whole && now < *informed_by_) {
    return;
  }
  informed_by_.reset();
  LOG_IF(WARNING, !whole) << "clients served uninformed reason=\"no controller has told this "
                             "broker of all partitions yet\"";
  if (options_.informed) {
    options_.informed();
  }
}

void AgentHost::PublishMetrics(Instant now) {
  const Agent& agent = shards_.first_agent();
  AgentMetrics metrics{.counters = {},
                       .registered = registration_.waiting_for().empty(),
                       .waiting_for = registration_.waiting_for(),
                       .broker_epoch = agent.broker_epoch(),
                       .controller = agent.controller(),
                       .session = registration_.session(),
                       .sessions = client_->generation().value()};
  if (const auto* const real = dynamic_cast<const zk::RealClient*>(client_.get())) {
    metrics.zookeeper_latency = real->stats().latency_last;
  }
  std::optional<AgentCounters> counters;
  if (!counted_ || now - *counted_ >= options_.count_interval) {
    counted_ = now;
    counters = shards_.Count();
  }
  const MutexLock lock(mutex_);
  metrics.counters = counters ? *counters : metrics_.counters;
  metrics_ = std::move(metrics);
}

AgentMetrics AgentHost::metrics() const {
  const MutexLock lock(mutex_);
  return metrics_;
}

void AgentHost::DrawProducerId(const ProducerIds::Done& done) {
  const Error closed{ErrorCode::kUnavailable, "the broker has no session yet, or stops"};
  const bool posted = executor_.Post([this, alive = alive_, done, closed]() {
    if (*alive && producer_ids_ != nullptr) {
      producer_ids_->Draw(done);
    } else {
      done(closed);
    }
  });
  if (!posted) {
    done(closed);
  }
}

void AgentHost::RequestStop() {
  shards_.RequestStop();
}

void AgentHost::OnAgentStopped(const Stopped& stopped) {
  if (std::exchange(leaving_, true)) {
    return;
  }
  LOG(INFO) << "agent stopped clean=" << stopped.clean << " error=\""
            << (stopped.error ? stopped.error->message : "") << '"';
  for (const AgentRunner::Parts& parts : parts_) {
    parts.controller.Shutdown();
    parts.transport.Shutdown();
  }
  CloseStores(stopped);
}

void AgentHost::CloseStores(const Stopped& stopped) {
  const auto open = std::make_shared<size_t>(parts_.size());
  const auto one_closed = [this, alive = alive_, open, stopped]() {
    if (*alive && --*open == 0) {
      OnStoresClosed(stopped);
    }
  };
  for (const AgentRunner::Parts& parts : parts_) {
    parts.store.Close([&executor = executor_, one_closed](const Status& closed) {
      LOG_IF(ERROR, !closed.ok()) << "logs not closed error=\"" << closed.error() << '"';
      executor.Post(one_closed);
    });
  }
}

void AgentHost::OnStoresClosed(const Stopped& stopped) {
  registration_.Stop([this, alive = alive_, stopped]() {
    if (*alive) {
      Finish(stopped);
    }
  });
  // The session's end unregisters as well: nobody waits long for an answer.
  executor_.PostAt(executor_.Now() + options_.unregister_max, [this, alive = alive_, stopped]() {
    if (*alive) {
      Finish(stopped);
    }
  });
}

void AgentHost::Finish(const Stopped& stopped) {
  if (std::exchange(finished_, true)) {
    return;
  }
  shards_.Close();
  if (client_ != nullptr) {
    // Not from inside one of its callbacks.
    executor_.Post([this, alive = alive_, stopped]() {
      if (*alive) {
        producer_ids_.reset();
        client_->Close();
        options_.finished(stopped);
      }
    });
    return;
  }
  options_.finished(stopped);
}

}  // namespace regent
