#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/instant.h"
#include "controller/core/actions.h"
#include "controller/core/controller.h"
#include "controller/core/events.h"

namespace regent::controller {

struct CandidateOptions {
  ControllerRegistration self;  ///< `timestamp_ms` is filled in by the shell.
  /// The cluster that this process has belonged to: it then creates no base path and no cluster id
  /// again (R10). Empty: it has belonged to none.
  std::string known_cluster_id;
  bool adopt = false;  ///< Take over a root that holds a cluster that is not ours.
  /// Tests only: do not fence ourselves by our own clock, and believe nobody but ZooKeeper, when it
  /// has fenced a write, that another governs.
  bool never_fence = false;
  Duration resign_backoff_min = std::chrono::seconds(1);  ///< After R12; doubles.
  Duration resign_backoff_max = std::chrono::seconds(60);
  TermOptions term;
};

/// A contender for the office of controller, and the term that it serves while it holds it.
///
///     waiting for a session ─► reading the root ─► following ─► claiming ─► serving
///            ▲                                         ▲          │lost        │
///            │ session expired                         └──────────┴────────────┘
///            └──────────────────────────────────────────────── office lost, resigned, fenced off
///
/// Pure: no clock, thread or I/O. One object lives as long as its process; what belongs to a term
/// is in Controller and dies with it (KAFKA-5310).
class Candidate {
 public:
  explicit Candidate(CandidateOptions options);
  ~Candidate();

  /// Digests one event. `now` never goes back.
  Actions Handle(Event event, Instant now);

  /// The term, once it has loaded the cluster; null otherwise. For queries on the loop's thread.
  const Controller* term() const;
  bool active() const { return term() != nullptr; }
  /// What keeps it from being a candidate, or from serving, and what helps; empty: nothing that it
  /// knows of. Whether there is a session is for others to say.
  std::string waiting_for() const;
  /// Requests of callers that have not been answered yet.
  size_t requests_open() const;

 private:
  enum class Stage { kNoSession, kRoot, kFollowing, kClaiming, kServing, kResigning, kStopped };

  void On(const SessionConnected& event);
  void On(const LeaseEnded& event);
  void On(const SessionExpired& event);
  void On(const RootRead& event);
  void On(const RootPrepared& event);
  void On(const OfficeRead& event);
  void On(const ClaimDone& event);
  void On(const ResignDone& event);
  void On(const StopRequested& event);
  void On(const ResignRequested& event);
  void On(const Ticked& event);
  /// Everything else belongs to the term, or is refused if there is none.
  void ToTerm(Event event);
  void Refuse(const Event& event);

  /// Hands an event to the term.
  void Serve(Event event);
  /// Does something in the term; its broken promise ends the term (R12), and false is returned.
  bool InTerm(const std::function<void()>& step);
  /// Looks at what the term has come to after an event.
  void AfterTerm();
  bool LooksAway() const;
  void CheckOffice(const OfficeRead& event);
  void Follow(const OfficeRead& event);
  /// Our own session holds the office, and we serve no term.
  void FollowOurselves(const OfficeRead& event);
  bool HeldByUs(const OfficeRead& event) const;
  void Claim();
  void StartTerm(ControllerEpoch epoch, ControllerEpochVersion version);
  /// Ends the term; open requests are answered.
  void FinishTerm(const std::string& reason);
  void Resign(const std::string& reason, std::optional<QuarantineEntry> quarantine);
  /// The term stops sending and writing until the office is found ours.
  void FenceTerm(const std::string& why);
  /// Claims nothing for a while, longer each time.
  void PauseClaims();
  void Publish(const std::string& reason);
  /// Tells people what hinders us, again and again while it lasts; empty: nothing does any more.
  void Report(const char* what, const std::string& problem);
  void RetryAfter(Duration delay);
  void RefuseRoot(const char* what, const std::string& why);

  CandidateOptions options_;
  Stage stage_ = Stage::kNoSession;
  uint64_t generation_ = 0;
  int64_t session_id_ = 0;
  bool no_contact_ = false;  ///< By the clock: the lease has ended, and ZooKeeper is not back.
  bool fenced_ = false;      ///< For want of contact, until the term finds its office again.
  bool blind_ = false;  ///< The term's office is in doubt and cannot be read: it is fenced, too.
  bool stopping_ = false;
  bool retry_wanted_ = false;  ///< Read root or office again at `retry_at_`.
  Instant retry_at_;
  Duration resign_backoff_{0};
  Instant no_claim_before_;
  Instant no_resignation_before_;
  std::optional<OfficeRead> office_;  ///< As last read.
  std::optional<Instant> vacant_since_;
  std::unique_ptr<Controller> term_;
  bool announced_active_ = false;
  bool checking_office_ = false;
  bool second_look_ = false;          ///< The office did not look like ours: read once more.
  ControllerEpoch highest_epoch_{0};  ///< That we have heard of.
  ControllerEpoch claimed_{0};        ///< The epoch that the last claim would give us.
  std::string problem_;               ///< As last reported; empty: nothing hinders us.
  std::string claim_problem_;         ///< Why ZooKeeper refuses our claims; empty: it does not.
  Instant report_again_at_;
  Instant now_;
  Actions out_;
  TermIds ids_;
};

}  // namespace regent::controller
