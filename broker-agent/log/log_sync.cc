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
  if (epochs) {
    if (Status written = epochs->Run(); !written.ok()) {
      return written;
    }
  }
  return directory.empty() ? Success{} : files->SyncDirectory(directory);
}

}  // namespace regent::storage
