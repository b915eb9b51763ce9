#include "config_service/api/convert_domain_name.h"

#include <string>
#include <vector>

#include "config_service/api/convert.h"
#include "config_service/filter_messages/from_filter.h"
#include "config_service/filter_messages/to_filter.h"

namespace sallyport::api {

namespace proto = sallyport::config::v1;
using domain::Reason;
using filter_messages::FromFilter;
using filter_messages::ToFilter;

namespace {

using Strings = google::protobuf::RepeatedPtrField<std::string>;

template <typename Name>
std::vector<Name> ParseNames(absl::string_view field, const Strings& from,
                             domain::Violations& violations) {
  std::vector<Name> to;
  to.reserve(static_cast<size_t>(from.size()));
  for (int i = 0; i < from.size(); ++i) {
    to.push_back(ParseName<Name>(domain::Element(field, static_cast<size_t>(i)),
                                 from[i], violations));
  }
  return to;
}

template <typename Name>
void WriteNames(const std::vector<Name>& from, Strings& to) {
  for (const Name& name : from) *to.Add() = name.ToString();
}

domain::MutualTls ConvertMutualTls(const proto::MutualTls& from,
                                   domain::Violations& violations) {
  domain::MutualTls to;
  for (int i = 0; i < from.truststores_size(); ++i) {
    const proto::TruststoreBinding& binding = from.truststores(i);
    const std::string element =
        domain::Element("mutual_tls.truststores", static_cast<size_t>(i));
    domain::TruststoreBinding& added = to.truststores.emplace_back();
    added.truststore = ParseNameIfAny<domain::TruststoreName>(
        domain::Field(element, "truststore"), binding.truststore(), violations);
    added.version = ParseNameIfAny<domain::TruststoreVersionName>(
        domain::Field(element, "version"), binding.version(), violations);
    added.extended_key_usage =
        FromFilter(domain::Field(element, "extended_key_usage"),
                   binding.extended_key_usage(), violations);
  }
  to.deny_lists = ParseNames<domain::CertificateListName>(
      "mutual_tls.deny_lists", from.deny_lists(), violations);
  to.client_certificate = FromFilter("mutual_tls.client_certificate",
                                     from.client_certificate(), violations)
                              .value_or(to.client_certificate);
  to.rejection =
      FromFilter("mutual_tls.rejection", from.rejection(), violations);
  if (from.has_bad_request()) to.bad_request = FromFilter(from.bad_request());
  if (from.has_allow()) {
    to.allow = FromFilter("mutual_tls.allow", from.allow(), violations);
  }
  to.allow_lists = ParseNames<domain::CertificateListName>(
      "mutual_tls.allow_lists", from.allow_lists(), violations);
  for (int i = 0; i < from.paths_size(); ++i) {
    to.paths.push_back(
        FromFilter(domain::Element("mutual_tls.paths", static_cast<size_t>(i)),
                   from.paths(i), violations));
  }
  if (from.has_end_streams_after()) {
    to.end_streams_after = Convert(from.end_streams_after());
  }
  to.strict_handshake = from.strict_handshake();
  to.limits = FromFilter(from.limits());
  return to;
}

void ConvertMutualTls(const domain::MutualTls& from, proto::MutualTls& to) {
  for (const domain::TruststoreBinding& binding : from.truststores) {
    proto::TruststoreBinding& added = *to.add_truststores();
    added.set_truststore(binding.truststore.ToString());
    added.set_version(binding.version.ToString());
    if (binding.extended_key_usage.has_value()) {
      added.set_extended_key_usage(ToFilter(*binding.extended_key_usage));
    }
  }
  WriteNames(from.deny_lists, *to.mutable_deny_lists());
  to.set_client_certificate(ToFilter(from.client_certificate));
  to.set_rejection(ToFilter(from.rejection));
  if (from.bad_request.has_value()) {
    *to.mutable_bad_request() = ToFilter(*from.bad_request);
  }
  if (from.allow.has_value()) *to.mutable_allow() = ToFilter(*from.allow);
  WriteNames(from.allow_lists, *to.mutable_allow_lists());
  for (const domain::PathRule& path : from.paths) {
    *to.add_paths() = ToFilter(path);
  }
  if (from.end_streams_after.has_value()) {
    Convert(*from.end_streams_after, *to.mutable_end_streams_after());
  }
  to.set_strict_handshake(from.strict_handshake);
  filter::v1::VerifyLimits limits = ToFilter(from.limits);
  if (limits.ByteSizeLong() != 0) *to.mutable_limits() = std::move(limits);
}

proto::DomainName::Status Convert(domain::DomainName::Status from) {
  switch (from) {
    case domain::DomainName::Status::kAvailable:
      return proto::DomainName::AVAILABLE;
    case domain::DomainName::Status::kUpdating:
      return proto::DomainName::UPDATING;
    case domain::DomainName::Status::kPending:
      return proto::DomainName::PENDING;
    case domain::DomainName::Status::kPendingCertificateReimport:
      return proto::DomainName::PENDING_CERTIFICATE_REIMPORT;
    case domain::DomainName::Status::kPendingOwnershipVerification:
      return proto::DomainName::PENDING_OWNERSHIP_VERIFICATION;
    case domain::DomainName::Status::kFailed:
      return proto::DomainName::FAILED;
  }
  return proto::DomainName::STATUS_UNSPECIFIED;
}

}  // namespace

domain::EndpointType Convert(absl::string_view field, proto::EndpointType from,
                             domain::Violations& violations) {
  switch (from) {
    case proto::ENDPOINT_TYPE_UNSPECIFIED:
    case proto::REGIONAL:
      return domain::EndpointType::kRegional;
    case proto::EDGE:
      return domain::EndpointType::kEdge;
    case proto::PRIVATE:
      return domain::EndpointType::kPrivate;
    default:
      violations.Add(field, Reason::kFieldMalformed,
                     "is no value of it that is known");
      return domain::EndpointType::kRegional;
  }
}

proto::EndpointType Convert(domain::EndpointType from) {
  switch (from) {
    case domain::EndpointType::kRegional:
      return proto::REGIONAL;
    case domain::EndpointType::kEdge:
      return proto::EDGE;
    case domain::EndpointType::kPrivate:
      return proto::PRIVATE;
  }
  return proto::ENDPOINT_TYPE_UNSPECIFIED;
}

domain::DomainName Convert(const proto::DomainName& from,
                           domain::Violations& violations) {
  domain::DomainName to;
  ConvertMetadata(from, to, violations);
  to.fleets =
      ParseNames<domain::FleetName>("fleets", from.fleets(), violations);
  to.endpoint_type = Convert("endpoint_type", from.endpoint_type(), violations);
  switch (from.security_policy()) {
    case proto::SECURITY_POLICY_UNSPECIFIED:
    case proto::TLS_1_2:
      to.security_policy = domain::SecurityPolicy::kTls12;
      break;
    case proto::TLS_1_0:
      to.security_policy = domain::SecurityPolicy::kTls10;
      break;
    case proto::TLS_1_3:
      to.security_policy = domain::SecurityPolicy::kTls13;
      break;
    default:
      violations.Add("security_policy", Reason::kFieldMalformed,
                     "is no value of it that is known");
  }
  to.server_certificate = ParseNameIfAny<domain::ServerCertificateName>(
      "server_certificate", from.server_certificate(), violations);
  to.ownership_verification_certificate =
      ParseNameIfAny<domain::ServerCertificateName>(
          "ownership_verification_certificate",
          from.ownership_verification_certificate(), violations);
  if (from.has_mutual_tls()) {
    to.mutual_tls = ConvertMutualTls(from.mutual_tls(), violations);
  }
  to.forwarding = FromFilter("forwarding", from.forwarding(), violations);
  return to;
}

void Convert(const domain::DomainName& from, proto::DomainName& to) {
  ConvertMetadata(from, to);
  WriteNames(from.fleets, *to.mutable_fleets());
  to.set_endpoint_type(Convert(from.endpoint_type));
  switch (from.security_policy) {
    case domain::SecurityPolicy::kTls10:
      to.set_security_policy(proto::TLS_1_0);
      break;
    case domain::SecurityPolicy::kTls12:
      to.set_security_policy(proto::TLS_1_2);
      break;
    case domain::SecurityPolicy::kTls13:
      to.set_security_policy(proto::TLS_1_3);
      break;
  }
  to.set_server_certificate(from.server_certificate.ToString());
  to.set_ownership_verification_certificate(
      from.ownership_verification_certificate.ToString());
  if (from.mutual_tls.has_value()) {
    ConvertMutualTls(*from.mutual_tls, *to.mutable_mutual_tls());
  }
  if (from.held_certificate_version != 0) {
    to.set_served_certificate_version(
        domain::ServerCertificateVersionName(from.server_certificate,
                                             from.held_certificate_version)
            .ToString());
  }
  filter::v1::Forwarding forwarding = ToFilter(from.forwarding);
  if (forwarding.ByteSizeLong() != 0) {
    *to.mutable_forwarding() = std::move(forwarding);
  }
}

void Convert(const service::DomainNameView& from, proto::DomainName& to) {
  Convert(from.domain_name, to);
  to.set_status(Convert(from.domain_name.status));
  to.set_status_message(from.domain_name.status_message);
  to.set_served_certificate_version(from.served_version.ToString());
  for (const domain::Warning& warning : from.warnings) {
    Convert(warning, *to.add_warnings());
  }
  to.set_warning_count(static_cast<int>(from.num_warnings));
  for (const domain::Condition& condition : from.domain_name.conditions) {
    Convert(condition, *to.add_conditions());
  }
}

domain::ApiMapping Convert(const proto::ApiMapping& from,
                           domain::Violations& violations) {
  domain::ApiMapping to;
  to.name =
      ParseNameIfAny<domain::ApiMappingName>("name", from.name(), violations);
  to.metadata.etag = domain::Etag(from.etag());
  to.base_path = from.base_path();
  to.stage =
      ParseNameIfAny<domain::StageName>("stage", from.stage(), violations);
  if (from.has_allow()) {
    to.allow = FromFilter("allow", from.allow(), violations);
  }
  to.allow_lists = ParseNames<domain::CertificateListName>(
      "allow_lists", from.allow_lists(), violations);
  to.client_certificate =
      FromFilter("client_certificate", from.client_certificate(), violations);
  if (from.has_forwarding()) {
    to.forwarding = FromFilter("forwarding", from.forwarding(), violations);
  }
  return to;
}

void Convert(const domain::ApiMapping& from, proto::ApiMapping& to) {
  to.set_name(from.name.ToString());
  to.set_etag(from.metadata.etag.text());
  to.set_revision(from.metadata.revision);
  SetTime(from.metadata.create_time, [&] { return to.mutable_create_time(); });
  SetTime(from.metadata.update_time, [&] { return to.mutable_update_time(); });
  to.set_base_path(from.base_path);
  to.set_stage(from.stage.ToString());
  if (from.allow.has_value()) *to.mutable_allow() = ToFilter(*from.allow);
  WriteNames(from.allow_lists, *to.mutable_allow_lists());
  if (from.client_certificate.has_value()) {
    to.set_client_certificate(ToFilter(*from.client_certificate));
  }
  if (from.forwarding.has_value()) {
    *to.mutable_forwarding() = ToFilter(*from.forwarding);
  }
}

void Convert(const service::ApiMappingView& from, proto::ApiMapping& to) {
  Convert(from.mapping, to);
  for (const domain::Warning& warning : from.warnings) {
    Convert(warning, *to.add_warnings());
  }
  for (const domain::Condition& condition : from.mapping.conditions) {
    Convert(condition, *to.add_conditions());
  }
}

}  // namespace sallyport::api
