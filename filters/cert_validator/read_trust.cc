#include "filters/cert_validator/read_trust.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "filters/cert_validator/read_rules.h"
#include "filters/cert_validator/truststore_file.h"

namespace sallyport::cert_validator {
namespace {

namespace v1 = ::sallyport::filter::v1;

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
  SALLYPORT_RETURN_IF_ERROR(
      ReadRevocationRules(config.revocation_rule(), config.revocation_scope(),
                          !config.revocation_lists().empty(),
                          source.revocation_rule, source.revocation_scope));
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
  const absl::StatusOr<pki::VerifyPolicy> policy =
      ReadPolicy(config.chain_policy(), config.extended_key_usage(),
                 config.pin_leaf(), config.limits());
  if (!policy.ok()) {
    return absl::Status(policy.status().code(),
                        absl::StrCat(prefix, policy.status().message()));
  }
  const auto& truststores = config.truststores();
  if (truststores.empty() ||
      static_cast<size_t>(truststores.size()) > kMaxTruststores) {
    return FieldError(absl::StrCat(prefix, "truststores"),
                      absl::StrCat("has ", truststores.size(),
                                   " entries; give 1 to ", kMaxTruststores));
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
        return FieldError(
            absl::StrCat(field, ".name"),
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
