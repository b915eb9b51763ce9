// Lists, fleets and events, by the API of a real sallyportd.

#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "config_service/store/store.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "pki/testing/make_certificate.h"
#include "proto/sallyport/config/v1/fleet.grpc.pb.h"
#include "proto/sallyport/config/v1/revocation.grpc.pb.h"
#include "tests/integration/daemon.h"

namespace sallyport {
namespace {

namespace proto = sallyport::config::v1;
using grpc::ClientContext;
using grpc::StatusCode;

class ResourcesTest : public testing::Test {
 protected:
  ResourcesTest()
      : daemon_(absl::StrCat(
            std::getenv("TEST_TMPDIR"), "/",
            testing::UnitTest::GetInstance()->current_test_info()->name())),
        channel_(grpc::CreateChannel(
            absl::StrCat("127.0.0.1:", daemon_.admin_port()),
            grpc::InsecureChannelCredentials())),
        revocation_(proto::RevocationLists::NewStub(channel_)),
        lists_(proto::CertificateLists::NewStub(channel_)),
        fleets_(proto::Fleets::NewStub(channel_)) {}

  static void SetDeadline(ClientContext& context) {
    context.set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
  }

  // Calls a method that is to answer with `reason` ("": OK).
  template <typename Response, typename Stub, typename Request>
  Response Call(const std::string& reason, Stub& stub,
                grpc::Status (Stub::*method)(ClientContext*, const Request&,
                                             Response*),
                const Request& request) {
    ClientContext context;
    SetDeadline(context);
    Response response;
    Expect(reason, (stub.*method)(&context, request, &response));
    return response;
  }
  static void Expect(const std::string& reason, const grpc::Status& status) {
    google::rpc::Status details;
    google::rpc::ErrorInfo info;
    details.ParseFromString(status.error_details());
    for (const auto& any : details.details()) any.UnpackTo(&info);
    EXPECT_EQ(info.reason(), reason)
        << status.error_code() << " " << status.error_message();
    EXPECT_EQ(status.ok(), reason.empty());
  }

  // Uploads `content` in pieces of `piece` bytes.
  proto::RevocationList Upload(const std::string& reason,
                               const proto::UploadRevocationListRequest& start,
                               const std::string& content, size_t piece,
                               const std::string& sha256) {
    ClientContext context;
    SetDeadline(context);
    proto::RevocationList response;
    auto writer = revocation_->UploadRevocationList(&context, &response);
    bool open = writer->Write(start);
    for (size_t i = 0; open && i < content.size(); i += piece) {
      proto::UploadRevocationListRequest message;
      message.set_chunk(content.substr(i, piece));
      open = writer->Write(message);
    }
    if (open && !sha256.empty()) {
      proto::UploadRevocationListRequest message;
      message.set_sha256(sha256);
      writer->Write(message);
    }
    writer->WritesDone();
    Expect(reason, writer->Finish());
    return response;
  }

  // A revocation list of `issuer` with `n` entries, valid now.
  static std::string Crl(const std::string& issuer, uint64_t n) {
    pki::TestRevocationListSpec spec;
    spec.this_update = absl::Now() - absl::Hours(1);
    spec.next_update = absl::Now() + absl::Hours(24);
    for (uint64_t i = 1; i <= n; ++i) {
      pki::TestRevocationListSpec::Entry entry;
      entry.serial = pki::TestSerial(i << 20);
      spec.entries.push_back(entry);
    }
    return pki::MakeTestRevocationList(
               spec, pki::MakeTestCertificate(pki::TestCaSpec(issuer),
                                              pki::TestKey::P256(), nullptr))
        .pem;
  }

  Daemon daemon_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<proto::RevocationLists::Stub> revocation_;
  std::unique_ptr<proto::CertificateLists::Stub> lists_;
  std::unique_ptr<proto::Fleets::Stub> fleets_;
};

TEST_F(ResourcesTest, TakesARevocationListInPieces) {
  const std::string content = Crl("Issuer A", 60000);
  ASSERT_GT(content.size(), size_t{1} << 20);
  const std::string sha256 = store::BlobDigest::Of(content).ToHex();
  constexpr size_t kPiece = size_t{1} << 20;
  proto::UploadRevocationListRequest start;
  start.mutable_create()->set_revocation_list_id("a");
  start.mutable_create()->mutable_revocation_list()->set_description("of A");
  const auto made = Upload("", start, content, kPiece, sha256);
  EXPECT_EQ(made.name(), "revocationLists/a");
  EXPECT_EQ(made.entry_count(), 60000);
  EXPECT_EQ(made.sha256(), sha256);
  ASSERT_EQ(made.lists_size(), 1);
  EXPECT_EQ(made.lists(0).issuer(), "CN=Issuer A");
  // Cut off, changed on the way, in pieces that are too large.
  start.mutable_create()->set_revocation_list_id("b");
  Upload("UPLOAD_INVALID", start, content, kPiece, "");
  Upload("UPLOAD_INVALID", start, content.substr(1), kPiece, sha256);
  Upload("UPLOAD_INVALID", start, content, kPiece + 1, sha256);
  proto::GetRevocationListRequest get;
  get.set_name("revocationLists/b");
  Call("RESOURCE_NOT_FOUND", *revocation_,
       &proto::RevocationLists::Stub::GetRevocationList, get);
  // In place of what is there; the description stays.
  const std::string next = Crl("Issuer B", 2);
  proto::UploadRevocationListRequest update;
  update.mutable_update()->mutable_revocation_list()->set_name(
      "revocationLists/a");
  const auto updated =
      Upload("", update, next, 100, store::BlobDigest::Of(next).ToHex());
  EXPECT_EQ(updated.entry_count(), 2);
  EXPECT_EQ(updated.description(), "of A");
  EXPECT_NE(updated.etag(), made.etag());
}

TEST_F(ResourcesTest, HoldsALongDenyList) {
  proto::CreateCertificateListRequest create;
  create.set_certificate_list_id("blocked");
  Call("FIELD_REQUIRED", *lists_,
       &proto::CertificateLists::Stub::CreateCertificateList, create);
  create.mutable_certificate_list()->set_kind(proto::CertificateList::DENY);
  Call("", *lists_, &proto::CertificateLists::Stub::CreateCertificateList,
       create);
  proto::ModifyCertificateListEntriesRequest modify;
  modify.set_name("certificateLists/blocked");
  for (int i = 0; i < 10000; ++i) {
    modify.add_add()->set_certificate_sha256(absl::StrFormat("%064X", i));
  }
  const auto modified = Call(
      "", *lists_, &proto::CertificateLists::Stub::ModifyCertificateListEntries,
      modify);
  EXPECT_EQ(modified.entry_count(), 10000);
  modify.add_add()->set_spki_sha256(absl::StrFormat("%064x", 1));
  Call("TOO_MANY_ENTRIES", *lists_,
       &proto::CertificateLists::Stub::ModifyCertificateListEntries, modify);
  proto::ListCertificateListEntriesRequest list;
  list.set_parent("certificateLists/blocked");
  list.set_page_size(1000);
  int seen = 0;
  do {
    const auto page =
        Call("", *lists_,
             &proto::CertificateLists::Stub::ListCertificateListEntries, list);
    for (const auto& entry : page.entries()) {
      ASSERT_EQ(entry.certificate_sha256(), absl::StrFormat("%064x", seen++));
    }
    list.set_page_token(page.next_page_token());
  } while (!list.page_token().empty());
  EXPECT_EQ(seen, 10000);
  proto::DeleteCertificateListRequest remove;
  remove.set_name("certificateLists/blocked");
  Call("", *lists_, &proto::CertificateLists::Stub::DeleteCertificateList,
       remove);
  // Nothing of it is in one of the same name.
  const auto again =
      Call("", *lists_, &proto::CertificateLists::Stub::CreateCertificateList,
           create);
  EXPECT_EQ(again.entry_count(), 0);
}

TEST_F(ResourcesTest, TellsWhatHappensAsItHappens) {
  ClientContext context;
  SetDeadline(context);
  proto::WatchEventsRequest watch;
  watch.add_resources("fleets/");
  auto reader = fleets_->WatchEvents(&context, watch);
  reader->WaitForInitialMetadata();
  proto::CreateFleetRequest create;
  create.set_fleet_id("edge");
  create.mutable_fleet()->set_listen_port(9443);
  const auto made =
      Call("", *fleets_, &proto::Fleets::Stub::CreateFleet, create);
  EXPECT_EQ(made.listen_port(), 9443);
  proto::Event event;
  ASSERT_TRUE(reader->Read(&event));
  EXPECT_EQ(event.resource_changed().resource(), "fleets/edge");
  EXPECT_EQ(event.resource_changed().kind(),
            proto::Event::ResourceChanged::CREATED);
  EXPECT_EQ(event.resource_changed().principal(), "loopback");
  EXPECT_EQ(event.revision(), made.revision());
  // A caller that stays does not keep the service from stopping.
  daemon_.Stop();
  EXPECT_FALSE(reader->Read(&event));
  Expect("UNAVAILABLE", reader->Finish());
}

TEST_F(ResourcesTest, KeepsFleetsAndSaysHowFarTheyAre) {
  const auto fleets = Call("", *fleets_, &proto::Fleets::Stub::ListFleets, {});
  ASSERT_EQ(fleets.fleets_size(), 1);
  EXPECT_EQ(fleets.fleets(0).name(), "fleets/default");
  EXPECT_EQ(fleets.fleets(0).listen_port(), 8443);
  proto::UpdateFleetRequest update;
  update.mutable_fleet()->set_name("fleets/default");
  update.mutable_fleet()->set_listen_port(70000);
  Call("FIELD_OUT_OF_RANGE", *fleets_, &proto::Fleets::Stub::UpdateFleet,
       update);
  update.mutable_fleet()->set_listen_port(10443);
  EXPECT_EQ(Call("", *fleets_, &proto::Fleets::Stub::UpdateFleet, update)
                .listen_port(),
            10443);
  proto::DeleteFleetRequest remove;
  remove.set_name("fleets/default");
  Call("FLEET_IS_DEFAULT", *fleets_, &proto::Fleets::Stub::DeleteFleet, remove);
  // Nobody is connected, so that nothing is waited for but the publication.
  proto::WaitForRolloutRequest wait;
  const auto rollout =
      Call("", *fleets_, &proto::Fleets::Stub::WaitForRollout, wait);
  EXPECT_TRUE(rollout.complete());
  EXPECT_EQ(rollout.connected_node_count(), 0);
  proto::ListNodesRequest nodes;
  nodes.set_parent("fleets/-");
  EXPECT_EQ(
      Call("", *fleets_, &proto::Fleets::Stub::ListNodes, nodes).nodes_size(),
      0);
  proto::IssueNodeCertificateRequest issue;
  issue.set_parent("fleets/default");
  issue.set_node_id("edge-1");
  issue.set_certificate_request_pem("none");
  Call("FIELD_MALFORMED", *fleets_, &proto::Fleets::Stub::IssueNodeCertificate,
       issue);
}

}  // namespace
}  // namespace sallyport
