#pragma once

// Only for the .cc files of this module: filling messages in place, where there are many.

#include <string>

#include <google/protobuf/repeated_field.h>

#include "regent/v1/types.pb.h"

#include "common/model/broker.h"
#include "common/model/control.h"
#include "common/model/topic.h"

namespace regent::wire {

/// Returns `text` with what is not UTF-8 replaced: the receiver would refuse the whole message.
std::string ValidUtf8(const std::string& text);

inline void Fill(const BrokerList& from, google::protobuf::RepeatedField<int32_t>* to) {
  to->Reserve(static_cast<int>(from.size()));
  for (const BrokerId id : from) {
    to->AddAlreadyReserved(id.value());
  }
}

inline void Fill(const Endpoint& from, v1::Endpoint* to) {
  to->set_host(from.host);
  to->set_port(from.port);
}

void Fill(const BrokerEndpoint& from, v1::BrokerEndpoint* to);
void Fill(const ControlHeader& from, v1::ControlHeader* to);
void Fill(const FullStatePart& from, v1::FullStatePart* to);
void Fill(const TopicConfig& from, v1::TopicConfig* to);

}  // namespace regent::wire
