#pragma once

#include <vector>

#include "common/base/instant.h"

namespace regent::controller {

/// The keys of the requests in `open` (a map to what has a `deadline`) that have run out of time.
template <class Map>
std::vector<typename Map::key_type> LateIn(const Map& open, Instant now) {
  std::vector<typename Map::key_type> late;
  for (const auto& [key, request] : open) {
    if (request.deadline <= now) {
      late.push_back(key);
    }
  }
  return late;
}

}  // namespace regent::controller
