#include "config_service/reconcile/reconciler.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "config_service/reconcile/carrier_certificate.h"
#include "config_service/reconcile/reader.h"
#include "config_service/store/fleet_records.h"
#include "config_service/store/keys.h"
#include "config_service/store/limits.h"

namespace sallyport::reconcile {
namespace {

// How long it waits for a change before it looks whether it is to stop.
constexpr absl::Duration kIdle = absl::Seconds(30);
// Batches that are taken together at most.
constexpr int kMaxBatches = 64;
// Statuses that are written together at most; each has its message twice. They
// fit into a commit.
constexpr size_t kMaxStatusesOfCommit = 256;
constexpr size_t kMaxStatusMessageBytes = 8192;
static_assert(kMaxStatusesOfCommit * 3 * kMaxStatusMessageBytes <
              store::kMaxCommitBytes);

// The beginning of a message that is too long.
std::string Shortened(const std::string& message) {
  if (message.size() <= kMaxStatusMessageBytes) return message;
  size_t size = kMaxStatusMessageBytes;
  // Not in the middle of a character.
  while (size > 0 && (static_cast<uint8_t>(message[size]) & 0xC0) == 0x80) {
    --size;
  }
  return absl::StrCat(message.substr(0, size), "...");
}

// What is not part of what proxies get.
bool IsAside(absl::string_view key) {
  return absl::StartsWith(key, store::kAuditPrefix) ||
         absl::StartsWith(key, store::kRequestsPrefix) ||
         absl::StartsWith(key, "refs/") || absl::StartsWith(key, "status/");
}

}  // namespace

Reconciler::Reconciler(store::Store* store, const store::Sealer* sealer,
                       xds::Cache* cache, const xds::Ledger* ledger,
                       const Clock* clock, Options options, Log log)
    : store_(store),
      sealer_(sealer),
      cache_(cache),
      ledger_(ledger),
      clock_(clock),
      options_(options),
      log_(std::move(log)) {}

absl::StatusOr<std::unique_ptr<Reconciler>> Reconciler::Start(
    store::Store* store, const store::Sealer* sealer, xds::Cache* cache,
    const xds::Ledger* ledger, const Clock* clock, Options options, Log log) {
  std::unique_ptr<Reconciler> made(new Reconciler(
      store, sealer, cache, ledger, clock, options, std::move(log)));
  SALLYPORT_RETURN_IF_ERROR(made->Begin(*sealer));
  return made;
}

absl::Status Reconciler::Begin(const store::Sealer& sealer) {
  SALLYPORT_ASSIGN_OR_RETURN(const xds::Translated carrier,
                             CarrierCertificate(*store_, sealer, *clock_));
  SALLYPORT_ASSIGN_OR_RETURN(
      xds::ResourcePtr made,
      xds::Resource::Make(carrier.key.type, carrier.key.name, carrier.message));
  {
    absl::MutexLock lock(&mu_);
    graph_ = std::make_unique<Graph>(
        sealer_, std::move(made), options_.backends,
        [this](const std::string& fleet) { return PublishedIn(fleet); });
  }
  SALLYPORT_RETURN_IF_ERROR(Resync());
  SALLYPORT_RETURN_IF_ERROR(ForgetOldStatus());
  thread_ = std::thread([this] { Run(); });
  return absl::OkStatus();
}

Reconciler::~Reconciler() {
  {
    absl::MutexLock lock(&watch_mu_);
    stopping_ = true;
    if (watcher_ != nullptr) watcher_->Cancel();
    wake_.SignalAll();
  }
  if (thread_.joinable()) thread_.join();
  std::map<std::string, std::unique_ptr<FleetPublisher>> publishers;
  {
    absl::MutexLock lock(&publishers_mu_);
    publishers.swap(publishers_);
  }
  publishers.clear();
}

void Reconciler::Run() {
  while (true) {
    {
      absl::MutexLock lock(&watch_mu_);
      if (stopping_) return;
    }
    absl::Status status = resync_ ? Resync() : Follow();
    if (absl::IsOutOfRange(status)) {
      // What it followed is compacted.
      resync_ = true;
      continue;
    }
    {
      absl::MutexLock lock(&mu_);
      const bool was_good = store_problem_.empty();
      store_problem_ = status.ok() ? "" : status.ToString();
      if (was_good == status.ok()) {
      } else if (status.ok()) {
        log_("the store can be read again");
      } else {
        log_(absl::StrCat("the store cannot be read: ", store_problem_));
      }
    }
    absl::MutexLock lock(&watch_mu_);
    if (status.ok() || stopping_) continue;
    wake_.WaitWithTimeout(&watch_mu_, kRetryAfter);
  }
}

absl::Status Reconciler::Resync() {
  resync_ = true;
  store::ListRequest request;
  request.limit = 1;
  request.what = store::ListRequest::What::kKeysOnly;
  SALLYPORT_ASSIGN_OR_RETURN(const store::ListPage page, store_->List(request));
  SALLYPORT_ASSIGN_OR_RETURN(std::unique_ptr<store::Watcher> watcher,
                             store_->Watch("", page.revision));
  {
    absl::MutexLock lock(&watch_mu_);
    watcher_ = std::move(watcher);
    if (stopping_) watcher_->Cancel();
  }
  {
    absl::MutexLock lock(&mu_);
    Reader reader(store_, page.revision);
    SALLYPORT_RETURN_IF_ERROR(graph_->TouchAll(reader));
  }
  seen_ = page.revision;
  SALLYPORT_RETURN_IF_ERROR(Update(seen_));
  resync_ = false;
  return absl::OkStatus();
}

absl::Status Reconciler::Follow() {
  bool any = behind_;
  for (int i = 0; i < kMaxBatches; ++i) {
    // Watcher is not guarded: only this thread replaces it.
    absl::StatusOr<store::WatchBatch> batch =
        watcher_->Next(any ? absl::ZeroDuration() : kIdle);
    if (absl::IsCancelled(batch.status())) return absl::OkStatus();
    SALLYPORT_RETURN_IF_ERROR(batch.status());
    any = any || batch->revision != seen_;
    seen_ = batch->revision;
    if (batch->changes.empty()) break;
    absl::MutexLock lock(&mu_);
    for (const store::Change& change : batch->changes) {
      if (!IsAside(change.record.key)) graph_->Touch(change.record.key);
    }
  }
  if (!any) return absl::OkStatus();
  behind_ = true;
  SALLYPORT_RETURN_IF_ERROR(Update(seen_));
  behind_ = false;
  return absl::OkStatus();
}

absl::Status Reconciler::Update(store::Revision at) {
  std::vector<std::string> gone;
  {
    absl::MutexLock lock(&mu_);
    Reader reader(store_, at);
    SALLYPORT_RETURN_IF_ERROR(graph_->Update(reader));
    read_revision_ = static_cast<uint64_t>(at.value());
    gone = Deliver(graph_->TakeChanges(read_revision_));
  }
  EndPublishers(gone);
  LogProblems();
  return WriteStatus();
}

absl::Status Reconciler::WriteStatus() {
  {
    absl::MutexLock lock(&mu_);
    for (auto& [domain, problem] : graph_->TakeDomainProblems()) {
      domain_problems_[domain] = problem;
    }
  }
  while (!domain_problems_.empty()) {
    store::Commit commit;
    auto end = domain_problems_.begin();
    for (; end != domain_problems_.end() &&
           commit.puts.size() + commit.deletes.size() < kMaxStatusesOfCommit;
         ++end) {
      AddStatus(end->first, end->second, commit);
    }
    SALLYPORT_RETURN_IF_ERROR(store_->Apply(commit).status());
    domain_problems_.erase(domain_problems_.begin(), end);
  }
  return absl::OkStatus();
}

void Reconciler::AddStatus(const std::string& domain,
                           const std::string& problem,
                           store::Commit& commit) const {
  const std::string resource = domain::DomainNameName(domain).ToString();
  const std::string key = store::StatusKey(resource);
  if (problem.empty()) {
    commit.deletes.push_back(key);
    return;
  }
  const std::optional<DomainState> state = Domain(domain);
  store::ResourceStatus status;
  status.domain_status = domain::DomainName::Status::kFailed;
  status.message =
      state.has_value() && state->served
          ? absl::StrCat(Shortened(problem), "; what was in force before stays")
          : Shortened(problem);
  domain::Condition condition;
  condition.type = "Programmed";
  condition.status = domain::Condition::Status::kFalse;
  condition.reason = "CANNOT_BE_SHOWN";
  condition.message = status.message;
  {
    absl::MutexLock lock(&mu_);
    condition.observed_revision = static_cast<int64_t>(read_revision_);
  }
  condition.transition_time = clock_->Now();
  status.conditions.push_back(std::move(condition));
  commit.puts.push_back({key, store::Encode(status), {}});
}

absl::Status Reconciler::ForgetOldStatus() {
  Reader reader(store_, seen_);
  SALLYPORT_ASSIGN_OR_RETURN(
      const std::vector<std::string> keys,
      reader.Keys(
          store::StatusKey(store::CollectionPrefix<domain::DomainNameName>())));
  for (const std::string& key : keys) {
    const std::string domain(store::IdOfKey(key));
    const std::optional<DomainState> state = Domain(domain);
    if (state.has_value() && !state->problem.empty()) continue;
    domain_problems_[domain].clear();
  }
  return WriteStatus();
}

std::vector<std::string> Reconciler::Deliver(
    std::map<std::string, FleetChange> changes) {
  absl::MutexLock lock(&publishers_mu_);
  std::vector<std::string> gone;
  for (const auto& [name, publisher] : publishers_) {
    if (changes.count(name) == 0) gone.push_back(name);
  }
  for (auto& one : changes) {
    const std::string& name = one.first;
    std::unique_ptr<FleetPublisher>& publisher = publishers_[name];
    if (publisher != nullptr) {
      publisher->Add(std::move(one.second));
      continue;
    }
    publisher = std::make_unique<FleetPublisher>(
        name, std::move(one.second), cache_, ledger_, clock_,
        options_.max_step_wait, options_.withdrawn_for, log_,
        [this](const std::string& domain, const std::string& message) {
          Held(domain, message);
        });
  }
  return gone;
}

void Reconciler::EndPublishers(const std::vector<std::string>& fleets) {
  for (const std::string& name : fleets) {
    std::unique_ptr<FleetPublisher> ended;
    {
      absl::MutexLock lock(&publishers_mu_);
      ended = std::move(publishers_[name]);
      publishers_.erase(name);
    }
    // Its thread may be about to say something.
    ended.reset();
    // Its nodes, if any, are to have nothing.
    xds::Publication nothing;
    nothing.kind = xds::Publication::Kind::kWhole;
    nothing.store_revision = static_cast<uint64_t>(seen_.value());
    const absl::Status status = cache_->Publish(name, nothing).status();
    if (!status.ok()) {
      log_(absl::StrCat("fleet ", name, ": ", status.ToString()));
    }
  }
}

void Reconciler::Held(const std::string& domain, const std::string& message) {
  const std::optional<DomainState> state = Domain(domain);
  // What cannot be translated has its own word.
  if (!state.has_value() || !state->problem.empty()) return;
  store::Commit commit;
  AddStatus(domain, message, commit);
  const absl::Status status = store_->Apply(commit).status();
  if (!status.ok()) {
    log_(
        absl::StrCat(domain, ": cannot write its status: ", status.ToString()));
  }
}

uint64_t Reconciler::PublishedIn(const std::string& fleet) const {
  absl::MutexLock lock(&publishers_mu_);
  const auto found = publishers_.find(fleet);
  return found == publishers_.end() ? ~uint64_t{0} : found->second->revision();
}

void Reconciler::LogProblems() {
  std::vector<std::string> problems;
  {
    absl::MutexLock lock(&mu_);
    problems = graph_->Problems(kMaxListedProblems);
  }
  if (problems == logged_problems_) return;
  for (const std::string& problem : problems) {
    if (std::find(logged_problems_.begin(), logged_problems_.end(), problem) ==
        logged_problems_.end()) {
      log_(absl::StrCat("cannot be shown as it is: ", problem));
    }
  }
  logged_problems_ = std::move(problems);
}

std::optional<DomainState> Reconciler::Domain(const std::string& domain) const {
  absl::MutexLock lock(&mu_);
  return graph_->Domain(domain);
}

bool Reconciler::Needs(const std::string& domain,
                       const xds::ResourceKey& key) const {
  absl::MutexLock lock(&mu_);
  return graph_->Needs(domain, key);
}

bool Reconciler::PublishAside(const std::string& fleet, FleetChange change) {
  absl::MutexLock lock(&publishers_mu_);
  const auto found = publishers_.find(fleet);
  if (found == publishers_.end() || found->second == nullptr) return false;
  found->second->Add(std::move(change));
  return true;
}

std::vector<FleetPublisher::NodeRefusal> Reconciler::HeldRefusals(
    const std::string& fleet) const {
  absl::MutexLock lock(&publishers_mu_);
  const auto found = publishers_.find(fleet);
  if (found == publishers_.end()) return {};
  return found->second->HeldRefusals();
}

ReconcilerStats Reconciler::Stats() const {
  ReconcilerStats stats;
  {
    absl::MutexLock lock(&mu_);
    stats.read_revision = read_revision_;
    stats.num_domains = graph_->num_domains();
    stats.num_translated = graph_->num_translated();
    stats.num_problems = graph_->num_problems();
    stats.problems = graph_->Problems(kMaxListedProblems);
    stats.store_problem = store_problem_;
  }
  absl::MutexLock lock(&publishers_mu_);
  stats.num_fleets = publishers_.size();
  stats.published_revision = stats.read_revision;
  for (const auto& [name, publisher] : publishers_) {
    stats.published_revision =
        std::min(stats.published_revision, publisher->revision());
    stats.num_timeouts += publisher->num_timeouts();
    stats.num_held += publisher->num_held();
  }
  return stats;
}

}  // namespace sallyport::reconcile
