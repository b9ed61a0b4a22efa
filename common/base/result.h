#pragma once

#include <ostream>
#include <string>
#include <utility>
#include <variant>

#include <glog/logging.h>

namespace regent {

/// What went wrong, named for what the caller does about it. The same list stands in types.proto.
enum class ErrorCode {
  kInvalidArgument,  ///< The request can never succeed as it stands: correct it.
  kNotFound,         ///< The thing named is not there.
  kAlreadyExists,    ///< The thing to be made is there already.
  kRefused,          ///< A rule or the present state forbids it: the message names the rule.
  kStaleEpoch,       ///< The sender is behind: step down or fetch the current state.
  kConflict,         ///< Somebody else changed it first: read again and decide.
  kNotController,    ///< Ask the active controller.
  kNotLeader,        ///< Ask the partition's leader.
  kUnavailable,      ///< It did not happen: retry with back-off.
  kUnknownOutcome,   ///< It may have happened: read before deciding again (R3).
  kTimedOut,         ///< The caller's deadline passed; the work may still go on.
  kCorrupt,          ///< Stored data cannot be read: the message names it.
  kDiskFailed,       ///< The disk does not give or take what it should: use another one.
  kShuttingDown,     ///< The process or the term is ending.
};

/// Returns the code's name without the k, e.g. "StaleEpoch".
constexpr const char* ErrorCodeName(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument: return "InvalidArgument";
    case ErrorCode::kNotFound: return "NotFound";
    case ErrorCode::kAlreadyExists: return "AlreadyExists";
    case ErrorCode::kRefused: return "Refused";
    case ErrorCode::kStaleEpoch: return "StaleEpoch";
    case ErrorCode::kConflict: return "Conflict";
    case ErrorCode::kNotController: return "NotController";
    case ErrorCode::kNotLeader: return "NotLeader";
    case ErrorCode::kUnavailable: return "Unavailable";
    case ErrorCode::kUnknownOutcome: return "UnknownOutcome";
    case ErrorCode::kTimedOut: return "TimedOut";
    case ErrorCode::kCorrupt: return "Corrupt";
    case ErrorCode::kDiskFailed: return "DiskFailed";
    case ErrorCode::kShuttingDown: return "ShuttingDown";
  }
  return "?";
}

inline std::ostream& operator<<(std::ostream& out, ErrorCode code) {
  return out << ErrorCodeName(code);
}

/// An answer that is not the one hoped for. `message` names the value, the rule and the remedy.
struct Error {
  ErrorCode code = ErrorCode::kInvalidArgument;
  std::string message;

  friend bool operator==(const Error&, const Error&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Error& error) {
    return out << error.code << ": " << error.message;
  }
};

/// A value or an Error. Asking for the half that is not there is our mistake and ends the process.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}      // NOLINT(google-explicit-constructor)
  Result(Error error) : value_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return std::holds_alternative<T>(value_); }
  explicit operator bool() const { return ok(); }

  const T& value() const& {
    CHECK(ok()) << error();
    return std::get<T>(value_);
  }
  T& value() & {
    CHECK(ok()) << error();
    return std::get<T>(value_);
  }
  T&& value() && {
    CHECK(ok()) << error();
    return std::get<T>(std::move(value_));
  }
  const T& operator*() const& { return value(); }
  T& operator*() & { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  const T* operator->() const { return &value(); }
  T* operator->() { return &value(); }

  const Error& error() const {
    CHECK(std::holds_alternative<Error>(value_));
    return std::get<Error>(value_);
  }

 private:
  std::variant<T, Error> value_;
};

/// The result of something that yields nothing but success.
struct Success {
  friend bool operator==(Success, Success) = default;
};
using Status = Result<Success>;

}  // namespace regent
