#pragma once

#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

namespace regent::fuzz {

/// The message, by way of `from_proto`, if the bytes parse and nothing in it breaks a rule of its
/// fields.
template <class Proto, class FromProto>
auto Parsed(std::string_view bytes, FromProto from_proto) {
  Proto proto;
  const bool parsed = proto.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
  auto message = from_proto(proto);
  using Value = std::decay_t<decltype(*message)>;
  return parsed && message.ok() ? std::optional<Value>(*std::move(message)) : std::nullopt;
}

}  // namespace regent::fuzz
