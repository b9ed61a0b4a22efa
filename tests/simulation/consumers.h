#pragma once

#include <map>

#include "tests/simulation/client_process.h"

namespace regent::simulation {

/// Reads every partition from its beginning on.
class Consumer final : public ClientProcess {
 public:
  Consumer(Cast& cast, OpenRequests& open, int32_t number)
      : ClientProcess(cast, open, "consumer", number) {}

  void Consume();
  /// Goes back to something that it has read already.
  void ConsumeAgain();

 private:
  void Fetch(const TopicPartition& partition, Offset from);

  std::map<PartitionKey, Offset> positions_;
};

}  // namespace regent::simulation
