#pragma once

#include <map>
#include <memory>
#include <string>

#include <librdkafka/rdkafka.h>

#include "common/base/result.h"

namespace regent::bench {

/// librdkafka's settings by name.
using ClientSettings = std::map<std::string, std::string>;

/// What a client says in its callbacks.
struct ClientHooks {
  void* context = nullptr;
  void (*on_delivery)(rd_kafka_t*, const rd_kafka_message_t*, void* context) = nullptr;
  int (*on_statistics)(rd_kafka_t*, char* json, size_t size, void* context) = nullptr;
};

struct ClientDeleter {
  void operator()(rd_kafka_t* client) const { rd_kafka_destroy(client); }
};
using Client = std::unique_ptr<rd_kafka_t, ClientDeleter>;

/// kInvalidArgument names the setting that librdkafka does not take.
Result<Client> MakeClient(rd_kafka_type_t type,
                          const ClientSettings& settings,
                          const ClientHooks& hooks);

}  // namespace regent::bench
