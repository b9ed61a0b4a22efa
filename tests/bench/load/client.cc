#include "tests/bench/load/client.h"

#include <array>

namespace regent::bench {

Result<Client> MakeClient(rd_kafka_type_t type,
                          const ClientSettings& settings,
                          const ClientHooks& hooks) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  std::array<char, 512> why{};
  for (const auto& [name, value] : settings) {
    if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), why.data(), why.size()) !=
        RD_KAFKA_CONF_OK) {
      rd_kafka_conf_destroy(conf);
      return Error{ErrorCode::kInvalidArgument, why.data()};
    }
  }
  rd_kafka_conf_set_opaque(conf, hooks.context);
  if (hooks.on_delivery != nullptr) {
    rd_kafka_conf_set_dr_msg_cb(conf, hooks.on_delivery);
  }
  if (hooks.on_statistics != nullptr) {
    rd_kafka_conf_set_stats_cb(conf, hooks.on_statistics);
  }
  rd_kafka_t* client = rd_kafka_new(type, conf, why.data(), why.size());
  if (client == nullptr) {
    rd_kafka_conf_destroy(conf);
    return Error{ErrorCode::kInvalidArgument, why.data()};
  }
  return Client(client);
}

}  // namespace regent::bench
