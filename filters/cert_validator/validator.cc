#include "filters/cert_validator/validator.h"

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "filters/cert_validator/checked_chain.h"
#include "filters/cert_validator/connection_record.h"
#include "filters/shim/clock.h"
#include "filters/shim/domain.h"
#include "filters/shim/log.h"

namespace sallyport::cert_validator {
namespace {

namespace v1 = ::sallyport::filter::v1;

constexpr absl::string_view kSchema = "sallyport validator 1";
constexpr size_t kMaxNameLength = 128;
// Longest text value in the filter state; subjects can be longer.
constexpr size_t kMaxText = 1024;

absl::Status At(absl::string_view field, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", what));
}

absl::Status CheckName(absl::string_view field, absl::string_view name) {
  const bool good = std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' ||
           c == '_' || c == '/' || c == '-';
  });
  if (good && name.size() <= kMaxNameLength) return absl::OkStatus();
  return At(field, absl::StrCat("must be at most ", kMaxNameLength,
                                " characters of [A-Za-z0-9._/-]"));
}

// `value` when it is set, `fallback` when it is 0.
absl::StatusOr<size_t> Limit(absl::string_view field, uint64_t value,
                             size_t fallback, size_t max) {
  if (value == 0) return fallback;
  if (value <= max) return static_cast<size_t>(value);
  return At(field, absl::StrCat("is ", value, "; at most ", max,
                                " (0 means the default, ", fallback, ")"));
}

absl::StatusOr<pki::VerifyPolicy> ReadPolicy(
    const v1::TruststoreValidator& config) {
  pki::VerifyPolicy policy;
  switch (config.chain_policy()) {
    case v1::CHAIN_POLICY_UNSPECIFIED:
    case v1::COMPLETE_CHAIN:
      policy.chain_policy = pki::ChainPolicy::kCompleteChain;
      break;
    case v1::ANY_ANCHOR:
      policy.chain_policy = pki::ChainPolicy::kAnyAnchor;
      break;
    default:
      return At("chain_policy",
                "is no policy that this version knows; COMPLETE_CHAIN or "
                "ANY_ANCHOR");
  }
  switch (config.extended_key_usage()) {
    case v1::EXTENDED_KEY_USAGE_RULE_UNSPECIFIED:
    case v1::EKU_REQUIRE:
      policy.extended_key_usage = pki::ExtendedKeyUsageRule::kRequire;
      break;
    case v1::EKU_WARN:
      policy.extended_key_usage = pki::ExtendedKeyUsageRule::kWarn;
      break;
    case v1::EKU_IGNORE:
      policy.extended_key_usage = pki::ExtendedKeyUsageRule::kIgnore;
      break;
    default:
      return At("extended_key_usage",
                "is no rule that this version knows; EKU_REQUIRE, EKU_WARN or "
                "EKU_IGNORE");
  }
  policy.pin_leaf = config.pin_leaf();
  const v1::VerifyLimits& limits = config.limits();
  SALLYPORT_ASSIGN_OR_RETURN(
      policy.max_chain_length,
      Limit("limits.max_chain_length", limits.max_chain_length(),
            policy.max_chain_length, limits::kMaxConfigurableChainLength));
  SALLYPORT_ASSIGN_OR_RETURN(
      policy.max_client_certificates,
      Limit("limits.max_client_certificates", limits.max_client_certificates(),
            policy.max_client_certificates,
            kMaxConfigurableClientCertificates));
  SALLYPORT_ASSIGN_OR_RETURN(
      policy.max_client_chain_bytes,
      Limit("limits.max_client_chain_bytes", limits.max_client_chain_bytes(),
            policy.max_client_chain_bytes, kMaxConfigurableClientChainBytes));
  SALLYPORT_ASSIGN_OR_RETURN(
      policy.max_signature_checks,
      Limit("limits.max_signature_checks", limits.max_signature_checks(),
            policy.max_signature_checks, kMaxConfigurableSignatureChecks));
  SALLYPORT_ASSIGN_OR_RETURN(
      policy.max_path_iterations,
      Limit("limits.max_path_iterations", limits.max_path_iterations(),
            policy.max_path_iterations, kMaxConfigurablePathIterations));
  return policy;
}

// A path that an error may print: not PEM that was put into the wrong field.
absl::Status CheckPath(absl::string_view field, absl::string_view path) {
  if (path.empty()) return At(field, "is empty; give the path of a PEM file");
  if (absl::StrContains(path, "-----BEGIN") ||
      std::any_of(path.begin(), path.end(), [](char c) {
        return absl::ascii_iscntrl(static_cast<unsigned char>(c));
      })) {
    return At(field, "is no path (PEM text goes into inline_pem)");
  }
  if (path.front() != '/') {
    return At(field, absl::StrCat("\"", Printable(path, 200),
                                  "\" is not absolute; give a path that starts "
                                  "with '/'"));
  }
  if (path.back() == '/') {
    return At(field, absl::StrCat("\"", Printable(path, 200),
                                  "\" is a directory; name a PEM file in it"));
  }
  return absl::OkStatus();
}

absl::Status InField(absl::string_view field, const absl::Status& status) {
  return absl::Status(status.code(),
                      absl::StrCat(field, ": ", status.message()));
}

}  // namespace

absl::StatusOr<std::shared_ptr<Validator>> Validator::Create(
    const v1::TruststoreValidator& config, absl::Time now) {
  std::shared_ptr<Validator> validator(new Validator);
  TrustState::Spec& spec = validator->spec_;

  absl::StatusOr<std::string> domain = shim::ReadDomain(config.domain());
  if (!domain.ok()) return InField("domain", domain.status());
  spec.domain = *std::move(domain);
  SALLYPORT_ASSIGN_OR_RETURN(spec.policy, ReadPolicy(config));

  if (config.truststores_size() != 1) {
    return At("truststores", absl::StrCat("has ", config.truststores_size(),
                                          " entries; give exactly one"));
  }
  const v1::Truststore& truststore = config.truststores(0);
  SALLYPORT_RETURN_IF_ERROR(
      CheckName("truststores[0].name", truststore.name()));
  SALLYPORT_RETURN_IF_ERROR(
      CheckName("truststores[0].version", truststore.version()));
  spec.truststore_name =
      truststore.name().empty() ? "default" : truststore.name();
  spec.truststore_version = truststore.version();
  pki::TruststoreLimits limits;
  if (truststore.limits().max_bytes() != 0) {
    limits.max_bytes = truststore.limits().max_bytes();
  }
  if (truststore.limits().max_certificates() != 0) {
    limits.max_certificates = truststore.limits().max_certificates();
  }

  switch (truststore.source_case()) {
    case v1::Truststore::kInlinePem: {
      auto parsed = SharedTruststore::Get(truststore.inline_pem(), limits);
      if (!parsed.ok()) {
        return InField("truststores[0].inline_pem", parsed.status());
      }
      spec.truststore = *std::move(parsed);
      spec.source = "inline";
      break;
    }
    case v1::Truststore::kFile: {
      SALLYPORT_RETURN_IF_ERROR(
          CheckPath("truststores[0].file", truststore.file()));
      auto file = TruststoreFile::Open(truststore.file(), limits);
      if (!file.ok()) return InField("truststores[0].file", file.status());
      validator->file_ = *std::move(file);
      spec.source = absl::StrCat("file:", truststore.file());
      // Later contents come once everything else is in place, below.
      spec.truststore = validator->file_->current();
      break;
    }
    default:
      return At("truststores[0]",
                "has no source; set inline_pem (PEM text) or file (a path)");
  }

  {
    absl::MutexLock lock(&validator->mu_);
    validator->state_ = TrustState::Intern(spec);
    validator->digest_ = std::string(pki::AsBytes(pki::Sha256(
        absl::StrCat(kSchema, ";", pki::AsBytes(validator->state_->digest()),
                     ";", limits.max_bytes, ";", limits.max_certificates))));
    spec.truststore->LogWarnings(validator->state_->truststore_label(),
                                 spec.policy, now);
    const std::shared_ptr<DomainTrust> trust = DomainTrust::For(spec.domain);
    validator->binding_ =
        std::make_unique<DomainTrust::Binding>(trust, validator->state_);
    if (trust->HasSeveralLineages()) {
      shim::Log(
          shim::LogLevel::kWarning,
          absl::StrCat(
              "domain ", spec.domain,
              " now has configurations that differ in the truststore's name or "
              "source or in the policy. Connections of the older one need the "
              "trust of both until they end. If two filter chains are meant to "
              "serve the domain, give both the same validator configuration"));
    }
  }
  if (validator->file_ != nullptr) {
    validator->file_->Subscribe(validator);
    // What came between the reading and the subscription.
    validator->OnTruststoreChanged();
  }
  return validator;
}

void Validator::OnTruststoreChanged() {
  std::shared_ptr<const TrustState> fresh;
  std::shared_ptr<const TrustState> old;  // let go of outside the lock
  {
    absl::MutexLock lock(&mu_);
    std::shared_ptr<const SharedTruststore> truststore = file_->current();
    if (spec_.truststore == truststore) return;
    spec_.truststore = std::move(truststore);
    fresh = TrustState::Intern(spec_);
    old = std::atomic_exchange(&state_, fresh);
    binding_->Set(fresh);
  }
  fresh->spec().truststore->LogWarnings(fresh->truststore_label(),
                                        fresh->spec().policy,
                                        shim::ModuleClock().Now());
}

Validator::Outcome Validator::Verify(absl::Span<const absl::string_view> chain,
                                     absl::Time now) const {
  const std::shared_ptr<const TrustState> state = this->state();
  ConnectionRecord record;
  record.chain_digest = ChainDigest(chain);
  const std::shared_ptr<const CheckedChain> checked =
      CheckChain(*state, chain, record.chain_digest, now);
  const pki::Verdict& verdict = checked->verdict;

  record.reason = verdict.reason;
  record.path_length = static_cast<int>(verdict.path.size());
  record.state_id = state->id();
  record.state_digest = state->digest();
  record.lineage = state->lineage();
  record.verified_at = checked->verified_at;
  record.recheck_at = verdict.recheck_at;
  record.truststore_digest = state->truststore().digest();
  record.domain = state->spec().domain;
  record.truststore_name = state->spec().truststore_name;
  record.truststore_version = state->spec().truststore_version;
  record.detail = verdict.detail;
  record.chain.assign(chain.begin(), chain.end());

  Outcome outcome;
  outcome.trusted = verdict.trusted();
  auto& out = outcome.filter_state;
  out.emplace_back(kConnectionKey, EncodeRecord(record));
  out.emplace_back(kReasonKey, std::string(pki::ReasonName(verdict.reason)));
  out.emplace_back(kDetailKey, Printable(verdict.detail, kMaxText));
  out.emplace_back(kTruststoreKey, state->truststore_label());
  std::string subject = "?";
  if (checked->has_client_certificate) {
    const pki::Certificate& leaf = *checked->sent.front();
    subject = Printable(leaf.Subject(), kMaxText);
    out.emplace_back(kSubjectKey, subject);
    out.emplace_back(kIssuerKey, Printable(leaf.Issuer(), kMaxText));
    out.emplace_back(kSerialKey, leaf.SerialHex());
    out.emplace_back(kFingerprintKey,
                     HexLower(pki::AsBytes(leaf.fingerprint())));
  }
  if (shim::LogEnabled(shim::LogLevel::kDebug)) {
    std::string path;
    for (const auto& certificate : verdict.path) {
      absl::StrAppend(&path, path.empty() ? "" : " <- ", "\"",
                      Printable(certificate->Subject(), 200), "\"");
    }
    shim::Log(shim::LogLevel::kDebug,
              absl::StrCat("handshake for ", record.domain, ": ",
                           pki::ReasonName(verdict.reason), ", client \"",
                           subject, "\", ", Printable(verdict.detail),
                           ", path ", path.empty() ? "none" : path,
                           ", truststore ", state->truststore_label()));
  }
  return outcome;
}

}  // namespace sallyport::cert_validator
