#include "common/wire/json_reader.h"

#include <algorithm>
#include <vector>

#include "common/model/broker_names.h"
#include "common/wire/limits.h"

namespace regent::wire {
namespace {

constexpr size_t kTextBytesMax = size_t{4} << 20U;  // ZooKeeper's own limit, as Kafka sets it
constexpr int kNestingMax = 32;

/// Whether brackets outside of strings nest too deeply for a recursive walk of the value.
bool NestsTooDeeply(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kNestingMax) {
        return true;
      }
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

/// Tells of the first key that an object has twice. The library would keep the last and say
/// nothing, and two readers could differ about the value.
class DuplicateKeys {
 public:
  bool operator()(int /*depth*/, Json::parse_event_t event, Json& parsed) {
    switch (event) {
      case Json::parse_event_t::object_start: keys_.emplace_back(); break;
      case Json::parse_event_t::object_end: keys_.pop_back(); break;
      case Json::parse_event_t::key:
        if (!keys_.back().insert(parsed.get_ref<const std::string&>()).second && !found_) {
          found_ = parsed.get<std::string>();
        }
        break;
      case Json::parse_event_t::array_start:
      case Json::parse_event_t::array_end:
      case Json::parse_event_t::value: break;
    }
    return true;
  }
  const std::optional<std::string>& found() const { return found_; }

 private:
  std::vector<std::set<std::string>> keys_;
  std::optional<std::string> found_;
};

std::string Excerpt(const std::string& text) {
  if (text.size() <= kExcerptBytesMax) {
    return text;
  }
  size_t end = kExcerptBytesMax;
  while (end > 0 && (static_cast<uint8_t>(text[end]) & 0xc0U) == 0x80U) {
    --end;  // not inside a character
  }
  return text.substr(0, end) + "…";
}

std::string RangeRule(Range range) {
  return "must be an integer from " + std::to_string(range.min) + " to " +
         std::to_string(range.max);
}

/// Whether `value` is an integer within `range`. Kafka's reader takes no 1.0 for a 1 either.
bool IsIntegerIn(const Json& value, Range range) {
  if (value.is_number_unsigned()) {
    const uint64_t number = value.get<uint64_t>();
    return number <= static_cast<uint64_t>(kInt64Max) &&
           static_cast<int64_t>(number) >= range.min && static_cast<int64_t>(number) <= range.max;
  }
  return value.is_number_integer() && value.get<int64_t>() >= range.min &&
         value.get<int64_t>() <= range.max;
}

}  // namespace

JsonReader::JsonReader(std::string_view what, std::string_view text)
    : what_(what), root_(Json::object()) {
  Load(text);
}

void JsonReader::Load(std::string_view text) {
  if (text.size() > kTextBytesMax) {
    return Fault("the text has " + std::to_string(text.size()) + " bytes, must have at most " +
                 std::to_string(kTextBytesMax));
  }
  if (NestsTooDeeply(text)) {
    return Fault("the text nests deeper than " + std::to_string(kNestingMax) + " levels");
  }
  DuplicateKeys duplicates;
  // The library copies a callback; the reference keeps what it finds.
  Json parsed = Json::parse(
      text.begin(), text.end(),
      [&duplicates](int depth, Json::parse_event_t event, Json& value) {
        return duplicates(depth, event, value);
      },
      /*allow_exceptions=*/false);
  if (parsed.is_discarded()) {
    return Fault(text.empty() ? "the node is empty, must be a JSON object"
                              : "the text is not valid JSON");
  }
  if (!parsed.is_object()) {
    return Fault("the text", parsed, "must be a JSON object");
  }
  if (duplicates.found()) {
    return Fault("the field " + Excerpt(Dump(Json(*duplicates.found()))) + " is given twice");
  }
  root_ = std::move(parsed);
}

const Json* JsonReader::Find(const std::string& key) {
  asked_.insert(key);
  const auto found = root_.find(key);
  return found == root_.end() || found->is_null() ? nullptr : &*found;
}

const Json* JsonReader::Require(const std::string& key) {
  const Json* value = Find(key);
  if (value == nullptr) {
    Fault(key + " is missing");
  }
  return value;
}

int64_t JsonReader::Integer(const std::string& key, Range range) {
  const Json* value = Require(key);
  if (value == nullptr) {
    return range.min;
  }
  if (!IsIntegerIn(*value, range)) {
    Fault(key, *value, RangeRule(range));
    return range.min;
  }
  return value->get<int64_t>();
}

int64_t JsonReader::IntegerOr(const std::string& key, int64_t otherwise, Range range) {
  return Find(key) == nullptr ? otherwise : Integer(key, range);
}

std::string JsonReader::TextOf(const std::string& key, const Json& value, size_t size_max) {
  if (!value.is_string()) {
    Fault(key, value, "must be a string");
    return {};
  }
  const auto& text = value.get_ref<const std::string&>();
  if (!IsPlainText(text, size_max)) {
    Fault(key, value,
          "must have 1 to " + std::to_string(size_max) + " bytes and no control characters");
    return {};
  }
  return text;
}

std::string JsonReader::Text(const std::string& key, size_t size_max) {
  const Json* value = Require(key);
  return value == nullptr ? std::string() : TextOf(key, *value, size_max);
}

std::optional<std::string> JsonReader::OptionalText(const std::string& key, size_t size_max) {
  const Json* value = Find(key);
  if (value == nullptr) {
    return std::nullopt;
  }
  return TextOf(key, *value, size_max);
}

bool JsonReader::Flag(const std::string& key) {
  const Json* value = Find(key);
  if (value == nullptr) {
    return false;
  }
  if (!value->is_boolean()) {
    Fault(key, *value, "must be true or false");
    return false;
  }
  return value->get<bool>();
}

std::optional<Uuid> JsonReader::OptionalUuid(const std::string& key) {
  const Json* value = Find(key);
  if (value == nullptr) {
    return std::nullopt;
  }
  const auto id = value->is_string() ? Uuid::Parse(value->get_ref<const std::string&>())
                                     : std::optional<Uuid>();
  if (!id || id->is_zero()) {
    Fault(key, *value, "must be 22 characters of URL-safe base64, not all of them A");
    return std::nullopt;
  }
  return id;
}

BrokerList JsonReader::BrokersOf(const Json& list, const std::string& name) {
  if (!list.is_array()) {
    Fault(name, list, "must be an array of broker ids");
    return {};
  }
  BrokerList brokers;
  brokers.reserve(list.size());
  for (const Json& item : list) {
    if (!IsIntegerIn(item, {})) {
      Fault("a broker id of " + name, item, RangeRule({}));
      return {};
    }
    brokers.emplace_back(item.get<int32_t>());
  }
  BrokerList sorted = brokers;
  std::ranges::sort(sorted);
  const auto twice = std::ranges::adjacent_find(sorted);
  if (twice != sorted.end()) {
    Fault(name, list, "must not name broker " + std::to_string(twice->value()) + " twice");
    return {};
  }
  return brokers;
}

BrokerList JsonReader::Brokers(const std::string& key) {
  const Json* value = Require(key);
  return value == nullptr ? BrokerList() : BrokersOf(*value, key);
}

BrokerList JsonReader::OptionalBrokers(const std::string& key) {
  const Json* value = Find(key);
  return value == nullptr ? BrokerList() : BrokersOf(*value, key);
}

const Json* JsonReader::Object(const std::string& key) {
  const Json* value = Find(key);
  if (value != nullptr && !value->is_object()) {
    Fault(key, *value, "must be an object");
    return nullptr;
  }
  return value;
}

const Json* JsonReader::Array(const std::string& key) {
  const Json* value = Find(key);
  if (value != nullptr && !value->is_array()) {
    Fault(key, *value, "must be an array");
    return nullptr;
  }
  return value;
}

std::string JsonReader::Rest() const {
  Json rest = Json::object();
  for (const auto& [key, value] : root_.items()) {
    if (!asked_.contains(key)) {
      rest[key] = value;
    }
  }
  return rest.empty() ? std::string() : Dump(rest);
}

void JsonReader::Fault(const std::string& name, const Json& value, const std::string& rule) {
  if (!error_) {
    Fault(name + " is " + Excerpt(Dump(value)) + ", " + rule);
  }
}

void JsonReader::Fault(const std::string& message) {
  if (!error_) {
    error_ = Error{ErrorCode::kCorrupt, what_ + ": " + message};
  }
}

}  // namespace regent::wire
