#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "broker-agent/core/slice.h"
#include "broker-agent/kafka/api.h"
#include "broker-agent/kafka/frame.h"

namespace regent::kafka {

enum class Direction { kRequest, kResponse };
enum class Filling {
  kFull,  ///< Everything that the version has, tagged fields too.
  kBare,  ///< Null where it may be, tagged fields at their defaults.
};

/// A frame as Kafka's own classes write it.
struct GoldenFrame {
  Direction direction = Direction::kRequest;
  Filling filling = Filling::kFull;
  RequestHeader request;  ///< What a response answers; of a request only api and version.
  std::string bytes;      ///< With the length in front.
  std::string text;       ///< What is in the body.

  Slice WithoutLength() const { return Slice(bytes.substr(kFrameLengthBytes)); }
};

/// A line of another kind than frames.
struct GoldenFact {
  int16_t number = 0;
  std::vector<std::string> rest;
};

/// What golden/GoldenFrames.java has printed.
struct Golden {
  std::vector<GoldenFrame> frames;
  std::vector<GoldenFact> apis;    ///< Name, lowest, highest, first flexible version.
  std::vector<GoldenFact> errors;  ///< Name, "retry" or "give-up".
};
const Golden& GoldenData();

/// For a test's failure: which frame it was.
std::string NameOf(const GoldenFrame& frame);

}  // namespace regent::kafka
