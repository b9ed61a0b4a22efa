#include "controller/io/listen_flag.h"

#include <string>

#include "common/model/endpoint_text.h"

namespace regent::controller {

namespace {

Error Invalid(std::string_view flag, std::string_view text, const std::string& rule) {
  return Error{ErrorCode::kInvalidArgument,
               std::string(flag) + "=" + std::string(text) + ": " + rule};
}

}  // namespace

Result<Endpoint> ParseRegentListener(std::string_view flag, std::string_view text) {
  const std::string prefix = std::string(kRegentListener) + "://";
  if (!text.starts_with(prefix) || text.find(',') != std::string_view::npos) {
    return Invalid(flag, text, "a controller has one listener; give it as " + prefix + "host:port");
  }
  return ParseEndpoint(flag, text.substr(prefix.size()));
}

}  // namespace regent::controller
