#include "broker-agent/kafka/pieces.h"

namespace regent::kafka {

std::vector<std::string_view> Pieces::Views() const {
  std::vector<std::string_view> views;
  views.reserve(2 * foreign_.size() + 1);
  const std::string_view own = own_;
  size_t sent = 0;
  for (const Foreign& foreign : foreign_) {
    if (foreign.at != sent) {
      views.push_back(own.substr(sent, foreign.at - sent));
      sent = foreign.at;
    }
    views.push_back(foreign.slice.bytes());
  }
  if (sent != own.size()) {
    views.push_back(own.substr(sent));
  }
  return views;
}

std::string Pieces::Flatten() const {
  std::string bytes;
  bytes.reserve(size());
  for (const std::string_view view : Views()) {
    bytes.append(view);
  }
  return bytes;
}

}  // namespace regent::kafka
