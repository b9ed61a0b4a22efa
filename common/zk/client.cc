#include "common/zk/client.h"

namespace regent::zk {

const char* Name(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kNoNode: return "NoNode";
    case ErrorKind::kNodeExists: return "NodeExists";
    case ErrorKind::kBadVersion: return "BadVersion";
    case ErrorKind::kNotEmpty: return "NotEmpty";
    case ErrorKind::kNoAuth: return "NoAuth";
    case ErrorKind::kNoChildrenForEphemerals: return "NoChildrenForEphemerals";
    case ErrorKind::kTooLarge: return "TooLarge";
    case ErrorKind::kSessionExpired: return "SessionExpired";
    case ErrorKind::kOther: return "Other";
  }
  return "?";
}

const char* Name(SessionState state) {
  switch (state) {
    case SessionState::kConnected: return "Connected";
    case SessionState::kDisconnected: return "Disconnected";
    case SessionState::kLeaseEnded: return "LeaseEnded";
    case SessionState::kExpired: return "Expired";
    case SessionState::kAuthFailed: return "AuthFailed";
  }
  return "?";
}

}  // namespace regent::zk
