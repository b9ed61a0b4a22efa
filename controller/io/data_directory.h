#pragma once

#include <memory>
#include <string>

#include "common/base/result.h"
#include "common/model/ids.h"

namespace regent::controller {

/// The directory of a controller process. It remembers the id of the controller and of the cluster
/// that it belongs to (R10), in one small file, and is used by one process at a time.
class DataDirectory {
 public:
  /// Makes the directory if it is not there, locks it, reads it. An error names the remedy.
  static Result<std::unique_ptr<DataDirectory>> Open(const std::string& path, BrokerId id);
  /// Unlocks.
  ~DataDirectory();
  DataDirectory(const DataDirectory&) = delete;
  DataDirectory& operator=(const DataDirectory&) = delete;

  /// Empty until one has been remembered.
  const std::string& cluster_id() const { return cluster_id_; }
  /// On disk when it returns. Refused if another cluster is remembered.
  Status Remember(const std::string& cluster_id);

 private:
  DataDirectory(std::string path, BrokerId id, int lock);
  Status Read();
  Status Write(const std::string& cluster_id);

  const std::string path_;
  const BrokerId id_;
  const int lock_;
  std::string cluster_id_;
};

}  // namespace regent::controller
