#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/zk/client.h"
#include "controller/core/events.h"
#include "controller/io/patient_reader.h"
#include "controller/io/store_tools.h"

namespace regent::controller {

/// Reads what stands in the root of ZooKeeper, and prepares a new one. Decides nothing: whether a
/// root may be used is the candidate's affair (architecture §7, R10).
///
/// All on the client's loop thread; events come from callbacks, never from inside a call.
class RootStore {
 public:
  using Emit = std::function<void(Event)>;

  RootStore(const StoreTools& tools, Emit emit);

  /// RootRead follows, unless the session ends.
  void Read();
  /// RootPrepared follows, unless the session ends. The mark that the root is ours comes first, so
  /// that a root that was half prepared is still known as ours.
  void Prepare(std::string cluster_id);
  /// The session has ended.
  void Reset();

 private:
  struct Reading;

  void ReadBehindSync(const std::shared_ptr<Reading>& reading);
  void Finish(const std::shared_ptr<Reading>& reading);
  void CreateNext();
  void OnCreated(const std::string& path, const zk::Outcome<zk::OpResult>& outcome);
  void Prepared(bool done, std::string problem);

  zk::Client& client_;
  Rng& rng_;
  PatientReader reader_;
  Emit emit_;
  std::vector<zk::CreateOp> to_create_;  ///< In reverse.
  int lost_answers_ = 0;                 ///< In a row, while preparing.
  bool preparing_ = false;
  std::shared_ptr<int> alive_;
};

}  // namespace regent::controller
