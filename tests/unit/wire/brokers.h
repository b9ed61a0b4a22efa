#pragma once

#include <cstdint>
#include <initializer_list>

#include "common/model/ids.h"

namespace regent::wire {

inline BrokerList Brokers(std::initializer_list<int32_t> ids) {
  BrokerList list;
  for (const int32_t id : ids) {
    list.emplace_back(id);
  }
  return list;
}

}  // namespace regent::wire
