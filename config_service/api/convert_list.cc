#include "config_service/api/convert_list.h"

#include "base/text.h"
#include "config_service/api/convert.h"

namespace sallyport::api {

namespace proto = sallyport::config::v1;
using domain::Reason;

domain::RevocationList Convert(const proto::RevocationList& from,
                               domain::Violations& violations) {
  domain::RevocationList to;
  ConvertMetadata(from, to, violations);
  return to;
}

domain::CertificateList Convert(const proto::CertificateList& from,
                                domain::Violations& violations) {
  domain::CertificateList to;
  ConvertMetadata(from, to, violations);
  switch (from.kind()) {
    case proto::CertificateList::DENY:
      to.kind = domain::CertificateList::Kind::kDeny;
      break;
    case proto::CertificateList::ALLOW:
      to.kind = domain::CertificateList::Kind::kAllow;
      break;
    case proto::CertificateList::KIND_UNSPECIFIED:
      // Whoever makes one must say; whoever updates one need not.
      break;
    default:
      violations.Add("kind", Reason::kFieldMalformed,
                     "is no value of it that is known");
  }
  to.everywhere = from.everywhere();
  return to;
}

domain::CertificateListEntry Convert(absl::string_view field,
                                     const proto::CertificateListEntry& from,
                                     domain::Violations& violations) {
  using Entry = domain::CertificateListEntry;
  Entry to;
  switch (from.entry_case()) {
    case proto::CertificateListEntry::kCertificateSha256:
      to.kind = Entry::Kind::kCertificateSha256;
      to.sha256 = from.certificate_sha256();
      break;
    case proto::CertificateListEntry::kSpkiSha256:
      to.kind = Entry::Kind::kSpkiSha256;
      to.sha256 = from.spki_sha256();
      break;
    case proto::CertificateListEntry::kIssuerAndSerial:
      to.kind = Entry::Kind::kIssuerAndSerial;
      to.issuer = from.issuer_and_serial().issuer();
      to.serial = from.issuer_and_serial().serial();
      break;
    case proto::CertificateListEntry::ENTRY_NOT_SET:
      violations.Add(field, Reason::kFieldRequired,
                     "says no certificate; set certificate_sha256, "
                     "spki_sha256 or issuer_and_serial");
      break;
  }
  to.comment = from.comment();
  return to;
}

void Convert(const domain::RevocationList& from, proto::RevocationList& to) {
  ConvertMetadata(from, to);
  for (const domain::RevocationList::Summary& list : from.lists) {
    proto::RevocationList::Summary& out = *to.add_lists();
    out.set_issuer(list.issuer);
    SetTime(list.this_update, [&] { return out.mutable_this_update(); });
    SetTime(list.next_update, [&] { return out.mutable_next_update(); });
    out.set_entry_count(static_cast<int>(list.entry_count));
  }
  to.set_list_count(static_cast<int>(from.list_count));
  to.set_entry_count(static_cast<int>(from.entry_count));
  to.set_sha256(HexLower(pki::AsBytes(from.sha256)));
  to.set_size_bytes(static_cast<int64_t>(from.size_bytes));
  SetTime(from.next_update, [&] { return to.mutable_next_update(); });
  for (const domain::Condition& condition : from.conditions) {
    Convert(condition, *to.add_conditions());
  }
}

void Convert(const domain::CertificateList& from, proto::CertificateList& to) {
  ConvertMetadata(from, to);
  to.set_kind(from.kind == domain::CertificateList::Kind::kAllow
                  ? proto::CertificateList::ALLOW
                  : proto::CertificateList::DENY);
  to.set_everywhere(from.everywhere);
  to.set_entry_count(static_cast<int>(from.entry_count));
  for (const domain::Condition& condition : from.conditions) {
    Convert(condition, *to.add_conditions());
  }
  for (const domain::Warning& warning : from.warnings) {
    Convert(warning, *to.add_warnings());
  }
}

void Convert(const domain::CertificateListEntry& from,
             proto::CertificateListEntry& to) {
  switch (from.kind) {
    case domain::CertificateListEntry::Kind::kCertificateSha256:
      to.set_certificate_sha256(from.sha256);
      break;
    case domain::CertificateListEntry::Kind::kSpkiSha256:
      to.set_spki_sha256(from.sha256);
      break;
    case domain::CertificateListEntry::Kind::kIssuerAndSerial:
      to.mutable_issuer_and_serial()->set_issuer(from.issuer);
      to.mutable_issuer_and_serial()->set_serial(from.serial);
      break;
  }
  to.set_comment(from.comment);
}

void Convert(const service::RevocationListView& from,
             proto::RevocationList& to) {
  Convert(from.list, to);
  for (const domain::Warning& warning : from.warnings) {
    Convert(warning, *to.add_warnings());
  }
}

}  // namespace sallyport::api
