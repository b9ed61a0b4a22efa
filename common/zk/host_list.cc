#include "common/zk/host_list.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <netdb.h>
#include <optional>
#include <set>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace regent::zk {

namespace {

constexpr std::string_view kRemedy = "; write it as host:port,host:port, e.g. zk1:2181,zk2:2181";

bool IsAddress(const std::string& name) {
  std::array<unsigned char, sizeof(in6_addr)> buffer{};
  return inet_pton(AF_INET, name.c_str(), buffer.data()) == 1 ||
         inet_pton(AF_INET6, name.c_str(), buffer.data()) == 1;
}

std::optional<int> ParsePort(std::string_view text) {
  int port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port < 1 || port > 65535) {
    return std::nullopt;
  }
  return port;
}

Error Refusal(std::string_view item, std::string_view rule) {
  return Error{ErrorCode::kInvalidArgument, "--zookeeper: \"" + std::string(item) + "\" " +
                                                std::string(rule) + std::string(kRemedy)};
}

}  // namespace

Result<HostList> HostList::Parse(std::string_view text) {
  HostList list;
  list.text_ = text;
  if (text.find('/') != std::string_view::npos) {
    return Error{ErrorCode::kInvalidArgument,
                 "--zookeeper: \"" + std::string(text) +
                     "\" contains a path; give it as --zk-root, and here only hosts"};
  }
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    std::string_view item = text.substr(begin, end - begin);
    begin = end + 1;
    const std::string_view whole = item;
    Host host;
    std::string_view port;
    if (item.starts_with('[')) {
      const size_t close = item.find(']');
      if (close == std::string_view::npos) {
        return Refusal(whole, "has no closing bracket");
      }
      host.name = item.substr(1, close - 1);
      port = item.substr(close + 1);
    } else if (std::ranges::count(item, ':') > 1) {  // A bare IPv6 address.
      host.name = item;
    } else {
      const size_t colon = std::min(item.find(':'), item.size());
      host.name = item.substr(0, colon);
      port = item.substr(colon);
    }
    if (host.name.empty() ||
        std::ranges::any_of(host.name, [](unsigned char c) { return c <= 0x20 || c == 0x7f; })) {
      return Refusal(whole, "names no host");
    }
    if (!port.empty()) {
      const std::optional<int> number =
          port.front() == ':' ? ParsePort(port.substr(1)) : std::nullopt;
      if (!number) {
        return Refusal(whole, "has no port between 1 and 65535 after the colon");
      }
      host.port = *number;
    }
    host.numeric = IsAddress(host.name);
    list.hosts_.push_back(std::move(host));
  }
  return list;
}

bool HostList::numeric() const {
  return std::ranges::all_of(hosts_, &Host::numeric);
}

std::string HostList::Resolve() const {
  std::set<std::string> addresses;
  for (const Host& host : hosts_) {
    if (host.numeric) {
      addresses.insert(host.name + ":" + std::to_string(host.port));
      continue;
    }
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (getaddrinfo(host.name.c_str(), nullptr, &hints, &found) != 0) {
      continue;
    }
    const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owned(found, freeaddrinfo);
    for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
      std::array<char, NI_MAXHOST> text{};
      if (getnameinfo(at->ai_addr, at->ai_addrlen, text.data(), text.size(), nullptr, 0,
                      NI_NUMERICHOST) == 0) {
        addresses.insert(std::string(text.data()) + ":" + std::to_string(host.port));
      }
    }
  }
  std::string joined;
  for (const std::string& address : addresses) {
    joined += (joined.empty() ? "" : ",") + address;
  }
  return joined;
}

}  // namespace regent::zk
