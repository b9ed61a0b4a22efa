#include "broker-agent/log/log_sync.h"

namespace regent::storage {

Status LogSync::Run() const {
  for (const SegmentSync& segment : segments) {
    for (const std::shared_ptr<AppendFile>& file : segment.files) {
      if (Status synced = file->Sync(); !synced.ok()) {
        return synced;
      }
    }
  }
  return directory.empty() ? Success{} : files->SyncDirectory(directory);
}

}  // namespace regent::storage
