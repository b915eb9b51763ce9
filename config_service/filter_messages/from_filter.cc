#include "config_service/filter_messages/from_filter.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace sallyport::filter_messages {
namespace {

namespace v1 = ::sallyport::filter::v1;

using domain::Field;
using domain::Reason;
using domain::Violations;
using Kind = domain::ClientRule::Kind;
using Values = google::protobuf::RepeatedPtrField<std::string>;

std::vector<std::string> Strings(const Values& values) {
  return std::vector<std::string>(values.begin(), values.end());
}

void AddUnknown(absl::string_view field, absl::string_view known,
                Violations& violations) {
  violations.Add(
      field, Reason::kFieldMalformed,
      absl::StrCat("is nothing that this version knows; one of ", known));
}

void ReadName(const v1::ClientRule::Name& name, domain::ClientRule& out) {
  out.values = Strings(name.exact());
  for (const v1::ClientRule::Attribute& attribute : name.attributes()) {
    domain::ClientRule::Attribute& added = out.attributes.emplace_back();
    added.type = attribute.type();
    added.exact = Strings(attribute.exact());
    added.prefix = Strings(attribute.prefix());
    added.suffix = Strings(attribute.suffix());
    added.ignore_case = attribute.ignore_case();
  }
}

// NOLINTNEXTLINE(misc-no-recursion): as deep as protobuf reads messages.
void ReadRules(absl::string_view field, const v1::ClientRule::Rules& rules,
               domain::ClientRule& out, Violations& violations) {
  const std::string list = Field(field, "rules");
  out.rules.reserve(static_cast<size_t>(rules.rules_size()));
  for (int i = 0; i < rules.rules_size(); ++i) {
    out.rules.push_back(
        FromFilter(domain::Element(list, static_cast<size_t>(i)),
                   rules.rules(i), violations));
  }
}

}  // namespace

// NOLINTNEXTLINE(misc-no-recursion): as deep as protobuf reads messages.
domain::ClientRule FromFilter(absl::string_view field,
                              const v1::ClientRule& rule,
                              Violations& violations) {
  domain::ClientRule out;
  switch (rule.rule_case()) {
    case v1::ClientRule::kAll:
      out.kind = Kind::kAll;
      ReadRules(Field(field, "all"), rule.all(), out, violations);
      break;
    case v1::ClientRule::kAny:
      out.kind = Kind::kAny;
      ReadRules(Field(field, "any"), rule.any(), out, violations);
      break;
    case v1::ClientRule::kNone:
      out.kind = Kind::kNone;
      ReadRules(Field(field, "none"), rule.none(), out, violations);
      break;
    case v1::ClientRule::kSanDns:
      out.kind = Kind::kSanDns;
      out.values = Strings(rule.san_dns().patterns());
      break;
    case v1::ClientRule::kSanUri:
      out.kind = Kind::kSanUri;
      out.values = Strings(rule.san_uri().exact());
      out.spiffe = Strings(rule.san_uri().spiffe());
      break;
    case v1::ClientRule::kSanEmail:
      out.kind = Kind::kSanEmail;
      out.values = Strings(rule.san_email().patterns());
      break;
    case v1::ClientRule::kSanIp:
      out.kind = Kind::kSanIp;
      out.values = Strings(rule.san_ip().ranges());
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
      out.values = Strings(rule.certificate_sha256().sha256());
      break;
    case v1::ClientRule::kSpkiSha256:
      out.kind = Kind::kSpkiSha256;
      out.values = Strings(rule.spki_sha256().sha256());
      break;
    case v1::ClientRule::kSerial:
      out.kind = Kind::kSerial;
      out.values = Strings(rule.serial().hex());
      break;
    case v1::ClientRule::kTruststore:
      out.kind = Kind::kTruststore;
      out.values = Strings(rule.truststore().names());
      break;
    case v1::ClientRule::kCertificateList:
      out.kind = Kind::kCertificateList;
      out.values = Strings(rule.certificate_list().names());
      break;
    case v1::ClientRule::RULE_NOT_SET:
      violations.Add(
          field, Reason::kClientRuleInvalid,
          "has no rule; give one of all, any, none, san_dns, san_uri, "
          "san_email, san_ip, subject, issuer, certificate_sha256, "
          "spki_sha256, serial, truststore and certificate_list");
      break;
  }
  return out;
}

domain::Forwarding FromFilter(absl::string_view field,
                              const v1::Forwarding& forwarding,
                              Violations& violations) {
  domain::Forwarding out;
  if (forwarding.has_xfcc()) {
    const v1::Forwarding::Xfcc& xfcc = forwarding.xfcc();
    out.xfcc = domain::Forwarding::Xfcc{xfcc.subject(), xfcc.cert(),
                                        xfcc.chain(), xfcc.uri(), xfcc.dns()};
  }
  if (forwarding.has_rfc9440()) {
    out.rfc9440 = domain::Forwarding::Rfc9440{forwarding.rfc9440().chain()};
  }
  if (forwarding.has_alb()) {
    out.alb = domain::Forwarding::Alb{};
    switch (forwarding.alb().mode()) {
      case v1::Forwarding::Alb::MODE_UNSPECIFIED:
      case v1::Forwarding::Alb::VERIFY:
        break;
      case v1::Forwarding::Alb::PASSTHROUGH:
        out.alb->mode = domain::Forwarding::Alb::Mode::kPassthrough;
        break;
      default:
        AddUnknown(Field(field, "alb.mode"), "VERIFY, PASSTHROUGH", violations);
    }
  }
  if (forwarding.has_ingress_nginx()) {
    out.ingress_nginx =
        domain::Forwarding::IngressNginx{forwarding.ingress_nginx().cert()};
  }
  if (forwarding.has_traefik()) {
    out.traefik = domain::Forwarding::Traefik{forwarding.traefik().pem(),
                                              forwarding.traefik().info()};
  }
  out.cloudflare = forwarding.has_cloudflare();
  out.api_gateway = forwarding.has_api_gateway();
  switch (forwarding.chain_source()) {
    case v1::Forwarding::CHAIN_SOURCE_UNSPECIFIED:
    case v1::Forwarding::SENT:
      break;
    case v1::Forwarding::VERIFIED:
      out.chain_source = domain::Forwarding::ChainSource::kVerified;
      break;
    default:
      AddUnknown(Field(field, "chain_source"), "SENT, VERIFIED", violations);
  }
  out.truststore = forwarding.truststore();
  out.verdict = forwarding.verdict();
  out.remove_headers = Strings(forwarding.remove_headers());
  out.max_header_bytes = forwarding.max_header_bytes();
  if (forwarding.has_trusted_proxy()) {
    out.trusted_proxy = FromFilter(Field(field, "trusted_proxy"),
                                   forwarding.trusted_proxy(), violations);
  }
  return out;
}

domain::PathRule FromFilter(absl::string_view field, const v1::PathRule& rule,
                            Violations& violations) {
  domain::PathRule out;
  switch (rule.path_case()) {
    case v1::PathRule::kExact:
      out.exact = true;
      out.path = rule.exact();
      break;
    case v1::PathRule::kPrefix:
      out.path = rule.prefix();
      break;
    case v1::PathRule::PATH_NOT_SET:
      violations.Add(field, Reason::kPathRuleInvalid,
                     "has no path; give `exact` or `prefix`");
      break;
  }
  out.client_certificate = FromFilter(Field(field, "client_certificate"),
                                      rule.client_certificate(), violations);
  if (rule.has_allow()) {
    out.allow = FromFilter(Field(field, "allow"), rule.allow(), violations);
  }
  return out;
}

domain::BadRequest FromFilter(const v1::BadRequest& bad_request) {
  domain::BadRequest out;
  out.body = bad_request.body();
  out.content_type = bad_request.content_type();
  out.redirect = bad_request.redirect();
  return out;
}

domain::VerifyLimits FromFilter(const v1::VerifyLimits& limits) {
  domain::VerifyLimits out;
  out.max_chain_length = limits.max_chain_length();
  out.max_client_certificates = limits.max_client_certificates();
  out.max_client_chain_bytes = limits.max_client_chain_bytes();
  out.max_signature_checks = limits.max_signature_checks();
  out.max_path_iterations = limits.max_path_iterations();
  out.max_verified_paths = limits.max_verified_paths();
  out.max_sent_name_checks = limits.max_sent_name_checks();
  return out;
}

domain::RejectionStyle FromFilter(absl::string_view field,
                                  v1::RejectionStyle style,
                                  Violations& violations) {
  switch (style) {
    case v1::REJECTION_STYLE_UNSPECIFIED:
    case v1::FORBIDDEN:
      return domain::RejectionStyle::kForbidden;
    case v1::HANDSHAKE:
      return domain::RejectionStyle::kHandshake;
    case v1::BAD_REQUEST:
      return domain::RejectionStyle::kBadRequest;
    case v1::PASS:
      return domain::RejectionStyle::kPass;
    default:
      AddUnknown(field, "FORBIDDEN, HANDSHAKE, BAD_REQUEST, PASS", violations);
      return domain::RejectionStyle::kForbidden;
  }
}

pki::ChainPolicy FromFilter(absl::string_view field, v1::ChainPolicy policy,
                            Violations& violations) {
  switch (policy) {
    case v1::CHAIN_POLICY_UNSPECIFIED:
    case v1::COMPLETE_CHAIN:
      return pki::ChainPolicy::kCompleteChain;
    case v1::ANY_ANCHOR:
      return pki::ChainPolicy::kAnyAnchor;
    default:
      AddUnknown(field, "COMPLETE_CHAIN, ANY_ANCHOR", violations);
      return pki::ChainPolicy::kCompleteChain;
  }
}

pki::RevocationRule FromFilter(absl::string_view field, v1::RevocationRule rule,
                               Violations& violations) {
  switch (rule) {
    case v1::REVOCATION_RULE_UNSPECIFIED:
    case v1::SOFT_FAIL:
      return pki::RevocationRule::kSoftFail;
    case v1::HARD_FAIL:
      return pki::RevocationRule::kHardFail;
    default:
      AddUnknown(field, "SOFT_FAIL, HARD_FAIL", violations);
      return pki::RevocationRule::kHardFail;
  }
}

pki::RevocationScope FromFilter(absl::string_view field,
                                v1::RevocationScope scope,
                                Violations& violations) {
  switch (scope) {
    case v1::REVOCATION_SCOPE_UNSPECIFIED:
    case v1::CHAIN:
      return pki::RevocationScope::kChain;
    case v1::LEAF:
      return pki::RevocationScope::kLeaf;
    default:
      AddUnknown(field, "CHAIN, LEAF", violations);
      return pki::RevocationScope::kChain;
  }
}

std::optional<domain::ClientRequirement> FromFilter(
    absl::string_view field, v1::ClientCertificate requirement,
    Violations& violations) {
  switch (requirement) {
    case v1::CLIENT_CERTIFICATE_UNSPECIFIED:
      return std::nullopt;
    case v1::REQUIRED:
      return domain::ClientRequirement::kRequired;
    case v1::OPTIONAL:
      return domain::ClientRequirement::kOptional;
    default:
      AddUnknown(field, "REQUIRED, OPTIONAL", violations);
      return domain::ClientRequirement::kRequired;
  }
}

std::optional<pki::ExtendedKeyUsageRule> FromFilter(
    absl::string_view field, v1::ExtendedKeyUsageRule rule,
    Violations& violations) {
  switch (rule) {
    case v1::EXTENDED_KEY_USAGE_RULE_UNSPECIFIED:
      return std::nullopt;
    case v1::EKU_REQUIRE:
      return pki::ExtendedKeyUsageRule::kRequire;
    case v1::EKU_WARN:
      return pki::ExtendedKeyUsageRule::kWarn;
    case v1::EKU_IGNORE:
      return pki::ExtendedKeyUsageRule::kIgnore;
    default:
      AddUnknown(field, "EKU_REQUIRE, EKU_WARN, EKU_IGNORE", violations);
      return pki::ExtendedKeyUsageRule::kRequire;
  }
}

}  // namespace sallyport::filter_messages
