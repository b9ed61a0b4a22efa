#include <glog/logging.h>

#include "broker-agent/log/big_endian.h"
#include "tests/fuzz/target.h"

namespace regent::fuzz {
namespace {

constexpr size_t kHeadBytes = 3;
constexpr size_t kLengthMax = 0xffff;

}  // namespace

std::optional<Message> Messages::Next() {
  if (rest_.size() < kHeadBytes) {
    return std::nullopt;
  }
  const auto kind = static_cast<uint8_t>(rest_[0]);
  const auto length = storage::LoadBigEndian<uint16_t>(rest_, 1);
  const Message message{.kind = kind, .bytes = rest_.substr(kHeadBytes, length)};
  rest_.remove_prefix(kHeadBytes + message.bytes.size());
  return message;
}

std::string Framed(uint8_t kind, std::string_view bytes) {
  CHECK_LE(bytes.size(), kLengthMax);
  std::string framed(1, static_cast<char>(kind));
  storage::AppendBigEndian(framed, static_cast<uint16_t>(bytes.size()));
  return framed.append(bytes);
}

}  // namespace regent::fuzz
