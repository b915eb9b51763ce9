// gRPC brings OpenSSL and Debian's shared Abseil and Protocol Buffers into a
// process; pki/ brings BoringSSL. They work side by side.

#include <dlfcn.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/limits.h"
#include "google/protobuf/descriptor.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "pki/chain/verify.h"
#include "pki/testing/make_certificate.h"
#include "pki/truststore/truststore.h"
#include "pki/x509/pem.h"
#include "third_party/grpc_health/health.grpc.pb.h"
#include "third_party/grpc_health/health.pb.h"

namespace sallyport {
namespace {

using ::grpc::health::v1::Health;
using ::grpc::health::v1::HealthCheckRequest;
using ::grpc::health::v1::HealthCheckResponse;
using ::sallyport::pki::MakeTestCertificate;
using ::sallyport::pki::TestCaSpec;
using ::sallyport::pki::TestCertificate;
using ::sallyport::pki::TestCertificateSpec;
using ::sallyport::pki::TestKey;
using ::sallyport::pki::TestLeafSpec;
using ::sallyport::pki::Truststore;

// gRPC judges validity by the machine's clock.
TestCertificate Make(TestCertificateSpec spec, const TestCertificate* issuer) {
  spec.not_before = absl::Now() - absl::Hours(1);
  spec.not_after = absl::Now() + absl::Hours(1);
  return MakeTestCertificate(spec, TestKey::P256(), issuer);
}

std::shared_ptr<const Truststore> Trusting(const TestCertificate& ca) {
  Truststore::ParseResult result = Truststore::Parse(ca.pem);
  EXPECT_TRUE(result.error.ok()) << result.error.ToString();
  return result.truststore;
}

// Serves whom pki/ trusts; gRPC has let in whoever has a certificate of its CA.
class JudgingHealth final : public Health::Service {
 public:
  explicit JudgingHealth(std::shared_ptr<const Truststore> truststore)
      : truststore_(std::move(truststore)) {}

  grpc::Status Check(grpc::ServerContext* context,
                     const HealthCheckRequest* /*request*/,
                     HealthCheckResponse* response) override {
    const std::vector<grpc::string_ref> pem =
        context->auth_context()->FindPropertyValues(
            GRPC_X509_PEM_CERT_PROPERTY_NAME);
    if (pem.size() != 1) {
      return grpc::Status(grpc::StatusCode::UNAUTHENTICATED, "no certificate");
    }
    std::string der;
    const pki::PemError error = pki::ReadPem(
        absl::string_view(pem[0].data(), pem[0].size()),
        limits::kMaxCertificateBytes, [&der](const pki::PemBlock& block) {
          der = std::string(block.data);
          return true;
        });
    if (!error.ok()) {
      return grpc::Status(grpc::StatusCode::UNAUTHENTICATED, error.message);
    }
    const absl::string_view chain[] = {der};
    const pki::Verdict verdict =
        pki::VerifyChain(*truststore_, chain, {}, absl::Now());
    if (!verdict.trusted()) {
      return grpc::Status(grpc::StatusCode::PERMISSION_DENIED,
                          std::string(pki::ReasonName(verdict.reason)));
    }
    response->set_status(HealthCheckResponse::SERVING);
    return grpc::Status::OK;
  }

 private:
  const std::shared_ptr<const Truststore> truststore_;
};

class OneProcess : public ::testing::Test {
 protected:
  // Calls a server that gRPC lets clients of `admitting` into and whose service
  // trusts clients of `trusting`.
  grpc::Status Call(const TestCertificate& admitting,
                    const TestCertificate& trusting,
                    HealthCheckResponse* response) {
    JudgingHealth service(Trusting(trusting));
    grpc::SslServerCredentialsOptions server_options(
        GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
    server_options.pem_root_certs = admitting.pem;
    server_options.pem_key_cert_pairs.push_back(
        {server_.key.Pem(), server_.pem});
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0",
                             grpc::SslServerCredentials(server_options), &port);
    builder.RegisterService(&service);
    const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
    EXPECT_NE(server, nullptr);
    EXPECT_GT(port, 0);

    grpc::SslCredentialsOptions client_options;
    client_options.pem_root_certs = ca_.pem;
    client_options.pem_private_key = client_.key.Pem();
    client_options.pem_cert_chain = client_.pem;
    const auto stub = Health::NewStub(
        grpc::CreateChannel(absl::StrCat("127.0.0.1:", port),
                            grpc::SslCredentials(client_options)));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::seconds(20));
    grpc::Status status = stub->Check(&context, HealthCheckRequest(), response);
    server->Shutdown();
    return status;
  }

  const TestCertificate ca_ = Make(TestCaSpec("ca"), nullptr);
  const TestCertificate other_ca_ = Make(TestCaSpec("other"), nullptr);
  const TestCertificate server_ = Make(
      [] {
        TestCertificateSpec spec = TestLeafSpec("server");
        spec.alt_names = "IP:127.0.0.1";
        return spec;
      }(),
      &ca_);
  const TestCertificate client_ = Make(TestLeafSpec("client"), &ca_);
};

TEST_F(OneProcess, ATlsCallIsJudgedByPki) {
  HealthCheckResponse response;
  const grpc::Status status = Call(ca_, ca_, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
}

TEST_F(OneProcess, WhomOpenSslLetsInPkiCanRefuse) {
  HealthCheckResponse response;
  const grpc::Status status = Call(ca_, other_ca_, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(status.error_message(), "UNTRUSTED_ISSUER");
  EXPECT_EQ(response.status(), HealthCheckResponse::UNKNOWN);
}

TEST_F(OneProcess, WhomOpenSslRefusesNeverReachesTheService) {
  HealthCheckResponse response;
  const grpc::Status status = Call(other_ca_, ca_, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE)
      << status.error_message();
}

// The file name of the object that `address` lies in.
std::string ObjectOf(const void* address) {
  Dl_info info;
  return dladdr(address, &info) != 0 ? info.dli_fname : "";
}

TEST_F(OneProcess, AbseilAndProtocolBuffersAreTheLibraries) {
  EXPECT_TRUE(absl::StrContains(
      ObjectOf(reinterpret_cast<const void*>(&absl::Now)), "libabsl_time"));
  EXPECT_TRUE(
      absl::StrContains(ObjectOf(reinterpret_cast<const void*>(
                            &google::protobuf::DescriptorPool::generated_pool)),
                        "libprotobuf"));
  // Generated code that was compiled here is registered there.
  EXPECT_NE(
      google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(
          "grpc.health.v1.HealthCheckRequest"),
      nullptr);
}

}  // namespace
}  // namespace sallyport
