#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <string>

#include "common/base/result.h"
#include "common/zk/client.h"
#include "controller/core/store.h"
#include "controller/io/patient_reader.h"

namespace regent::controller {

/// Decodes what stands at /regent/deletions/<topic id>.
Result<DeletionMark> DeletionOf(const std::string& data);

/// Reads what stands of a topic that is being deleted: its mark, its node, every node below it
/// whoever made it, its config, its request. One object per reading; the caller syncs before.
class TopicTreeReading {
 public:
  using Done = std::function<void(Result<TopicTreeRead>)>;
  /// Lists out at a time.
  static constexpr int kWindow = 1000;

  /// `reader` outlives the reading.
  TopicTreeReading(PatientReader& reader, std::string topic, TopicId deletion, Done done);
  TopicTreeReading(const TopicTreeReading&) = delete;
  TopicTreeReading& operator=(const TopicTreeReading&) = delete;

  /// `done` is called once, from a callback; it may destroy this.
  void Start();

 private:
  void ReadNodes();
  void List(const std::string& below);
  void OnListed(const std::string& below, const zk::Outcome<std::vector<std::string>>& names);
  void OnAnswer();
  void Fail(const std::string& what);

  PatientReader& reader_;
  const std::string topic_;
  const TopicId deletion_;
  Done done_;
  TopicTreeRead tree_;
  std::deque<std::string> to_list_;  ///< Relative to the topic's node; empty: that node.
  std::string problem_;
  int open_ = 0;
};

}  // namespace regent::controller
