#include "controller/io/office_store.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/wire/znode_json.h"
#include "common/zk/paths.h"

namespace regent::controller {

namespace {

constexpr const char* kAccess = "; see to the node's ACL and to --zookeeper-auth";

void TakeHolder(const zk::Outcome<zk::Node>& node, OfficeRead& read) {
  if (node.Is(zk::ErrorKind::kNoNode)) {
    return;  // Gone since it was seen: the watch has fired.
  }
  read.taken = true;
  if (!node.ok()) {
    read.readable = false;
    read.problem = node.ToText() + kAccess;
    return;
  }
  read.holder_session = node.value().stat.ephemeral_owner;
  Result<ControllerRegistration> holder = wire::DecodeControllerRegistration(node.value().data);
  if (read.holder_session == 0) {
    read.problem = zk::ControllerPath() +
                   ": it belongs to no session, so it keeps everybody from the office for ever; "
                   "delete it";
  }
  if (holder.ok()) {
    read.holder = *std::move(holder);
  } else {
    read.problem = zk::ControllerPath() + ": " + holder.error().message +
                   "; find out who wrote it, and delete it if that is no controller";
  }
}

void TakeEpoch(const zk::Outcome<zk::Node>& node, OfficeRead& read) {
  if (node.Is(zk::ErrorKind::kNoNode)) {
    return;
  }
  if (!node.ok()) {
    read.readable = false;
    read.problem = node.ToText() + kAccess;
    return;
  }
  const Result<ControllerEpoch> epoch = wire::DecodeControllerEpoch(node.value().data);
  if (epoch.ok()) {
    read.epoch = *epoch;
    read.epoch_version = ControllerEpochVersion(node.value().stat.version);
  } else {
    read.readable = false;
    read.problem = zk::ControllerEpochPath() + ": " + epoch.error().message +
                   "; set it to the highest controller epoch that the logs speak of";
  }
}

}  // namespace

namespace {

/// Why a claim was refused that nobody else's claim stood in the way of; empty otherwise.
template <class T>
std::string RefusalOfClaim(const zk::Outcome<T>& outcome) {
  const bool others =
      outcome.Is(zk::ErrorKind::kNodeExists) || outcome.Is(zk::ErrorKind::kBadVersion);
  return outcome.ok() || outcome.unknown() || others ? std::string() : outcome.ToText() + kAccess;
}

}  // namespace

// --- OfficeReader ---

OfficeReader::OfficeReader(const StoreTools& tools, Done done)
    : client_(tools.client),
      reader_(tools.client, tools.executor, tools.backoff, tools.slowest),
      done_(std::move(done)) {}

void OfficeReader::Reset() {
  reader_.Forget();
  reading_ = false;
  again_ = false;
  watching_ = false;
}

void OfficeReader::OnWatch(const std::string& path) {
  if (watching_ && path == zk::ControllerPath()) {
    Read();
  }
}

void OfficeReader::Read() {
  watching_ = true;
  if (reading_) {
    again_ = true;
    return;
  }
  Start();
}

void OfficeReader::Start() {
  reading_ = true;
  ReadFor([this](OfficeRead read) {
    reading_ = false;
    if (std::exchange(again_, false)) {
      Start();
    }
    done_(std::move(read));
  });
}

void OfficeReader::ReadFor(Done done) {
  // Behind a sync: a claim decided on a stale reading would only lose, but a resignation or a
  // doubt about the office would be settled wrongly (R3).
  reader_.Sync(
      [this, done = std::move(done)](const zk::Outcome<std::monostate>&) { ReadHolder(done); });
}

void OfficeReader::ReadHolder(Done done) {
  // Exists arms the watch also while nobody holds the office.
  reader_.Exists(
      zk::ControllerPath(), zk::Watch::kArm,
      [this, done = std::move(done)](const zk::Outcome<std::optional<zk::Stat>>& exists) {
        OfficeRead read;
        read.generation = client_.generation().value();
        read.readable = exists.ok();
        if (!exists.ok()) {
          read.problem = exists.ToText() + kAccess;
          done(std::move(read));
          return;
        }
        if (!exists.value()) {
          ReadEpoch(std::move(read), done);
          return;
        }
        reader_.Get(zk::ControllerPath(), zk::Watch::kNone,
                    [this, read, done](const zk::Outcome<zk::Node>& node) mutable {
                      TakeHolder(node, read);
                      ReadEpoch(std::move(read), done);
                    });
      });
}

void OfficeReader::ReadEpoch(OfficeRead read, Done done) {
  reader_.Get(
      zk::ControllerEpochPath(), zk::Watch::kNone,
      [read = std::move(read), done = std::move(done)](const zk::Outcome<zk::Node>& node) mutable {
        TakeEpoch(node, read);
        done(std::move(read));
      });
}

// --- OfficeStore ---

OfficeStore::OfficeStore(const StoreTools& tools,
                         ControllerRegistration self,
                         std::function<int64_t()> wall_ms,
                         Emit emit)
    : client_(tools.client),
      self_(std::move(self)),
      wall_ms_(std::move(wall_ms)),
      emit_(std::move(emit)),
      office_(tools, [this](OfficeRead read) { emit_(std::move(read)); }),
      alive_(std::make_shared<int>()) {}

void OfficeStore::Reset() {
  office_.Reset();
  alive_ = std::make_shared<int>();
}

void OfficeStore::Claim(const ClaimOffice& claim) {
  if (claim.epoch_version) {
    SendClaim(claim.epoch, *claim.epoch_version);
    return;
  }
  CreateEpochNode(claim.epoch);
}

void OfficeStore::CreateEpochNode(ControllerEpoch epoch) {
  client_.Create(
      {.path = zk::ControllerEpochPath(), .data = wire::EncodeControllerEpoch(epoch)},
      [this, epoch, alive = std::weak_ptr<int>(alive_)](const zk::Outcome<zk::OpResult>& outcome) {
        if (alive.expired() || outcome.Is(zk::ErrorKind::kSessionExpired)) {
          return;
        }
        if (outcome.ok()) {
          SendClaim(epoch, ControllerEpochVersion(0));
          return;
        }
        // Somebody else has made it, or the answer was lost: the next reading tells.
        EmitLost(RefusalOfClaim(outcome));
      });
}

void OfficeStore::SendClaim(ControllerEpoch epoch, ControllerEpochVersion version) {
  ControllerRegistration self = self_;
  self.timestamp_ms = wall_ms_();
  const ControllerEpoch claimed = epoch.Next();
  std::vector<zk::Op> ops;
  ops.emplace_back(zk::CreateOp{.path = zk::ControllerPath(),
                                .data = wire::EncodeControllerRegistration(self),
                                .mode = zk::CreateMode::kEphemeral});
  ops.emplace_back(zk::SetOp{.path = zk::ControllerEpochPath(),
                             .data = wire::EncodeControllerEpoch(claimed),
                             .expected = zk::AtVersion{version.value()}});
  client_.Multi(std::move(ops), [this, claimed, version, alive = std::weak_ptr<int>(alive_)](
                                    const zk::Outcome<std::vector<zk::OpResult>>& outcome) {
    if (alive.expired() || outcome.Is(zk::ErrorKind::kSessionExpired)) {
      return;
    }
    if (outcome.ok()) {
      EmitClaim(ClaimDone::Outcome::kWon, claimed, version.Next());
    } else {
      SettleClaim(claimed, RefusalOfClaim(outcome));
    }
  });
}

void OfficeStore::SettleClaim(ControllerEpoch claimed, const std::string& refusal) {
  office_.ReadFor([this, claimed, refusal](const OfficeRead& office) {
    // Our id alone may be that of an earlier life.
    const bool ours = office.taken && office.holder && office.holder->life == self_.life &&
                      office.holder_session == client_.session_id();
    if (!office.readable) {
      EmitClaim(ClaimDone::Outcome::kUnknown, claimed, ControllerEpochVersion(0));
    } else if (ours && office.epoch == claimed && office.epoch_version) {
      EmitClaim(ClaimDone::Outcome::kWon, claimed, *office.epoch_version);
    } else {
      EmitLost(office.taken ? std::string() : refusal);
    }
  });
}

void OfficeStore::EmitLost(std::string problem) {
  emit_(ClaimDone{.generation = client_.generation().value(),
                  .outcome = ClaimDone::Outcome::kLost,
                  .problem = std::move(problem)});
}

void OfficeStore::EmitClaim(ClaimDone::Outcome outcome,
                            ControllerEpoch epoch,
                            ControllerEpochVersion version) {
  emit_(ClaimDone{.generation = client_.generation().value(),
                  .outcome = outcome,
                  .epoch = epoch,
                  .epoch_version = version});
}

void OfficeStore::Resign(const ResignOffice& resign) {
  SendResignation({.resign = resign,
                   .quarantine_exists = false,
                   .with_quarantine = resign.quarantine && !resign.quarantine->path.empty()});
}

void OfficeStore::SendResignation(Resigning resigning) {
  std::vector<zk::Op> ops;
  ops.emplace_back(
      zk::CheckOp{.path = zk::ControllerEpochPath(), .version = resigning.resign.licence.value()});
  ops.emplace_back(zk::DeleteOp{.path = zk::ControllerPath(), .expected = zk::AnyVersion{}});
  if (resigning.with_quarantine) {
    const QuarantineEntry& item = *resigning.resign.quarantine;
    const std::string path = zk::RegentQuarantinePath(item.path);
    const std::string data =
        wire::EncodeQuarantineEntry({.path = item.path,
                                     .node_version = item.node_version,
                                     .reason = item.reason,
                                     .controller_epoch = item.controller_epoch});
    if (resigning.quarantine_exists) {
      ops.emplace_back(zk::SetOp{.path = path, .data = data, .expected = zk::AnyVersion{}});
    } else {
      ops.emplace_back(zk::CreateOp{.path = path, .data = data});
    }
  }
  client_.Multi(
      std::move(ops), [this, resigning = std::move(resigning), alive = std::weak_ptr<int>(alive_)](
                          const zk::Outcome<std::vector<zk::OpResult>>& outcome) mutable {
        if (alive.expired() || outcome.Is(zk::ErrorKind::kSessionExpired)) {
          return;
        }
        if (outcome.unknown()) {
          SettleResignation(std::move(resigning));
          return;
        }
        const int failed = outcome.ok() ? -1 : outcome.error().failed_op;
        if (failed == 2 && !resigning.quarantine_exists && outcome.Is(zk::ErrorKind::kNodeExists)) {
          resigning.quarantine_exists = true;
          SendResignation(std::move(resigning));
          return;
        }
        if (failed >= 2 || (failed < 0 && !outcome.ok() && resigning.with_quarantine)) {
          // The entry cannot be written: the office is given up all the same.
          LOG(ERROR) << "quarantine not written item=" << resigning.resign.quarantine->path
                     << " outcome=\"" << outcome.ToText() << '"';
          resigning.with_quarantine = false;
          SendResignation(std::move(resigning));
          return;
        }
        EmitResigned();
      });
}

void OfficeStore::SettleResignation(Resigning resigning) {
  office_.ReadFor([this, resigning = std::move(resigning)](const OfficeRead& office) {
    if (office.taken && office.holder_session == client_.session_id()) {
      SendResignation(resigning);
    } else {
      EmitResigned();
    }
  });
}

void OfficeStore::EmitResigned() {
  emit_(ResignDone{.generation = client_.generation().value()});
}

}  // namespace regent::controller
