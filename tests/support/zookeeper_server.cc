#include "tests/support/zookeeper_server.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <poll.h>
#include <sstream>
#include <system_error>
#include <unistd.h>
#include <vector>

#include <arpa/inet.h>
#include <glog/logging.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

namespace regent::testing {

namespace {

using std::chrono::steady_clock;

constexpr const char* kJar = "/usr/share/java/zookeeper.jar";
constexpr const char* kClassPath = "/usr/share/java/zookeeper.jar:/usr/share/java/slf4j-simple.jar";
constexpr auto kStartTimeout = std::chrono::seconds(30);
constexpr int kStartAttempts = 3;
/// A server that is starting may accept a connection and never answer it.
constexpr Duration kProbePatience = std::chrono::milliseconds(100);

sockaddr_in Loopback(const std::string& host, int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = inet_addr(host.c_str());
  return address;
}

/// A port that was free a moment ago. Somebody else may take it: the start is tried again then.
int FreePort(const std::string& host) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  PCHECK(fd >= 0);
  sockaddr_in address = Loopback(host, 0);
  socklen_t size = sizeof address;
  PCHECK(bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0);
  PCHECK(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  close(fd);
  return ntohs(address.sin_port);
}

}  // namespace

ZooKeeperServer::ZooKeeperServer(Options options) : options_(std::move(options)) {}

Result<std::unique_ptr<ZooKeeperServer>> ZooKeeperServer::Start(Options options) {
  if (const std::filesystem::path jar(kJar); !std::filesystem::exists(jar)) {
    return Error{ErrorCode::kNotFound,
                 jar.string() +
                     " is missing: install libzookeeper-java, default-jre-headless "
                     "and libslf4j-java"};
  }
  std::unique_ptr<ZooKeeperServer> server(new ZooKeeperServer(std::move(options)));
  if (server->options_.directory.empty()) {
    std::string path = (std::filesystem::temp_directory_path() / "regent-zk-XXXXXX").string();
    if (mkdtemp(path.data()) == nullptr) {
      return Error{ErrorCode::kUnavailable,
                   "mkdtemp " + path + ": " + std::generic_category().message(errno)};
    }
    server->options_.directory = path;
    server->owns_directory_ = true;
  }
  const int attempts = server->options_.port == 0 ? kStartAttempts : 1;
  Status status = Success{};
  for (int i = 0; i < attempts; ++i) {
    server->port_ =
        server->options_.port == 0 ? FreePort(server->options_.address) : server->options_.port;
    status = server->Launch();
    if (status.ok()) {
      return server;
    }
    server->Kill();
  }
  return status.error();
}

ZooKeeperServer::~ZooKeeperServer() {
  Kill();
  if (owns_directory_) {
    std::error_code ignored;
    std::filesystem::remove_all(options_.directory, ignored);
  }
}

Status ZooKeeperServer::Launch() {
  const std::filesystem::path& directory = options_.directory;
  std::filesystem::create_directories(directory / "data");
  const auto tick = std::chrono::duration_cast<std::chrono::milliseconds>(options_.tick).count();
  std::ofstream(directory / "zoo.cfg") << "tickTime=" << tick << "\ninitLimit=20\nsyncLimit=10\n"
                                       << "dataDir=" << (directory / "data").string() << "\n"
                                       << "clientPort=" << port_ << "\n"
                                       << "clientPortAddress=" << options_.address << "\n"
                                       << "admin.enableServer=false\n"
                                       << "4lw.commands.whitelist=*\nmaxClientCnxns=0\n";
  const std::string config = (directory / "zoo.cfg").string();
  const std::string log = (directory / "zookeeper.log").string();
  const std::string sync =
      std::string("-Dzookeeper.forceSync=") + (options_.force_sync ? "yes" : "no");
  const std::vector<const char*> arguments{"java",
                                           "-Xms64m",
                                           "-Xmx256m",
                                           "-XX:+UseSerialGC",
                                           "-XX:TieredStopAtLevel=1",
                                           "-XX:-UsePerfData",
                                           sync.c_str(),
                                           "-cp",
                                           kClassPath,
                                           "org.apache.zookeeper.server.quorum.QuorumPeerMain",
                                           config.c_str(),
                                           nullptr};
  const int log_fd = open(log.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0644);
  if (log_fd < 0) {
    return Error{ErrorCode::kUnavailable, log + ": " + std::generic_category().message(errno)};
  }
  const pid_t parent = getpid();
  const bool on_main_thread = gettid() == parent;
  pid_ = fork();
  if (pid_ == 0) {
    // Only calls that are safe between fork and exec in a process with threads.
    setpgid(0, 0);
    if (on_main_thread) {
      // A test that crashes leaves no server behind. The signal comes with the end of the thread
      // that forked, so other threads cannot have it.
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (getppid() != parent) {
        _exit(127);
      }
    }
    dup2(log_fd, STDOUT_FILENO);
    dup2(log_fd, STDERR_FILENO);
    execvp("java", const_cast<char* const*>(arguments.data()));
    _exit(127);
  }
  close(log_fd);
  if (pid_ < 0) {
    return Error{ErrorCode::kUnavailable,
                 std::string("fork: ") + std::generic_category().message(errno)};
  }
  return AwaitReady();
}

Status ZooKeeperServer::AwaitReady() {
  const auto deadline = steady_clock::now() + kStartTimeout;
  while (steady_clock::now() < deadline) {
    if (!Running()) {
      return Error{ErrorCode::kUnavailable,
                   "the ZooKeeper server ended while starting (is java installed, port " +
                       std::to_string(port_) + " free?); its log ends with:\n" + LogTail()};
    }
    // "ruok" is answered too early.
    if (FourLetterWord("srvr", kProbePatience).find("Mode:") != std::string::npos) {
      return Success{};
    }
    poll(nullptr, 0, 10);
  }
  return Error{ErrorCode::kTimedOut,
               "the ZooKeeper server does not serve after 30 s; its log ends with:\n" + LogTail()};
}

bool ZooKeeperServer::Running() {
  if (pid_ > 0 && waitpid(pid_, nullptr, WNOHANG) == pid_) {
    pid_ = -1;
  }
  return pid_ > 0;
}

void ZooKeeperServer::Pause() {
  CHECK(Running());
  PCHECK(kill(pid_, SIGSTOP) == 0);
}

void ZooKeeperServer::Resume() {
  CHECK(Running());
  PCHECK(kill(pid_, SIGCONT) == 0);
}

void ZooKeeperServer::Kill() {
  if (Running()) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
}

Status ZooKeeperServer::Restart() {
  Kill();
  return Launch();
}

std::string ZooKeeperServer::FourLetterWord(const std::string& word, Duration patience) const {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    return "";
  }
  const timeval limit{.tv_sec = patience.count() / 1'000'000,
                      .tv_usec = patience.count() % 1'000'000};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  const sockaddr_in address = Loopback(options_.address, port_);
  std::string answer;
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      send(fd, word.data(), word.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(word.size())) {
    std::array<char, 4096> buffer{};
    ssize_t got = 0;
    while ((got = recv(fd, buffer.data(), buffer.size(), 0)) > 0) {
      answer.append(buffer.data(), static_cast<size_t>(got));
    }
  }
  close(fd);
  return answer;
}

bool ZooKeeperServer::HasSession(int64_t session_id) const {
  std::array<char, 32> id{};
  std::snprintf(id.data(), id.size(), "0x%llx", static_cast<unsigned long long>(session_id));
  const std::string sessions = FourLetterWord("dump");
  return sessions.empty() || sessions.find(id.data()) != std::string::npos;
}

std::string ZooKeeperServer::LogTail() const {
  std::ifstream file(options_.directory / "zookeeper.log");
  std::stringstream all;
  all << file.rdbuf();
  const std::string text = all.str();
  constexpr size_t kTail = 2000;
  return text.size() <= kTail ? text : text.substr(text.size() - kTail);
}

}  // namespace regent::testing
