#include "filters/cert_validator/read_trust.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "filters/cert_validator/truststore_file.h"

namespace sallyport::cert_validator {
namespace {

namespace v1 = ::sallyport::filter::v1;

constexpr size_t kMaxNameLength = 128;

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

// The two rules that a truststore can have of its own. Unspecified leaves
// `policy` as it is.
absl::Status ReadRules(v1::ChainPolicy chain_policy,
                       v1::ExtendedKeyUsageRule extended_key_usage,
                       pki::VerifyPolicy& policy) {
  switch (chain_policy) {
    case v1::CHAIN_POLICY_UNSPECIFIED:
      break;
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
  switch (extended_key_usage) {
    case v1::EXTENDED_KEY_USAGE_RULE_UNSPECIFIED:
      break;
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
  return absl::OkStatus();
}

template <typename Config>
absl::StatusOr<pki::VerifyPolicy> ReadPolicy(const Config& config) {
  pki::VerifyPolicy policy;
  SALLYPORT_RETURN_IF_ERROR(
      ReadRules(config.chain_policy(), config.extended_key_usage(), policy));
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
  SALLYPORT_ASSIGN_OR_RETURN(
      policy.max_verified_paths,
      Limit("limits.max_verified_paths", limits.max_verified_paths(),
            policy.max_verified_paths, kMaxConfigurableVerifiedPaths));
  SALLYPORT_ASSIGN_OR_RETURN(
      policy.max_sent_name_checks,
      Limit("limits.max_sent_name_checks", limits.max_sent_name_checks(),
            policy.max_sent_name_checks, kMaxConfigurableSentNameChecks));
  return policy;
}

absl::Status InField(absl::string_view field, const absl::Status& status) {
  return absl::Status(status.code(),
                      absl::StrCat(field, ": ", status.message()));
}

absl::StatusOr<TrustSource> ReadSource(const v1::Truststore& config,
                                       const pki::VerifyPolicy& policy,
                                       TrustReading::Source& from) {
  TrustSource source;
  SALLYPORT_RETURN_IF_ERROR(CheckName("name", config.name()));
  SALLYPORT_RETURN_IF_ERROR(CheckName("version", config.version()));
  source.name = config.name().empty() ? "default" : config.name();
  source.version = config.version();
  source.policy = policy;
  SALLYPORT_RETURN_IF_ERROR(ReadRules(
      config.chain_policy(), config.extended_key_usage(), source.policy));
  pki::TruststoreLimits& limits = source.limits;
  if (config.limits().max_bytes() != 0) {
    limits.max_bytes = config.limits().max_bytes();
  }
  if (config.limits().max_certificates() != 0) {
    limits.max_certificates = config.limits().max_certificates();
  }
  switch (config.source_case()) {
    case v1::Truststore::kInlinePem: {
      auto parsed = SharedTruststore::Get(config.inline_pem(), limits);
      if (!parsed.ok()) return InField("inline_pem", parsed.status());
      source.truststore = *std::move(parsed);
      source.source = "inline";
      break;
    }
    case v1::Truststore::kFile: {
      const absl::Status path = CheckPath(config.file());
      if (!path.ok()) return InField("file", path);
      auto opened = OpenTruststoreFile(config.file(), limits);
      if (!opened.ok()) return InField("file", opened.status());
      from.file = *std::move(opened);
      source.source = absl::StrCat("file:", config.file());
      source.truststore = TruststoreOf(*from.file);
      break;
    }
    default:
      return absl::InvalidArgumentError(
          "has no source; set inline_pem (PEM text) or file (a path)");
  }
  switch (config.revocation_rule()) {
    case v1::REVOCATION_RULE_UNSPECIFIED:
    case v1::SOFT_FAIL:
      break;
    case v1::HARD_FAIL:
      source.revocation_rule = pki::RevocationRule::kHardFail;
      break;
    default:
      return At("revocation_rule",
                "is nothing that this version knows; SOFT_FAIL or HARD_FAIL");
  }
  switch (config.revocation_scope()) {
    case v1::REVOCATION_SCOPE_UNSPECIFIED:
    case v1::CHAIN:
      break;
    case v1::LEAF:
      source.revocation_scope = pki::RevocationScope::kLeaf;
      break;
    default:
      return At("revocation_scope",
                "is nothing that this version knows; CHAIN or LEAF");
  }
  if (config.revocation_lists().empty() &&
      config.revocation_rule() == v1::HARD_FAIL) {
    return At("revocation_rule",
              "HARD_FAIL without revocation_lists checks nothing; name a list, "
              "or leave it out");
  }
  SALLYPORT_ASSIGN_OR_RETURN(from.revocation, RevocationSource::Read(config));
  source.revocation_lists = from.revocation.lists();
  source.revocation_origin = from.revocation.origin();
  return source;
}

// `prefix`: "" or "shadow.".
template <typename Config>
absl::StatusOr<TrustReading> Read(const Config& config,
                                  absl::string_view prefix) {
  TrustReading reading;
  const absl::StatusOr<pki::VerifyPolicy> policy = ReadPolicy(config);
  if (!policy.ok()) {
    return absl::Status(policy.status().code(),
                        absl::StrCat(prefix, policy.status().message()));
  }
  const auto& truststores = config.truststores();
  if (truststores.empty() ||
      static_cast<size_t>(truststores.size()) > kMaxTruststores) {
    return At(absl::StrCat(prefix, "truststores"),
              absl::StrCat("has ", truststores.size(), " entries; give 1 to ",
                           kMaxTruststores));
  }
  for (int i = 0; i < truststores.size(); ++i) {
    const std::string field = absl::StrCat(prefix, "truststores[", i, "]");
    TrustReading::Source from;
    absl::StatusOr<TrustSource> source =
        ReadSource(truststores[i], *policy, from);
    if (!source.ok()) {
      const absl::string_view message = source.status().message();
      return absl::Status(
          source.status().code(),
          absl::StrCat(field, absl::StartsWith(message, "has ") ? ": " : ".",
                       message));
    }
    for (const TrustSource& other : reading.trust.sources) {
      if (other.name == source->name) {
        return At(absl::StrCat(field, ".name"),
                  absl::StrCat("\"", source->name,
                               "\" is the name of another truststore of the "
                               "list; logs and backends could not tell them "
                               "apart"));
      }
    }
    reading.sources.push_back(std::move(from));
    reading.trust.sources.push_back(*std::move(source));
  }
  if (config.has_deny()) {
    SALLYPORT_ASSIGN_OR_RETURN(
        reading.deny,
        DenySource::Read(config.deny(), absl::StrCat(prefix, "deny")));
    reading.trust.deny = reading.deny.list();
    reading.trust.deny_origin = reading.deny.origin();
  }
  return reading;
}

}  // namespace

std::vector<std::shared_ptr<FollowedFile>> TrustReading::Files() const {
  std::vector<std::shared_ptr<FollowedFile>> files;
  for (const Source& source : sources) {
    if (source.file != nullptr) files.push_back(source.file);
    const auto& lists = source.revocation.files();
    files.insert(files.end(), lists.begin(), lists.end());
  }
  if (deny.file() != nullptr) files.push_back(deny.file());
  return files;
}

void TrustReading::Refresh() {
  for (size_t i = 0; i < sources.size(); ++i) {
    if (sources[i].file != nullptr) {
      trust.sources[i].truststore = TruststoreOf(*sources[i].file);
    }
    sources[i].revocation.Refresh();
    trust.sources[i].revocation_lists = sources[i].revocation.lists();
  }
  deny.Refresh();
  trust.deny = deny.list();
}

absl::StatusOr<TrustReading> ReadTrust(const v1::TruststoreValidator& config) {
  return Read(config, "");
}

absl::StatusOr<TrustReading> ReadShadow(const v1::Shadow& config) {
  return Read(config, "shadow.");
}

}  // namespace sallyport::cert_validator
