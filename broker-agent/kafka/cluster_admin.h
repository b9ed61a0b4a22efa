#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "common/base/instant.h"
#include "common/base/result.h"
#include "common/model/control.h"
#include "common/model/ids.h"

namespace regent::kafka {

struct NewTopic {
  std::string name;
  int32_t partitions = 0;  ///< With automatic placement, else 0.
  int32_t replication_factor = 0;
  std::vector<BrokerList> assignment;  ///< By hand: one entry per partition.
  std::map<std::string, std::string> configs;
};
struct CreatedTopic {
  TopicId id;
  std::vector<BrokerList> assignment;
};

/// By name, or by id if the name is empty.
struct DoomedTopic {
  std::string name;
  TopicId id;
};

struct NewPartitions {
  std::string topic;
  int32_t total = 0;
  std::vector<BrokerList> assignment;  ///< Of the new ones; empty: placed automatically.
};

struct ConfigChange {
  std::string topic;
  std::map<std::string, std::string> set;
  std::vector<std::string> reset;  ///< Back to their defaults.
  bool replace = false;            ///< Overrides that are not named go too.
};

struct Election {
  enum class Outcome {
    kElected,
    kNotNeeded,
    kPreferredNotAvailable,
    kEligibleNotAvailable,
    kUnknownPartition,
    kUnknownOutcome,
    kFailed,
  };
  std::string topic;
  int32_t partition = 0;
  Outcome outcome = Outcome::kFailed;
  std::string message;
};

enum class ElectionType : int8_t { kPreferred = 0, kUnclean = 1 };

/// How long the caller waits, and whether anything is to be done at all.
struct AdminOptions {
  Duration timeout{0};
  bool validate_only = false;
};

/// The active controller, as the admin requests of clients need it. What it has certainly not
/// done is asked of it again, also of its successor, until the timeout. kUnknownOutcome: it may
/// have happened (R3). kNotController: nobody to ask was found in time.
///
/// Any thread may call; what is asked is answered once, on any thread.
class ClusterAdmin {
 public:
  template <class T>
  using Done = std::function<void(const Result<T>&)>;

  virtual ~ClusterAdmin() = default;

  virtual void Create(NewTopic topic, AdminOptions options, Done<CreatedTopic> done) = 0;
  /// Yields name and id.
  virtual void Delete(DoomedTopic topic, AdminOptions options, Done<DoomedTopic> done) = 0;
  virtual void Extend(NewPartitions more, AdminOptions options, Done<Success> done) = 0;
  virtual void Alter(ConfigChange change, AdminOptions options, Done<Success> done) = 0;
  /// Of those partitions, or of all if there are none.
  virtual void Elect(ElectionType type,
                     std::vector<std::pair<std::string, int32_t>> partitions,
                     AdminOptions options,
                     Done<std::vector<Election>> done) = 0;
};

}  // namespace regent::kafka
