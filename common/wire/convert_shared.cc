#include <algorithm>

#include "common/wire/convert.h"
#include "common/wire/field_check.h"
#include "common/wire/fill.h"
#include "common/wire/json_reader.h"

namespace regent::wire {

std::string ValidUtf8(const std::string& text) {
  const bool ascii =
      std::ranges::all_of(text, [](char c) { return static_cast<uint8_t>(c) < 0x80; });
  return ascii ? text : Json::parse(Dump(Json(text))).get<std::string>();
}

void Fill(const BrokerEndpoint& from, v1::BrokerEndpoint* to) {
  to->set_id(from.id.value());
  to->set_epoch(from.epoch.value());
  for (const Listener& listener : from.listeners) {
    v1::Listener* added = to->add_listeners();
    added->set_name(listener.name);
    Fill(listener.endpoint, added->mutable_endpoint());
    added->set_security_protocol(listener.security_protocol);
  }
  if (from.rack) {
    to->set_rack(*from.rack);
  }
}

void Fill(const ControlHeader& from, v1::ControlHeader* to) {
  to->set_controller_id(from.controller.value());
  Fill(from.controller_endpoint, to->mutable_controller_endpoint());
  to->set_controller_epoch(from.controller_epoch.value());
  to->set_broker_id(from.broker.value());
  to->set_broker_epoch(from.broker_epoch.value());
  to->set_revision(from.revision.value());
  to->set_cluster_id(from.cluster_id);
}

void Fill(const FullStatePart& from, v1::FullStatePart* to) {
  to->set_number(from.number);
  to->set_part(from.part);
  to->set_parts(from.parts);
  to->set_incomplete(from.incomplete);
}

void Fill(const TopicConfig& from, v1::TopicConfig* to) {
  to->set_version(from.version.value());
  to->mutable_overrides()->insert(from.overrides.begin(), from.overrides.end());
  to->set_min_insync_replicas(from.min_insync_replicas);
}

v1::Endpoint ToProto(const Endpoint& endpoint) {
  v1::Endpoint proto;
  Fill(endpoint, &proto);
  return proto;
}

v1::BrokerEndpoint ToProto(const BrokerEndpoint& broker) {
  v1::BrokerEndpoint proto;
  Fill(broker, &proto);
  return proto;
}

Result<Endpoint> FromProto(const v1::Endpoint& endpoint) {
  FieldCheck check("Endpoint");
  Endpoint result = check.Endpoint(endpoint, "endpoint");
  if (!check.ok()) {
    return check.error();
  }
  return result;
}

Result<BrokerEndpoint> FromProto(const v1::BrokerEndpoint& broker) {
  FieldCheck check("BrokerEndpoint");
  BrokerEndpoint result = check.BrokerEndpoint(broker);
  if (!check.ok()) {
    return check.error();
  }
  return result;
}

}  // namespace regent::wire
