#include "common/zk/in_memory_link.h"

#include <utility>

#include "common/base/overloaded.h"

namespace regent::zk::internal {

std::function<void()> InMemoryCall::Failure(ZkError error) const {
  return std::visit(
      [&](const auto& call) -> std::function<void()> {
        return [done = call.done, error = std::move(error)] { (*done)(error); };
      },
      request);
}

std::function<void()> InMemoryCall::Loss(const std::string& why) const {
  return std::visit(
      [&](const auto& call) -> std::function<void()> {
        return [done = call.done, why] { (*done)(Unknown{why}); };
      },
      request);
}

bool NeedsLeader(const Request& request) {
  return std::visit(
      Overloaded{[](const GetCall&) { return false; }, [](const ExistsCall&) { return false; },
                 [](const ChildrenCall&) { return false; }, [](const auto&) { return true; }},
      request);
}

void InMemoryLink::PostDelivery(Delivery delivery, bool urgent) {
  downlink.push_back(std::move(delivery));
  if (options.answer_delay) {
    owner->PostAt(owner->Now() + options.answer_delay(), [d = deliver] { d(false); });
  } else if (urgent) {
    owner->PostUrgent([d = deliver] { d(true); });
  } else {
    owner->Post([d = deliver] { d(false); });
  }
}

void InMemoryLink::PostTransmission() const {
  if (options.request_delay) {
    owner->PostAt(owner->Now() + options.request_delay(), transmit);
  } else {
    owner->Post(transmit);
  }
}

}  // namespace regent::zk::internal
