#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// A fuzz target is one file that defines Try and Seeds. tests/fuzz/main.cc makes a libFuzzer
// program of it where clang builds with the address sanitizer.

namespace regent::fuzz {

/// Hands bytes to one door of the product. Aborts if a promise is broken.
void Try(std::string_view input);

/// Inputs that get far, to begin with.
std::vector<std::string> Seeds();

/// One of the messages that an input is made of.
struct Message {
  uint8_t kind = 0;
  std::string_view bytes;
};

/// Takes an input apart: a byte for the kind, two for the length, big-endian, the bytes; the last
/// message may be shorter than it says.
class Messages {
 public:
  explicit Messages(std::string_view input) : rest_(input) {}

  /// Nothing: there are no more.
  std::optional<Message> Next();

 private:
  std::string_view rest_;
};

/// The message as Messages reads it; `bytes` are 65,535 at the most.
std::string Framed(uint8_t kind, std::string_view bytes);

}  // namespace regent::fuzz
