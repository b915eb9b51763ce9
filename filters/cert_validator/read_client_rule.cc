#include "filters/cert_validator/read_client_rule.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/status_macros.h"

namespace sallyport::cert_validator {
namespace {

namespace v1 = ::sallyport::filter::v1;
using pki::ClientRuleSpec;
using Kind = ClientRuleSpec::Kind;
using Values = google::protobuf::RepeatedPtrField<std::string>;

std::vector<absl::string_view> Views(const Values& values) {
  return std::vector<absl::string_view>(values.begin(), values.end());
}

void ReadName(const v1::ClientRule::Name& name, ClientRuleSpec& out) {
  out.values = Views(name.exact());
  for (const v1::ClientRule::Attribute& attribute : name.attributes()) {
    ClientRuleSpec::Attribute& added = out.attributes.emplace_back();
    added.type = attribute.type();
    added.exact = Views(attribute.exact());
    added.prefix = Views(attribute.prefix());
    added.suffix = Views(attribute.suffix());
    added.ignore_case = attribute.ignore_case();
  }
}

// `field` is the rule's path, `depth` 1 for the outermost. The result has views
// into `rule`.
// NOLINTNEXTLINE(misc-no-recursion): at most kMaxClientRuleDepth deep.
absl::StatusOr<ClientRuleSpec> ReadSpec(const v1::ClientRule& rule,
                                        const std::string& field,
                                        size_t depth) {
  if (depth > limits::kMaxClientRuleDepth) {
    return absl::ResourceExhaustedError(
        absl::StrCat(field, ": is nested deeper than ",
                     limits::kMaxClientRuleDepth, " rules"));
  }
  ClientRuleSpec out;
  const v1::ClientRule::Rules* rules = nullptr;
  absl::string_view name;
  switch (rule.rule_case()) {
    case v1::ClientRule::kAll:
      out.kind = Kind::kAll;
      rules = &rule.all();
      name = "all";
      break;
    case v1::ClientRule::kAny:
      out.kind = Kind::kAny;
      rules = &rule.any();
      name = "any";
      break;
    case v1::ClientRule::kNone:
      out.kind = Kind::kNone;
      rules = &rule.none();
      name = "none";
      break;
    case v1::ClientRule::kSanDns:
      out.kind = Kind::kSanDns;
      out.values = Views(rule.san_dns().patterns());
      break;
    case v1::ClientRule::kSanUri:
      out.kind = Kind::kSanUri;
      out.values = Views(rule.san_uri().exact());
      out.spiffe = Views(rule.san_uri().spiffe());
      break;
    case v1::ClientRule::kSanEmail:
      out.kind = Kind::kSanEmail;
      out.values = Views(rule.san_email().patterns());
      break;
    case v1::ClientRule::kSanIp:
      out.kind = Kind::kSanIp;
      out.values = Views(rule.san_ip().ranges());
      break;
    case v1::ClientRule::kSubject:
      out.kind = Kind::kSubject;
      ReadName(rule.subject(), out);
      break;
    case v1::ClientRule::kIssuer:
      out.kind = Kind::kIssuer;
      ReadName(rule.issuer(), out);
      break;
    case v1::ClientRule::kCertificateSha256:
      out.kind = Kind::kCertificateSha256;
      out.values = Views(rule.certificate_sha256().sha256());
      break;
    case v1::ClientRule::kSpkiSha256:
      out.kind = Kind::kSpkiSha256;
      out.values = Views(rule.spki_sha256().sha256());
      break;
    case v1::ClientRule::kSerial:
      out.kind = Kind::kSerial;
      out.values = Views(rule.serial().hex());
      break;
    case v1::ClientRule::kTruststore:
      out.kind = Kind::kTruststore;
      out.values = Views(rule.truststore().names());
      break;
    case v1::ClientRule::kCertificateList:
      out.kind = Kind::kCertificateList;
      out.values = Views(rule.certificate_list().names());
      break;
    case v1::ClientRule::RULE_NOT_SET:
      return absl::InvalidArgumentError(absl::StrCat(
          field,
          ": has no rule; give one of all, any, none, san_dns, san_uri, "
          "san_email, san_ip, subject, issuer, certificate_sha256, "
          "spki_sha256, serial, truststore and certificate_list"));
  }
  if (rules != nullptr) {
    out.rules.reserve(static_cast<size_t>(rules->rules_size()));
    for (int i = 0; i < rules->rules_size(); ++i) {
      SALLYPORT_ASSIGN_OR_RETURN(
          ClientRuleSpec part,
          ReadSpec(rules->rules(i),
                   absl::StrCat(field, ".", name, ".rules[", i, "]"),
                   depth + 1));
      out.rules.push_back(std::move(part));
    }
  }
  return out;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const pki::ClientRule>> ReadClientRule(
    const v1::ClientRule& rule, absl::string_view field) {
  SALLYPORT_ASSIGN_OR_RETURN(const ClientRuleSpec spec,
                             ReadSpec(rule, std::string(field), 1));
  return pki::ClientRule::Compile(spec, field);
}

}  // namespace sallyport::cert_validator
