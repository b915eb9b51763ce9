#include "config_service/store/records.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "config_service/domain/violations.h"
#include "config_service/filter_messages/from_filter.h"
#include "config_service/filter_messages/to_filter.h"
#include "config_service/store/record_io.h"
#include "proto/sallyport/store/v1/records.pb.h"

namespace sallyport::store {
namespace {

namespace proto = sallyport::store::v1;
using filter_messages::FromFilter;
using filter_messages::ToFilter;
using internal::Bytes;
using internal::Damaged;
using internal::FromNanos;
using internal::ParseRecord;
using internal::ToNanos;

proto::TruststoreSource::Watch ToProto(domain::TruststoreSource::Watch watch) {
  switch (watch) {
    case domain::TruststoreSource::Watch::kOff:
      return proto::TruststoreSource::OFF;
    case domain::TruststoreSource::Watch::kCandidateOnly:
      return proto::TruststoreSource::CANDIDATE_ONLY;
    case domain::TruststoreSource::Watch::kActivate:
      return proto::TruststoreSource::ACTIVATE;
  }
  return proto::TruststoreSource::OFF;
}

}  // namespace

std::string Encode(const domain::Truststore& truststore) {
  proto::Truststore out;
  internal::WriteMetadata(truststore.metadata, *out.mutable_metadata());
  proto::TruststoreSource& source = *out.mutable_source();
  source.set_uri(truststore.source.uri);
  source.set_object_version(truststore.source.object_version);
  source.set_watch(ToProto(truststore.source.watch));
  source.set_poll_interval(
      absl::ToInt64Nanoseconds(truststore.source.poll_interval));
  out.set_active_version(truststore.active_version);
  out.set_previous_version(truststore.previous_version);
  out.set_shadow_version(truststore.shadow_version);
  out.set_next_version(truststore.next_version);
  out.set_chain_policy(ToFilter(truststore.chain_policy));
  out.set_extended_key_usage(ToFilter(truststore.extended_key_usage));
  out.set_pin_leaf(truststore.pin_leaf);
  for (const domain::RevocationListName& list : truststore.revocation_lists) {
    out.add_revocation_lists(list.ToString());
  }
  out.set_revocation_rule(ToFilter(truststore.revocation_rule));
  out.set_revocation_scope(ToFilter(truststore.revocation_scope));
  out.set_max_bytes(truststore.max_bytes);
  out.set_max_certificates(truststore.max_certificates);
  return Bytes(out);
}

absl::StatusOr<domain::Truststore> Decode(const domain::TruststoreName& name,
                                          const Record& record) {
  const std::string resource = name.ToString();
  SALLYPORT_ASSIGN_OR_RETURN(
      proto::Truststore in,
      ParseRecord<proto::Truststore>(resource, record.value));
  domain::Truststore out;
  out.name = name;
  out.metadata = internal::ReadMetadata(in.metadata(), record);
  out.source.uri = in.source().uri();
  out.source.object_version = in.source().object_version();
  switch (in.source().watch()) {
    case proto::TruststoreSource::OFF:
      out.source.watch = domain::TruststoreSource::Watch::kOff;
      break;
    case proto::TruststoreSource::CANDIDATE_ONLY:
      out.source.watch = domain::TruststoreSource::Watch::kCandidateOnly;
      break;
    case proto::TruststoreSource::ACTIVATE:
      out.source.watch = domain::TruststoreSource::Watch::kActivate;
      break;
    default:
      return Damaged(resource, "has no known way to watch its source");
  }
  out.source.poll_interval = absl::Nanoseconds(in.source().poll_interval());
  out.active_version = in.active_version();
  out.previous_version = in.previous_version();
  out.shadow_version = in.shadow_version();
  out.next_version = in.next_version();
  domain::Violations unknown;
  out.chain_policy = FromFilter("chain_policy", in.chain_policy(), unknown);
  out.extended_key_usage =
      FromFilter("extended_key_usage", in.extended_key_usage(), unknown)
          .value_or(out.extended_key_usage);
  out.revocation_rule =
      FromFilter("revocation_rule", in.revocation_rule(), unknown);
  out.revocation_scope =
      FromFilter("revocation_scope", in.revocation_scope(), unknown);
  if (!unknown.empty()) {
    return Damaged(resource, "has a rule that this version does not know");
  }
  out.pin_leaf = in.pin_leaf();
  for (const std::string& text : in.revocation_lists()) {
    const auto list = domain::RevocationListName::Parse(text);
    if (!list.ok()) return Damaged(resource, "names what is no list");
    out.revocation_lists.push_back(*list);
  }
  out.max_bytes = in.max_bytes();
  out.max_certificates = in.max_certificates();
  return out;
}

std::string Encode(const domain::TruststoreVersion& version) {
  proto::TruststoreVersion out;
  out.set_description(version.description);
  out.set_create_time(ToNanos(version.create_time));
  out.set_was_active(version.was_active);
  out.set_source_uri(version.source_uri);
  out.set_source_object_version(version.source_object_version);
  out.set_source_etag(version.source_etag);
  out.set_sha256(std::string(pki::AsBytes(version.sha256)));
  out.set_size_bytes(version.size_bytes);
  out.set_certificate_count(version.certificate_count);
  return Bytes(out);
}

absl::StatusOr<domain::TruststoreVersion> Decode(
    const domain::TruststoreVersionName& name, const Record& record) {
  const std::string resource = name.ToString();
  SALLYPORT_ASSIGN_OR_RETURN(
      proto::TruststoreVersion in,
      ParseRecord<proto::TruststoreVersion>(resource, record.value));
  const absl::StatusOr<BlobDigest> digest = BlobDigest::FromBytes(in.sha256());
  if (!digest.ok()) return Damaged(resource, "names no content");
  domain::TruststoreVersion out;
  out.name = name;
  out.description = in.description();
  out.create_time = FromNanos(in.create_time());
  out.etag = domain::Etag::Of(record.value);
  out.revision = record.mod_revision.value();
  out.was_active = in.was_active();
  out.source_uri = in.source_uri();
  out.source_object_version = in.source_object_version();
  out.source_etag = in.source_etag();
  out.sha256 = digest->array();
  out.size_bytes = in.size_bytes();
  out.certificate_count = in.certificate_count();
  return out;
}

BlobDigest BlobOf(const domain::TruststoreVersion& version) {
  return BlobDigest(version.sha256);
}

std::string Encode(const domain::AuditEntry& entry) {
  proto::AuditEntry out;
  out.set_time(ToNanos(entry.time));
  out.set_principal(entry.principal);
  out.set_peer(entry.peer);
  out.set_method(entry.method);
  out.set_request_id(entry.request_id);
  for (const domain::AuditEntry::Change& from : entry.changes) {
    proto::AuditEntry::Change& change = *out.add_changes();
    change.set_resource(from.resource);
    change.set_before_json(from.before_json);
    change.set_after_json(from.after_json);
    for (const std::string& field : from.changed_fields) {
      change.add_changed_fields(field);
    }
  }
  for (const std::string& override : entry.overrides) {
    out.add_overrides(override);
  }
  if (!entry.imported_from.empty()) {
    out.set_origin_lineage(entry.imported_from);
    out.set_origin_revision(entry.revision);
  }
  return Bytes(out);
}

absl::StatusOr<domain::AuditEntry> DecodeAuditEntry(const Record& record) {
  const std::string resource =
      absl::StrCat("auditEntries/", record.mod_revision.value());
  SALLYPORT_ASSIGN_OR_RETURN(
      proto::AuditEntry in,
      ParseRecord<proto::AuditEntry>(resource, record.value));
  domain::AuditEntry out;
  out.revision = record.mod_revision.value();
  out.time = FromNanos(in.time());
  out.principal = in.principal();
  out.peer = in.peer();
  out.method = in.method();
  out.request_id = in.request_id();
  for (const proto::AuditEntry::Change& from : in.changes()) {
    domain::AuditEntry::Change change;
    change.resource = from.resource();
    change.before_json = from.before_json();
    change.after_json = from.after_json();
    change.changed_fields.assign(from.changed_fields().begin(),
                                 from.changed_fields().end());
    out.changes.push_back(std::move(change));
  }
  out.overrides.assign(in.overrides().begin(), in.overrides().end());
  if (!in.origin_lineage().empty()) {
    out.imported_from = in.origin_lineage();
    out.revision = in.origin_revision();
  }
  return out;
}

std::string Encode(const RememberedRequest& request) {
  proto::RememberedRequest out;
  out.set_request_sha256(std::string(request.request.bytes()));
  out.set_method(request.method);
  out.set_resource(request.resource);
  out.set_revision(request.revision);
  out.set_expire_time(ToNanos(request.expire_time));
  return Bytes(out);
}

absl::StatusOr<RememberedRequest> DecodeRememberedRequest(
    const Record& record) {
  SALLYPORT_ASSIGN_OR_RETURN(
      proto::RememberedRequest in,
      ParseRecord<proto::RememberedRequest>("a request", record.value));
  const absl::StatusOr<BlobDigest> digest =
      BlobDigest::FromBytes(in.request_sha256());
  if (!digest.ok()) return Damaged("a request", "has no digest");
  RememberedRequest out;
  out.request = *digest;
  out.method = in.method();
  out.resource = in.resource();
  out.revision =
      in.revision() == 0 ? record.mod_revision.value() : in.revision();
  out.expire_time = FromNanos(in.expire_time());
  return out;
}

}  // namespace sallyport::store
