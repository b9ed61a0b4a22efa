#include <charconv>
#include <string>
#include <string_view>

#include "common/wire/json_reader.h"
#include "common/wire/znode_json.h"

namespace regent::wire {
namespace {

constexpr size_t kDigitsMax = 20;

/// Kafka writes these as text.
int64_t IntegerText(JsonReader& reader, const std::string& key) {
  const std::string text = reader.Text(key, kDigitsMax);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (reader.ok() && (error != std::errc() || end != text.data() + text.size() || value < 0)) {
    reader.Fault(key, Json(text), "must be a whole number of at least 0, as text");
  }
  return value;
}

}  // namespace

std::string EncodeProducerIdBlock(const ProducerIdBlock& block) {
  OrderedJson json;
  json["version"] = 1;
  json["broker"] = block.broker.value();
  json["block_start"] = std::to_string(block.start);
  json["block_end"] = std::to_string(block.end);
  return Dump(json);
}

Result<ProducerIdBlock> DecodeProducerIdBlock(std::string_view text) {
  if (text.empty()) {
    return ProducerIdBlock{};
  }
  JsonReader reader("producer id block", text);
  reader.Integer("version", {.min = 1, .max = 1});
  ProducerIdBlock block;
  block.broker = BrokerId(reader.Int32("broker", {}));
  block.start = IntegerText(reader, "block_start");
  block.end = IntegerText(reader, "block_end");
  if (reader.ok() && block.end < block.start) {
    reader.Fault("block_end is below block_start");
  }
  if (!reader.ok()) {
    return reader.error();
  }
  return block;
}

}  // namespace regent::wire
