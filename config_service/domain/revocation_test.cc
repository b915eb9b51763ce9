#include "config_service/domain/revocation.h"

#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "config_service/domain/limits.h"
#include "gtest/gtest.h"
#include "pki/testing/make_certificate.h"

namespace sallyport::domain {
namespace {

using EntryKind = CertificateListEntry::Kind;

TEST(ReadRevocationList, SummarisesTheLists) {
  const pki::TestCertificate a = pki::MakeTestCertificate(
      pki::TestCaSpec("a"), pki::TestKey::P256(), nullptr);
  const pki::TestCertificate b = pki::MakeTestCertificate(
      pki::TestCaSpec("b"), pki::TestKey::P256(), nullptr);
  pki::TestRevocationListSpec spec;
  spec.entries.push_back({pki::TestSerial(1), pki::TestNow(), {}});
  spec.entries.push_back({pki::TestSerial(2), pki::TestNow(), {}});
  pki::TestRevocationListSpec sooner;
  sooner.next_update = pki::TestNow() + absl::Hours(1);
  const std::string content = pki::MakeTestRevocationList(spec, a).pem +
                              pki::MakeTestRevocationList(sooner, b).pem;
  RevocationList list;
  Violations violations;
  ASSERT_NE(ReadRevocationList("content", content, list, violations), nullptr);
  EXPECT_TRUE(violations.empty());
  EXPECT_EQ(list.list_count, 2u);
  EXPECT_EQ(list.entry_count, 2u);
  EXPECT_EQ(list.size_bytes, content.size());
  EXPECT_EQ(list.sha256, pki::Sha256(content));
  EXPECT_EQ(list.next_update, sooner.next_update);
  ASSERT_EQ(list.lists.size(), 2u);
  EXPECT_NE(list.lists[0].issuer, list.lists[1].issuer);
}

TEST(ReadRevocationList, RefusesWhatIsNone) {
  for (const char* content : {"", "hello", "-----BEGIN X509 CRL-----\nAA\n"}) {
    RevocationList list;
    Violations violations;
    EXPECT_EQ(ReadRevocationList("content", content, list, violations),
              nullptr);
    EXPECT_TRUE(violations.Has("content", Reason::kRevocationListInvalid));
  }
}

TEST(ReadRevocationList, SummarisesOnlySoMany) {
  std::string content;
  for (size_t i = 0; i <= RevocationList::kMaxSummaries; ++i) {
    const pki::TestCertificate ca = pki::MakeTestCertificate(
        pki::TestCaSpec(absl::StrCat("ca", i)), pki::TestKey::P256(), nullptr);
    content += pki::MakeTestRevocationList({}, ca).pem;
  }
  RevocationList list;
  Violations violations;
  ASSERT_NE(ReadRevocationList("content", content, list, violations), nullptr);
  EXPECT_EQ(list.lists.size(), RevocationList::kMaxSummaries);
  EXPECT_EQ(list.list_count, RevocationList::kMaxSummaries + 1);
}

TEST(ValidateCertificateList, LetsOnlyDenyListsCountEverywhere) {
  CertificateList list;
  list.everywhere = true;
  Violations deny;
  Validate(list, deny);
  EXPECT_TRUE(deny.empty());
  list.kind = CertificateList::Kind::kAllow;
  Violations allow;
  Validate(list, allow);
  EXPECT_TRUE(allow.Has("everywhere", Reason::kFieldsConflict));
}

CertificateListEntry Digest(EntryKind kind, std::string text) {
  CertificateListEntry entry;
  entry.kind = kind;
  entry.sha256 = std::move(text);
  return entry;
}

CertificateListEntry Serial(std::string issuer, std::string serial) {
  CertificateListEntry entry;
  entry.kind = EntryKind::kIssuerAndSerial;
  entry.issuer = std::move(issuer);
  entry.serial = std::move(serial);
  return entry;
}

Violations Normalized(
    CertificateListEntry& entry,
    CertificateList::Kind kind = CertificateList::Kind::kDeny) {
  Violations violations;
  Normalize("add[3]", kind, entry, violations);
  return violations;
}

TEST(Normalize, BringsDigestsIntoOneForm) {
  std::string hex(64, 'A');
  hex[1] = '0';
  std::string with_colons;
  for (size_t i = 0; i < hex.size(); i += 2) {
    absl::StrAppend(&with_colons, i == 0 ? " " : ":", hex.substr(i, 2));
  }
  for (const EntryKind kind :
       {EntryKind::kCertificateSha256, EntryKind::kSpkiSha256}) {
    CertificateListEntry a = Digest(kind, hex);
    CertificateListEntry b = Digest(kind, with_colons);
    EXPECT_TRUE(Normalized(a).empty());
    EXPECT_TRUE(Normalized(b, CertificateList::Kind::kAllow).empty());
    EXPECT_EQ(a.sha256, absl::AsciiStrToLower(hex));
    EXPECT_EQ(a.Key(), b.Key());
  }
  EXPECT_NE(Digest(EntryKind::kCertificateSha256, hex).Key(),
            Digest(EntryKind::kSpkiSha256, hex).Key());
}

TEST(Normalize, BringsSerialsIntoOneForm) {
  CertificateListEntry a = Serial("CN=ca", "00:0A:1b");
  CertificateListEntry b = Serial("CN=ca", "A1B");
  EXPECT_TRUE(Normalized(a).empty());
  EXPECT_TRUE(Normalized(b).empty());
  EXPECT_EQ(a.serial, "a1b");
  EXPECT_EQ(a.Key(), b.Key());
  CertificateListEntry zero = Serial("CN=ca", "000");
  EXPECT_TRUE(Normalized(zero).empty());
  EXPECT_EQ(zero.serial, "0");
  CertificateListEntry negative = Serial("CN=ca", "-00ff");
  EXPECT_TRUE(Normalized(negative).empty());
  EXPECT_EQ(negative.serial, "-ff");
  CertificateListEntry other = Serial("CN=other", "A1B");
  EXPECT_TRUE(Normalized(other).empty());
  EXPECT_NE(a.Key(), other.Key());
}

TEST(Normalize, NamesTheFieldThatIsWrong) {
  CertificateListEntry digest =
      Digest(EntryKind::kSpkiSha256, std::string(63, 'a'));
  EXPECT_TRUE(
      Normalized(digest).Has("add[3].spki_sha256", Reason::kFieldMalformed));
  CertificateListEntry serial = Serial("CN=ca", "xyz");
  EXPECT_TRUE(Normalized(serial).Has("add[3].issuer_and_serial.serial",
                                     Reason::kFieldMalformed));
  CertificateListEntry issuer = Serial("ca", "01");
  EXPECT_TRUE(Normalized(issuer).Has("add[3].issuer_and_serial.issuer",
                                     Reason::kFieldMalformed));
}

TEST(Normalize, TakesIssuerAndSerialInDenyListsOnly) {
  CertificateListEntry entry = Serial("CN=ca", "01");
  EXPECT_TRUE(
      Normalized(entry, CertificateList::Kind::kAllow)
          .Has("add[3].issuer_and_serial", Reason::kCertificateListKind));
}

TEST(Normalize, HasLimits) {
  CertificateListEntry entry =
      Digest(EntryKind::kSpkiSha256, std::string(64, 'a'));
  entry.comment = std::string(kMaxEntryCommentLength, 'c');
  EXPECT_TRUE(Normalized(entry).empty());
  entry.comment += "c";
  EXPECT_TRUE(
      Normalized(entry).Has("add[3].comment", Reason::kFieldOutOfRange));
  CertificateListEntry longest =
      Serial("CN=" + std::string(kMaxIssuerLength - 3, 'c'), "01");
  EXPECT_TRUE(Normalized(longest).empty());
  CertificateListEntry longer =
      Serial("CN=" + std::string(kMaxIssuerLength - 2, 'c'), "01");
  EXPECT_TRUE(Normalized(longer).Has("add[3].issuer_and_serial.issuer",
                                     Reason::kFieldOutOfRange));
}

}  // namespace
}  // namespace sallyport::domain
