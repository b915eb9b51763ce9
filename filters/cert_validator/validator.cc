#include "filters/cert_validator/validator.h"

#include <algorithm>
#include <atomic>
#include <tuple>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "filters/cert_validator/checked_chain.h"
#include "filters/cert_validator/connection_record.h"
#include "filters/shim/clock.h"
#include "filters/shim/domain.h"
#include "filters/shim/log.h"
#include "google/protobuf/util/message_differencer.h"

namespace sallyport::cert_validator {
namespace {

namespace v1 = ::sallyport::filter::v1;

constexpr absl::string_view kSchema = "sallyport validator 2";

// In the log and, after the verdict, in the failure reason of the handshake.
constexpr absl::string_view kNoJudge =
    "no filter sallyport.mtls or sallyport.mtls_tcp of the domain is loaded, "
    "so nobody would refuse this client's requests";

size_t BytesOf(absl::Span<const absl::string_view> chain) {
  size_t bytes = 0;
  for (const absl::string_view der : chain) bytes += der.size();
  return bytes;
}

// Every truststore refuses to look at as much as that.
bool IsOverEveryLimit(const TrustState& state,
                      absl::Span<const absl::string_view> chain) {
  const size_t bytes = BytesOf(chain);
  const auto& sources = state.active().sources;
  return std::all_of(
      sources.begin(), sources.end(), [&](const TrustSource& source) {
        return chain.size() > source.policy.max_client_certificates ||
               bytes > source.policy.max_client_chain_bytes;
      });
}

}  // namespace

absl::StatusOr<std::shared_ptr<Validator>> Validator::Create(
    const v1::TruststoreValidator& config, absl::Time now) {
  std::shared_ptr<Validator> validator(new Validator);

  absl::StatusOr<std::string> domain = shim::ReadDomain(config.domain());
  if (!domain.ok()) {
    return absl::Status(domain.status().code(),
                        absl::StrCat("domain: ", domain.status().message()));
  }
  validator->domain_ = *std::move(domain);
  switch (config.rejection()) {
    case v1::REJECTION_STYLE_UNSPECIFIED:
    case v1::FORBIDDEN:
    case v1::BAD_REQUEST:
    case v1::PASS:
      break;
    case v1::HANDSHAKE:
      validator->refuses_handshakes_ = true;
      validator->refused_handshakes_ =
          RefusedHandshakes::For(validator->domain_);
      break;
    default:
      return absl::InvalidArgumentError(
          "rejection: is nothing that this version knows; FORBIDDEN, "
          "HANDSHAKE, BAD_REQUEST or PASS");
  }
  if (config.from_registry()) {
    return CreateForRegistry(config, std::move(validator));
  }
  SALLYPORT_ASSIGN_OR_RETURN(TrustReading active, ReadTrust(config));
  absl::optional<TrustReading> shadow;
  if (config.has_shadow()) {
    SALLYPORT_ASSIGN_OR_RETURN(shadow, ReadShadow(config.shadow()));
  }
  std::vector<std::shared_ptr<FollowedFile>> files = active.Files();
  if (shadow.has_value()) {
    for (auto& file : shadow->Files()) files.push_back(std::move(file));
  }
  {
    absl::MutexLock lock(&validator->mu_);
    validator->active_ = std::move(active);
    validator->shadow_ = std::move(shadow);
    validator->state_ = TrustState::Intern(validator->MakeSpec());
    validator->digest_ = std::string(pki::AsBytes(pki::Sha256(
        absl::StrCat(kSchema, ";", pki::AsBytes(validator->state_->digest()),
                     ";", validator->refuses_handshakes_ ? 1 : 0))));
    LogWarnings(*validator->state_, now);
    validator->trust_ = DomainTrust::For(validator->domain_);
    validator->binding_ = std::make_unique<DomainTrust::Binding>(
        validator->trust_, validator->state_);
    // An update, or another filter chain of the domain: that shows later.
    const auto bound = validator->trust_->CurrentOfAll();
    if (bound.size() > 1) {
      shim::Log(shim::LogLevel::kInfo,
                absl::StrCat(
                    "domain ", validator->domain_,
                    " has a new validator configuration (",
                    LineageDifference(bound[1]->active(), bound[0]->active()),
                    "). Connections that the one before it let in "
                    "need the trust of both until they end"));
    }
  }
  for (const auto& file : files) file->Subscribe(validator);
  // What came between the reading and the subscription.
  validator->OnFileChanged();
  return validator;
}

absl::StatusOr<std::shared_ptr<Validator>> Validator::CreateForRegistry(
    const v1::TruststoreValidator& config,
    std::shared_ptr<Validator> validator) {
  v1::TruststoreValidator allowed;
  allowed.set_domain(config.domain());
  allowed.set_rejection(config.rejection());
  allowed.set_from_registry(true);
  if (!google::protobuf::util::MessageDifferencer::Equals(config, allowed)) {
    return absl::InvalidArgumentError(
        "from_registry: the registry gives the trust; leave out all other "
        "fields but domain and rejection");
  }
  validator->registry_lineage_ =
      TrustState::RegistryLineage(validator->domain_);
  validator->registry_trust_ = DomainTrust::For(validator->domain_);
  validator->digest_ = std::string(pki::AsBytes(
      pki::Sha256(absl::StrCat(kSchema, ";registry;", validator->domain_, ";",
                               validator->refuses_handshakes_ ? 1 : 0))));
  return validator;
}

std::shared_ptr<const TrustState> Validator::state() const {
  if (registry_trust_ != nullptr) {
    return registry_trust_->CurrentOf(registry_lineage_);
  }
  return std::atomic_load_explicit(&state_, std::memory_order_acquire);
}

std::pair<std::shared_ptr<const CheckedChain>, uint64_t> Validator::Check(
    absl::Span<const absl::string_view> chain, const pki::Sha256Digest& digest,
    absl::Time now) const {
  if (registry_trust_ != nullptr) {
    const uint64_t id = registry_trust_->current_id();
    auto found = id == 0 ? nullptr : FindChecked(id, digest, now);
    if (found != nullptr && found->lineage == registry_lineage_) {
      return {std::move(found), id};
    }
  }
  const std::shared_ptr<const TrustState> state = this->state();
  if (state == nullptr) {
    return {UncheckedChain(chain, registry_lineage_, now), 0};
  }
  if (trust_ != nullptr) NoticeAnotherConfiguration(*state, now);
  // Nobody reads the certificates of a client that is refused in the handshake.
  return {CheckChain(*state, chain, digest, now,
                     refuses_handshakes_ ? ReadCertificates::kIfTrusted
                                         : ReadCertificates::kAlways),
          state->id()};
}

namespace {

void LogRevocationWarnings(const TrustSource& source, absl::string_view label,
                           absl::Time now) {
  if (source.revocation_lists == nullptr ||
      !shim::LogEnabled(shim::LogLevel::kWarning)) {
    return;
  }
  int lines = 0;
  for (const pki::RevocationWarning& warning :
       source.revocation_lists->Warnings(&source.truststore->truststore(),
                                         now)) {
    if (++lines > SharedTruststore::kMaxWarningLines) break;
    shim::Log(
        shim::LogLevel::kWarning,
        absl::StrCat("truststore ", Printable(label), ": revocation list of \"",
                     Printable(warning.issuer, 256), "\" (source ",
                     warning.source, ", block ", warning.block, ", line ",
                     warning.line, "): ", pki::ReasonName(warning.reason), ": ",
                     Printable(warning.message)));
  }
}

}  // namespace

void Validator::LogWarnings(const TrustState& state, absl::Time now) {
  const auto log = [now](const Trust& trust, absl::string_view note) {
    for (const TrustSource& source : trust.sources) {
      const std::string label = absl::StrCat(source.Label(), note);
      source.truststore->LogWarnings(label, source.policy, now);
      LogRevocationWarnings(source, label, now);
    }
  };
  log(state.active(), "");
  if (state.shadow().has_value()) log(*state.shadow(), " (shadow)");
}

TrustState::Spec Validator::MakeSpec() const {
  TrustState::Spec spec;
  spec.domain = domain_;
  spec.active = active_.trust;
  if (shadow_.has_value()) spec.shadow = shadow_->trust;
  return spec;
}

void Validator::OnFileChanged() {
  absl::MutexLock lock(&mu_);
  active_.Refresh();
  if (shadow_.has_value()) shadow_->Refresh();
  const std::shared_ptr<const TrustState> fresh =
      TrustState::Intern(MakeSpec());
  if (fresh == state_) return;
  std::atomic_store(&state_, fresh);
  binding_->Set(fresh);
  LogWarnings(*fresh, shim::ModuleClock().Now());
}

void Validator::NoticeAnotherConfiguration(const TrustState& state,
                                           absl::Time now) const {
  if (trust_->current_id() == state.id()) return;
  const std::shared_ptr<const TrustState> current = trust_->current();
  if (current == nullptr || current->lineage() == state.lineage()) return;
  const int64_t now_seconds = absl::ToUnixSeconds(now);
  int64_t since = 0;
  if (overtaken_since_.compare_exchange_strong(since, now_seconds) ||
      now_seconds - since < absl::ToInt64Seconds(kUpdateTime) ||
      warned_.exchange(true)) {
    return;
  }
  shim::Log(
      shim::LogLevel::kWarning,
      absl::StrCat("domain ", domain_,
                   " has two validator configurations that both get "
                   "connections (",
                   LineageDifference(state.active(), current->active()),
                   "). Clients of one of them need the trust of both. Give "
                   "all filter chains of the domain the same validator "
                   "configuration"));
}

void Validator::WarnOfNoJudge(absl::Time now) const {
  const int64_t now_seconds = absl::ToUnixSeconds(now);
  int64_t last = warned_of_no_judge_.load(std::memory_order_relaxed);
  if (last != 0 && now_seconds >= last &&
      now_seconds - last < absl::ToInt64Seconds(kWarnEvery)) {
    return;
  }
  if (!warned_of_no_judge_.compare_exchange_strong(last, now_seconds)) return;
  shim::Log(shim::LogLevel::kWarning,
            absl::StrCat("domain ", domain_,
                         ": handshakes of clients that are "
                         "not trusted are refused in TLS, because ",
                         kNoJudge,
                         ". Put the filter, with this domain, into the filter "
                         "chain of the validator"));
}

void Validator::CountRefusal(pki::Reason reason) const {
  if (refused_handshakes_ == nullptr) return;
  refused_handshakes_->Add(reason);
  if (!refused_handshakes_->HasOtherStylesOnly() ||
      warned_of_style_.exchange(true)) {
    return;
  }
  shim::Log(
      shim::LogLevel::kWarning,
      absl::StrCat("domain ", domain_,
                   ": rejection is HANDSHAKE in the validator, but not in "
                   "the filter: the handshakes that are refused are not "
                   "counted. ",
                   kBothStyles));
}

Validator::Outcome Validator::Verify(absl::Span<const absl::string_view> chain,
                                     absl::Time now) const {
  ConnectionRecord record;
  record.chain_digest = ChainDigest(chain);
  std::shared_ptr<const CheckedChain> checked;
  std::tie(checked, record.state_id) = Check(chain, record.chain_digest, now);
  const pki::Verdict& verdict = checked->verdict;

  record.reason = verdict.reason;
  record.shadow = checked->shadow;
  record.depth = verdict.depth;
  record.lineage = checked->lineage;
  record.verified_at = checked->verified_at;
  record.recheck_at = verdict.recheck_at;
  record.domain = domain_;
  record.detail = verdict.detail;
  record.chain.assign(chain.begin(), chain.end());
  bool too_large_to_keep = false;
  if (verdict.reason == pki::Reason::kLimitExceeded) {
    const std::shared_ptr<const TrustState> state = this->state();
    if (state != nullptr && IsOverEveryLimit(*state, chain)) {
      // Hundreds of kilobytes are not kept for each such connection.
      record.chain.resize(1);
      record.cut_short = true;
      too_large_to_keep =
          chain.size() > kMaxKeptCertificates || BytesOf(chain) > kMaxKeptBytes;
    }
  }

  Outcome outcome;
  outcome.trusted = verdict.trusted();
  outcome.reason = verdict.reason;
  const bool is_judged = verdict.trusted() || IsJudged();
  outcome.refuse_handshake =
      !is_judged || too_large_to_keep ||
      (refuses_handshakes_ && !verdict.trusted() &&
       verdict.reason != pki::Reason::kConfigurationMissing);
  if (outcome.refuse_handshake) {
    outcome.text =
        absl::StrCat(pki::ReasonName(verdict.reason), ": ", verdict.detail);
  }
  if (!is_judged) {
    absl::StrAppend(&outcome.text, "; ", kNoJudge);
    WarnOfNoJudge(now);
  }
  outcome.record = EncodeRecord(record);
  outcome.checked = checked;
  outcome.filter_state = {
      {kReasonKey, pki::ReasonName(verdict.reason)},
      {kDetailKey, verdict.detail},
      {kTruststoreKey, checked->truststore},
      {kSubjectKey, checked->subject},
      {kIssuerKey, checked->issuer},
      {kSerialKey, checked->serial},
      {kFingerprintKey, checked->fingerprint},
  };
  if (shim::LogEnabled(shim::LogLevel::kDebug)) {
    std::string path;
    for (const auto& certificate : verdict.path) {
      absl::StrAppend(&path, path.empty() ? "" : " <- ", "\"",
                      Printable(certificate->Subject(), 200), "\"");
    }
    shim::Log(
        shim::LogLevel::kDebug,
        absl::StrCat("handshake for ", record.domain, ": ",
                     pki::ReasonName(verdict.reason), ", client \"",
                     checked->subject, "\"", verdict.detail.empty() ? "" : ", ",
                     verdict.detail, ", path ", path.empty() ? "none" : path,
                     ", truststore ", checked->truststore));
  }
  return outcome;
}

}  // namespace sallyport::cert_validator
