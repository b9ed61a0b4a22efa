#pragma once

#include <concepts>
#include <cstdint>
#include <string>

#include "broker-agent/kafka/api.h"
#include "broker-agent/kafka/reader.h"
#include "broker-agent/kafka/writer.h"

namespace regent::kafka {

/// A request or response: a struct with the table of its fields (field.h) and the API it is of.
template <class M>
concept Message = requires {
  { M::kApi } -> std::convertible_to<ApiKey>;
  M::kFields;
};

/// What is derived from a message's table. Defined in table_walk.h and instantiated beside the
/// messages; everyone else only links it. `version` is one that the API has.
template <Message M>
struct Codec {
  /// A field that the version does not have is left out; a null that it does not have is written as
  /// empty.
  static void Write(Writer& writer, const M& message, int16_t version);
  /// Worth something only if the reader is still ok().
  static M Read(Reader& reader, int16_t version);
  /// Returns the fields that the version has, for a log: {Name: "a", Records: <70 bytes>}.
  static std::string DebugText(const M& message, int16_t version);
};

}  // namespace regent::kafka
