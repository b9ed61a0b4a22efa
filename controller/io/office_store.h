#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/base/instant.h"
#include "common/model/broker.h"
#include "common/zk/client.h"
#include "controller/core/actions.h"
#include "controller/core/events.h"
#include "controller/io/patient_reader.h"
#include "controller/io/store_tools.h"

namespace regent::controller {

/// Reads /controller with /controller_epoch whenever asked and whenever its watch fires, until it
/// is reset.
class OfficeReader {
 public:
  using Done = std::function<void(OfficeRead)>;

  /// `done` is called from callbacks, never from inside a call.
  OfficeReader(const StoreTools& tools, Done done);

  /// Reads that overlap become one more read after the one under way.
  void Read();
  /// Reads once more, for `done` alone.
  void ReadFor(Done done);
  void OnWatch(const std::string& path);
  /// The session has ended.
  void Reset();

 private:
  void Start();
  void ReadHolder(Done done);
  void ReadEpoch(OfficeRead read, Done done);

  zk::Client& client_;
  PatientReader reader_;
  Done done_;
  bool reading_ = false;
  bool again_ = false;
  bool watching_ = false;  ///< Somebody has asked in this session.
};

/// Takes and leaves the office of controller.
class OfficeStore {
 public:
  using Emit = std::function<void(Event)>;

  /// `self` names our life; its timestamp is set anew by each claim from `wall_ms`.
  OfficeStore(const StoreTools& tools,
              ControllerRegistration self,
              std::function<int64_t()> wall_ms,
              Emit emit);

  void Read() { office_.Read(); }
  void OnWatch(const std::string& path) { office_.OnWatch(path); }
  /// ClaimDone follows, unless the session ends.
  void Claim(const ClaimOffice& claim);
  /// ResignDone follows, unless the session ends.
  void Resign(const ResignOffice& resign);
  void Reset();

 private:
  struct Resigning {
    ResignOffice resign;
    bool quarantine_exists = false;
    bool with_quarantine = false;
  };

  void CreateEpochNode(ControllerEpoch epoch);
  void SendClaim(ControllerEpoch epoch, ControllerEpochVersion version);
  /// The claim's answer was lost, or it lost to somebody, perhaps to itself (R3).
  /// `refusal`: ZooKeeper's, if it was not because of somebody else's claim.
  void SettleClaim(ControllerEpoch claimed, const std::string& refusal);
  void EmitClaim(ClaimDone::Outcome outcome, ControllerEpoch epoch, ControllerEpochVersion version);
  void EmitLost(std::string problem);
  void SendResignation(Resigning resigning);
  void SettleResignation(Resigning resigning);
  void EmitResigned();

  zk::Client& client_;
  ControllerRegistration self_;
  std::function<int64_t()> wall_ms_;
  Emit emit_;
  OfficeReader office_;
  std::shared_ptr<int> alive_;
};

}  // namespace regent::controller
