#include "tests/simulation/trace.h"

#include <algorithm>
#include <cstdio>

namespace regent::simulation {

const Trace*& Trace::Current() {
  thread_local const Trace* current = nullptr;
  return current;
}

std::vector<Trace::Entry> Trace::Last(size_t count, const std::string& subject) const {
  std::vector<Entry> found;
  for (auto entry = entries_.rbegin(); entry != entries_.rend() && found.size() < count; ++entry) {
    if (subject.empty() || entry->subject == subject ||
        entry->text.find(subject) != std::string::npos) {
      found.push_back(*entry);
    }
  }
  std::ranges::reverse(found);
  return found;
}

std::string ToText(const Trace::Entry& entry) {
  char head[64];
  const auto us = static_cast<long long>(entry.at.since_origin().count());
  std::snprintf(head, sizeof(head), "%4lld.%06lld  %-12s ", us / 1000000, us % 1000000,
                entry.subject.c_str());
  return head + entry.text;
}

}  // namespace regent::simulation
