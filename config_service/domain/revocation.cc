#include "config_service/domain/revocation.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/types/span.h"
#include "base/text.h"
#include "config_service/domain/limits.h"
#include "pki/truststore/deny_list.h"

namespace sallyport::domain {
namespace {

// Hexadecimal digits of `text` in lower case, without colons and the blanks
// around it. What else is in it stays, for DenyList to refuse.
std::string Digits(absl::string_view text) {
  std::string out;
  for (const char c : absl::StripAsciiWhitespace(text)) {
    if (c != ':') {
      out.push_back(absl::ascii_tolower(static_cast<unsigned char>(c)));
    }
  }
  return out;
}

}  // namespace

void Validate(const RevocationList& list, Violations& violations) {
  Validate(list.metadata, violations);
}

std::shared_ptr<const pki::RevocationLists> ReadRevocationList(
    absl::string_view field, absl::string_view content, RevocationList& list,
    Violations& violations) {
  const absl::string_view sources[] = {content};
  pki::RevocationLists::ParseResult result =
      pki::RevocationLists::Parse(sources);
  if (result.lists == nullptr) {
    violations.Add(field, Reason::kRevocationListInvalid,
                   result.error.ToString());
    return nullptr;
  }
  list.sha256 = pki::Sha256(content);
  list.size_bytes = content.size();
  list.lists.clear();
  list.list_count = static_cast<uint32_t>(result.lists->lists().size());
  list.entry_count = static_cast<uint32_t>(result.lists->num_entries());
  list.next_update = absl::InfiniteFuture();
  for (const auto& one : result.lists->lists()) {
    list.next_update = std::min(list.next_update, one->next_update());
    if (list.lists.size() >= RevocationList::kMaxSummaries) continue;
    RevocationList::Summary summary;
    summary.issuer = one->Issuer();
    summary.this_update = one->this_update();
    summary.next_update = one->next_update();
    summary.entry_count = static_cast<uint32_t>(one->num_entries());
    list.lists.push_back(std::move(summary));
  }
  return result.lists;
}

void Validate(const CertificateList& list, Violations& violations) {
  Validate(list.metadata, violations);
  if (list.everywhere && list.kind != CertificateList::Kind::kDeny) {
    violations.Add("everywhere", Reason::kFieldsConflict,
                   "only deny lists count everywhere; leave it out, or name "
                   "the allow list in the domains that it is for");
  }
}

std::string CertificateListEntry::Key() const {
  switch (kind) {
    case Kind::kCertificateSha256:
      return absl::StrCat("certificate/", sha256);
    case Kind::kSpkiSha256:
      return absl::StrCat("spki/", sha256);
    case Kind::kIssuerAndSerial:
      break;
  }
  const pki::Sha256Digest digest = pki::Sha256(issuer);
  return absl::StrCat("serial/", HexLower(pki::AsBytes(digest)), "/", serial);
}

void Normalize(absl::string_view field, CertificateList::Kind kind,
               CertificateListEntry& entry, Violations& violations) {
  CheckText(Field(field, "comment"), entry.comment, kMaxEntryCommentLength,
            violations);
  pki::DenyList::Entries entries;
  std::string name;
  switch (entry.kind) {
    case CertificateListEntry::Kind::kCertificateSha256:
      name = "certificate_sha256";
      entries.certificate_sha256.push_back(entry.sha256);
      break;
    case CertificateListEntry::Kind::kSpkiSha256:
      name = "spki_sha256";
      entries.spki_sha256.push_back(entry.sha256);
      break;
    case CertificateListEntry::Kind::kIssuerAndSerial:
      name = "issuer_and_serial";
      if (kind == CertificateList::Kind::kAllow) {
        violations.Add(Field(field, name), Reason::kCertificateListKind,
                       "only deny lists have entries by issuer and serial "
                       "number; give the certificate's SHA-256");
        return;
      }
      if (entry.issuer.size() > kMaxIssuerLength) {
        violations.Add(Field(field, "issuer_and_serial.issuer"),
                       Reason::kFieldOutOfRange,
                       absl::StrCat("has ", entry.issuer.size(),
                                    " bytes; at most ", kMaxIssuerLength));
        return;
      }
      entries.issuer_and_serial.push_back({entry.issuer, entry.serial});
      break;
  }
  // The module's own reader decides what an entry is.
  const auto read = pki::DenyList::Create(entries);
  if (!read.ok()) {
    // "issuer_and_serial[0].serial: is no ..."
    absl::string_view message = read.status().message();
    absl::ConsumePrefix(&message, absl::StrCat(name, "[0]"));
    const size_t colon = message.find(": ");
    if (colon != absl::string_view::npos) {
      name.append(message.data(), colon);
      message.remove_prefix(colon + 2);
    }
    violations.Add(Field(field, name), Reason::kFieldMalformed, message);
    return;
  }
  entry.sha256 = Digits(entry.sha256);
  std::string serial = Digits(entry.serial);
  absl::string_view digits = serial;
  const bool negative = absl::ConsumePrefix(&digits, "-");
  while (digits.size() > 1 && digits.front() == '0') digits.remove_prefix(1);
  entry.serial = absl::StrCat(negative ? "-" : "", digits);
}

}  // namespace sallyport::domain
