#pragma once

#include <string>
#include <string_view>

namespace regent::kafka {

/// Appends the text in quotes; what would upset a log line stands as \xNN.
void AppendQuoted(std::string& out, std::string_view text);

/// Writes the opening bracket now, the closing one at the end of the scope, and commas between.
class Brackets {
 public:
  Brackets(std::string& out, std::string_view pair) : out_(out), close_(pair[1]) {
    out_ += pair[0];
  }
  ~Brackets() { out_ += close_; }
  Brackets(const Brackets&) = delete;
  Brackets& operator=(const Brackets&) = delete;

  /// Announces an element.
  void Next() {
    if (!first_) {
      out_ += ", ";
    }
    first_ = false;
  }

 private:
  std::string& out_;
  char close_;
  bool first_ = true;
};

}  // namespace regent::kafka
