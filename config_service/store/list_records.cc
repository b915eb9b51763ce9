#include "config_service/store/list_records.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "config_service/store/record_io.h"
#include "pki/x509/certificate.h"
#include "proto/sallyport/store/v1/records.pb.h"

namespace sallyport::store {
namespace {

namespace proto = sallyport::store::v1;
using internal::Damaged;
using internal::FromNanos;
using internal::ParseRecord;
using internal::ToNanos;

}  // namespace

std::string Encode(const domain::RevocationList& list) {
  proto::RevocationList out;
  internal::WriteMetadata(list.metadata, *out.mutable_metadata());
  out.set_sha256(std::string(pki::AsBytes(list.sha256)));
  out.set_size_bytes(list.size_bytes);
  for (const domain::RevocationList::Summary& from : list.lists) {
    proto::RevocationList::Summary& to = *out.add_lists();
    to.set_issuer(from.issuer);
    to.set_this_update(ToNanos(from.this_update));
    to.set_next_update(ToNanos(from.next_update, absl::InfiniteFuture()));
    to.set_entry_count(from.entry_count);
  }
  out.set_list_count(list.list_count);
  out.set_entry_count(list.entry_count);
  out.set_next_update(ToNanos(list.next_update, absl::InfiniteFuture()));
  return internal::Bytes(out);
}

absl::StatusOr<domain::RevocationList> Decode(
    const domain::RevocationListName& name, const Record& record) {
  const std::string resource = name.ToString();
  SALLYPORT_ASSIGN_OR_RETURN(
      proto::RevocationList in,
      ParseRecord<proto::RevocationList>(resource, record.value));
  const absl::StatusOr<BlobDigest> digest = BlobDigest::FromBytes(in.sha256());
  if (!digest.ok()) return Damaged(resource, "names no content");
  domain::RevocationList out;
  out.name = name;
  out.metadata = internal::ReadMetadata(in.metadata(), record);
  out.sha256 = digest->array();
  out.size_bytes = in.size_bytes();
  for (const proto::RevocationList::Summary& from : in.lists()) {
    domain::RevocationList::Summary to;
    to.issuer = from.issuer();
    to.this_update = FromNanos(from.this_update());
    to.next_update = FromNanos(from.next_update(), absl::InfiniteFuture());
    to.entry_count = from.entry_count();
    out.lists.push_back(std::move(to));
  }
  out.list_count = in.list_count();
  out.entry_count = in.entry_count();
  out.next_update = FromNanos(in.next_update(), absl::InfiniteFuture());
  return out;
}

BlobDigest BlobOf(const domain::RevocationList& list) {
  return BlobDigest(list.sha256);
}

std::string Encode(const domain::CertificateList& list) {
  proto::CertificateList out;
  internal::WriteMetadata(list.metadata, *out.mutable_metadata());
  out.set_kind(list.kind == domain::CertificateList::Kind::kAllow
                   ? proto::CertificateList::ALLOW
                   : proto::CertificateList::DENY);
  out.set_everywhere(list.everywhere);
  out.set_entry_count(list.entry_count);
  return internal::Bytes(out);
}

absl::StatusOr<domain::CertificateList> Decode(
    const domain::CertificateListName& name, const Record& record) {
  const std::string resource = name.ToString();
  SALLYPORT_ASSIGN_OR_RETURN(
      proto::CertificateList in,
      ParseRecord<proto::CertificateList>(resource, record.value));
  domain::CertificateList out;
  out.name = name;
  out.metadata = internal::ReadMetadata(in.metadata(), record);
  switch (in.kind()) {
    case proto::CertificateList::DENY:
      out.kind = domain::CertificateList::Kind::kDeny;
      break;
    case proto::CertificateList::ALLOW:
      out.kind = domain::CertificateList::Kind::kAllow;
      break;
    default:
      return Damaged(resource, "is of no known kind");
  }
  out.everywhere = in.everywhere();
  out.entry_count = in.entry_count();
  return out;
}

std::string EntriesPrefix(const domain::CertificateListName& list) {
  return absl::StrCat(kEntriesCollection, "/", list.id(), "/");
}

std::string EntryKey(const domain::CertificateListName& list,
                     const domain::CertificateListEntry& entry) {
  return absl::StrCat(EntriesPrefix(list), entry.Key());
}

std::string Encode(const domain::CertificateListEntry& entry) {
  proto::CertificateListEntry out;
  switch (entry.kind) {
    case domain::CertificateListEntry::Kind::kCertificateSha256:
      out.set_kind(proto::CertificateListEntry::CERTIFICATE_SHA256);
      break;
    case domain::CertificateListEntry::Kind::kSpkiSha256:
      out.set_kind(proto::CertificateListEntry::SPKI_SHA256);
      break;
    case domain::CertificateListEntry::Kind::kIssuerAndSerial:
      out.set_kind(proto::CertificateListEntry::ISSUER_AND_SERIAL);
      break;
  }
  out.set_sha256(entry.sha256);
  out.set_issuer(entry.issuer);
  out.set_serial(entry.serial);
  out.set_comment(entry.comment);
  return internal::Bytes(out);
}

absl::StatusOr<domain::CertificateListEntry> DecodeEntry(
    const domain::CertificateListName& list, const Record& record) {
  const std::string resource = list.ToString();
  SALLYPORT_ASSIGN_OR_RETURN(
      proto::CertificateListEntry in,
      ParseRecord<proto::CertificateListEntry>(resource, record.value));
  domain::CertificateListEntry out;
  switch (in.kind()) {
    case proto::CertificateListEntry::CERTIFICATE_SHA256:
      out.kind = domain::CertificateListEntry::Kind::kCertificateSha256;
      break;
    case proto::CertificateListEntry::SPKI_SHA256:
      out.kind = domain::CertificateListEntry::Kind::kSpkiSha256;
      break;
    case proto::CertificateListEntry::ISSUER_AND_SERIAL:
      out.kind = domain::CertificateListEntry::Kind::kIssuerAndSerial;
      break;
    default:
      return Damaged(resource, "has an entry of no known kind");
  }
  out.sha256 = in.sha256();
  out.issuer = in.issuer();
  out.serial = in.serial();
  out.comment = in.comment();
  return out;
}

}  // namespace sallyport::store
