#include "cli/table.h"

#include <algorithm>

#include <glog/logging.h>

namespace regent::cli {

std::string Printable(std::string_view text) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f) {
      out += c;
      continue;
    }
    out += "\\x";
    out += kDigits[byte / 16];
    out += kDigits[byte % 16];
  }
  return out;
}

void Table::Add(std::vector<std::string> cells) {
  CHECK_EQ(cells.size(), headings_.size());
  for (std::string& cell : cells) {
    cell = cell.empty() ? "-" : Printable(cell);
  }
  rows_.push_back(std::move(cells));
}

std::string Table::Print(Headers headers) const {
  std::vector<size_t> widths(headings_.size(), 0);
  const auto measure = [&](const std::vector<std::string>& row) {
    for (size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], row[i].size());
    }
  };
  if (headers == Headers::kShow) {
    measure(headings_);
  }
  std::ranges::for_each(rows_, measure);

  std::string out;
  const auto print = [&](const std::vector<std::string>& row) {
    for (size_t i = 0; i < row.size(); ++i) {
      out += row[i];
      if (i + 1 < row.size()) {
        out.append(widths[i] - row[i].size() + 2, ' ');
      }
    }
    out += '\n';
  };
  if (headers == Headers::kShow) {
    print(headings_);
  }
  std::ranges::for_each(rows_, print);
  return out;
}

}  // namespace regent::cli
