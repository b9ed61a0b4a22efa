#include "common/wire/znode_json.h"

#include <string>
#include <string_view>
#include <vector>

#include <glog/logging.h>

#include "tests/fuzz/target.h"

// Znodes: whatever stands in one, the reader lives, and what it has understood it can write so that
// it understands the same.

namespace regent::fuzz {
namespace {

template <class Decode, class Encode>
void RoundTrip(std::string_view text, Decode decode, Encode encode) {
  const auto value = decode(text);
  if (!value.ok()) {
    CHECK(!value.error().message.empty());
    return;
  }
  const std::string written = encode(*value);
  const auto again = decode(written);
  CHECK(again.ok()) << again.error() << " in " << written;
  CHECK(*again == *value) << written;
}

Result<BrokerRegistration> DecodeBroker(std::string_view text) {
  return wire::DecodeBrokerRegistration(BrokerId(1), text);
}

}  // namespace

void Try(std::string_view input) {
  if (input.empty()) {
    return;
  }
  const std::string_view text = input.substr(1);
  switch (static_cast<uint8_t>(input[0]) % 13) {
    case 0:
      return RoundTrip(text, wire::DecodeControllerRegistration,
                       wire::EncodeControllerRegistration);
    case 1: return RoundTrip(text, wire::DecodeControllerEpoch, wire::EncodeControllerEpoch);
    case 2: static_cast<void>(DecodeBroker(text)); return;
    case 3: return RoundTrip(text, wire::DecodeTopicAssignment, wire::EncodeTopicAssignment);
    case 4: return RoundTrip(text, wire::DecodePartitionState, wire::EncodePartitionState);
    case 5: return RoundTrip(text, wire::DecodeTopicConfig, wire::EncodeTopicConfig);
    case 6: static_cast<void>(wire::DecodeConfigChange(text)); return;
    case 7: return RoundTrip(text, wire::DecodePreferredElection, wire::EncodePreferredElection);
    case 8: return RoundTrip(text, wire::DecodeClusterId, wire::EncodeClusterId);
    case 9:
      if (text.empty()) {
        return;  // The block before the first, which nobody writes.
      }
      return RoundTrip(text, wire::DecodeProducerIdBlock, wire::EncodeProducerIdBlock);
    case 10: return RoundTrip(text, wire::DecodeStoppingMark, wire::EncodeStoppingMark);
    case 11: return RoundTrip(text, wire::DecodeUsedDirectory, wire::EncodeUsedDirectory);
    default: return RoundTrip(text, wire::DecodeQuarantineEntry, wire::EncodeQuarantineEntry);
  }
}

std::vector<std::string> Seeds() {
  std::vector<std::string> seeds;
  const auto add = [&](char kind, const std::string& text) {
    seeds.push_back(std::string(1, kind) + text);
  };
  add(0, R"({"version":1,"brokerid":1,"timestamp":"7","endpoint":"h:9193"})");
  add(1, "17");
  add(2, R"({"version":5,"host":"h","port":9092,"jmx_port":-1,"timestamp":"7","rack":"r",)"
         R"("endpoints":["PLAINTEXT://h:9092","REGENT://h:9192"],)"
         R"("listener_security_protocol_map":{"PLAINTEXT":"PLAINTEXT","REGENT":"PLAINTEXT"},)"
         R"("features":{"regent.rpc":{"min":1,"max":1}}})");
  add(3, R"({"version":3,"topic_id":"b8tRS7h4TJ2Vt43Dp85v2A","partitions":{"0":[1,2],"1":[2,1]},)"
         R"("adding_replicas":{"0":[2]},"removing_replicas":{},"theirs":[1,{"a":null}]})");
  add(4, R"({"controller_epoch":1,"leader":1,"version":1,"leader_epoch":2,"isr":[1,2,3],)"
         R"("leader_recovery_state":1})");
  add(5, R"({"version":1,"config":{"min.insync.replicas":"2","retention.ms":"-1"}})");
  add(6, R"({"version":2,"entity_path":"topics/test1"})");
  add(6, R"({"version":1,"entity_type":"topics","entity_name":"test1"})");
  add(7, R"({"version":1,"partitions":[{"topic":"t","partition":0},{"topic":"t","partition":1}]})");
  add(8, R"({"version":"1","id":"V0wD44V6QjCHsWo9SmCZuA"})");
  add(9, R"({"version":1,"broker":1,"block_start":"1000","block_end":"1999"})");
  add(10, R"({"version":1,"broker":1,"broker_epoch":26,"life":"pH1ZyEHXQxq4FIBHmCMdLw"})");
  add(11, R"({"version":1,"path":"/brokers/topics/t/partitions/0/state","node_version":5,)"
          R"("reason":"an ISR without a replica","controller_epoch":3})");
  return seeds;
}

}  // namespace regent::fuzz
