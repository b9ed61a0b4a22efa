#pragma once

#include <string>

#include "common/base/result.h"

namespace regent::cli {

/// What a script learns from regentctl without reading its output. Numbers are never reused.
enum class ExitCode {
  kOk = 0,
  kSomeFailed = 1,   ///< Some items failed, or stored data could not be read.
  kUsage = 2,        ///< The command line, or a value in it, can never work.
  kNotFound = 3,     ///< The topic or partition named is not there.
  kUnhealthy = 4,    ///< The cluster has offline or under-min-ISR partitions, or no controller.
  kUnreachable = 5,  ///< No active controller was found within the timeout.
  kRefused = 6,      ///< A rule or the present state forbids it.
  kTimedOut = 7,     ///< The timeout passed, or the outcome is unknown: the work may be done yet.
};

/// Returns the exit code that tells of `code`.
ExitCode ExitCodeFor(ErrorCode code);

/// Returns the name that JSON output uses, the one of types.proto, e.g. "NOT_FOUND".
std::string ErrorName(ErrorCode code);

}  // namespace regent::cli
