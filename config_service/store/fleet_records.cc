#include "config_service/store/fleet_records.h"

#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

#include "base/status_macros.h"
#include "config_service/store/record_io.h"
#include "proto/sallyport/store/v1/records.pb.h"

namespace sallyport::store {
namespace {

namespace proto = sallyport::store::v1;
using internal::Damaged;
using internal::FromNanos;
using internal::ParseRecord;
using internal::ToNanos;

proto::Condition::Status ToProto(domain::Condition::Status status) {
  switch (status) {
    case domain::Condition::Status::kTrue:
      return proto::Condition::STATUS_TRUE;
    case domain::Condition::Status::kFalse:
      return proto::Condition::STATUS_FALSE;
    case domain::Condition::Status::kUnknown:
      return proto::Condition::STATUS_UNKNOWN;
  }
  return proto::Condition::STATUS_UNKNOWN;
}

std::optional<domain::Condition::Status> FromProto(
    proto::Condition::Status status) {
  switch (status) {
    case proto::Condition::STATUS_TRUE:
      return domain::Condition::Status::kTrue;
    case proto::Condition::STATUS_FALSE:
      return domain::Condition::Status::kFalse;
    case proto::Condition::STATUS_UNKNOWN:
      return domain::Condition::Status::kUnknown;
    default:
      return std::nullopt;
  }
}

proto::Status::DomainStatus ToProto(domain::DomainName::Status status) {
  switch (status) {
    case domain::DomainName::Status::kAvailable:
      return proto::Status::AVAILABLE;
    case domain::DomainName::Status::kUpdating:
      return proto::Status::UPDATING;
    case domain::DomainName::Status::kPending:
      return proto::Status::PENDING;
    case domain::DomainName::Status::kPendingCertificateReimport:
      return proto::Status::PENDING_CERTIFICATE_REIMPORT;
    case domain::DomainName::Status::kPendingOwnershipVerification:
      return proto::Status::PENDING_OWNERSHIP_VERIFICATION;
    case domain::DomainName::Status::kFailed:
      return proto::Status::FAILED;
  }
  return proto::Status::PENDING;
}

std::optional<domain::DomainName::Status> FromProto(
    proto::Status::DomainStatus status) {
  switch (status) {
    case proto::Status::AVAILABLE:
      return domain::DomainName::Status::kAvailable;
    case proto::Status::UPDATING:
      return domain::DomainName::Status::kUpdating;
    case proto::Status::PENDING:
      return domain::DomainName::Status::kPending;
    case proto::Status::PENDING_CERTIFICATE_REIMPORT:
      return domain::DomainName::Status::kPendingCertificateReimport;
    case proto::Status::PENDING_OWNERSHIP_VERIFICATION:
      return domain::DomainName::Status::kPendingOwnershipVerification;
    case proto::Status::FAILED:
      return domain::DomainName::Status::kFailed;
    default:
      return std::nullopt;
  }
}

}  // namespace

std::string Encode(const domain::Fleet& fleet) {
  proto::Fleet out;
  internal::WriteMetadata(fleet.metadata, *out.mutable_metadata());
  out.set_listen_address(fleet.listen_address);
  out.set_listen_port(fleet.listen_port);
  out.set_default_endpoint_suffix(fleet.default_endpoint_suffix);
  out.set_default_endpoint_certificate(
      fleet.default_endpoint_certificate.ToString());
  const domain::AccessLog& log = fleet.access_log;
  if (log.output == domain::AccessLog::Output::kOff) {
    out.mutable_access_log()->set_off(true);
  }
  if (log.min_status != 0) {
    out.mutable_access_log()->set_min_status(log.min_status);
  }
  return internal::Bytes(out);
}

absl::StatusOr<domain::Fleet> Decode(const domain::FleetName& name,
                                     const Record& record) {
  const std::string resource = name.ToString();
  SALLYPORT_ASSIGN_OR_RETURN(proto::Fleet in,
                             ParseRecord<proto::Fleet>(resource, record.value));
  domain::Fleet out;
  out.name = name;
  out.metadata = internal::ReadMetadata(in.metadata(), record);
  out.listen_address = in.listen_address();
  if (in.listen_port() > std::numeric_limits<uint16_t>::max()) {
    return Damaged(resource, "has a port that is none");
  }
  out.listen_port = static_cast<uint16_t>(in.listen_port());
  out.default_endpoint_suffix = in.default_endpoint_suffix();
  SALLYPORT_RETURN_IF_ERROR(
      internal::ReadName(resource, in.default_endpoint_certificate(),
                         out.default_endpoint_certificate));
  if (in.access_log().off()) {
    out.access_log.output = domain::AccessLog::Output::kOff;
  }
  out.access_log.min_status = in.access_log().min_status();
  return out;
}

std::string Encode(const ResourceStatus& status) {
  proto::Status out;
  for (const domain::Condition& from : status.conditions) {
    proto::Condition& to = *out.add_conditions();
    to.set_type(from.type);
    to.set_status(ToProto(from.status));
    to.set_reason(from.reason);
    to.set_message(from.message);
    to.set_observed_revision(from.observed_revision);
    to.set_transition_time(ToNanos(from.transition_time));
  }
  out.set_domain_status(ToProto(status.domain_status));
  out.set_message(status.message);
  return internal::Bytes(out);
}

absl::StatusOr<ResourceStatus> DecodeStatus(absl::string_view resource,
                                            const Record& record) {
  SALLYPORT_ASSIGN_OR_RETURN(
      proto::Status in, ParseRecord<proto::Status>(resource, record.value));
  ResourceStatus out;
  for (const proto::Condition& from : in.conditions()) {
    domain::Condition to;
    to.type = from.type();
    const auto status = FromProto(from.status());
    if (!status) return Damaged(resource, "has a condition without a status");
    to.status = *status;
    to.reason = from.reason();
    to.message = from.message();
    to.observed_revision = from.observed_revision();
    to.transition_time = FromNanos(from.transition_time());
    out.conditions.push_back(std::move(to));
  }
  const auto domain_status = FromProto(in.domain_status());
  if (!domain_status) return Damaged(resource, "has no known status");
  out.domain_status = *domain_status;
  out.message = in.message();
  return out;
}

}  // namespace sallyport::store
