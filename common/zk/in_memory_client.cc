#include <utility>

#include <glog/logging.h>

#include "common/zk/in_memory.h"
#include "common/zk/in_memory_link.h"

namespace regent::zk {

// InMemoryClient.

InMemoryClient::InMemoryClient(InMemoryZooKeeper& server,
                               Executor& owner,
                               SessionListener& listener,
                               InMemoryClientOptions options)
    : server_(server), listener_(listener), link_(std::make_shared<Link>()) {
  link_->client = this;
  link_->owner = &owner;
  link_->root = RootPrefix(options.root);
  link_->options = std::move(options);
  const std::weak_ptr<Link> weak = link_;
  link_->deliver = [weak](bool all) {
    const std::shared_ptr<Link> link = weak.lock();
    if (link && link->client != nullptr) {
      link->client->Deliver(all);
    }
  };
  link_->transmit = [weak] {
    const std::shared_ptr<Link> link = weak.lock();
    if (link && link->client != nullptr) {
      link->client->server_.TransmitOne(*link);
    }
  };
  server_.Attach(link_);
}

InMemoryClient::~InMemoryClient() {
  Close();
}

void InMemoryClient::Get(const std::string& path, Watch watch, Callback<Node> done) {
  Submit(internal::GetCall{path, watch, std::make_shared<Callback<Node>>(std::move(done))});
}

void InMemoryClient::Exists(const std::string& path,
                            Watch watch,
                            Callback<std::optional<Stat>> done) {
  Submit(internal::ExistsCall{path, watch,
                              std::make_shared<Callback<std::optional<Stat>>>(std::move(done))});
}

void InMemoryClient::Children(const std::string& path,
                              Watch watch,
                              Callback<std::vector<std::string>> done) {
  Submit(internal::ChildrenCall{
      path, watch, std::make_shared<Callback<std::vector<std::string>>>(std::move(done))});
}

void InMemoryClient::Create(CreateOp op, Callback<OpResult> done) {
  std::vector<std::string> ancestors;
  if (op.path == "/") {
    ancestors = link_->root.Ancestors();
  }
  Submit(internal::CreateCall{std::move(op), std::move(ancestors),
                              std::make_shared<Callback<OpResult>>(std::move(done))});
}

void InMemoryClient::Set(SetOp op, Callback<Stat> done) {
  Submit(internal::SetCall{std::move(op), std::make_shared<Callback<Stat>>(std::move(done))});
}

void InMemoryClient::Delete(DeleteOp op, Callback<std::monostate> done) {
  Submit(internal::DeleteCall{std::move(op),
                              std::make_shared<Callback<std::monostate>>(std::move(done))});
}

void InMemoryClient::Multi(std::vector<Op> ops, Callback<std::vector<OpResult>> done) {
  Submit(internal::MultiCall{std::move(ops),
                             std::make_shared<Callback<std::vector<OpResult>>>(std::move(done))});
}

void InMemoryClient::Sync(const std::string& path, Callback<std::monostate> done) {
  Submit(internal::SyncCall{path, std::make_shared<Callback<std::monostate>>(std::move(done))});
}

template <class Call>
void InMemoryClient::Submit(Call request) {
  auto call = std::make_unique<internal::InMemoryCall>();
  call->generation = generation_;
  if constexpr (requires { request.ops; }) {
    call->refusal = RefusalOf(request.ops);
  } else if constexpr (requires { request.op; }) {
    call->refusal = RefusalOf(Op(request.op));
  } else {
    call->refusal = RefusalOf(request.path);
  }
  call->request = std::move(request);
  server_.Submit(*link_, std::move(call));
}

Generation InMemoryClient::generation() const {
  return generation_;
}

SessionState InMemoryClient::state() const {
  return state_;
}

int64_t InMemoryClient::session_id() const {
  return session_id_;
}

void InMemoryClient::Heartbeat(Instant now) {
  server_.NoteHeartbeat(*link_, now);
}

void InMemoryClient::Close() {
  const std::shared_ptr<Link> link = link_;
  if (link->client == nullptr) {
    return;
  }
  server_.Detach(*link);
  std::vector<std::function<void()>> rest = server_.TakeRest(*link);
  for (const auto& run : rest) {
    run();
  }
  link->client = nullptr;
}

void InMemoryClient::Disconnect() {
  server_.SetReachable(*link_, false);
}

void InMemoryClient::Reconnect() {
  server_.SetReachable(*link_, true);
}

void InMemoryClient::LagBehind(int transactions) {
  CHECK_GE(transactions, 0);
  server_.SetLag(*link_, static_cast<size_t>(transactions));
}

void InMemoryClient::CutOffServer() {
  server_.CutOff(*link_);
}

void InMemoryClient::RejoinServer(Rejoins rejoins) {
  server_.Rejoin(*link_, rejoins);
}

bool InMemoryClient::server_cut_off() const {
  return server_.IsCutOff(*link_);
}

void InMemoryClient::LoseAnswers(int count, Lost lost) {
  server_.LoseAnswers(*link_, count, lost);
}

void InMemoryClient::Deliver(bool all) {
  const std::shared_ptr<Link> link = link_;
  InMemoryZooKeeper& server = server_;
  do {
    const std::function<void()> run = server.TakeDelivery(*link);
    if (!run) {
      return;
    }
    run();  // May close or destroy this client.
  } while (all && link->client != nullptr);
}

void InMemoryClient::OnSession(const SessionEvent& event) {
  state_ = event.state;
  session_id_ = event.session_id;
  if (event.state != SessionState::kExpired) {
    listener_.OnSession(event);
    return;
  }
  // From here on the listener asks the next session, which must not begin before the listener knows
  // that the old one has ended.
  const std::shared_ptr<Link> link = link_;
  generation_ = generation_.Next();
  listener_.OnSession(event);
  if (link->client != nullptr) {
    server_.BeginGeneration(*link, generation_);
  }
}

void InMemoryClient::OnWatch(const WatchEvent& event) {
  listener_.OnWatch(event);
}

}  // namespace regent::zk
