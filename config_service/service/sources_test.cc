// Truststores whose content is read from a source.

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "config_service/domain/violations.h"
#include "config_service/service/audit_log.h"
#include "config_service/service/source_states.h"
#include "config_service/service/testing/use_case_test.h"
#include "config_service/service/truststores.h"
#include "gtest/gtest.h"
#include "pki/testing/make_certificate.h"

namespace sallyport::service {
namespace {

using domain::Reason;
using domain::TruststoreName;
using domain::TruststoreSource;
using domain::TruststoreVersionName;

std::string Root(const std::string& name) {
  return pki::MakeTestCertificate(pki::TestCaSpec(name), pki::TestKey::P256(),
                                  nullptr)
      .pem;
}

// Objects in memory, with S3's versions. Not thread-safe.
class FakeObjects : public objects::ObjectReader {
 public:
  void Put(const std::string& uri, std::string content) {
    versions_[uri].push_back(std::move(content));
  }
  absl::StatusOr<objects::Object> Read(
      const objects::ReadRequest& request) override {
    ++reads;
    if (!failure.ok()) return failure;
    const auto found = versions_.find(request.uri);
    if (found == versions_.end()) return absl::NotFoundError("no such object");
    size_t version = found->second.size();
    if (!request.version.empty()) {
      version = static_cast<size_t>(std::stoi(request.version));
    }
    objects::Object object;
    object.version = absl::StrCat(version);
    object.etag = absl::StrCat("\"e", version, "\"");
    object.unchanged = object.etag == request.known_etag;
    if (object.unchanged) return object;
    object.content = found->second.at(version - 1);
    if (object.content.size() > request.max_bytes) {
      return absl::ResourceExhaustedError("larger than the limit");
    }
    return object;
  }

  absl::Status failure;
  int reads = 0;

 private:
  std::map<std::string, std::vector<std::string>> versions_;
};

constexpr char kUri[] = "s3://trust/partners.pem";

class SourcesTest : public UseCaseTest {
 protected:
  SourcesTest() : truststores_(context_, &objects_, &sources_) {}

  absl::StatusOr<TruststoreView> Create(
      TruststoreSource::Watch watch = TruststoreSource::Watch::kOff,
      std::string pem = "") {
    Truststores::CreateRequest request;
    request.id = "partners";
    request.truststore.source.uri = kUri;
    request.truststore.source.watch = watch;
    request.truststore.source.poll_interval = absl::Seconds(60);
    request.pem = std::move(pem);
    return truststores_.Create(caller_, write_, request);
  }
  TruststoreView Get() { return *truststores_.Get(kName); }
  TruststoreVersionView Version(int64_t number) {
    return *truststores_.GetVersion(TruststoreVersionName(kName, number));
  }
  const domain::Condition* Reachable(const TruststoreView& view) {
    return domain::FindCondition(view.truststore.conditions, "SourceReachable");
  }
  // Looks at all that are due; when the next is.
  static absl::Time PollSources(Truststores& truststores) {
    for (const Truststores::DueSource& due : truststores.FindDueSources().due) {
      truststores.LookAtSource(due.name);
    }
    return truststores.FindDueSources().next;
  }
  // A minute later.
  void Poll() {
    clock_.Advance(absl::Seconds(60));
    PollSources(truststores_);
  }

  const TruststoreName kName{"partners"};
  FakeObjects objects_;
  SourceStates sources_;
  Truststores truststores_;
};

Reason ReasonOf(const absl::Status& status) {
  const auto error = domain::ErrorOf(status);
  EXPECT_TRUE(error.has_value()) << status;
  return error.has_value() ? error->reason : Reason::kInternal;
}

TEST_F(SourcesTest, GiveTheFirstVersion) {
  objects_.Put(kUri, Root("A"));
  const auto created = Create();
  ASSERT_TRUE(created.ok()) << created.status();
  EXPECT_EQ(created->truststore.active_version, 1);
  const TruststoreVersionView version = Version(1);
  EXPECT_EQ(version.version.source_uri, kUri);
  EXPECT_EQ(version.version.source_object_version, "1");
  EXPECT_EQ(version.version.source_etag, "\"e1\"");
  EXPECT_EQ(version.version.certificate_count, 1u);
}

TEST_F(SourcesTest, AreNotAskedWhenTheContentComesWithTheRequest) {
  const auto created = Create(TruststoreSource::Watch::kOff, Root("A"));
  ASSERT_TRUE(created.ok()) << created.status();
  EXPECT_EQ(objects_.reads, 0);
  EXPECT_EQ(Version(1).version.source_uri, "");
}

TEST_F(SourcesTest, GiveMoreVersionsWhenAsked) {
  objects_.Put(kUri, Root("A"));
  ASSERT_TRUE(Create().ok());
  objects_.Put(kUri, Root("B"));
  Truststores::CreateVersionRequest request;
  request.parent = kName;
  auto version = truststores_.CreateVersion(caller_, write_, request);
  ASSERT_TRUE(version.ok()) << version.status();
  EXPECT_EQ(version->version.source_object_version, "2");
  EXPECT_EQ(version->state, domain::TruststoreVersion::State::kCandidate);
  // Another object, once.
  objects_.Put("s3://other/x.pem", Root("C"));
  request.source.uri = "s3://other/x.pem";
  request.source.object_version = "1";
  version = truststores_.CreateVersion(caller_, write_, request);
  ASSERT_TRUE(version.ok()) << version.status();
  EXPECT_EQ(version->version.source_uri, "s3://other/x.pem");
  EXPECT_EQ(Get().truststore.source.uri, kUri);
  request.source.uri = "http://other/x.pem";
  EXPECT_FALSE(truststores_.CreateVersion(caller_, write_, request).ok());
}

TEST_F(SourcesTest, SayWhyTheyCannotBeRead) {
  const auto reason = [&](absl::Status failure) {
    objects_.failure = std::move(failure);
    return ReasonOf(Create().status());
  };
  EXPECT_EQ(reason(absl::NotFoundError("x")), Reason::kSourceUnreadable);
  EXPECT_EQ(reason(absl::UnavailableError("x")), Reason::kSourceUnreadable);
  EXPECT_EQ(reason(absl::PermissionDeniedError("x")),
            Reason::kSourceNotAllowed);
  EXPECT_EQ(reason(absl::InvalidArgumentError("x")), Reason::kSourceUriInvalid);
  EXPECT_EQ(reason(absl::ResourceExhaustedError("x")),
            Reason::kTruststoreTooLarge);
  // Nothing is made of it.
  objects_.failure = absl::OkStatus();
  EXPECT_FALSE(truststores_.Get(kName).ok());
  objects_.Put(kUri, "no certificates");
  EXPECT_FALSE(Create().ok());
  EXPECT_FALSE(truststores_.Get(kName).ok());
}

TEST_F(SourcesTest, AreNotReadWithoutAReader) {
  Truststores without(context_);
  Truststores::CreateRequest request;
  request.id = "partners";
  request.truststore.source.uri = kUri;
  EXPECT_EQ(ReasonOf(without.Create(caller_, write_, request).status()),
            Reason::kNotSupported);
  EXPECT_EQ(PollSources(without), absl::InfiniteFuture());
}

TEST_F(SourcesTest, AreLookedAtAsOftenAsTheWatchSays) {
  objects_.Put(kUri, Root("A"));
  ASSERT_TRUE(Create(TruststoreSource::Watch::kActivate).ok());
  objects_.reads = 0;
  EXPECT_EQ(PollSources(truststores_), clock_.Now() + absl::Seconds(60));
  EXPECT_EQ(objects_.reads, 1);
  clock_.Advance(absl::Seconds(59));
  EXPECT_EQ(PollSources(truststores_), clock_.Now() + absl::Seconds(1));
  EXPECT_EQ(objects_.reads, 1);
  clock_.Advance(absl::Seconds(1));
  PollSources(truststores_);
  EXPECT_EQ(objects_.reads, 2);
  // Nothing new: no version.
  EXPECT_EQ(Get().truststore.next_version, 2);
  ASSERT_NE(Reachable(Get()), nullptr);
  EXPECT_EQ(Reachable(Get())->status, domain::Condition::Status::kTrue);
}

TEST_F(SourcesTest, AreActivatedWhenTheyGiveTrust) {
  objects_.Put(kUri, Root("A"));
  ASSERT_TRUE(Create(TruststoreSource::Watch::kActivate).ok());
  objects_.Put(kUri, Root("B"));
  Poll();
  EXPECT_EQ(Get().truststore.active_version, 2);
  EXPECT_EQ(Get().truststore.previous_version, 1);
  EXPECT_EQ(Version(2).version.source_object_version, "2");
}

TEST_F(SourcesTest, AreCandidatesWhenTheWatchSaysSo) {
  objects_.Put(kUri, Root("A"));
  ASSERT_TRUE(Create(TruststoreSource::Watch::kCandidateOnly).ok());
  objects_.Put(kUri, Root("B"));
  Poll();
  EXPECT_EQ(Get().truststore.active_version, 1);
  EXPECT_EQ(Version(2).state, domain::TruststoreVersion::State::kCandidate);
}

TEST_F(SourcesTest, AreNeverActivatedWithoutTrust) {
  objects_.Put(kUri, Root("A"));
  ASSERT_TRUE(Create(TruststoreSource::Watch::kActivate).ok());
  pki::TestCertificateSpec expired = pki::TestCaSpec("expired");
  expired.not_after = pki::TestNow() - absl::Hours(1);
  objects_.Put(
      kUri,
      pki::MakeTestCertificate(expired, pki::TestKey::P256(), nullptr).pem);
  Poll();
  EXPECT_EQ(Get().truststore.active_version, 1);
  ASSERT_NE(Reachable(Get()), nullptr);
  EXPECT_EQ(Reachable(Get())->reason, "TRUSTSTORE_GIVES_NO_TRUST");
  // Not tried again and again.
  Poll();
  EXPECT_EQ(Get().truststore.next_version, 3);
}

TEST_F(SourcesTest, KeepWhatIsInForceWhenTheyAreBadOrGone) {
  objects_.Put(kUri, Root("A"));
  ASSERT_TRUE(Create(TruststoreSource::Watch::kActivate).ok());
  objects_.Put(kUri, "-----BEGIN CERTIFICATE-----\nAAAA\n");
  Poll();
  EXPECT_EQ(Get().truststore.active_version, 1);
  EXPECT_EQ(Get().truststore.next_version, 2);
  ASSERT_NE(Reachable(Get()), nullptr);
  EXPECT_EQ(Reachable(Get())->reason, "TRUSTSTORE_MALFORMED_PEM");
  objects_.failure = absl::UnavailableError("S3 is away");
  Poll();
  EXPECT_EQ(Get().truststore.active_version, 1);
  EXPECT_EQ(Reachable(Get())->status, domain::Condition::Status::kFalse);
  EXPECT_EQ(Reachable(Get())->reason, "SOURCE_UNREADABLE");
  // Mended: taken at once.
  objects_.failure = absl::OkStatus();
  objects_.Put(kUri, Root("B"));
  Poll();
  EXPECT_EQ(Get().truststore.active_version, 2);
  EXPECT_EQ(Reachable(Get())->status, domain::Condition::Status::kTrue);
}

TEST_F(SourcesTest, AreLookedAtSoonerWhenTheIntervalBecomesShorter) {
  objects_.Put(kUri, Root("A"));
  ASSERT_TRUE(Create(TruststoreSource::Watch::kActivate).ok());
  PollSources(truststores_);
  Truststores::UpdateRequest request;
  request.truststore = Get().truststore;
  request.truststore.source.poll_interval = absl::Seconds(10);
  request.mask = {"source.poll_interval"};
  ASSERT_TRUE(truststores_.Update(caller_, write_, request).ok());
  for (int i = 0; i < 9; ++i) {
    EXPECT_TRUE(truststores_.FindDueSources().due.empty());
    clock_.Advance(absl::Seconds(1));
  }
  clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(truststores_.FindDueSources().due.size(), 1u);
}

TEST_F(SourcesTest, SayWhichCouldNotBeRead) {
  objects_.Put(kUri, Root("A"));
  ASSERT_TRUE(Create(TruststoreSource::Watch::kActivate).ok());
  ASSERT_EQ(truststores_.FindDueSources().due.size(), 1u);
  EXPECT_FALSE(truststores_.FindDueSources().due[0].failing);
  EXPECT_EQ(truststores_.FindDueSources().due[0].uri, kUri);
  objects_.failure = absl::UnavailableError("S3 is away");
  Poll();
  clock_.Advance(absl::Seconds(60));
  ASSERT_EQ(truststores_.FindDueSources().due.size(), 1u);
  EXPECT_TRUE(truststores_.FindDueSources().due[0].failing);
}

TEST_F(SourcesTest, AreKnownAgainAfterARestart) {
  objects_.Put(kUri, Root("A"));
  ASSERT_TRUE(Create(TruststoreSource::Watch::kActivate).ok());
  SourceStates fresh;
  Truststores restarted(context_, &objects_, &fresh);
  PollSources(restarted);
  EXPECT_EQ(Get().truststore.next_version, 2);
}

TEST_F(SourcesTest, AreForgottenWithTheirTruststore) {
  objects_.Put(kUri, Root("A"));
  ASSERT_TRUE(Create(TruststoreSource::Watch::kActivate).ok());
  PollSources(truststores_);
  EXPECT_FALSE(sources_.Get(kName.ToString()).etag.empty());
  ASSERT_TRUE(truststores_.Delete(caller_, write_, kName, domain::Etag()).ok());
  EXPECT_EQ(PollSources(truststores_), absl::InfiniteFuture());
  EXPECT_TRUE(sources_.Get(kName.ToString()).etag.empty());
}

TEST_F(SourcesTest, AreInTheAuditLogAsTheServicesOwnChange) {
  objects_.Put(kUri, Root("A"));
  ASSERT_TRUE(Create(TruststoreSource::Watch::kActivate).ok());
  objects_.Put(kUri, Root("B"));
  Poll();
  const auto entries = AuditLog(store_.get()).List(PageRequest());
  ASSERT_TRUE(entries.ok());
  ASSERT_FALSE(entries->items.empty());
  EXPECT_EQ(entries->items.front().principal, "system:sources");
}

}  // namespace
}  // namespace sallyport::service
