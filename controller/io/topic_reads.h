#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "common/base/rng.h"
#include "common/zk/client.h"
#include "controller/core/store.h"
#include "controller/io/patient_reader.h"

namespace regent::controller {

/// Decodes what a read of a partition's state yielded. A node that cannot be read is an answer.
PartitionStateRead StateOf(const zk::Outcome<zk::Node>& outcome);

/// Reads topics with their configs and, unless only the nodes are wanted, all their states:
/// pipelined, a bounded number out at a time, decoded as they arrive. One object per reading; the
/// caller syncs before.
class TopicReads {
 public:
  using Done = std::function<void(std::vector<TopicRead>)>;
  /// Reads out at a time: enough to keep ZooKeeper busy, little memory.
  static constexpr int kWindow = 4000;

  /// `reader` and `rng` outlive the reading.
  TopicReads(
      PatientReader& reader, Rng& rng, std::vector<std::string> names, TopicDepth depth, Done done);
  TopicReads(const TopicReads&) = delete;
  TopicReads& operator=(const TopicReads&) = delete;

  /// `done` is called once, from a callback, or at once if there is no topic; it may destroy this.
  void Start();

 private:
  /// A topic whose node has been read: its states are next.
  struct Ready {
    size_t topic = 0;
    size_t next_partition = 0;
  };

  void Issue();
  void IssueTopic(size_t topic);
  void IssueState(size_t topic, size_t partition);
  void OnTopic(size_t topic, const zk::Outcome<zk::Node>& outcome);
  void OnConfig(size_t topic, const zk::Outcome<zk::Node>& outcome);
  void OnAnswer();
  void FinishIfDone();

  PatientReader& reader_;
  Rng& rng_;
  const TopicDepth depth_;
  Done done_;
  std::vector<TopicRead> topics_;
  size_t next_topic_ = 0;
  std::deque<Ready> ready_;
  int open_ = 0;
};

}  // namespace regent::controller
