#include "config_service/domain/truststore.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "config_service/domain/limits.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "pki/testing/make_certificate.h"

namespace sallyport::domain {
namespace {

using ::testing::HasSubstr;
using Watch = TruststoreSource::Watch;

Violations Check(const Truststore& truststore) {
  Violations violations;
  Validate(truststore, violations);
  return violations;
}

Truststore WithSource(absl::string_view uri) {
  Truststore truststore;
  truststore.name = TruststoreName("partners");
  truststore.source.uri = std::string(uri);
  return truststore;
}

TEST(ParseSourceUri, ReadsS3AndFiles) {
  const auto s3 = ParseSourceUri("s3://partners-trust-store/a/b c.pem");
  ASSERT_TRUE(s3.ok()) << s3.status();
  EXPECT_EQ(s3->kind, SourceUri::Kind::kS3);
  EXPECT_EQ(s3->bucket, "partners-trust-store");
  EXPECT_EQ(s3->key, "a/b c.pem");
  const auto file = ParseSourceUri("file:///etc/trust/a.pem");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->kind, SourceUri::Kind::kFile);
  EXPECT_EQ(file->path, "/etc/trust/a.pem");
}

TEST(ParseSourceUri, RefusesEverythingElse) {
  for (const char* uri : {"",
                          "s3:",
                          "s3://",
                          "s3://bucket",
                          "s3://bucket/",
                          "s3:///key",
                          "s3://Bucket/key",
                          "s3://b/key",
                          "s3://-bucket/key",
                          "s3://bucket-/key",
                          "s3://buc..ket/key",
                          "s3://buc_ket/key",
                          "S3://bucket/key",
                          "https://bucket/key",
                          "file://host/a",
                          "file://",
                          "file:///",
                          "file:///a/../b",
                          "file:///a/./b",
                          "file:///a//b",
                          "file:///a/",
                          "file:a",
                          "/etc/passwd",
                          "s3://bucket/a\nb",
                          "s3://bucket/\xff",
                          "s3://user@bucket/key"}) {
    const auto parsed = ParseSourceUri(uri);
    EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument)
        << uri;
  }
}

TEST(ParseSourceUri, HasLimits) {
  const std::string bucket(63, 'b');
  EXPECT_TRUE(ParseSourceUri(absl::StrCat("s3://", bucket, "/k")).ok());
  EXPECT_FALSE(ParseSourceUri(absl::StrCat("s3://", bucket, "b/k")).ok());
  EXPECT_TRUE(ParseSourceUri("s3://bbb/k").ok());
  EXPECT_FALSE(ParseSourceUri("s3://bb/k").ok());
  const std::string key(1024, 'k');
  EXPECT_TRUE(ParseSourceUri(absl::StrCat("s3://bucket/", key)).ok());
  EXPECT_FALSE(ParseSourceUri(absl::StrCat("s3://bucket/", key, "k")).ok());
  const std::string path(kMaxSourceUriLength - 8, 'p');
  EXPECT_TRUE(ParseSourceUri(absl::StrCat("file:///", path)).ok());
  EXPECT_FALSE(ParseSourceUri(absl::StrCat("file:///", path, "p")).ok());
}

TEST(ValidateTruststore, TakesOneWithAndWithoutASource) {
  EXPECT_TRUE(Check(WithSource("")).empty());
  Truststore watched = WithSource("s3://bucket/key");
  watched.source.watch = Watch::kActivate;
  EXPECT_TRUE(Check(watched).empty());
  Truststore pinned = WithSource("s3://bucket/key");
  pinned.source.object_version = "abcdef123";
  EXPECT_TRUE(Check(pinned).empty());
}

TEST(ValidateTruststore, RefusesAVersionWithoutAUri) {
  Truststore truststore = WithSource("");
  truststore.source.object_version = "abcdef123";
  const Violations violations = Check(truststore);
  EXPECT_EQ(violations.size(), 1u);
  EXPECT_TRUE(violations.Has("source.object_version",
                             Reason::kTruststoreVersionWithoutUri));
}

TEST(ValidateTruststore, RefusesSourcesThatContradictThemselves) {
  Truststore nothing_to_watch = WithSource("");
  nothing_to_watch.source.watch = Watch::kCandidateOnly;
  EXPECT_TRUE(
      Check(nothing_to_watch).Has("source.watch", Reason::kFieldsConflict));
  Truststore one_version = WithSource("s3://bucket/key");
  one_version.source.watch = Watch::kActivate;
  one_version.source.object_version = "v";
  EXPECT_TRUE(Check(one_version).Has("source.watch", Reason::kFieldsConflict));
  Truststore file = WithSource("file:///a");
  file.source.object_version = "v";
  EXPECT_TRUE(
      Check(file).Has("source.object_version", Reason::kFieldsConflict));
  Truststore bad = WithSource("ftp://a");
  EXPECT_TRUE(Check(bad).Has("source.uri", Reason::kSourceUriInvalid));
}

TEST(ValidateTruststore, HasLimitsOfSources) {
  Truststore truststore = WithSource("s3://bucket/key");
  truststore.source.object_version = std::string(kMaxObjectVersionLength, 'v');
  EXPECT_TRUE(Check(truststore).empty());
  truststore.source.object_version += "v";
  EXPECT_TRUE(
      Check(truststore).Has("source.object_version", Reason::kFieldOutOfRange));
  truststore.source.object_version = "a b";
  EXPECT_TRUE(
      Check(truststore).Has("source.object_version", Reason::kFieldMalformed));
  truststore.source.object_version.clear();
  for (const absl::Duration good : {kMinPollInterval, kMaxPollInterval}) {
    truststore.source.poll_interval = good;
    EXPECT_TRUE(Check(truststore).empty()) << good;
  }
  for (const absl::Duration bad : {kMinPollInterval - absl::Milliseconds(1),
                                   kMaxPollInterval + absl::Milliseconds(1)}) {
    truststore.source.poll_interval = bad;
    EXPECT_TRUE(
        Check(truststore).Has("source.poll_interval", Reason::kFieldOutOfRange))
        << bad;
  }
}

TEST(ValidateTruststore, WantsListsForAHardRule) {
  Truststore truststore = WithSource("");
  truststore.revocation_rule = pki::RevocationRule::kHardFail;
  EXPECT_TRUE(
      Check(truststore).Has("revocation_rule", Reason::kFieldsConflict));
  for (size_t i = 0; i < kMaxRevocationListsOfTruststore; ++i) {
    truststore.revocation_lists.emplace_back(absl::StrCat("l", i));
  }
  EXPECT_TRUE(Check(truststore).empty());
  truststore.revocation_lists.emplace_back("more");
  EXPECT_TRUE(
      Check(truststore).Has("revocation_lists", Reason::kTooManyEntries));
}

TEST(ValidateTruststore, LimitsItsLimits) {
  Truststore truststore = WithSource("");
  EXPECT_EQ(truststore.Limits().max_bytes, kDefaultTruststoreBytes);
  EXPECT_EQ(truststore.Limits().max_certificates,
            kDefaultTruststoreCertificates);
  truststore.max_bytes = kDefaultTruststoreBytes;
  truststore.max_certificates = kDefaultTruststoreCertificates;
  EXPECT_FALSE(truststore.LimitsNeedAdmin());
  truststore.max_bytes = kDefaultTruststoreBytes + 1;
  EXPECT_TRUE(truststore.LimitsNeedAdmin());
  truststore.max_bytes = 0;
  truststore.max_certificates = kDefaultTruststoreCertificates + 1;
  EXPECT_TRUE(truststore.LimitsNeedAdmin());
  truststore.max_bytes = limits::kMaxTruststoreBytes;
  truststore.max_certificates = limits::kMaxTruststoreCertificates;
  EXPECT_TRUE(Check(truststore).empty());
  EXPECT_EQ(truststore.Limits().max_bytes, limits::kMaxTruststoreBytes);
  ++truststore.max_bytes;
  ++truststore.max_certificates;
  const Violations violations = Check(truststore);
  EXPECT_TRUE(violations.Has("limits.max_bytes", Reason::kFieldOutOfRange));
  EXPECT_TRUE(
      violations.Has("limits.max_certificates", Reason::kFieldOutOfRange));
}

TEST(StateOf, KnowsActiveSupersededAndCandidate) {
  Truststore truststore = WithSource("");
  truststore.active_version = 2;
  TruststoreVersion version;
  version.name = TruststoreVersionName(truststore.name, 2);
  EXPECT_EQ(StateOf(version, truststore), TruststoreVersion::State::kActive);
  version.name = TruststoreVersionName(truststore.name, 1);
  EXPECT_EQ(StateOf(version, truststore), TruststoreVersion::State::kCandidate);
  version.was_active = true;
  EXPECT_EQ(StateOf(version, truststore),
            TruststoreVersion::State::kSuperseded);
}

pki::TestCertificate Ca(const std::string& name,
                        absl::Time not_after = pki::TestNow() +
                                               absl::Hours(24 * 365)) {
  pki::TestCertificateSpec spec = pki::TestCaSpec(name);
  spec.not_after = not_after;
  return pki::MakeTestCertificate(spec, pki::TestKey::P256(), nullptr);
}

TEST(ReadBundle, HasAReasonForEachRefusal) {
  const pki::TestCertificate ca = Ca("root");
  const std::string key = ca.key.Pem();
  pki::TruststoreLimits small;
  small.max_bytes = ca.pem.size();
  small.max_certificates = 1;
  const auto reason = [&](absl::string_view pem) {
    Violations violations;
    EXPECT_EQ(ReadBundle("pem", pem, small, violations), nullptr);
    EXPECT_EQ(violations.size(), 1u);
    EXPECT_TRUE(violations.Has("pem"));
    return violations.list()[0].reason;
  };
  EXPECT_EQ(reason(""), Reason::kTruststoreEmpty);
  EXPECT_EQ(reason("hello"), Reason::kTruststoreEmpty);
  EXPECT_EQ(reason(key), Reason::kTruststoreNotACertificate);
  EXPECT_EQ(reason("-----BEGIN CERTIFICATE-----\nAAAA\n"),
            Reason::kTruststoreMalformedPem);
  EXPECT_EQ(
      reason("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
      Reason::kTruststoreMalformedCertificate);
  EXPECT_EQ(reason(ca.pem + "x"), Reason::kTruststoreTooLarge);
  small.max_bytes *= 3;
  EXPECT_EQ(reason(ca.pem + ca.pem), Reason::kTruststoreTooManyCertificates);
  Violations none;
  EXPECT_NE(ReadBundle("pem", ca.pem, small, none), nullptr);
  EXPECT_TRUE(none.empty());
}

TEST(ReadBundle, NeverEchoesAKey) {
  const std::string key = pki::TestKey::P256().Pem();
  Violations violations;
  ReadBundle("pem", key, {}, violations);
  const std::string line = key.substr(key.find('\n') + 1, 40);
  EXPECT_FALSE(absl::StrContains(violations.list()[0].description, line));
}

TEST(CheckGivesTrust, RefusesABundleThatTrustsNobodyAndSaysWhy) {
  const pki::TestCertificate expired =
      Ca("expired", pki::TestNow() - absl::Hours(1));
  const pki::TestCertificate good = Ca("good");
  Truststore truststore = WithSource("");
  Violations none;
  const auto bundle = ReadBundle("", expired.pem, {}, none);
  const absl::Status status =
      CheckGivesTrust(*bundle, truststore, pki::TestNow());
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ErrorOf(status)->reason, Reason::kTruststoreGivesNoTrust);
  EXPECT_THAT(std::string(status.message()), HasSubstr("CN=expired"));
  const auto both = ReadBundle("", expired.pem + good.pem, {}, none);
  EXPECT_TRUE(CheckGivesTrust(*both, truststore, pki::TestNow()).ok());
  // An hour and a second ago it gave trust.
  EXPECT_TRUE(
      CheckGivesTrust(*bundle, truststore,
                      pki::TestNow() - absl::Hours(1) - absl::Seconds(1))
          .ok());
}

TEST(CheckGivesTrust, AsksByTheTruststoresOwnRules) {
  const pki::TestCertificate root = Ca("root");
  const pki::TestCertificate leaf = pki::MakeTestCertificate(
      pki::TestLeafSpec("leaf"), pki::TestKey::P256(), &root);
  Violations none;
  const auto bundle = ReadBundle("", leaf.pem, {}, none);
  Truststore truststore = WithSource("");
  truststore.chain_policy = pki::ChainPolicy::kAnyAnchor;
  EXPECT_FALSE(CheckGivesTrust(*bundle, truststore, pki::TestNow()).ok());
  truststore.pin_leaf = true;
  EXPECT_TRUE(CheckGivesTrust(*bundle, truststore, pki::TestNow()).ok());
}

TEST(FirstExpiry, LooksAtWhatGivesTrustOnly) {
  const absl::Time soon = pki::TestNow() + absl::Hours(48);
  const pki::TestCertificate expired =
      Ca("expired", pki::TestNow() - absl::Hours(1));
  const pki::TestCertificate first = Ca("first", soon);
  const pki::TestCertificate later = Ca("later");
  Violations none;
  const Truststore truststore = WithSource("");
  const auto bundle =
      ReadBundle("", expired.pem + later.pem + first.pem, {}, none);
  EXPECT_EQ(FirstExpiry(*bundle, truststore, pki::TestNow()), soon);
  const auto nothing = ReadBundle("", expired.pem, {}, none);
  EXPECT_EQ(FirstExpiry(*nothing, truststore, pki::TestNow()),
            absl::InfiniteFuture());
}

TEST(Diff, TellsAddedRemovedAndChanged) {
  const pki::TestCertificate stays = Ca("stays");
  const pki::TestCertificate goes = Ca("goes");
  const pki::TestCertificate comes = Ca("comes");
  // One key, a new certificate: a renewal.
  const pki::TestCertificate old_renewed = Ca("renewed");
  pki::TestCertificateSpec renewal = old_renewed.spec;
  renewal.serial = 2;
  const pki::TestCertificate new_renewed =
      pki::MakeTestCertificate(renewal, old_renewed.key, nullptr);
  // A new key under the old name.
  const pki::TestCertificate old_rekeyed = Ca("rekeyed");
  const pki::TestCertificate new_rekeyed = Ca("rekeyed");
  Violations none;
  const auto from = ReadBundle(
      "", stays.pem + goes.pem + old_rekeyed.pem + old_renewed.pem, {}, none);
  const auto to = ReadBundle(
      "", new_renewed.pem + comes.pem + new_rekeyed.pem + stays.pem, {}, none);
  const TruststoreDiff diff = Diff(*from, *to);
  ASSERT_EQ(diff.added.size(), 1u);
  EXPECT_EQ(diff.added[0]->Subject(), "CN=comes");
  ASSERT_EQ(diff.removed.size(), 1u);
  EXPECT_EQ(diff.removed[0]->Subject(), "CN=goes");
  ASSERT_EQ(diff.changed.size(), 2u);
  EXPECT_EQ(diff.changed[0].after->Subject(), "CN=renewed");
  EXPECT_TRUE(diff.changed[0].same_key);
  EXPECT_EQ(diff.changed[1].after->Subject(), "CN=rekeyed");
  EXPECT_FALSE(diff.changed[1].same_key);
  EXPECT_NE(diff.changed[1].before->fingerprint(),
            diff.changed[1].after->fingerprint());
}

TEST(Diff, PairsRenewalsBeforeNewKeysOfTheSameName) {
  const pki::TestCertificate old_a = Ca("partner");
  const pki::TestCertificate old_b = Ca("partner");
  pki::TestCertificateSpec renewal = old_b.spec;
  renewal.serial = 2;
  const pki::TestCertificate new_b =
      pki::MakeTestCertificate(renewal, old_b.key, nullptr);
  const pki::TestCertificate new_c = Ca("partner");
  Violations none;
  const auto from = ReadBundle("", old_a.pem + old_b.pem, {}, none);
  const auto to = ReadBundle("", new_c.pem + new_b.pem, {}, none);
  const TruststoreDiff diff = Diff(*from, *to);
  ASSERT_EQ(diff.changed.size(), 2u);
  EXPECT_FALSE(diff.changed[0].same_key);
  EXPECT_EQ(diff.changed[0].before->der(), old_a.der);
  EXPECT_TRUE(diff.changed[1].same_key);
  EXPECT_EQ(diff.changed[1].before->der(), old_b.der);
  EXPECT_TRUE(diff.added.empty());
  EXPECT_TRUE(diff.removed.empty());
}

TEST(Diff, OfABundleAndItselfIsEmpty) {
  const pki::TestCertificate ca = Ca("a");
  Violations none;
  const auto once = ReadBundle("", ca.pem, {}, none);
  const auto twice = ReadBundle("", ca.pem + ca.pem, {}, none);
  const TruststoreDiff diff = Diff(*once, *twice);
  EXPECT_TRUE(diff.added.empty());
  EXPECT_TRUE(diff.removed.empty());
  EXPECT_TRUE(diff.changed.empty());
}

}  // namespace
}  // namespace sallyport::domain
