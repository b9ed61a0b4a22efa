#pragma once

#include <cstdint>
#include <functional>
#include <ostream>
#include <string>

#include "cli/exit_code.h"
#include "cli/json.h"
#include "cli/render.h"
#include "common/base/result.h"

namespace regent::cli {

enum class Format { kTable, kJson };

/// Where a command prints, and how: data to `out`, talk to `err`. The streams outlive it.
struct Console {
  std::ostream& out;
  std::ostream& err;
  std::function<int64_t()> now_ms;  ///< Wall clock.
  Format format = Format::kTable;
  Headers headers = Headers::kShow;

  bool json() const { return format == Format::kJson; }
  TableStyle style() const { return {.headers = headers, .now_ms = now_ms()}; }
  void PrintJson(const Json& data) const { out << JsonText(data, 2) << std::flush; }
  void Print(const std::string& data) const { out << data << std::flush; }
  void Talk(const std::string& sentence) const {
    err << "regentctl: " << Printable(sentence) << std::endl;
  }
  /// Says what went wrong, to people and, in JSON, to programs; returns the exit code for it.
  ExitCode Fail(const Error& error) const { return Fail(error, ExitCodeFor(error.code)); }
  ExitCode Fail(const Error& error, ExitCode exit) const {
    if (json()) {
      PrintJson(ErrorJson(error, exit));
    }
    Talk(error.message);
    return exit;
  }
};

}  // namespace regent::cli
