#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace regent::cli {

enum class Headers { kShow, kOmit };

/// Rows of text under headings, printed in columns two blanks apart. An empty cell prints as "-",
/// so that a script can count columns; control characters print escaped.
class Table {
 public:
  explicit Table(std::vector<std::string> headings) : headings_(std::move(headings)) {}

  /// Adds a row; it has as many cells as there are headings.
  void Add(std::vector<std::string> cells);
  std::string Print(Headers headers) const;

 private:
  std::vector<std::string> headings_;
  std::vector<std::vector<std::string>> rows_;
};

/// Returns `text` with what a terminal would obey made visible.
std::string Printable(std::string_view text);

}  // namespace regent::cli
