#include "filters/cert_validator/registry_value.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "filters/cert_validator/read_rules.h"
#include "filters/cert_validator/revocation_source.h"
#include "filters/shim/domain.h"

namespace sallyport::cert_validator {

namespace v1 = ::sallyport::filter::v1;

namespace {

absl::Status CheckRequiredName(absl::string_view field,
                               absl::string_view name) {
  if (name.empty()) return FieldError(field, "is empty; give a name");
  return CheckName(field, name);
}

absl::StatusOr<pki::Sha256Digest> ReadDigest(absl::string_view field,
                                             absl::string_view bytes) {
  pki::Sha256Digest digest;
  if (bytes.size() != digest.size()) {
    return FieldError(
        field, absl::StrCat("has ", bytes.size(), " bytes; a SHA-256 has ",
                            digest.size()));
  }
  std::copy(bytes.begin(), bytes.end(), digest.begin());
  return digest;
}

struct ReadBytes {
  std::string bytes;
  pki::Sha256Digest digest;
};

// The content, which is what its digest says. At most `max_bytes`.
absl::StatusOr<ReadBytes> ReadContent(absl::string_view field,
                                      const v1::Content& content,
                                      size_t max_bytes) {
  size_t size = 0;
  for (const std::string& piece : content.pieces()) size += piece.size();
  if (size > max_bytes) {
    return FieldError(field, absl::StrCat("has ", size, " bytes; at most ",
                                          max_bytes, " are read"));
  }
  ReadBytes read;
  SALLYPORT_ASSIGN_OR_RETURN(
      const pki::Sha256Digest wanted,
      ReadDigest(absl::StrCat(field, ".sha256"), content.sha256()));
  read.bytes.reserve(size);
  for (const std::string& piece : content.pieces()) read.bytes += piece;
  read.digest = pki::Sha256(read.bytes);
  if (read.digest != wanted) {
    return FieldError(absl::StrCat(field, ".sha256"),
                      "is not the SHA-256 of the content; something of it is "
                      "missing or changed");
  }
  return read;
}

absl::StatusOr<PinnedVersion> ReadVersion(absl::string_view field,
                                          absl::string_view version,
                                          absl::string_view sha256) {
  PinnedVersion pinned;
  SALLYPORT_RETURN_IF_ERROR(
      CheckName(absl::StrCat(field, ".version"), version));
  pinned.version = std::string(version);
  SALLYPORT_ASSIGN_OR_RETURN(
      pinned.digest, ReadDigest(absl::StrCat(field, ".sha256"), sha256));
  return pinned;
}

absl::StatusOr<std::vector<std::string>> ReadNames(
    absl::string_view field,
    const google::protobuf::RepeatedPtrField<std::string>& config, size_t max) {
  if (static_cast<size_t>(config.size()) > max) {
    return FieldError(
        field, absl::StrCat("has ", config.size(), " names; at most ", max));
  }
  std::vector<std::string> names;
  for (int i = 0; i < config.size(); ++i) {
    SALLYPORT_RETURN_IF_ERROR(
        CheckRequiredName(absl::StrCat(field, "[", i, "]"), config[i]));
    names.push_back(config[i]);
  }
  return names;
}

absl::StatusOr<TruststoreReference> ReadReference(
    const std::string& at, const v1::TruststoreReference& config) {
  TruststoreReference reference;
  SALLYPORT_RETURN_IF_ERROR(
      CheckRequiredName(absl::StrCat(at, ".name"), config.name()));
  reference.name = config.name();
  if (!config.sha256().empty()) {
    SALLYPORT_ASSIGN_OR_RETURN(
        reference.pinned, ReadVersion(at, config.version(), config.sha256()));
  } else if (!config.version().empty()) {
    return FieldError(absl::StrCat(at, ".version"),
                      "needs sha256, by which the version is found");
  }
  pki::VerifyPolicy policy;
  const absl::Status rule = ReadRules(v1::CHAIN_POLICY_UNSPECIFIED,
                                      config.extended_key_usage(), policy);
  if (!rule.ok()) {
    return absl::Status(rule.code(), absl::StrCat(at, ".", rule.message()));
  }
  if (config.extended_key_usage() != v1::EXTENDED_KEY_USAGE_RULE_UNSPECIFIED) {
    reference.extended_key_usage = policy.extended_key_usage;
  }
  return reference;
}

absl::StatusOr<std::vector<TruststoreReference>> ReadReferences(
    absl::string_view field,
    const google::protobuf::RepeatedPtrField<v1::TruststoreReference>& config) {
  const auto size = static_cast<size_t>(config.size());
  if (size == 0 || size > kMaxTruststores) {
    return FieldError(field, absl::StrCat("has ", size, " entries; give 1 to ",
                                          kMaxTruststores));
  }
  std::vector<TruststoreReference> references;
  for (int i = 0; i < config.size(); ++i) {
    const std::string at = absl::StrCat(field, "[", i, "]");
    SALLYPORT_ASSIGN_OR_RETURN(TruststoreReference reference,
                               ReadReference(at, config[i]));
    for (const TruststoreReference& other : references) {
      if (other.name == reference.name) {
        return FieldError(
            absl::StrCat(at, ".name"),
            absl::StrCat("\"", reference.name,
                         "\" is the name of another truststore of the list; "
                         "logs and backends could not tell them apart"));
      }
    }
    references.push_back(std::move(reference));
  }
  return references;
}

pki::RevocationLimits ReadRevocationLimits(const v1::RevocationLimits& config) {
  pki::RevocationLimits limits;
  if (config.max_bytes() != 0) limits.max_bytes = config.max_bytes();
  if (config.max_entries() != 0) limits.max_entries = config.max_entries();
  return limits;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const RegistryTruststore>>
ReadRegistryTruststore(const v1::RegistryTruststore& config) {
  auto value = std::make_shared<RegistryTruststore>();
  SALLYPORT_RETURN_IF_ERROR(
      CheckRequiredName("truststore.name", config.name()));
  SALLYPORT_RETURN_IF_ERROR(CheckName("truststore.version", config.version()));
  value->name = config.name();
  value->version = config.version();
  value->active = config.active();
  if (config.limits().max_bytes() != 0) {
    value->limits.max_bytes = config.limits().max_bytes();
  }
  if (config.limits().max_certificates() != 0) {
    value->limits.max_certificates = config.limits().max_certificates();
  }
  const absl::Status rules = ReadRules(
      config.chain_policy(), config.extended_key_usage(), value->policy);
  if (!rules.ok()) {
    return absl::Status(rules.code(),
                        absl::StrCat("truststore.", rules.message()));
  }
  value->policy.pin_leaf = config.pin_leaf();
  if (config.max_chain_length() > limits::kMaxConfigurableChainLength) {
    return FieldError(
        "truststore.max_chain_length",
        absl::StrCat("is ", config.max_chain_length(), "; at most ",
                     limits::kMaxConfigurableChainLength));
  }
  if (config.max_chain_length() != 0) {
    value->max_chain_length = config.max_chain_length();
  }
  SALLYPORT_ASSIGN_OR_RETURN(
      value->revocation_lists,
      ReadNames("truststore.revocation_lists", config.revocation_lists(),
                kMaxRevocationListNames));
  if (config.has_shadow()) {
    if (!config.active()) {
      return FieldError("truststore.shadow",
                        "is for the active version only; leave it out");
    }
    SALLYPORT_ASSIGN_OR_RETURN(
        value->shadow,
        ReadVersion("truststore.shadow", config.shadow().version(),
                    config.shadow().sha256()));
  }
  const absl::Status revocation =
      ReadRevocationRules(config.revocation_rule(), config.revocation_scope(),
                          !value->revocation_lists.empty(),
                          value->revocation_rule, value->revocation_scope);
  if (!revocation.ok()) {
    return absl::Status(revocation.code(),
                        absl::StrCat("truststore.", revocation.message()));
  }
  value->revocation_limits = ReadRevocationLimits(config.revocation_limits());
  SALLYPORT_ASSIGN_OR_RETURN(
      const ReadBytes pem,
      ReadContent("truststore.pem", config.pem(), value->limits.max_bytes));
  value->digest = pem.digest;
  auto parsed = SharedTruststore::Get(pem.bytes, pem.digest, value->limits);
  if (!parsed.ok()) return InField("truststore.pem", parsed.status());
  value->truststore = *std::move(parsed);
  return value;
}

absl::StatusOr<std::shared_ptr<const RegistryRevocationLists>>
ReadRegistryRevocationLists(const v1::RegistryRevocationLists& config) {
  auto value = std::make_shared<RegistryRevocationLists>();
  SALLYPORT_RETURN_IF_ERROR(
      CheckRequiredName("revocation_lists.name", config.name()));
  value->name = config.name();
  const pki::RevocationLimits limits = ReadRevocationLimits(config.limits());
  SALLYPORT_ASSIGN_OR_RETURN(ReadBytes content,
                             ReadContent("revocation_lists.content",
                                         config.content(), limits.max_bytes));
  value->bytes = std::move(content.bytes);
  auto lists = ParseRevocationLists({value->bytes}, limits);
  if (!lists.ok()) return InField("revocation_lists.content", lists.status());
  value->lists = *std::move(lists);
  return value;
}

absl::StatusOr<std::shared_ptr<const RegistryCertificateList>>
ReadRegistryCertificateList(const v1::RegistryCertificateList& config) {
  auto value = std::make_shared<RegistryCertificateList>();
  SALLYPORT_RETURN_IF_ERROR(
      CheckRequiredName("certificate_list.name", config.name()));
  value->name = config.name();
  if (!config.entries().file().empty()) {
    return FieldError("certificate_list.entries.file",
                      "is not for the registry; put the entries here");
  }
  SALLYPORT_ASSIGN_OR_RETURN(
      const DenySource source,
      DenySource::Read(config.entries(), "certificate_list.entries"));
  value->list = source.list();
  return value;
}

absl::StatusOr<Binding> ReadBinding(const v1::DomainBinding& config) {
  Binding binding;
  absl::StatusOr<std::string> domain = shim::ReadDomain(config.domain());
  if (!domain.ok()) return InField("binding.domain", domain.status());
  binding.domain = *std::move(domain);
  BindingSpec& spec = binding.spec;
  SALLYPORT_ASSIGN_OR_RETURN(
      spec.truststores,
      ReadReferences("binding.truststores", config.truststores()));
  absl::StatusOr<pki::VerifyPolicy> policy = ReadPolicy(
      v1::CHAIN_POLICY_UNSPECIFIED, v1::EXTENDED_KEY_USAGE_RULE_UNSPECIFIED,
      /*pin_leaf=*/false, config.limits());
  if (!policy.ok()) {
    return absl::Status(policy.status().code(),
                        absl::StrCat("binding.", policy.status().message()));
  }
  spec.policy = *policy;
  SALLYPORT_ASSIGN_OR_RETURN(
      spec.deny_lists,
      ReadNames("binding.deny_lists", config.deny_lists(), kMaxDenyListNames));
  SALLYPORT_ASSIGN_OR_RETURN(
      spec.certificate_lists,
      ReadNames("binding.certificate_lists", config.certificate_lists(),
                kMaxCertificateListNames));
  // Unknown fields were refused, and the fields that are left have one form.
  v1::DomainBinding rest = config;
  rest.clear_domain();
  spec.key = rest.SerializeAsString();
  return binding;
}

}  // namespace sallyport::cert_validator
