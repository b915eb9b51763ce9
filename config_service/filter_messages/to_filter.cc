#include "config_service/filter_messages/to_filter.h"

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace sallyport::filter_messages {

namespace v1 = ::sallyport::filter::v1;

namespace {

using Kind = domain::ClientRule::Kind;
using Strings = google::protobuf::RepeatedPtrField<std::string>;

void Copy(const std::vector<std::string>& from, Strings& to) {
  to.Assign(from.begin(), from.end());
}

void Copy(const domain::ClientRule& from, v1::ClientRule::Name& to) {
  Copy(from.values, *to.mutable_exact());
  for (const domain::ClientRule::Attribute& attribute : from.attributes) {
    v1::ClientRule::Attribute& added = *to.add_attributes();
    added.set_type(attribute.type);
    Copy(attribute.exact, *added.mutable_exact());
    Copy(attribute.prefix, *added.mutable_prefix());
    Copy(attribute.suffix, *added.mutable_suffix());
    added.set_ignore_case(attribute.ignore_case);
  }
}

// NOLINTNEXTLINE(misc-no-recursion): at most kMaxClientRuleDepth deep.
void Copy(const domain::ClientRule& from, v1::ClientRule& to) {
  const auto combine = [&from](v1::ClientRule::Rules& rules) {
    for (const domain::ClientRule& rule : from.rules) {
      Copy(rule, *rules.add_rules());
    }
  };
  switch (from.kind) {
    case Kind::kAll:
      combine(*to.mutable_all());
      break;
    case Kind::kAny:
      combine(*to.mutable_any());
      break;
    case Kind::kNone:
      combine(*to.mutable_none());
      break;
    case Kind::kSanDns:
      Copy(from.values, *to.mutable_san_dns()->mutable_patterns());
      break;
    case Kind::kSanUri:
      Copy(from.values, *to.mutable_san_uri()->mutable_exact());
      Copy(from.spiffe, *to.mutable_san_uri()->mutable_spiffe());
      break;
    case Kind::kSanEmail:
      Copy(from.values, *to.mutable_san_email()->mutable_patterns());
      break;
    case Kind::kSanIp:
      Copy(from.values, *to.mutable_san_ip()->mutable_ranges());
      break;
    case Kind::kSubject:
      Copy(from, *to.mutable_subject());
      break;
    case Kind::kIssuer:
      Copy(from, *to.mutable_issuer());
      break;
    case Kind::kCertificateSha256:
      Copy(from.values, *to.mutable_certificate_sha256()->mutable_sha256());
      break;
    case Kind::kSpkiSha256:
      Copy(from.values, *to.mutable_spki_sha256()->mutable_sha256());
      break;
    case Kind::kSerial:
      Copy(from.values, *to.mutable_serial()->mutable_hex());
      break;
    case Kind::kTruststore:
      Copy(from.values, *to.mutable_truststore()->mutable_names());
      break;
    case Kind::kCertificateList:
      Copy(from.values, *to.mutable_certificate_list()->mutable_names());
      break;
  }
}

}  // namespace

v1::ClientRule ToFilter(const domain::ClientRule& rule) {
  v1::ClientRule out;
  Copy(rule, out);
  return out;
}

v1::Forwarding ToFilter(const domain::Forwarding& forwarding) {
  v1::Forwarding out;
  if (forwarding.xfcc.has_value()) {
    v1::Forwarding::Xfcc& xfcc = *out.mutable_xfcc();
    xfcc.set_subject(forwarding.xfcc->subject);
    xfcc.set_cert(forwarding.xfcc->cert);
    xfcc.set_chain(forwarding.xfcc->chain);
    xfcc.set_uri(forwarding.xfcc->uri);
    xfcc.set_dns(forwarding.xfcc->dns);
  }
  if (forwarding.rfc9440.has_value()) {
    out.mutable_rfc9440()->set_chain(forwarding.rfc9440->chain);
  }
  if (forwarding.alb.has_value()) {
    out.mutable_alb()->set_mode(forwarding.alb->mode ==
                                        domain::Forwarding::Alb::Mode::kVerify
                                    ? v1::Forwarding::Alb::VERIFY
                                    : v1::Forwarding::Alb::PASSTHROUGH);
  }
  if (forwarding.ingress_nginx.has_value()) {
    out.mutable_ingress_nginx()->set_cert(forwarding.ingress_nginx->cert);
  }
  if (forwarding.traefik.has_value()) {
    out.mutable_traefik()->set_pem(forwarding.traefik->pem);
    out.mutable_traefik()->set_info(forwarding.traefik->info);
  }
  if (forwarding.cloudflare) out.mutable_cloudflare();
  if (forwarding.api_gateway) out.mutable_api_gateway();
  if (forwarding.chain_source == domain::Forwarding::ChainSource::kVerified) {
    out.set_chain_source(v1::Forwarding::VERIFIED);
  }
  out.set_truststore(forwarding.truststore);
  out.set_verdict(forwarding.verdict);
  Copy(forwarding.remove_headers, *out.mutable_remove_headers());
  out.set_max_header_bytes(forwarding.max_header_bytes);
  if (forwarding.trusted_proxy.has_value()) {
    Copy(*forwarding.trusted_proxy, *out.mutable_trusted_proxy());
  }
  return out;
}

v1::VerifyLimits ToFilter(const domain::VerifyLimits& limits) {
  v1::VerifyLimits out;
  out.set_max_chain_length(limits.max_chain_length);
  out.set_max_client_certificates(limits.max_client_certificates);
  out.set_max_client_chain_bytes(limits.max_client_chain_bytes);
  out.set_max_signature_checks(limits.max_signature_checks);
  out.set_max_path_iterations(limits.max_path_iterations);
  out.set_max_verified_paths(limits.max_verified_paths);
  out.set_max_sent_name_checks(limits.max_sent_name_checks);
  return out;
}

v1::PathRule ToFilter(const domain::PathRule& rule) {
  v1::PathRule out;
  if (rule.exact) {
    out.set_exact(rule.path);
  } else {
    out.set_prefix(rule.path);
  }
  if (rule.client_certificate.has_value()) {
    out.set_client_certificate(ToFilter(*rule.client_certificate));
  }
  if (rule.allow.has_value()) *out.mutable_allow() = ToFilter(*rule.allow);
  return out;
}

v1::BadRequest ToFilter(const domain::BadRequest& bad_request) {
  v1::BadRequest out;
  out.set_body(bad_request.body);
  out.set_content_type(bad_request.content_type);
  out.set_redirect(bad_request.redirect);
  return out;
}

v1::ClientCertificate ToFilter(domain::ClientRequirement requirement) {
  return requirement == domain::ClientRequirement::kOptional ? v1::OPTIONAL
                                                             : v1::REQUIRED;
}

v1::RejectionStyle ToFilter(domain::RejectionStyle style) {
  switch (style) {
    case domain::RejectionStyle::kForbidden:
      return v1::FORBIDDEN;
    case domain::RejectionStyle::kHandshake:
      return v1::HANDSHAKE;
    case domain::RejectionStyle::kBadRequest:
      return v1::BAD_REQUEST;
    case domain::RejectionStyle::kPass:
      return v1::PASS;
  }
  return v1::FORBIDDEN;
}

v1::ChainPolicy ToFilter(pki::ChainPolicy policy) {
  return policy == pki::ChainPolicy::kAnyAnchor ? v1::ANY_ANCHOR
                                                : v1::COMPLETE_CHAIN;
}

v1::ExtendedKeyUsageRule ToFilter(pki::ExtendedKeyUsageRule rule) {
  switch (rule) {
    case pki::ExtendedKeyUsageRule::kRequire:
      return v1::EKU_REQUIRE;
    case pki::ExtendedKeyUsageRule::kWarn:
      return v1::EKU_WARN;
    case pki::ExtendedKeyUsageRule::kIgnore:
      return v1::EKU_IGNORE;
  }
  return v1::EKU_REQUIRE;
}

v1::RevocationRule ToFilter(pki::RevocationRule rule) {
  return rule == pki::RevocationRule::kHardFail ? v1::HARD_FAIL : v1::SOFT_FAIL;
}

v1::RevocationScope ToFilter(pki::RevocationScope scope) {
  return scope == pki::RevocationScope::kLeaf ? v1::LEAF : v1::CHAIN;
}

}  // namespace sallyport::filter_messages
