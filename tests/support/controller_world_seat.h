#pragma once

// Only for the .cc files of ControllerWorld.

#include <map>
#include <set>
#include <utility>

#include "tests/support/controller_world.h"

namespace regent::controller::toy {

/// A candidate, its session and what it has open.
struct ControllerWorld::Seat {
  explicit Seat(CandidateOptions o) : options(o), candidate(std::move(o)) {}

  CandidateOptions options;
  Candidate candidate;
  uint64_t generation = 0;
  int64_t session = 0;
  bool has_session = false;
  bool gone = false;  ///< The process has ended.
  bool office_watched = false;
  bool watching = false;  ///< The term's watches are armed.
  ControllerEpoch term{0};
  ControllerEpochVersion licence{0};
  std::map<BrokerId, Lane> control;
  std::map<BrokerId, Lane> metadata;
  /// Leaders' acknowledgements in this term, by topic id and index (R1).
  std::map<std::pair<TopicId, int32_t>, std::set<LeaderEpoch>> acknowledged;
};

/// What comes of a question that nobody answers.
inline Error Silence() {
  return Error{ErrorCode::kTimedOut, "no answer"};
}

}  // namespace regent::controller::toy
