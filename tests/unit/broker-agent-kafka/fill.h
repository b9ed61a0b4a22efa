#pragma once

#include <concepts>
#include <string>
#include <tuple>

#include "broker-agent/core/slice.h"
#include "broker-agent/kafka/field.h"
#include "broker-agent/kafka/wire_form.h"
#include "common/base/rng.h"
#include "common/base/uuid.h"

namespace regent::kafka {

/// Returns a value drawn from `rng`, with those of its fields filled that `version` has.
template <class T>
T Filled(Rng& rng, int16_t version) {
  if constexpr (Number<T>) {
    return WireForm<T>::From(static_cast<typename WireForm<T>::Int>(rng.Next()));
  } else if constexpr (std::same_as<T, Uuid>) {
    return Uuid::Random(rng);
  } else if constexpr (Text<T>) {
    std::string text(rng.Percent(5) ? rng.Between(127, 300) : rng.Below(9), '\0');
    for (char& c : text) {
      c = static_cast<char>(rng.Next());
    }
    return text;
  } else if constexpr (Bytes<T>) {
    return Slice(Filled<std::string>(rng, version));
  } else if constexpr (Array<T>) {
    T elements;
    for (uint64_t count = rng.Percent(5) ? 130 : rng.Below(3); count > 0; --count) {
      elements.push_back(Filled<typename T::value_type>(rng, version));
    }
    return elements;
  } else {
    T message;
    const auto fill = [&](const auto& field) {
      if (!field.versions.Contains(version)) {
        return;
      }
      auto& member = message.*field.member;
      using Member = std::remove_cvref_t<decltype(member)>;
      if constexpr (!Nullable<Member>) {
        member = Filled<Member>(rng, version);
      } else if (!field.nullable.Contains(version) || rng.Percent(70)) {
        member = Filled<typename Member::value_type>(rng, version);
      }
    };
    std::apply([&](const auto&... field) { (fill(field), ...); }, T::kFields);
    return message;
  }
}

}  // namespace regent::kafka
