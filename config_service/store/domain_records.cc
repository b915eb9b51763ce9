#include "config_service/store/domain_records.h"

#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "config_service/domain/violations.h"
#include "config_service/filter_messages/from_filter.h"
#include "config_service/filter_messages/to_filter.h"
#include "config_service/store/endpoint_type.h"
#include "config_service/store/record_io.h"
#include "proto/sallyport/store/v1/records.pb.h"

namespace sallyport::store {
namespace {

namespace proto = sallyport::store::v1;
using filter_messages::FromFilter;
using filter_messages::ToFilter;
using internal::Damaged;
using internal::ParseRecord;
using internal::ReadName;
using Strings = google::protobuf::RepeatedPtrField<std::string>;

proto::DomainName::SecurityPolicy ToProto(domain::SecurityPolicy policy) {
  switch (policy) {
    case domain::SecurityPolicy::kTls10:
      return proto::DomainName::TLS_1_0;
    case domain::SecurityPolicy::kTls12:
      return proto::DomainName::TLS_1_2;
    case domain::SecurityPolicy::kTls13:
      return proto::DomainName::TLS_1_3;
  }
  return proto::DomainName::TLS_1_3;
}

std::optional<domain::SecurityPolicy> FromProto(
    proto::DomainName::SecurityPolicy policy) {
  switch (policy) {
    case proto::DomainName::TLS_1_0:
      return domain::SecurityPolicy::kTls10;
    case proto::DomainName::TLS_1_2:
      return domain::SecurityPolicy::kTls12;
    case proto::DomainName::TLS_1_3:
      return domain::SecurityPolicy::kTls13;
    default:
      return std::nullopt;
  }
}

template <typename Name>
void WriteNames(const std::vector<Name>& from, Strings& to) {
  for (const Name& name : from) *to.Add() = name.ToString();
}

// None of them may be empty.
template <typename Name>
absl::Status ReadNames(absl::string_view resource, const Strings& from,
                       std::vector<Name>& to) {
  to.reserve(static_cast<size_t>(from.size()));
  for (const std::string& text : from) {
    Name name;
    SALLYPORT_RETURN_IF_ERROR(ReadName(resource, text, name));
    if (name.empty()) return Damaged(resource, "has a name that is empty");
    to.push_back(std::move(name));
  }
  return absl::OkStatus();
}

absl::Status RefuseUnknown(absl::string_view resource,
                           const domain::Violations& violations) {
  if (violations.empty()) return absl::OkStatus();
  return Damaged(resource,
                 absl::StrCat("has a rule that this version does not know, at ",
                              violations.list().front().field));
}

void Write(const domain::MutualTls& from, proto::MutualTls& to) {
  for (const domain::TruststoreBinding& binding : from.truststores) {
    proto::TruststoreBinding& added = *to.add_truststores();
    added.set_truststore(binding.truststore.ToString());
    added.set_version(binding.version.empty() ? 0 : binding.version.number());
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
    to.set_end_streams_after(absl::ToInt64Nanoseconds(*from.end_streams_after));
  }
  to.set_strict_handshake(from.strict_handshake);
  *to.mutable_limits() = ToFilter(from.limits);
}

absl::Status Read(absl::string_view resource, const proto::MutualTls& from,
                  domain::MutualTls& to, domain::Violations& unknown) {
  for (const proto::TruststoreBinding& binding : from.truststores()) {
    domain::TruststoreBinding& added = to.truststores.emplace_back();
    SALLYPORT_RETURN_IF_ERROR(
        ReadName(resource, binding.truststore(), added.truststore));
    if (added.truststore.empty() || binding.version() < 0) {
      return Damaged(resource, "names what is no truststore");
    }
    if (binding.version() != 0) {
      added.version =
          domain::TruststoreVersionName(added.truststore, binding.version());
    }
    added.extended_key_usage =
        FromFilter("mutual_tls.truststores.extended_key_usage",
                   binding.extended_key_usage(), unknown);
  }
  SALLYPORT_RETURN_IF_ERROR(
      ReadNames(resource, from.deny_lists(), to.deny_lists));
  to.client_certificate = FromFilter("mutual_tls.client_certificate",
                                     from.client_certificate(), unknown)
                              .value_or(domain::ClientRequirement::kRequired);
  to.rejection = FromFilter("mutual_tls.rejection", from.rejection(), unknown);
  if (from.has_bad_request()) to.bad_request = FromFilter(from.bad_request());
  if (from.has_allow()) {
    to.allow = FromFilter("mutual_tls.allow", from.allow(), unknown);
  }
  SALLYPORT_RETURN_IF_ERROR(
      ReadNames(resource, from.allow_lists(), to.allow_lists));
  for (int i = 0; i < from.paths_size(); ++i) {
    to.paths.push_back(
        FromFilter(domain::Element("mutual_tls.paths", static_cast<size_t>(i)),
                   from.paths(i), unknown));
  }
  if (from.has_end_streams_after()) {
    to.end_streams_after = absl::Nanoseconds(from.end_streams_after());
  }
  to.strict_handshake = from.strict_handshake();
  to.limits = FromFilter(from.limits());
  return absl::OkStatus();
}

}  // namespace

std::string Encode(const domain::DomainName& domain_name) {
  proto::DomainName out;
  internal::WriteMetadata(domain_name.metadata, *out.mutable_metadata());
  WriteNames(domain_name.fleets, *out.mutable_fleets());
  out.set_endpoint_type(internal::ToProto(domain_name.endpoint_type));
  out.set_security_policy(ToProto(domain_name.security_policy));
  out.set_server_certificate(domain_name.server_certificate.ToString());
  out.set_ownership_verification_certificate(
      domain_name.ownership_verification_certificate.ToString());
  if (domain_name.mutual_tls.has_value()) {
    Write(*domain_name.mutual_tls, *out.mutable_mutual_tls());
  }
  *out.mutable_forwarding() = ToFilter(domain_name.forwarding);
  out.set_held_certificate_version(domain_name.held_certificate_version);
  return internal::Bytes(out);
}

absl::StatusOr<domain::DomainName> Decode(const domain::DomainNameName& name,
                                          const Record& record) {
  const std::string resource = name.ToString();
  SALLYPORT_ASSIGN_OR_RETURN(
      proto::DomainName in,
      ParseRecord<proto::DomainName>(resource, record.value));
  domain::DomainName out;
  out.name = name;
  out.metadata = internal::ReadMetadata(in.metadata(), record);
  SALLYPORT_RETURN_IF_ERROR(ReadNames(resource, in.fleets(), out.fleets));
  const auto endpoint_type = internal::FromProto(in.endpoint_type());
  if (!endpoint_type) return Damaged(resource, "has no known endpoint type");
  out.endpoint_type = *endpoint_type;
  const auto security_policy = FromProto(in.security_policy());
  if (!security_policy) {
    return Damaged(resource, "has no known security policy");
  }
  out.security_policy = *security_policy;
  SALLYPORT_RETURN_IF_ERROR(
      ReadName(resource, in.server_certificate(), out.server_certificate));
  SALLYPORT_RETURN_IF_ERROR(ReadName(resource,
                                     in.ownership_verification_certificate(),
                                     out.ownership_verification_certificate));
  domain::Violations unknown;
  if (in.has_mutual_tls()) {
    SALLYPORT_RETURN_IF_ERROR(
        Read(resource, in.mutual_tls(), out.mutual_tls.emplace(), unknown));
  }
  out.forwarding = FromFilter("forwarding", in.forwarding(), unknown);
  SALLYPORT_RETURN_IF_ERROR(RefuseUnknown(resource, unknown));
  out.held_certificate_version = in.held_certificate_version();
  return out;
}

std::string Encode(const domain::ApiMapping& mapping) {
  proto::ApiMapping out;
  internal::WriteMetadata(mapping.metadata, *out.mutable_metadata());
  out.set_base_path(mapping.base_path);
  out.set_stage(mapping.stage.ToString());
  if (mapping.allow.has_value()) {
    *out.mutable_allow() = ToFilter(*mapping.allow);
  }
  WriteNames(mapping.allow_lists, *out.mutable_allow_lists());
  if (mapping.client_certificate.has_value()) {
    out.set_client_certificate(ToFilter(*mapping.client_certificate));
  }
  if (mapping.forwarding.has_value()) {
    *out.mutable_forwarding() = ToFilter(*mapping.forwarding);
  }
  return internal::Bytes(out);
}

absl::StatusOr<domain::ApiMapping> Decode(const domain::ApiMappingName& name,
                                          const Record& record) {
  const std::string resource = name.ToString();
  SALLYPORT_ASSIGN_OR_RETURN(
      proto::ApiMapping in,
      ParseRecord<proto::ApiMapping>(resource, record.value));
  domain::ApiMapping out;
  out.name = name;
  out.metadata = internal::ReadMetadata(in.metadata(), record);
  out.base_path = in.base_path();
  SALLYPORT_RETURN_IF_ERROR(ReadName(resource, in.stage(), out.stage));
  if (out.stage.empty()) return Damaged(resource, "names no stage");
  domain::Violations unknown;
  if (in.has_allow()) out.allow = FromFilter("allow", in.allow(), unknown);
  SALLYPORT_RETURN_IF_ERROR(
      ReadNames(resource, in.allow_lists(), out.allow_lists));
  out.client_certificate =
      FromFilter("client_certificate", in.client_certificate(), unknown);
  if (in.has_forwarding()) {
    out.forwarding = FromFilter("forwarding", in.forwarding(), unknown);
  }
  SALLYPORT_RETURN_IF_ERROR(RefuseUnknown(resource, unknown));
  return out;
}

}  // namespace sallyport::store
