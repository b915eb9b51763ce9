#include "config_service/service/proxy_ca.h"

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "base/clock.h"
#include "config_service/domain/fleet.h"
#include "config_service/domain/violations.h"
#include "config_service/service/audit_log.h"
#include "config_service/service/testing/plain_audit_format.h"
#include "config_service/store/ca_record.h"
#include "config_service/store/fleet_records.h"
#include "config_service/store/keys.h"
#include "config_service/store/memory.h"
#include "gtest/gtest.h"
#include "pki/keys/issue.h"

namespace sallyport::service {
namespace {

std::unique_ptr<store::Sealer> SealerOf(char c) {
  std::vector<Secret> keys;
  keys.push_back(Secret::CopyOf(std::string(store::kSealingKeyBytes, c)));
  return *store::Sealer::FromKeys(std::move(keys));
}

class ProxyCaTest : public testing::Test {
 protected:
  ProxyCaTest()
      : clock_(absl::FromUnixSeconds(1790000000)),
        sealer_(SealerOf('a')),
        store_(store::NewMemoryStore()) {
    ca_ = *ProxyCa::Open(*store_, *sealer_, clock_, "example.test");
    context_.store = store_.get();
    context_.clock = &clock_;
    context_.format = &format_;
    caller_.principal = "token:a";
    caller_.role = Role::kAdmin;
    write_.method = "sallyport.config.v1.Fleets/IssueNodeCertificate";
  }

  NodeCertificates::Request RequestFor(const std::string& node) {
    NodeCertificates::Request out;
    out.fleet = *domain::FleetName::Parse("fleets/default");
    out.node_id = node;
    out.certificate_request_pem = *pki::MakeCertificateRequest(*key_);
    return out;
  }

  FakeClock clock_;
  std::unique_ptr<store::Sealer> sealer_;
  std::unique_ptr<store::Store> store_;
  PlainAuditFormat format_;
  std::unique_ptr<ProxyCa> ca_;
  Context context_;
  Caller caller_;
  Write write_;
  std::unique_ptr<const pki::PrivateKey> key_ =
      pki::PrivateKey::Generate(pki::PrivateKey::Kind::kEcP256);
};

TEST_F(ProxyCaTest, StaysTheSameOverARestart) {
  const auto again = *ProxyCa::Open(*store_, *sealer_, clock_, "example.test");
  EXPECT_EQ(again->certificate_pem(), ca_->certificate_pem());
}

TEST_F(ProxyCaTest, KeepsItsKeySealed) {
  const auto record =
      store_->Get(std::string(store::kProxyCaKey))->record.value();
  EXPECT_FALSE(absl::StrContains(record.value, "PRIVATE KEY"));
  EXPECT_FALSE(
      ProxyCa::Open(*store_, *SealerOf('b'), clock_, "example.test").ok());
}

TEST_F(ProxyCaTest, IssuesForOneNodeAndTheKeyOfItsRequest) {
  const auto answer = NodeCertificates(context_, ca_.get())
                          .Issue(caller_, write_, RequestFor("edge-1"));
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->certificate->AltNames().uri,
            std::vector<std::string>{
                "spiffe://example.test/fleets/default/nodes/edge-1"});
  EXPECT_TRUE(key_->BelongsTo(*answer->certificate));
  EXPECT_FALSE(answer->certificate->is_ca());
  EXPECT_EQ(answer->certificate->not_after(),
            clock_.Now() + kDefaultNodeCertificateValidity);
  EXPECT_EQ(answer->ca_pem, ca_->certificate_pem());
  AuditLog log(store_.get());
  const auto page = log.List({});
  ASSERT_TRUE(page.ok());
  ASSERT_EQ(page->items.size(), 1u);
  EXPECT_EQ(page->items[0].principal, "token:a");
  EXPECT_EQ(page->items[0].changes[0].resource, "fleets/default/nodes/edge-1");
}

TEST_F(ProxyCaTest, SaysAllThatIsWrongWithARequest) {
  NodeCertificates::Request request = RequestFor("a/b");
  request.validity = kMaxNodeCertificateValidity + absl::Seconds(1);
  request.certificate_request_pem = "nothing";
  const auto answer =
      NodeCertificates(context_, ca_.get()).Issue(caller_, write_, request);
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(domain::ErrorOf(answer.status())->violations.size(), 3u);
  request = RequestFor("a");
  request.validity = kMaxNodeCertificateValidity;
  EXPECT_TRUE(NodeCertificates(context_, ca_.get())
                  .Issue(caller_, write_, request)
                  .ok());
  request.fleet = *domain::FleetName::Parse("fleets/none");
  EXPECT_EQ(domain::ErrorOf(NodeCertificates(context_, ca_.get())
                                .Issue(caller_, write_, request)
                                .status())
                ->reason,
            domain::Reason::kResourceNotFound);
}

TEST_F(ProxyCaTest, TakesAUuidAsARequestsId) {
  const NodeCertificates certificates(context_, ca_.get());
  write_.request_id = "a b\nc";
  const auto answer = certificates.Issue(caller_, write_, RequestFor("edge-1"));
  ASSERT_FALSE(answer.ok());
  const auto error = domain::ErrorOf(answer.status());
  ASSERT_EQ(error->violations.size(), 1u);
  EXPECT_EQ(error->violations[0].field, "request_id");
  EXPECT_FALSE(
      certificates
          .Revoke(caller_, write_,
                  *domain::NodeName::Parse("fleets/default/nodes/edge-1"))
          .ok());
  write_.request_id = "123e4567-e89b-12d3-a456-426614174000";
  EXPECT_TRUE(certificates.Issue(caller_, write_, RequestFor("edge-1")).ok());
}

TEST_F(ProxyCaTest, RevokesNothingOfAFleetThatIsNotThere) {
  const NodeCertificates certificates(context_, ca_.get(), nullptr);
  const auto status = certificates.Revoke(
      caller_, write_, *domain::NodeName::Parse("fleets/wst/nodes/west-1"));
  const auto error = domain::ErrorOf(status.status());
  ASSERT_TRUE(error.has_value()) << status.status();
  EXPECT_EQ(error->reason, domain::Reason::kResourceNotFound);
}

TEST_F(ProxyCaTest, RevokesWhatANodeHasAndNotWhatItGetsLater) {
  int ended = 0;
  const NodeCertificates certificates(context_, ca_.get(),
                                      [&ended] { ++ended; });
  const auto node = *domain::NodeName::Parse("fleets/default/nodes/edge-1");
  const auto other = *domain::NodeName::Parse("fleets/default/nodes/edge-2");
  const auto issue = [&] {
    const pki::Sha256Digest digest =
        certificates.Issue(caller_, write_, RequestFor("edge-1"))
            ->certificate->fingerprint();
    return std::string(digest.begin(), digest.end());
  };
  const auto check = [&](const std::string& sha256) {
    return CheckNodeCertificate(*store_, node, sha256);
  };
  const std::string first = issue();
  EXPECT_TRUE(check(first).ok());
  write_.validate_only = true;
  ASSERT_TRUE(certificates.Revoke(caller_, write_, node).ok());
  EXPECT_TRUE(check(first).ok());
  write_.validate_only = false;
  const auto revoked = certificates.Revoke(caller_, write_, node);
  ASSERT_TRUE(revoked.ok()) << revoked.status();
  EXPECT_EQ(*revoked, clock_.Now());
  EXPECT_EQ(ended, 1);
  EXPECT_TRUE(absl::IsPermissionDenied(check(first)));
  EXPECT_TRUE(CheckNodeCertificate(*store_, other, first).ok());
  // Also at the same instant.
  const std::string second = issue();
  const std::string third = issue();
  EXPECT_TRUE(check(second).ok());
  EXPECT_TRUE(check(third).ok());
  EXPECT_TRUE(absl::IsPermissionDenied(check(first)));
  ASSERT_TRUE(certificates.Revoke(caller_, write_, node).ok());
  EXPECT_TRUE(absl::IsPermissionDenied(check(second)));
  // Who it was is in the audit log.
  AuditLog log(store_.get());
  const auto page = log.List({});
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page->items[0].changes[0].resource, node.ToString());
  // A record that cannot be read lets nobody in.
  store::Commit commit;
  commit.puts.push_back({store::KeyOf(node), "\xff", {}});
  ASSERT_TRUE(store_->Apply(commit).ok());
  EXPECT_FALSE(check(third).ok());
}

TEST_F(ProxyCaTest, CountsSoManyCertificatesSinceARevocation) {
  const NodeCertificates certificates(context_, ca_.get());
  const auto node = *domain::NodeName::Parse("fleets/default/nodes/edge-1");
  ASSERT_TRUE(certificates.Revoke(caller_, write_, node).ok());
  std::vector<std::string> issued;
  for (size_t i = 0; i < kMaxCertificatesSinceRevocation + 1; ++i) {
    const auto answer =
        certificates.Issue(caller_, write_, RequestFor("edge-1"));
    ASSERT_TRUE(answer.ok());
    const pki::Sha256Digest digest = answer->certificate->fingerprint();
    issued.emplace_back(digest.begin(), digest.end());
  }
  EXPECT_FALSE(CheckNodeCertificate(*store_, node, issued[0]).ok());
  EXPECT_TRUE(CheckNodeCertificate(*store_, node, issued[1]).ok());
  EXPECT_TRUE(CheckNodeCertificate(*store_, node, issued.back()).ok());
}

TEST_F(ProxyCaTest, NeverOutlivesItself) {
  clock_.Advance(kProxyCaValidity - absl::Hours(24));
  const auto answer = NodeCertificates(context_, ca_.get())
                          .Issue(caller_, write_, RequestFor("edge-1"));
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->certificate->not_after(), ca_->not_after());
}

TEST_F(ProxyCaTest, TellsTheServiceFromItsNodes) {
  const auto identity =
      ca_->IssueXds({"localhost", "127.0.0.1", "::1"}, clock_.Now());
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_TRUE(absl::StrContains(identity->private_key_pem.Reveal(), "PRIVATE"));
  EXPECT_EQ(XdsUri("example.test"), "spiffe://example.test/xds");
  // No node can have that URI.
  EXPECT_FALSE(domain::NodeName::Parse("xds").ok());
}

}  // namespace
}  // namespace sallyport::service
