#include "common/zk/handle.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <map>
#include <poll.h>
#include <string_view>

#include <glog/logging.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <zookeeper/zookeeper.h>

#include "common/base/overloaded.h"
#include "common/runtime/loop.h"
#include "common/zk/limits.h"

namespace regent::zk {

namespace {

constexpr int kFlags = ZOO_NO_LOG_CLIENTENV;
/// The library sends all watched paths in one packet after a reconnect, and a packet that the
/// server refuses would end every later connection, too (engineering reference 1.4).
constexpr size_t kWatchedBytesAlert = size_t{512} << 10U;
constexpr int kRepliesPerTurn = 512;
constexpr int kSequenceDigits = 10;

Stat FromC(const ::Stat& stat) {
  return Stat{.czxid = stat.czxid,
              .mzxid = stat.mzxid,
              .pzxid = stat.pzxid,
              .version = stat.version,
              .cversion = stat.cversion,
              .ephemeral_owner = stat.ephemeralOwner,
              .num_children = stat.numChildren};
}

int ToC(const Expected& expected) {
  const auto* at = std::get_if<AtVersion>(&expected);
  return at == nullptr ? -1 : at->version;
}

int ToC(CreateMode mode) {
  switch (mode) {
    case CreateMode::kPersistent: return ZOO_PERSISTENT;
    case CreateMode::kEphemeral: return ZOO_EPHEMERAL;
    case CreateMode::kPersistentSequential: return ZOO_PERSISTENT_SEQUENTIAL;
  }
  return ZOO_PERSISTENT;
}

/// Whether `rc`, as a completion, leaves open if the request was applied.
bool IsUnknown(int rc) {
  // System errors are the connection's fate, not the server's answer; the rest are answers but for
  // those that speak of the session.
  return (rc < 0 && rc > ZAPIERROR) || rc == ZSESSIONEXPIRED || rc == ZCLOSING ||
         rc == ZSESSIONMOVED || rc == ZAUTHFAILED || rc == ZTHROTTLEDOP;
}

ErrorKind KindOf(int rc) {
  switch (rc) {
    case ZNONODE: return ErrorKind::kNoNode;
    case ZNODEEXISTS: return ErrorKind::kNodeExists;
    case ZBADVERSION: return ErrorKind::kBadVersion;
    case ZNOTEMPTY: return ErrorKind::kNotEmpty;
    case ZNOAUTH: return ErrorKind::kNoAuth;
    case ZNOCHILDRENFOREPHEMERALS: return ErrorKind::kNoChildrenForEphemerals;
    default: return ErrorKind::kOther;  // The library's numbers, not an enum of ours.
  }
}

std::string_view ServerPathOf(const CallArgs& args) {
  return std::visit(
      Overloaded{[](const MultiArgs& a) -> std::string_view { return PathOf(a.ops.front()); },
                 [](const auto& a) -> std::string_view { return a.path; }},
      args);
}

std::string WithoutRoot(std::string_view path, size_t root_bytes) {
  path.remove_prefix(std::min(root_bytes, path.size()));
  return path.empty() ? "/" : std::string(path);
}

std::string Describe(int rc, std::string_view server_path, const Call& call) {
  std::string text = WithoutRoot(server_path, call.root_bytes);
  if (KindOf(rc) == ErrorKind::kOther) {
    text += std::string(": ") + zerror(rc);
  }
  return text;
}

/// Lets one line of a kind through every few seconds: a server that is away would fill the log.
void Log(const char* line) {
  const std::string_view text(line);
  const size_t level = text.find("ZOO_");
  const std::string_view rest = level == std::string_view::npos ? text : text.substr(level + 4);
  const size_t colon = rest.find(": ");
  const std::string where(rest.substr(0, colon));
  const std::string_view message = colon == std::string_view::npos ? rest : rest.substr(colon + 2);
  thread_local std::map<std::string, Instant> logged;
  const Instant now = MonotonicNow();
  const bool loud = rest.starts_with("ERROR") || rest.starts_with("WARN");
  const auto it = logged.find(where);
  if (loud && (it == logged.end() || now - it->second > std::chrono::seconds(10))) {
    logged[where] = now;
    LOG(WARNING) << "ZooKeeper's client: " << message;
  } else {
    VLOG(1) << "ZooKeeper's client: " << message;
  }
}

ACL_vector* Acl(bool authenticated) {
  // As Kafka's secure nodes: the creator may do everything, the world may read.
  static ACL restricted[] = {{0x1f, {const_cast<char*>("auth"), const_cast<char*>("")}},
                             {0x01, {const_cast<char*>("world"), const_cast<char*>("anyone")}}};
  static ACL_vector vector{2, restricted};
  return authenticated ? &vector : &ZOO_OPEN_ACL_UNSAFE;
}

/// Where the library writes the results of a multi; lives as long as the call.
struct MultiBuffers {
  std::vector<zoo_op_result_t> results;
  std::vector<::Stat> stats;
  std::vector<std::string> created;
};

void IgnoreSessionEvents(
    zhandle_t* /*zh*/, int /*type*/, int /*state*/, const char* /*path*/, void* /*context*/) {}

}  // namespace

/// The library's callbacks. They copy and return.
struct Completions {
  static Call* CallOf(const void* data) { return static_cast<Call*>(const_cast<void*>(data)); }

  /// Takes the call of `data` off its handle and, unless `rc` is success, finishes it.
  static std::unique_ptr<Call> Take(int rc, const void* data) {
    std::unique_ptr<Call> call = CallOf(data)->handle->TakeOutstanding(CallOf(data));
    call->answered = !IsUnknown(rc);
    if (IsUnknown(rc)) {
      call->Lose(Describe(rc, ServerPathOf(call->args), *call) + ": " + zerror(rc));
    } else if (rc != ZOK) {
      call->Fail({.kind = KindOf(rc), .message = Describe(rc, ServerPathOf(call->args), *call)});
    }
    return call;
  }
  template <class T>
  static void Finish(std::unique_ptr<Call> call, Outcome<T> outcome) {
    static_cast<TypedCall<T>&>(*call).Finish(std::move(outcome));
    Done(std::move(call));
  }
  static void Done(std::unique_ptr<Call> call) {
    Handle* handle = call->handle;
    handle->Complete(std::move(call));
  }

  static void OnGet(int rc, const char* value, int size, const ::Stat* stat, const void* data) {
    std::unique_ptr<Call> call = Take(rc, data);
    if (rc != ZOK) {
      Done(std::move(call));
      return;
    }
    const auto& args = std::get<GetArgs>(call->args);
    if (args.watch == Watch::kArm) {
      call->handle->NoteWatch(args.path);
    }
    Node node;
    if (value != nullptr && size > 0) {
      node.data.assign(value, static_cast<size_t>(size));
    }
    node.stat = FromC(*stat);
    Finish<Node>(std::move(call), std::move(node));
  }

  static void OnExists(int rc, const ::Stat* stat, const void* data) {
    std::unique_ptr<Call> call = Take(rc, data);
    if (rc != ZOK && rc != ZNONODE) {
      Done(std::move(call));
      return;
    }
    const auto& args = std::get<ExistsArgs>(call->args);
    if (args.watch == Watch::kArm) {
      call->handle->NoteWatch(args.path);
    }
    Finish<std::optional<Stat>>(
        std::move(call), rc == ZOK ? std::optional<Stat>(FromC(*stat)) : std::optional<Stat>());
  }

  static void OnChildren(int rc, const String_vector* names, const void* data) {
    std::unique_ptr<Call> call = Take(rc, data);
    if (rc != ZOK) {
      Done(std::move(call));
      return;
    }
    const auto& args = std::get<ChildrenArgs>(call->args);
    if (args.watch == Watch::kArm) {
      call->handle->NoteWatch(args.path);
    }
    std::vector<std::string> children(names->data, names->data + names->count);
    std::ranges::sort(children);
    Finish<std::vector<std::string>>(std::move(call), std::move(children));
  }

  static void OnCreate(int rc, const char* path, const ::Stat* stat, const void* data) {
    std::unique_ptr<Call> call = Take(rc, data);
    if (rc != ZOK) {
      Done(std::move(call));
      return;
    }
    OpResult result{.created_path = WithoutRoot(path, call->root_bytes), .stat = FromC(*stat)};
    Finish<OpResult>(std::move(call), std::move(result));
  }

  static void OnSet(int rc, const ::Stat* stat, const void* data) {
    std::unique_ptr<Call> call = Take(rc, data);
    if (rc != ZOK) {
      Done(std::move(call));
      return;
    }
    Finish<Stat>(std::move(call), FromC(*stat));
  }

  static void OnDelete(int rc, const void* data) {
    std::unique_ptr<Call> call = Take(rc, data);
    if (rc != ZOK) {
      Done(std::move(call));
      return;
    }
    Finish<std::monostate>(std::move(call), std::monostate{});
  }

  static void OnSync(int rc, const char* /*path*/, const void* data) { OnDelete(rc, data); }

  static void OnMulti(int rc, const void* data) {
    std::unique_ptr<Call> call = Take(rc, data);
    const auto& ops = std::get<MultiArgs>(call->args).ops;
    const auto buffers = std::static_pointer_cast<MultiBuffers>(std::exchange(call->buffers, {}));
    if (rc != ZOK) {
      if (call->answered) {
        // Operations before the refused one say "ok" though they were rolled back, those after it
        // say "inconsistency": neither means anything.
        const auto blamed = std::ranges::find_if(buffers->results, [](const auto& result) {
          return result.err != ZOK && result.err != ZRUNTIMEINCONSISTENCY;
        });
        if (blamed != buffers->results.end()) {
          const auto index = static_cast<size_t>(blamed - buffers->results.begin());
          call->Fail({.kind = KindOf(rc),
                      .failed_op = static_cast<int>(index),
                      .message = Describe(rc, PathOf(ops[index]), *call)});
        }
      }
      Done(std::move(call));
      return;
    }
    std::vector<OpResult> results(ops.size());
    for (size_t i = 0; i < ops.size(); ++i) {
      if (std::holds_alternative<CreateOp>(ops[i])) {
        results[i].created_path = WithoutRoot(buffers->created[i].c_str(), call->root_bytes);
      } else if (std::holds_alternative<SetOp>(ops[i])) {
        results[i].stat = FromC(buffers->stats[i]);
      }
    }
    Finish<std::vector<OpResult>>(std::move(call), std::move(results));
  }

  static void OnWatch(zhandle_t* /*zh*/, int type, int /*state*/, const char* path, void* context) {
    // Session events come to every watch of a path, too, and do not consume it.
    if (type != ZOO_SESSION_EVENT && type != ZOO_NOTWATCHING_EVENT) {
      static_cast<Handle*>(context)->OnWatch(path);
    }
  }
};

Handle::Handle(Options options) : options_(std::move(options)) {
  zoo_set_debug_level(VLOG_IS_ON(1) ? ZOO_LOG_LEVEL_INFO : ZOO_LOG_LEVEL_WARN);
  const auto timeout =
      std::chrono::duration_cast<std::chrono::milliseconds>(options_.session_timeout).count();
  zh_ = zookeeper_init2(options_.addresses.c_str(), IgnoreSessionEvents, static_cast<int>(timeout),
                        nullptr, this, kFlags, Log);
  if (zh_ == nullptr) {
    return;
  }
  zoo_set_servers_resolution_delay(zh_, -1);
  if (!options_.digest.empty()) {
    // Sent again by the library on each connection; a refusal shows in the state.
    zoo_add_auth(zh_, "digest", options_.digest.c_str(), static_cast<int>(options_.digest.size()),
                 nullptr, nullptr);
  }
}

std::unique_ptr<Handle> Handle::Open(Options options) {
  std::unique_ptr<Handle> handle(new Handle(std::move(options)));
  return handle->zh_ == nullptr ? nullptr : std::move(handle);
}

Handle::~Handle() {
  Close();
}

void Handle::Close() {
  if (zh_ == nullptr) {
    return;
  }
  zookeeper_close(std::exchange(zh_, nullptr));  // Completes what is outstanding.
  for (auto& call : outstanding_) {
    call->Lose("the session was closed");
    done_.push_back({.call = std::move(call), .watched_path = {}});
  }
  outstanding_.clear();
  outstanding_ops_ = 0;
}

namespace {
size_t OpsOf(const Call& call) {
  const auto* multi = std::get_if<MultiArgs>(&call.args);
  return multi == nullptr ? 1 : multi->ops.size();
}
}  // namespace

void Handle::Submit(std::unique_ptr<Call> call) {
  // A multi on a dead handle corrupts memory (engineering reference 1.5); on this one thread the
  // state cannot change before it is sent.
  CHECK(zh_ != nullptr && is_unrecoverable(zh_) == 0);
  call->handle = this;
  outstanding_ops_ += OpsOf(*call);
  outstanding_.push_back(std::move(call));
  Call& sent = *outstanding_.back();
  const int rc = Send(sent);
  if (rc != ZOK) {
    std::unique_ptr<Call> refused = TakeOutstanding(&sent);
    refused->Fail({.kind = rc == ZINVALIDSTATE ? ErrorKind::kSessionExpired : ErrorKind::kOther,
                   .message = Describe(rc, ServerPathOf(refused->args), *refused) +
                              " (not sent): " + zerror(rc)});
    Complete(std::move(refused));
  }
}

int Handle::Send(Call& call) {
  const auto watcher = [](Watch watch) -> watcher_fn {
    return watch == Watch::kArm ? Completions::OnWatch : nullptr;
  };
  return std::visit(
      Overloaded{
          [&](const GetArgs& a) {
            return zoo_awget(zh_, a.path.c_str(), watcher(a.watch), this, Completions::OnGet,
                             &call);
          },
          [&](const ExistsArgs& a) {
            return zoo_awexists(zh_, a.path.c_str(), watcher(a.watch), this, Completions::OnExists,
                                &call);
          },
          [&](const ChildrenArgs& a) {
            return zoo_awget_children(zh_, a.path.c_str(), watcher(a.watch), this,
                                      Completions::OnChildren, &call);
          },
          [&](const CreateOp& o) {
            return zoo_acreate2(zh_, o.path.c_str(), o.data.data(), static_cast<int>(o.data.size()),
                                Acl(!options_.digest.empty()), ToC(o.mode), Completions::OnCreate,
                                &call);
          },
          [&](const SetOp& o) {
            return zoo_aset(zh_, o.path.c_str(), o.data.data(), static_cast<int>(o.data.size()),
                            ToC(o.expected), Completions::OnSet, &call);
          },
          [&](const DeleteOp& o) {
            return zoo_adelete(zh_, o.path.c_str(), ToC(o.expected), Completions::OnDelete, &call);
          },
          [&](const MultiArgs& a) { return SendMulti(call, a); },
          [&](const SyncArgs& a) {
            return zoo_async(zh_, a.path.c_str(), Completions::OnSync, &call);
          }},
      call.args);
}

int Handle::SendMulti(Call& call, const MultiArgs& args) {
  const auto buffers = std::make_shared<MultiBuffers>();
  buffers->results.resize(args.ops.size());
  buffers->stats.resize(args.ops.size());
  buffers->created.resize(args.ops.size());
  std::vector<zoo_op_t> ops(args.ops.size());
  for (size_t i = 0; i < ops.size(); ++i) {
    std::visit(
        Overloaded{
            [&](const CreateOp& o) {
              // The library truncates what does not fit.
              std::string& created = buffers->created[i];
              created.resize(o.path.size() + kSequenceDigits + 1);
              zoo_create_op_init(&ops[i], o.path.c_str(), o.data.data(),
                                 static_cast<int>(o.data.size()), Acl(!options_.digest.empty()),
                                 ToC(o.mode), created.data(), static_cast<int>(created.size()));
            },
            [&](const SetOp& o) {
              zoo_set_op_init(&ops[i], o.path.c_str(), o.data.data(),
                              static_cast<int>(o.data.size()), ToC(o.expected), &buffers->stats[i]);
            },
            [&](const DeleteOp& o) {
              zoo_delete_op_init(&ops[i], o.path.c_str(), ToC(o.expected));
            },
            [&](const CheckOp& o) { zoo_check_op_init(&ops[i], o.path.c_str(), o.version); }},
        args.ops[i]);
  }
  call.buffers = buffers;
  return zoo_amulti(zh_, static_cast<int>(ops.size()), ops.data(), buffers->results.data(),
                    Completions::OnMulti, &call);
}

// NOLINTNEXTLINE(readability-make-member-function-const): it changes the connection.
void Handle::BeginBatch() {
  const int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_CORK, &on, sizeof on);
}

// NOLINTNEXTLINE(readability-make-member-function-const): it changes the connection.
void Handle::EndBatch() {
  const int off = 0;
  setsockopt(fd_, IPPROTO_TCP, TCP_CORK, &off, sizeof off);
}

ZooKeeperThread::Driven::Wants Handle::Interest(Instant now) {
  const State before = state();
  int fd = -1;
  int interest = 0;
  timeval within{};
  const int rc = zookeeper_interest(zh_, &fd, &interest, &within);
  if (rc != ZOK) {
    fd_ = -1;
    return {.until = now + std::chrono::milliseconds(5)};
  }
  fd_ = fd;
  if (fd >= 0 && before == State::kIdle) {
    attempt_started_ = now;
    fcntl(fd, F_SETFD, FD_CLOEXEC);  // The library's sockets would live on in child processes.
  }
  const auto wait = std::chrono::seconds(within.tv_sec) + std::chrono::microseconds(within.tv_usec);
  return {.fd = fd,
          .read = (interest & ZOOKEEPER_READ) != 0,
          .write = (interest & ZOOKEEPER_WRITE) != 0,
          .until = now + std::max<Duration>(wait, std::chrono::milliseconds(1))};
}

void Handle::Process(ZooKeeperThread::Driven::Ready ready) {
  int events = (ready.read ? ZOOKEEPER_READ : 0) | (ready.write ? ZOOKEEPER_WRITE : 0);
  // One reply per call: on until nothing is left, or others must have their turn.
  for (int i = 0; i < kRepliesPerTurn && zookeeper_process(zh_, events) == ZOK; ++i) {
    events = ZOOKEEPER_READ;
  }
}

bool Handle::AwaitOutstanding(Duration patience) {
  const Instant deadline = MonotonicNow() + patience;
  while (state() == State::kConnected && !outstanding_.empty()) {
    const Instant now = MonotonicNow();
    if (now >= deadline) {
      return false;
    }
    const auto wants = Interest(now);
    const int events = (wants.read ? POLLIN : 0) | (wants.write ? POLLOUT : 0);
    pollfd fd{.fd = wants.fd, .events = static_cast<short>(events), .revents = 0};
    const Duration left = std::min(deadline, wants.until) - now;
    poll(&fd, 1,
         static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(left).count()) + 1);
    Process({.read = (fd.revents & (POLLIN | POLLHUP | POLLERR)) != 0,
             .write = (fd.revents & POLLOUT) != 0});
  }
  return true;
}

// NOLINTNEXTLINE(readability-make-member-function-const): it changes the connection.
void Handle::CutConnection() {
  if (fd_ >= 0) {
    shutdown(fd_, SHUT_RDWR);  // The library finds the end of the stream and takes it from there.
  }
}

void Handle::SetServers(const std::string& addresses) {
  CHECK(state() != State::kConnected);
  options_.addresses = addresses;
  zoo_set_servers(zh_, addresses.c_str());
}

Handle::State Handle::state() const {
  const int state = zoo_state(zh_);
  if (state == ZOO_CONNECTED_STATE) {
    return State::kConnected;
  }
  if (state == ZOO_CONNECTING_STATE) {
    return State::kConnecting;
  }
  if (state == ZOO_ASSOCIATING_STATE) {
    return State::kHandshaking;
  }
  if (state == ZOO_EXPIRED_SESSION_STATE) {
    return State::kExpired;
  }
  return state == ZOO_AUTH_FAILED_STATE ? State::kAuthFailed : State::kIdle;
}

int64_t Handle::session_id() const {
  return zoo_client_id(zh_)->client_id;
}

Duration Handle::negotiated_timeout() const {
  return std::chrono::milliseconds(zoo_recv_timeout(zh_));
}

std::unique_ptr<Call> Handle::TakeOutstanding(const Call* call) {
  // Answers come in order, so it is the first one.
  const auto it = std::ranges::find(outstanding_, call, &std::unique_ptr<Call>::get);
  CHECK(it != outstanding_.end()) << "an answer to nothing";
  std::unique_ptr<Call> taken = std::move(*it);
  outstanding_.erase(it);
  outstanding_ops_ -= OpsOf(*taken);
  return taken;
}

void Handle::Complete(std::unique_ptr<Call> call) {
  done_.push_back({.call = std::move(call), .watched_path = {}});
}

void Handle::NoteWatch(const std::string& path) {
  if (!watched_.insert(path).second) {
    return;
  }
  watched_bytes_ += path.size();
  if (watched_bytes_ > kWatchedBytesAlert && !std::exchange(watched_bytes_reported_, true)) {
    LOG(ERROR) << "watched paths take " << watched_bytes_ << " bytes; above 1 MB the connection "
               << "to ZooKeeper could not be restored. Watch fewer nodes.";
  }
}

void Handle::OnWatch(const std::string& path) {
  if (watched_.erase(path) > 0) {
    watched_bytes_ -= path.size();
  }
  done_.push_back({.call = nullptr, .watched_path = path});
}

}  // namespace regent::zk
