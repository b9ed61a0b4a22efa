#include "broker-agent/io/agent_host.h"

#include <utility>

#include <glog/logging.h>

#include "common/zk/real_client.h"

namespace regent {

AgentHost::AgentHost(AgentHostOptions options, AgentState recovered, AgentRunner::Parts parts)
    : options_(std::move(options)),
      parts_(parts),
      runner_(options_.agent,
              std::move(recovered),
              parts,
              [this](const Stopped& stopped) { OnAgentStopped(stopped); }),
      to_agent_(runner_.sink()),
      registration_(
          options_.registration,
          parts.executor,
          parts.store,
          {.events = [this](AgentEvent event) { TakeEvent(std::move(event)); },
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

void AgentHost::TakeEvent(AgentEvent event) {
  if (const auto* const seen = std::get_if<ControllerSeen>(&event);
      seen != nullptr && options_.on_controller) {
    options_.on_controller(*seen);
  }
  to_agent_(std::move(event));
}

void AgentHost::Start(std::optional<BrokerRegistration> self) {
  parts_.executor.Post([this, alive = alive_, self = std::move(self)]() {
    if (*alive) {
      if (self) {
        registration_.set_self(*self);
      }
      Open();
    }
  });
}

void AgentHost::Open() {
  Result<std::unique_ptr<zk::Client>> client = options_.make_client(parts_.executor, registration_);
  if (!client.ok()) {
    Finish({.clean = false, .error = client.error()});
    return;
  }
  client_ = std::move(client).value();
  producer_ids_ = std::make_unique<ProducerIds>(options_.agent.broker, *client_, parts_.executor);
  registration_.Start(*client_);
  Tick();
}

void AgentHost::Tick() {
  if (finished_) {
    return;
  }
  const Instant now = parts_.executor.Now();
  client_->Heartbeat(now);
  PublishMetrics(now);
  parts_.executor.PostAt(now + options_.tick, [this, alive = alive_]() {
    if (*alive) {
      Tick();
    }
  });
}

void AgentHost::PublishMetrics(Instant now) {
  const Agent& agent = runner_.agent();
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
    counters = agent.counters();
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
  const bool posted = parts_.executor.Post([this, alive = alive_, done, closed]() {
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
  runner_.sink()(StopRequested{});
}

void AgentHost::OnAgentStopped(const Stopped& stopped) {
  if (std::exchange(leaving_, true)) {
    return;
  }
  LOG(INFO) << "agent stopped clean=" << stopped.clean << " error=\""
            << (stopped.error ? stopped.error->message : "") << '"';
  parts_.controller.Shutdown();
  parts_.transport.Shutdown();
  parts_.store.Close(
      [this, alive = alive_, &executor = parts_.executor, stopped](const Status& closed) {
        LOG_IF(ERROR, !closed.ok()) << "logs not closed error=\"" << closed.error() << '"';
        executor.Post([this, alive, stopped]() {
          if (*alive) {
            OnStoreClosed(stopped);
          }
        });
      });
}

void AgentHost::OnStoreClosed(const Stopped& stopped) {
  registration_.Stop([this, alive = alive_, stopped]() {
    if (*alive) {
      Finish(stopped);
    }
  });
  // The session's end unregisters as well: nobody waits long for an answer.
  parts_.executor.PostAt(parts_.executor.Now() + options_.unregister_max,
                         [this, alive = alive_, stopped]() {
                           if (*alive) {
                             Finish(stopped);
                           }
                         });
}

void AgentHost::Finish(const Stopped& stopped) {
  if (std::exchange(finished_, true)) {
    return;
  }
  runner_.Close();
  if (client_ != nullptr) {
    // Not from inside one of its callbacks.
    parts_.executor.Post([this, alive = alive_, stopped]() {
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
