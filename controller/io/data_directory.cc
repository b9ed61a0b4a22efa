#include "controller/io/data_directory.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <map>
#include <unistd.h>
#include <utility>

#include <sys/file.h>

namespace regent::controller {

namespace {

constexpr const char* kFile = "regent-controller.properties";
constexpr const char* kLock = ".lock";

std::string Reason() {
  return std::strerror(errno);  // NOLINT(concurrency-mt-unsafe): main's thread, at the start.
}

Error Unusable(const std::string& path, const std::string& why) {
  return Error{ErrorCode::kUnavailable, "--data-dir=" + path + ": " + why};
}

bool SyncPath(const std::string& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC);
  if (fd < 0) {
    return false;
  }
  const bool synced = ::fsync(fd) == 0;
  ::close(fd);
  return synced;
}

}  // namespace

Result<std::unique_ptr<DataDirectory>> DataDirectory::Open(const std::string& path, BrokerId id) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) {
    return Unusable(path, "cannot be made (" + error.message() +
                              "); give a directory that this "
                              "user may write");
  }
  const std::string lock_path = path + "/" + kLock;
  const int lock = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (lock < 0) {
    return Unusable(path, "cannot be written (" + Reason() +
                              "); give a directory that this user "
                              "may write");
  }
  if (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
    ::close(lock);
    return Unusable(path, "another process uses it; give each process a directory of its own");
  }
  std::unique_ptr<DataDirectory> directory(new DataDirectory(path, id, lock));
  if (Status read = directory->Read(); !read.ok()) {
    return read.error();
  }
  return directory;
}

DataDirectory::DataDirectory(std::string path, BrokerId id, int lock)
    : path_(std::move(path)), id_(id), lock_(lock) {}

DataDirectory::~DataDirectory() {
  ::close(lock_);
}

Status DataDirectory::Read() {
  const std::string file = path_ + "/" + kFile;
  if (!std::filesystem::exists(file)) {
    return Success{};
  }
  std::ifstream in(file);
  std::map<std::string, std::string> values;
  for (std::string line; std::getline(in, line);) {
    const size_t equals = line.find('=');
    if (equals != std::string::npos && !line.starts_with('#')) {
      values[line.substr(0, equals)] = line.substr(equals + 1);
    }
  }
  const auto controller = values.find("controller.id");
  const auto cluster = values.find("cluster.id");
  if (in.bad() || controller == values.end() || cluster == values.end() ||
      cluster->second.empty()) {
    return Unusable(path_, std::string(kFile) +
                               " cannot be read or lacks controller.id or cluster.id; restore it, "
                               "or give an empty directory");
  }
  if (controller->second != std::to_string(id_.value())) {
    return Error{ErrorCode::kRefused, "--data-dir=" + path_ + ": belongs to controller " +
                                          controller->second + ", and --id is " +
                                          std::to_string(id_.value()) +
                                          "; give each controller its own directory"};
  }
  cluster_id_ = cluster->second;
  return Success{};
}

Status DataDirectory::Remember(const std::string& cluster_id) {
  if (cluster_id_ == cluster_id) {
    return Success{};
  }
  if (!cluster_id_.empty()) {
    return Error{ErrorCode::kRefused, "--data-dir=" + path_ + ": belongs to cluster " +
                                          cluster_id_ + ", and ZooKeeper holds cluster " +
                                          cluster_id};
  }
  if (Status written = Write(cluster_id); !written.ok()) {
    return written;
  }
  cluster_id_ = cluster_id;
  return Success{};
}

Status DataDirectory::Write(const std::string& cluster_id) {
  const std::string file = path_ + "/" + kFile;
  const std::string fresh = file + ".new";
  std::ofstream out(fresh, std::ios::trunc);
  out << "version=1\ncontroller.id=" << id_.value() << "\ncluster.id=" << cluster_id << '\n';
  out.close();
  if (!out || !SyncPath(fresh, O_RDONLY) || ::rename(fresh.c_str(), file.c_str()) != 0 ||
      !SyncPath(path_, O_RDONLY | O_DIRECTORY)) {
    return Unusable(path_, std::string(kFile) + " cannot be written: " + Reason());
  }
  return Success{};
}

}  // namespace regent::controller
