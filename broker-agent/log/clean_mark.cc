#include "broker-agent/log/clean_mark.h"

namespace regent::storage {
namespace {

std::string MarkIn(const std::string& directory) {
  return JoinPath(directory, ".kafka_cleanshutdown");
}

}  // namespace

Result<bool> TakeCleanMark(FileSystem& files, const std::string& directory) {
  Result<bool> there = files.Exists(MarkIn(directory));
  if (!there.ok() || !*there) {
    return there;
  }
  if (Status removed = files.RemoveTree(MarkIn(directory)); !removed.ok()) {
    return removed.error();
  }
  if (Status synced = files.SyncDirectory(directory); !synced.ok()) {
    return synced.error();
  }
  return true;
}

Status SetCleanMark(FileSystem& files, const std::string& directory) {
  return files.Replace(MarkIn(directory), R"({"version":0})");
}

}  // namespace regent::storage
