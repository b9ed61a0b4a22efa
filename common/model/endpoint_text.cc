#include "common/model/endpoint_text.h"

#include <charconv>
#include <string>

#include "common/model/broker_names.h"

namespace regent {
namespace {

constexpr int kPortMax = 65535;

Error Invalid(std::string_view flag, std::string_view text, const std::string& rule) {
  return {ErrorCode::kInvalidArgument, std::string(flag) + "=" + std::string(text) + ": " + rule};
}

}  // namespace

Result<Endpoint> ParseEndpoint(std::string_view flag, std::string_view text) {
  const std::string form = "give host:port, for instance 127.0.0.1:9192 or [::1]:9192";
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    return Invalid(flag, text, form);
  }
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return Invalid(flag, text, form);
  }
  if (host.empty()) {
    return Invalid(flag, text, "the host is missing; " + form);
  }
  if (!IsHost(host)) {
    return Invalid(flag, text, kHostRule);
  }
  Endpoint endpoint{.host = std::string(host)};
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
  if (error != std::errc() || end != port.data() + port.size() || endpoint.port < 0 ||
      endpoint.port > kPortMax) {
    return Invalid(flag, text, "the port must be a number up to 65535 (0: any free one)");
  }
  return endpoint;
}

}  // namespace regent
