#include "controller/core/candidate.h"

#include <algorithm>
#include <utility>

#include <glog/logging.h>

#include "common/base/overloaded.h"
#include "controller/core/invariant.h"

namespace regent::controller {
namespace {

constexpr Duration kRootRetry = std::chrono::seconds(1);
constexpr Duration kOfficeRetry = std::chrono::milliseconds(200);
/// What lasts is said again this often.
constexpr Duration kReportEvery = std::chrono::seconds(30);

struct Problem {
  const char* what = "";
  std::string why;  ///< Empty: there is none.
};

/// Why an office that has been read so can neither be held nor won.
Problem ProblemOf(const OfficeRead& office) {
  if (!office.readable) {
    return {"office not readable", office.problem};
  }
  if (!office.problem.empty()) {
    return {"controller not readable", office.problem};
  }
  if (!office.taken && office.epoch >= kControllerEpochMax) {
    return {"office not claimed",
            "/controller_epoch is " + std::to_string(office.epoch.value()) +
                ", and there is none after it: stop all controllers and brokers, then set it to a "
                "number just above the controller epochs in the partition states"};
  }
  return {};
}

}  // namespace

Candidate::Candidate(CandidateOptions options) : options_(std::move(options)) {}
Candidate::~Candidate() = default;

Actions Candidate::Handle(Event event, Instant now) {
  now_ = now;
  // By plain reference each: a const one would lose against the catch-all below.
  std::visit(Overloaded{
                 [&](SessionConnected& e) { On(e); },
                 [&](LeaseEnded& e) { On(e); },
                 [&](SessionExpired& e) { On(e); },
                 [&](RootRead& e) { On(e); },
                 [&](RootPrepared& e) { On(e); },
                 [&](OfficeRead& e) { On(e); },
                 [&](ClaimDone& e) { On(e); },
                 [&](ResignDone& e) { On(e); },
                 [&](StopRequested& e) { On(e); },
                 [&](ResignRequested& e) { On(e); },
                 [&](Ticked& e) { On(e); },
                 [&](auto& e) { ToTerm(std::move(e)); },
             },
             event);
  return std::exchange(out_, {});
}

const Controller* Candidate::term() const {
  return term_ != nullptr && term_->loaded() ? term_.get() : nullptr;
}

std::string Candidate::waiting_for() const {
  if (!problem_.empty() || term_ == nullptr || term_->loaded()) {
    return problem_;
  }
  return term_->load_problem();
}

size_t Candidate::requests_open() const {
  return term_ == nullptr ? 0 : term_->requests_open();
}

// --- The session ---

void Candidate::On(const SessionConnected& event) {
  if (stage_ == Stage::kStopped) {
    return;
  }
  session_id_ = event.session_id;
  no_contact_ = false;
  if (event.generation != generation_) {
    generation_ = event.generation;
    if (term_ != nullptr && options_.never_fence) {
      checking_office_ = false;  // The answer went with the session.
      return;
    }
    if (term_ != nullptr) {
      FinishTerm("another session");
    }
    fenced_ = false;
    stage_ = Stage::kRoot;
    out_.push_back(ReadRoot{});
    return;
  }
  if (term_ == nullptr) {
    fenced_ = false;  // Nothing to go on with: a later term does not begin fenced.
  }
  if (stage_ == Stage::kServing || stage_ == Stage::kFollowing) {
    // Fenced is not expired (R4): the term goes on if the office is still ours.
    checking_office_ = true;
    out_.push_back(ReadOffice{});
  }
}

void Candidate::On(const LeaseEnded& event) {
  if (event.generation != generation_ || options_.never_fence) {
    return;
  }
  no_contact_ = true;
  if (std::exchange(fenced_, true)) {
    return;
  }
  if (term_ != nullptr) {
    FenceTerm("no contact with ZooKeeper");
  }
}

void Candidate::FenceTerm(const std::string& why) {
  LOG(WARNING) << "fenced epoch=" << term_->epoch() << " reason=" << why;
  announced_active_ = false;
  if (InTerm([&] { term_->SetFenced(true, now_, out_); })) {
    Publish("fenced: " + why);
  }
}

void Candidate::On(const SessionExpired& event) {
  if (event.generation != generation_ || (term_ != nullptr && options_.never_fence)) {
    return;
  }
  if (term_ != nullptr) {
    FinishTerm("session expired");
  }
  const bool leaving = stage_ == Stage::kResigning && stopping_;
  if (stage_ != Stage::kStopped) {
    stage_ = leaving ? Stage::kStopped : Stage::kNoSession;
  }
  office_.reset();
  vacant_since_.reset();
  retry_wanted_ = false;
  problem_.clear();
  if (leaving) {
    out_.push_back(OfficeLeft{});
  }
}

// --- The root ---

void Candidate::RetryAfter(Duration delay) {
  retry_wanted_ = true;
  retry_at_ = now_ + delay;
}

void Candidate::RefuseRoot(const char* what, const std::string& why) {
  Report(what, why);
  RetryAfter(kRootRetry);
}

void Candidate::Report(const char* what, const std::string& problem) {
  const bool news = problem != problem_;
  problem_ = problem;
  if (problem.empty()) {
    if (news) {
      LOG(INFO) << "candidate no longer hindered id=" << options_.self.id;
      Publish("no longer hindered");
    }
    return;
  }
  if (news || now_ >= report_again_at_) {
    report_again_at_ = now_ + kReportEvery;
    LOG(ERROR) << what << " problem=\"" << problem << "\" id=" << options_.self.id
               << " highest_controller_epoch=" << highest_epoch_;
  }
  if (news) {
    Publish(problem);
  }
}

void Candidate::On(const RootRead& event) {
  if (event.generation != generation_ || stage_ != Stage::kRoot) {
    return;
  }
  if (!event.readable) {
    RefuseRoot("root not readable", event.problem);
    return;
  }
  const std::string& known = options_.known_cluster_id;
  if (!known.empty() && event.cluster_id != known) {
    RefuseRoot("not a candidate",
               "this process belongs to cluster " + known + ", and ZooKeeper holds " +
                   (event.cluster_id ? "cluster " + *event.cluster_id : "no cluster") +
                   ": check --zookeeper and --zk-root; a wiped ZooKeeper is not filled again");
    return;
  }
  if (event.holds_cluster && !event.has_format && !options_.adopt) {
    RefuseRoot(
        "not a candidate",
        "the root holds a cluster that is not ours (there is no /regent/format): check --zk-root, "
        "or take it over with --adopt");
    return;
  }
  if (!event.cluster_id || !event.has_format || !event.base_paths) {
    if (!known.empty()) {
      RefuseRoot("not a candidate",
                 "base paths are missing in ZooKeeper, and this process belongs to cluster " +
                     known + ": it does not make them anew");
      return;
    }
    out_.push_back(PrepareRoot{event.cluster_id.value_or("")});
    return;
  }
  options_.known_cluster_id = *event.cluster_id;
  Report("", {});
  stage_ = Stage::kFollowing;
  out_.push_back(ReadOffice{});
}

void Candidate::On(const RootPrepared& event) {
  if (event.generation != generation_ || stage_ != Stage::kRoot) {
    return;
  }
  if (!event.done) {
    RefuseRoot("root not prepared", event.problem);
    return;
  }
  out_.push_back(ReadRoot{});
}

// --- The office ---

bool Candidate::HeldByUs(const OfficeRead& event) const {
  // Our id from an earlier life or session is somebody else (KAFKA-13407).
  return event.taken && event.holder && event.holder->life == options_.self.life &&
         event.holder_session == session_id_;
}

void Candidate::On(const OfficeRead& event) {
  if (event.generation != generation_ || stage_ == Stage::kStopped || stage_ == Stage::kRoot ||
      stage_ == Stage::kNoSession) {
    return;
  }
  office_ = event;
  if (event.taken) {
    claim_problem_.clear();
  }
  Problem problem = ProblemOf(event);
  if (problem.why.empty()) {
    problem = {"claim refused", claim_problem_};
  }
  Report(problem.what, problem.why);
  if (!event.readable) {
    if (stage_ == Stage::kServing && term_->office_in_doubt() && !options_.never_fence &&
        !std::exchange(blind_, true)) {
      FenceTerm("the office is in doubt and cannot be read");
    }
    RetryAfter(kOfficeRetry);
    return;
  }
  highest_epoch_ = std::max(highest_epoch_, event.epoch);
  if (stage_ == Stage::kServing) {
    CheckOffice(event);
  } else if (stage_ == Stage::kFollowing) {
    Follow(event);
  }
}

void Candidate::CheckOffice(const OfficeRead& event) {
  checking_office_ = false;
  const bool ours =
      HeldByUs(event) && event.epoch == term_->epoch() && event.epoch_version == term_->licence();
  if (ours) {
    second_look_ = false;
    term_->SettleDoubt();
    // What was read before the contact was lost does not end the fence.
    if ((fenced_ || blind_) && !no_contact_) {
      fenced_ = false;
      blind_ = false;
      LOG(INFO) << "fence lifted epoch=" << term_->epoch();
      if (!InTerm([&] { term_->SetFenced(false, now_, out_); })) {
        return;
      }
    }
    AfterTerm();
    return;
  }
  if (LooksAway()) {
    return;
  }
  const bool newer = event.epoch > term_->epoch() || event.epoch_version > term_->licence();
  if (!newer && !std::exchange(second_look_, true)) {
    // Nobody has followed us by this reading: it may have begun before our claim.
    checking_office_ = true;
    out_.push_back(ReadOffice{});
    return;
  }
  FinishTerm("office lost");
  stage_ = Stage::kFollowing;
  Follow(event);
}

void Candidate::Follow(const OfficeRead& event) {
  if (event.taken && event.holder_session == session_id_) {
    FollowOurselves(event);
    return;
  }
  if (event.taken) {
    vacant_since_.reset();
    Publish(problem_.empty() ? "elected" : problem_);
    return;
  }
  if (!vacant_since_) {
    vacant_since_ = now_;
    Publish("the office is vacant");
  }
  if (!ProblemOf(event).why.empty()) {
    RetryAfter(kRootRetry);
    return;
  }
  if (now_ < no_claim_before_) {
    RetryAfter(no_claim_before_ - now_);
    return;
  }
  Claim();
}

void Candidate::FollowOurselves(const OfficeRead& event) {
  if (HeldByUs(event) && event.epoch == claimed_ && event.epoch_version) {
    StartTerm(event.epoch, *event.epoch_version);  // The claim whose answer was lost.
    return;
  }
  if (now_ < no_resignation_before_) {
    RetryAfter(no_resignation_before_ - now_);
    return;
  }
  no_resignation_before_ = now_ + kOfficeRetry;
  if (!event.holder) {
    PauseClaims();  // Whatever made our own words unreadable, it may do so again.
  }
  if (!event.epoch_version) {
    Claim();  // Nothing to resign under: a claim that cannot succeed makes the node again.
    return;
  }
  out_.push_back(ResignOffice{.licence = *event.epoch_version, .quarantine = std::nullopt});
  stage_ = Stage::kResigning;
}

void Candidate::PauseClaims() {
  resign_backoff_ =
      std::clamp(resign_backoff_ * 2, options_.resign_backoff_min, options_.resign_backoff_max);
  no_claim_before_ = now_ + resign_backoff_;
}

void Candidate::Claim() {
  // The node may have been removed: epochs do not go back for that.
  const ControllerEpoch epoch =
      office_->epoch_version ? office_->epoch : std::min(highest_epoch_, kControllerEpochMax);
  stage_ = Stage::kClaiming;
  claimed_ = epoch.Next();
  out_.push_back(ClaimOffice{.epoch = epoch, .epoch_version = office_->epoch_version});
}

void Candidate::On(const ClaimDone& event) {
  if (event.generation != generation_ || stage_ != Stage::kClaiming) {
    return;
  }
  switch (event.outcome) {
    case ClaimDone::Outcome::kWon: StartTerm(event.epoch, event.epoch_version); return;
    case ClaimDone::Outcome::kLost:
      claim_problem_ = event.problem;
      no_claim_before_ =
          std::max(no_claim_before_, now_ + (claim_problem_.empty() ? kOfficeRetry : kRootRetry));
      [[fallthrough]];
    case ClaimDone::Outcome::kUnknown:
      stage_ = Stage::kFollowing;
      out_.push_back(ReadOffice{});
      return;
  }
}

void Candidate::StartTerm(ControllerEpoch epoch, ControllerEpochVersion version) {
  claim_problem_.clear();
  Report("", {});
  LOG(INFO) << "office won id=" << options_.self.id << " epoch=" << epoch;
  stage_ = Stage::kServing;
  checking_office_ = false;
  second_look_ = false;
  highest_epoch_ = epoch;
  out_.push_back(BeginTerm{.epoch = epoch, .licence = version});
  term_ = std::make_unique<Controller>(Controller::Options{.term = options_.term,
                                                           .self = options_.self,
                                                           .epoch = epoch,
                                                           .licence = version,
                                                           .cluster_id = options_.known_cluster_id},
                                       ids_, now_, out_);
  claimed_ = ControllerEpoch(0);
  if (fenced_) {
    InTerm([&] { term_->SetFenced(true, now_, out_); });
  }
}

void Candidate::FinishTerm(const std::string& reason) {
  const ControllerEpoch epoch = term_->epoch();
  LOG(INFO) << "term over epoch=" << epoch << " reason=" << reason;
  try {
    term_->AbandonRequests(out_);
  } catch (const InvariantBroken& broken) {
    LOG(ERROR) << "broken promise at the end of a term epoch=" << epoch
               << " reason=" << broken.what();
  }
  term_.reset();
  announced_active_ = false;
  checking_office_ = false;
  blind_ = false;
  fenced_ = no_contact_;  // A later term does not begin with this one's fence.
  out_.push_back(EndTerm{.epoch = epoch, .reason = reason});
  office_.reset();
  Publish(reason);
}

void Candidate::Resign(const std::string& reason, std::optional<QuarantineEntry> quarantine) {
  const ControllerEpochVersion licence = term_->licence();
  FinishTerm(reason);
  stage_ = Stage::kResigning;
  out_.push_back(ResignOffice{.licence = licence, .quarantine = std::move(quarantine)});
}

void Candidate::On(const ResignDone& event) {
  if (event.generation != generation_ || stage_ != Stage::kResigning) {
    return;
  }
  if (stopping_) {
    stage_ = Stage::kStopped;
    out_.push_back(OfficeLeft{});
    return;
  }
  stage_ = Stage::kFollowing;
  out_.push_back(ReadOffice{});
}

void Candidate::On(const StopRequested& /*event*/) {
  if (std::exchange(stopping_, true)) {
    return;
  }
  if (stage_ == Stage::kServing && !fenced_) {
    Resign("resigned: shutdown", std::nullopt);
    return;
  }
  if (term_ != nullptr) {
    FinishTerm("shutdown");
  }
  stage_ = Stage::kStopped;
  out_.push_back(OfficeLeft{});
}

void Candidate::On(const ResignRequested& event) {
  if (stage_ == Stage::kServing && !fenced_) {
    no_claim_before_ = now_ + options_.resign_backoff_min;
    Resign("resigned: " + event.reason, std::nullopt);
  }
}

void Candidate::On(const Ticked& event) {
  if (retry_wanted_ && retry_at_ <= now_) {
    retry_wanted_ = false;
    if (stage_ == Stage::kRoot) {
      out_.push_back(ReadRoot{});
    } else if (stage_ == Stage::kFollowing || stage_ == Stage::kServing) {
      out_.push_back(ReadOffice{});
    }
  }
  if (term_ != nullptr) {
    Serve(event);
  }
}

// --- The term ---

void Candidate::ToTerm(Event event) {
  const bool asked = std::holds_alternative<AlterPartitionAsked>(event) ||
                     std::holds_alternative<ControlledShutdownAsked>(event) ||
                     std::holds_alternative<CreateTopicAsked>(event) ||
                     std::holds_alternative<ElectLeadersAsked>(event) ||
                     std::holds_alternative<DeleteTopicAsked>(event) ||
                     std::holds_alternative<ExtendTopicAsked>(event) ||
                     std::holds_alternative<AlterTopicConfigAsked>(event);
  if (asked && (term() == nullptr || fenced_ || blind_)) {
    Refuse(event);
    return;
  }
  if (term_ != nullptr) {
    Serve(std::move(event));
  }
}

void Candidate::Serve(Event event) {
  if (InTerm([&] { term_->Handle(std::move(event), now_, out_); })) {
    AfterTerm();
  }
}

bool Candidate::InTerm(const std::function<void()>& step) {
  try {
    step();
    return true;
  } catch (const InvariantBroken& broken) {
    PauseClaims();
    LOG(ERROR) << "term ended by a broken promise epoch=" << term_->epoch()
               << " item=" << broken.item().path << " reason=" << broken.what();
    std::optional<QuarantineEntry> item;
    if (!broken.item().path.empty()) {
      item = broken.item();
    }
    Resign(std::string("broken promise: ") + broken.what(), std::move(item));
    return false;
  }
}

bool Candidate::LooksAway() const {
  return options_.never_fence && !term_->write_fenced();
}

void Candidate::AfterTerm() {
  if (term_->office_in_doubt() && !checking_office_ && !LooksAway()) {
    checking_office_ = true;
    out_.push_back(ReadOffice{});
  }
  if (term_->loaded() && !fenced_ && !blind_ && !announced_active_) {
    announced_active_ = true;
    Publish("elected");
    vacant_since_.reset();
  }
}

void Candidate::Refuse(const Event& event) {
  const Error error{ErrorCode::kNotController,
                    "this candidate is not the active controller, or has not loaded the cluster "
                    "yet: ask the controller named, or again"};
  std::visit(
      Overloaded{
          [&](const AlterPartitionAsked& e) {
            AlterPartitionResponse response;
            response.answer = AlterAnswer::kNotController;
            out_.push_back(
                AnswerAlterPartition{.request = e.request, .response = std::move(response)});
          },
          [&](const ControlledShutdownAsked& e) {
            ControlledShutdownResponse response;
            response.error = error;
            out_.push_back(
                AnswerControlledShutdown{.request = e.request, .response = std::move(response)});
          },
          [&](const CreateTopicAsked& e) {
            CreateTopicResult result;
            result.error = error;
            out_.push_back(AnswerCreateTopic{.request = e.request, .result = std::move(result)});
          },
          [&](const ElectLeadersAsked& e) {
            ElectLeadersResult result;
            result.error = error;
            out_.push_back(AnswerElectLeaders{.request = e.request, .result = std::move(result)});
          },
          [&](const DeleteTopicAsked& e) {
            DeleteTopicResult result;
            result.error = error;
            out_.push_back(AnswerDeleteTopic{.request = e.request, .result = std::move(result)});
          },
          [&](const ExtendTopicAsked& e) {
            ExtendTopicResult result;
            result.error = error;
            out_.push_back(AnswerExtendTopic{.request = e.request, .result = std::move(result)});
          },
          [&](const AlterTopicConfigAsked& e) {
            out_.push_back(AnswerAlterTopicConfig{.request = e.request, .result = {error}});
          },
          [](const auto&) {}},
      event);
}

void Candidate::Publish(const std::string& reason) {
  PublishOffice office;
  office.epoch = highest_epoch_;
  office.reason = reason;
  if (term_ != nullptr) {
    office.holder = options_.self;
    office.epoch = term_->epoch();
    office.active_here = announced_active_;
    if (announced_active_ && vacant_since_) {
      office.failover = now_ - *vacant_since_;
    }
  } else if (office_ && office_->taken) {
    office.holder = office_->holder;
  }
  out_.push_back(std::move(office));
}

}  // namespace regent::controller
