#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace regent::zk {

/// The value of --zookeeper: "h1:2181,h2,[::1]:2183". The port defaults to 2181.
class HostList {
 public:
  static Result<HostList> Parse(std::string_view text);

  /// True if every host is an address, so that nothing has to be looked up.
  bool numeric() const;
  /// As given, for messages.
  const std::string& text() const { return text_; }
  /// Looks the names up, which may take as long as the name service likes: never on a loop. Yields
  /// "address:port,…" sorted, as the C library wants it; "" if no name could be resolved.
  std::string Resolve() const;

 private:
  struct Host {
    std::string name;
    int port = 2181;
    bool numeric = false;
  };

  std::string text_;
  std::vector<Host> hosts_;
};

}  // namespace regent::zk
