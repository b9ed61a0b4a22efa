#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include "broker-agent/core/slice.h"
#include "broker-agent/kafka/api.h"
#include "broker-agent/kafka/codec.h"
#include "broker-agent/kafka/encoding.h"
#include "broker-agent/kafka/field.h"
#include "broker-agent/kafka/reader.h"
#include "broker-agent/kafka/records.h"
#include "broker-agent/kafka/text.h"
#include "broker-agent/kafka/wire_form.h"
#include "broker-agent/kafka/writer.h"
#include "common/base/uuid.h"

// The definitions of Codec: three walks over the tables. Only the messages' own sources include it.

namespace regent::kafka {
namespace walk {

/// Calls `visit` with each field of S, in order.
template <Struct S, class Visit>
constexpr void ForEachField(const Visit& visit) {
  std::apply([&](const auto&... field) { (visit(field), ...); }, S::kFields);
}

template <Struct S>
constexpr bool TagsAscend() {
  int64_t last = -1;
  bool ascend = true;
  ForEachField<S>([&](const FieldSpec& field) {
    if (field.tag) {
      ascend = ascend && *field.tag > last;
      last = *field.tag;
    }
  });
  return ascend;
}

/// The fewest bytes that an element of an array can take.
template <class T>
constexpr size_t LeastBytes() {
  if constexpr (Number<T>) {
    return sizeof(typename WireForm<T>::Int);
  } else {
    return 1;
  }
}

// --- Write ---

template <class T>
void WriteValue(Writer& writer, const T& value, Layout layout);

template <Struct S, class T>
void WriteField(Writer& writer, const S& message, const Field<S, T>& field, Layout layout) {
  const T& value = message.*field.member;
  if constexpr (Nullable<T>) {
    if (!value && !field.nullable.Contains(layout.version)) {
      WriteValue(writer, typename T::value_type(), layout);
      return;
    }
  }
  WriteValue(writer, value, layout);
}

template <Struct S>
void WriteTaggedFields(Writer& writer, const S& message, Layout layout) {
  static const S defaults;
  const auto is_present = [&](const auto& field) {
    return field.tag && field.versions.Contains(layout.version) &&
           !(message.*field.member == defaults.*field.member);
  };
  uint32_t count = 0;
  ForEachField<S>([&](const auto& field) { count += is_present(field) ? 1 : 0; });
  writer.WriteUnsignedVarint(count);
  ForEachField<S>([&](const auto& field) {
    if (is_present(field)) {
      Writer content;
      WriteField(content, message, field, layout);
      writer.WriteUnsignedVarint(*field.tag);
      writer.WriteTagged(content);
    }
  });
}

template <Struct S>
void WriteStruct(Writer& writer, const S& message, Layout layout) {
  static_assert(TagsAscend<S>());
  ForEachField<S>([&](const auto& field) {
    if (!field.tag && field.versions.Contains(layout.version)) {
      WriteField(writer, message, field, layout);
    }
  });
  if (layout.encoding == Encoding::kFlexible) {
    WriteTaggedFields(writer, message, layout);
  }
}

template <class T>
void WriteNull(Writer& writer, Layout layout) {
  if constexpr (Text<T>) {
    writer.WriteText(std::nullopt, layout.encoding);
  } else if constexpr (Array<T>) {
    writer.WriteArrayCount(std::nullopt, layout.encoding);
  } else {
    static_assert(Bytes<T>);
    writer.WriteBytes(std::nullopt, layout.encoding);
  }
}

template <class T>
void WriteValue(Writer& writer, const T& value, Layout layout) {
  if constexpr (Number<T>) {
    writer.WriteInt(WireForm<T>::To(value));
  } else if constexpr (std::same_as<T, Uuid>) {
    writer.WriteUuid(value);
  } else if constexpr (Text<T>) {
    writer.WriteText(value, layout.encoding);
  } else if constexpr (std::same_as<T, Slice>) {
    writer.WriteBytes(value, layout.encoding);
  } else if constexpr (std::same_as<T, Records>) {
    std::visit([&](const auto& bytes) { writer.WriteBytes(bytes, layout.encoding); }, value);
  } else if constexpr (Nullable<T>) {
    value ? WriteValue(writer, *value, layout) : WriteNull<typename T::value_type>(writer, layout);
  } else if constexpr (Array<T>) {
    writer.WriteArrayCount(value.size(), layout.encoding);
    for (const auto& element : value) {
      WriteValue(writer, element, layout);
    }
  } else {
    WriteStruct(writer, value, layout);
  }
}

// --- Read ---

template <class T>
T ReadValue(Reader& reader, Layout layout);

/// Reads what may be null.
template <class T>
std::optional<T> ReadNullable(Reader& reader, Layout layout) {
  if constexpr (Text<T>) {
    const auto text = reader.ReadText(layout.encoding);
    return text ? std::optional<T>(*text) : std::nullopt;
  } else if constexpr (Array<T>) {
    using Element = typename T::value_type;
    const auto count = reader.ReadArrayCount(layout.encoding, LeastBytes<Element>());
    if (!count) {
      return std::nullopt;
    }
    T elements;
    if constexpr (Number<Element>) {
      elements.reserve(*count);
    }
    for (size_t i = 0; i < *count && reader.ok(); ++i) {
      elements.push_back(ReadValue<Element>(reader, layout));
    }
    return elements;
  } else {
    static_assert(Bytes<T>);
    return reader.ReadBytes(layout.encoding);
  }
}

template <Struct S, class T>
void ReadField(Reader& reader, S& message, const Field<S, T>& field, Layout layout) {
  reader.Enter(field.name);
  T& value = message.*field.member;
  value = ReadValue<T>(reader, layout);
  if constexpr (Nullable<T>) {
    if (!value && !field.nullable.Contains(layout.version)) {
      reader.Fail("null is not allowed");
    }
  }
}

template <Struct S>
void ReadTaggedFields(Reader& reader, S& message, Layout layout) {
  reader.Enter("tagged fields");
  const uint32_t count = reader.ReadUnsignedVarint();
  for (uint32_t i = 0; i < count && reader.ok(); ++i) {
    const uint32_t tag = reader.ReadUnsignedVarint();
    const size_t outer_end = reader.Narrow(reader.ReadUnsignedVarint());
    bool known = false;
    ForEachField<S>([&](const auto& field) {
      if (field.tag == tag && field.versions.Contains(layout.version)) {
        ReadField(reader, message, field, layout);
        known = true;
      }
    });
    if (!known) {
      reader.Skip();
    }
    reader.Widen(outer_end);
  }
}

template <Struct S>
S ReadStruct(Reader& reader, Layout layout) {
  S message;
  ForEachField<S>([&](const auto& field) {
    if (!field.tag && field.versions.Contains(layout.version) && reader.ok()) {
      ReadField(reader, message, field, layout);
    }
  });
  if (layout.encoding == Encoding::kFlexible) {
    ReadTaggedFields(reader, message, layout);
  }
  return message;
}

template <class T>
T ReadValue(Reader& reader, Layout layout) {
  if constexpr (Number<T>) {
    return WireForm<T>::From(reader.ReadInt<typename WireForm<T>::Int>());
  } else if constexpr (std::same_as<T, Uuid>) {
    return reader.ReadUuid();
  } else if constexpr (Nullable<T>) {
    return ReadNullable<typename T::value_type>(reader, layout);
  } else if constexpr (Struct<T>) {
    return ReadStruct<T>(reader, layout);
  } else {
    std::optional<T> value = ReadNullable<T>(reader, layout);
    if (!value) {
      reader.Fail("null is not allowed");
      return T();
    }
    return *std::move(value);
  }
}

// --- Text ---

template <class T>
void AppendValue(std::string& out, const T& value, Layout layout) {
  if constexpr (std::same_as<T, bool>) {
    out += value ? "true" : "false";
  } else if constexpr (Number<T>) {
    out += std::to_string(WireForm<T>::To(value));
  } else if constexpr (std::same_as<T, Uuid>) {
    out += value.ToText();
  } else if constexpr (Text<T>) {
    AppendQuoted(out, value);
  } else if constexpr (Bytes<T>) {
    out += "<" + std::to_string(SizeOf(value)) + " bytes>";
  } else if constexpr (Nullable<T>) {
    if (value) {
      AppendValue(out, *value, layout);
    } else {
      out += "null";
    }
  } else if constexpr (Array<T>) {
    Brackets brackets(out, "[]");
    for (const auto& element : value) {
      brackets.Next();
      AppendValue(out, element, layout);
    }
  } else {
    Brackets brackets(out, "{}");
    ForEachField<T>([&](const auto& field) {
      if (field.versions.Contains(layout.version)) {
        brackets.Next();
        out.append(field.name).append(": ");
        AppendValue(out, value.*field.member, layout);
      }
    });
  }
}

}  // namespace walk

template <Message M>
void Codec<M>::Write(Writer& writer, const M& message, int16_t version) {
  walk::WriteStruct(writer, message, LayoutOf(M::kApi, version));
}

template <Message M>
M Codec<M>::Read(Reader& reader, int16_t version) {
  return walk::ReadStruct<M>(reader, LayoutOf(M::kApi, version));
}

template <Message M>
std::string Codec<M>::DebugText(const M& message, int16_t version) {
  std::string out;
  walk::AppendValue(out, message, LayoutOf(M::kApi, version));
  return out;
}

}  // namespace regent::kafka
