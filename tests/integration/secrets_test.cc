// Where private keys are not: a real sallyportd takes and makes some, and then
// its folder, its log and all that it answers are searched for them.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "base/secret.h"
#include "base/text.h"
#include "config_service/domain/name.h"
#include "config_service/store/ca_record.h"
#include "config_service/store/certificate_records.h"
#include "config_service/store/keys.h"
#include "config_service/store/sealer.h"
#include "config_service/store/sqlite/sqlite_store.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "pki/keys/private_key.h"
#include "pki/testing/make_certificate.h"
#include "pki/x509/pem.h"
#include "proto/sallyport/config/v1/audit.grpc.pb.h"
#include "proto/sallyport/config/v1/client_certificate.grpc.pb.h"
#include "proto/sallyport/config/v1/server_certificate.grpc.pb.h"
#include "tests/integration/daemon.h"

namespace sallyport {
namespace {

namespace proto = sallyport::config::v1;
using grpc::ClientContext;

// The answer of an HTTP server to GET `path`, whole.
std::string HttpGet(int port, const std::string& path) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)),
            0);
  const std::string request = absl::StrCat(
      "GET ", path, " HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
  EXPECT_EQ(send(fd, request.data(), request.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(request.size()));
  std::string out;
  char buffer[4096];
  ssize_t n = 0;
  while ((n = read(fd, buffer, sizeof(buffer))) > 0) {
    out.append(buffer, static_cast<size_t>(n));
  }
  close(fd);
  return out;
}

std::string DerOf(absl::string_view pem) {
  std::string out;
  pki::ReadPem(pem, size_t{1} << 20, [&](const pki::PemBlock& block) {
    out = std::string(block.data);
    return true;
  });
  return out;
}

// Pieces of a key that are nowhere in its certificate: as bytes, as hexadecimal
// and as base64.
std::vector<std::string> TracesOf(absl::string_view key_pem,
                                  absl::string_view certificate_pem) {
  constexpr size_t kPiece = 16;
  std::vector<std::string> out;
  const std::string key = DerOf(key_pem);
  const std::string certificate = DerOf(certificate_pem);
  for (size_t i = 0; i + kPiece <= key.size(); i += 4) {
    const std::string piece = key.substr(i, kPiece);
    // The beginning, where structure is, is that of every key.
    if (i < 40 && key.size() > 200) continue;
    if (absl::StrContains(certificate, piece.substr(0, 8))) continue;
    if (absl::StrContains(certificate, piece.substr(8))) continue;
    out.push_back(piece);
    out.push_back(absl::BytesToHexString(piece));
  }
  // 18 bytes are 24 characters, wherever they are in PEM.
  constexpr size_t kEncoded = 18;
  for (size_t i = 36; i + kEncoded <= key.size(); i += 6) {
    const std::string piece = key.substr(i, kEncoded);
    if (absl::StrContains(certificate, piece.substr(0, 6)) ||
        absl::StrContains(certificate, piece.substr(6, 6)) ||
        absl::StrContains(certificate, piece.substr(12))) {
      continue;
    }
    out.push_back(absl::Base64Escape(piece));
  }
  return out;
}

class SecretsTest : public testing::Test {
 protected:
  SecretsTest()
      : data_dir_(absl::StrCat(std::getenv("TEST_TMPDIR"), "/data")),
        daemon_(std::make_unique<Daemon>(
            data_dir_,
            std::vector<std::string>{"--issuer", "internal", "--issuer-domains",
                                     "example.com"})),
        channel_(grpc::CreateChannel(
            absl::StrCat("127.0.0.1:", daemon_->admin_port()),
            grpc::InsecureChannelCredentials())),
        servers_(proto::ServerCertificates::NewStub(channel_)),
        clients_(proto::ClientCertificates::NewStub(channel_)),
        audit_(proto::AuditLog::NewStub(channel_)) {}

  // Calls a method, and keeps what it answers: message, error and details.
  template <typename Response, typename Stub, typename Request>
  Response Call(grpc::StatusCode expected, Stub& stub,
                grpc::Status (Stub::*method)(ClientContext*, const Request&,
                                             Response*),
                const Request& request) {
    ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
    Response response;
    const grpc::Status status = (stub.*method)(&context, request, &response);
    EXPECT_EQ(status.error_code(), expected) << status.error_message();
    absl::StrAppend(&answers_, response.SerializeAsString(), "\n",
                    response.Utf8DebugString(), "\n", status.error_message(),
                    "\n", status.error_details(), "\n");
    for (const auto& [name, value] : context.GetServerTrailingMetadata()) {
      answers_.append(value.data(), value.size());
    }
    return response;
  }

  // A certificate for a new key, which is searched for from now on.
  pki::TestCertificate NewCertificate(const std::string& host) {
    pki::TestCertificateSpec spec = pki::TestLeafSpec(host);
    spec.alt_names = absl::StrCat("DNS:", host);
    spec.extended_key_usage = "serverAuth,clientAuth";
    spec.not_before = absl::Now() - absl::Hours(24);
    spec.not_after = absl::Now() + absl::Hours(24 * 365);
    auto out = pki::MakeTestCertificate(
        spec, keys_++ % 2 == 0 ? pki::TestKey::P256() : pki::TestKey::Rsa(2048),
        &ca_);
    SearchFor(out.key.Pem(), out.pem);
    return out;
  }
  void SearchFor(absl::string_view key_pem, absl::string_view certificate_pem) {
    std::vector<std::string> traces = TracesOf(key_pem, certificate_pem);
    EXPECT_GT(traces.size(), 4u);
    for (std::string& trace : traces) traces_.push_back(std::move(trace));
  }

  // That `text` has nothing of any key.
  void ExpectClean(const std::string& what, const std::string& text) {
    // An error may say that a block is a PRIVATE KEY.
    EXPECT_FALSE(absl::StrContains(text, "PRIVATE KEY-----")) << what;
    // As PEM, or as JSON that has it.
    const std::string joined =
        absl::StrReplaceAll(text, {{"\\n", ""}, {"\n", ""}, {"\r", ""}});
    const std::string lower = absl::AsciiStrToLower(text);
    for (const std::string& trace : traces_) {
      ASSERT_FALSE(absl::StrContains(text, trace) ||
                   absl::StrContains(joined, trace) ||
                   absl::StrContains(lower, trace))
          << what << " has " << absl::CHexEscape(trace);
    }
  }
  // The same for every file in the folder. How many there are.
  size_t ExpectCleanFolder() {
    size_t files = 0;
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(data_dir_)) {
      if (!entry.is_regular_file()) continue;
      std::ifstream stream(entry.path(), std::ios::binary);
      std::stringstream content;
      content << stream.rdbuf();
      ExpectClean(entry.path().string(), content.str());
      ++files;
    }
    return files;
  }

  const std::string data_dir_;
  std::unique_ptr<Daemon> daemon_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<proto::ServerCertificates::Stub> servers_;
  std::unique_ptr<proto::ClientCertificates::Stub> clients_;
  std::unique_ptr<proto::AuditLog::Stub> audit_;
  std::string answers_;
  std::vector<std::string> traces_;
  int keys_ = 0;
  const pki::TestCertificate ca_ = [] {
    pki::TestCertificateSpec spec = pki::TestCaSpec("Issuer");
    spec.not_before = absl::Now() - absl::Hours(24);
    spec.not_after = absl::Now() + absl::Hours(24 * 3650);
    return pki::MakeTestCertificate(spec, pki::TestKey::P256(), nullptr);
  }();
};

void SetMaterial(const pki::TestCertificate& from,
                 proto::ServerCertificateMaterial& to) {
  to.set_certificate_chain_pem(from.pem);
  to.set_private_key_pem(from.key.Pem());
}

TEST_F(SecretsTest, AreSealedInTheStoreAndNowhereElse) {
  using grpc::StatusCode;
  using Servers = proto::ServerCertificates::Stub;
  using Clients = proto::ClientCertificates::Stub;

  // Server certificates: taken, checked only, taken anew, refused.
  proto::CreateServerCertificateRequest create;
  create.set_server_certificate_id("a");
  create.set_request_id("123e4567-e89b-12d3-a456-426614174000");
  SetMaterial(NewCertificate("a.example.com"), *create.mutable_material());
  Call(StatusCode::OK, *servers_, &Servers::CreateServerCertificate, create);
  Call(StatusCode::OK, *servers_, &Servers::CreateServerCertificate, create);
  create.clear_request_id();
  create.set_validate_only(true);
  create.set_server_certificate_id("b");
  SetMaterial(NewCertificate("b.example.com"), *create.mutable_material());
  Call(StatusCode::OK, *servers_, &Servers::CreateServerCertificate, create);
  create.set_validate_only(false);
  Call(StatusCode::OK, *servers_, &Servers::CreateServerCertificate, create);
  proto::ImportServerCertificateRequest import;
  import.set_name("serverCertificates/a");
  SetMaterial(NewCertificate("a.example.com"), *import.mutable_material());
  Call(StatusCode::OK, *servers_, &Servers::ImportServerCertificate, import);
  // The key of another, the key in place of the chain, the chain in place of
  // the key, a key that is cut off, and everything in the description.
  create.set_server_certificate_id("c");
  const auto c = NewCertificate("c.example.com");
  SetMaterial(c, *create.mutable_material());
  create.mutable_material()->set_private_key_pem(
      NewCertificate("d.example.com").key.Pem());
  Call(StatusCode::INVALID_ARGUMENT, *servers_,
       &Servers::CreateServerCertificate, create);
  create.mutable_material()->set_certificate_chain_pem(c.key.Pem());
  create.mutable_material()->set_private_key_pem(c.pem);
  Call(StatusCode::INVALID_ARGUMENT, *servers_,
       &Servers::CreateServerCertificate, create);
  create.mutable_material()->set_certificate_chain_pem(c.pem);
  create.mutable_material()->set_private_key_pem(
      c.key.Pem().substr(0, c.key.Pem().size() / 2));
  Call(StatusCode::INVALID_ARGUMENT, *servers_,
       &Servers::CreateServerCertificate, create);
  proto::GetServerCertificateRequest as_name;
  as_name.set_name(c.key.Pem());
  Call(StatusCode::INVALID_ARGUMENT, *servers_, &Servers::GetServerCertificate,
       as_name);
  proto::ListServerCertificatesRequest as_filter;
  as_filter.set_filter(c.key.Pem());
  Call(StatusCode::INVALID_ARGUMENT, *servers_,
       &Servers::ListServerCertificates, as_filter);

  // One that an issuer makes, and makes anew.
  proto::CreateServerCertificateRequest issue;
  issue.set_server_certificate_id("issued");
  issue.mutable_server_certificate()->mutable_issuance()->add_dns_names(
      "issued.example.com");
  Call(StatusCode::OK, *servers_, &Servers::CreateServerCertificate, issue);
  proto::RenewServerCertificateRequest renew;
  renew.set_name("serverCertificates/issued");
  Call(StatusCode::OK, *servers_, &Servers::RenewServerCertificate, renew);
  proto::GetServerCertificateVersionRequest issued_version;
  std::vector<proto::ServerCertificateVersion> issued;
  for (const char* name : {"serverCertificates/issued/versions/1",
                           "serverCertificates/issued/versions/2"}) {
    issued_version.set_name(name);
    issued.push_back(Call(StatusCode::OK, *servers_,
                          &Servers::GetServerCertificateVersion,
                          issued_version));
  }

  // Client certificates: made and taken, and described anew, which seals them
  // again.
  for (const auto type :
       {proto::GenerateClientCertificateRequest::RSA_2048,
        proto::GenerateClientCertificateRequest::ECDSA_P256}) {
    proto::GenerateClientCertificateRequest generate;
    generate.set_client_certificate_id(absl::StrCat("made-", type));
    generate.set_key_type(type);
    Call(StatusCode::OK, *clients_, &Clients::GenerateClientCertificate,
         generate);
  }
  proto::ImportClientCertificateRequest own;
  own.set_client_certificate_id("own");
  const auto client = NewCertificate("client.example.com");
  own.set_certificate_chain_pem(client.pem);
  own.set_private_key_pem(client.key.Pem());
  Call(StatusCode::OK, *clients_, &Clients::ImportClientCertificate, own);
  proto::UpdateClientCertificateRequest update;
  update.mutable_client_certificate()->set_name("clientCertificates/own");
  update.mutable_client_certificate()->set_description("for the ledger");
  Call(StatusCode::OK, *clients_, &Clients::UpdateClientCertificate, update);

  // Everything that can be read.
  const auto servers =
      Call(StatusCode::OK, *servers_, &Servers::ListServerCertificates, {});
  EXPECT_EQ(servers.server_certificates_size(), 3);
  proto::ListServerCertificateVersionsRequest versions;
  versions.set_parent("serverCertificates/a");
  EXPECT_EQ(Call(StatusCode::OK, *servers_,
                 &Servers::ListServerCertificateVersions, versions)
                .server_certificate_versions_size(),
            2);
  const auto clients =
      Call(StatusCode::OK, *clients_, &Clients::ListClientCertificates, {});
  EXPECT_EQ(clients.client_certificates_size(), 3);
  for (const auto& one : clients.client_certificates()) {
    EXPECT_TRUE(
        absl::StrContains(one.certificate_chain_pem(), "BEGIN CERTIFICATE"));
    proto::GetClientCertificateRequest get;
    get.set_name(one.name());
    Call(StatusCode::OK, *clients_, &Clients::GetClientCertificate, get);
  }
  const auto entries = Call(StatusCode::OK, *audit_,
                            &proto::AuditLog::Stub::ListAuditEntries, {});
  EXPECT_GE(entries.audit_entries_size(), 7);
  const std::string metrics = HttpGet(daemon_->http_port(), "/metrics");
  EXPECT_TRUE(absl::StrContains(metrics, "sallyport"));

  // While it runs, with what is only in the write-ahead log yet.
  ExpectClean("the answers", answers_);
  ExpectClean("the metrics", metrics);
  EXPECT_GE(ExpectCleanFolder(), 3u);
  daemon_->Stop();
  ExpectClean("the log", daemon_->log());
  ExpectCleanFolder();

  // The keys that it made itself, which only the sealed record has.
  const auto sealer =
      store::Sealer::FromFile(absl::StrCat(data_dir_, "/sealing-keys"),
                              store::Sealer::IfMissing::kFail);
  ASSERT_TRUE(sealer.ok()) << sealer.status();
  {
    auto store = store::SqliteStore::Open(data_dir_);
    ASSERT_TRUE(store.ok()) << store.status();
    const auto ca = (*store)->Get(store::kIssuerCaKey);
    ASSERT_TRUE(ca.ok() && ca->record.has_value());
    const auto ca_record = store::DecodeCa(*ca->record, **sealer);
    ASSERT_TRUE(ca_record.ok()) << ca_record.status();
    SearchFor(ca_record->private_key_pem.Reveal(), ca_record->certificate_pem);
    for (const auto& one : issued) {
      const auto name = domain::ServerCertificateVersionName::Parse(one.name());
      ASSERT_TRUE(name.ok());
      const auto got = (*store)->Get(store::KeyOf(*name));
      ASSERT_TRUE(got.ok() && got->record.has_value());
      const auto key = store::OpenPrivateKey(*name, *got->record, **sealer);
      ASSERT_TRUE(key.ok()) << key.status();
      SearchFor(key->Reveal(), one.certificate_chain_pem());
    }
    for (const auto& one : clients.client_certificates()) {
      const auto name = domain::ClientCertificateName::Parse(one.name());
      ASSERT_TRUE(name.ok());
      const auto got = (*store)->Get(store::KeyOf(*name));
      ASSERT_TRUE(got.ok() && got->record.has_value());
      const auto key = store::OpenPrivateKey(*name, *got->record, **sealer);
      ASSERT_TRUE(key.ok()) << key.status();
      SearchFor(key->Reveal(), one.certificate_chain_pem());
    }
  }
  ExpectClean("the answers", answers_);
  ExpectClean("the metrics", metrics);
  ExpectClean("the log", daemon_->log());
  ExpectCleanFolder();
}

TEST_F(SecretsTest, AreFoundWhereTheyAre) {
  // The search itself.
  const auto leaf = NewCertificate("a.example.com");
  const std::string key = leaf.key.Pem();
  const std::string der = DerOf(key);
  const size_t before = traces_.size();
  for (const std::string& text :
       {key, absl::StrReplaceAll(key, {{"\n", "\\n"}}), der,
        absl::BytesToHexString(der),
        absl::AsciiStrToUpper(absl::BytesToHexString(der))}) {
    size_t found = 0;
    const std::string joined =
        absl::StrReplaceAll(text, {{"\\n", ""}, {"\n", ""}});
    const std::string lower = absl::AsciiStrToLower(text);
    for (const std::string& trace : traces_) {
      found += absl::StrContains(text, trace) ||
               absl::StrContains(joined, trace) ||
               absl::StrContains(lower, trace);
    }
    EXPECT_GT(found, 0u) << text;
  }
  EXPECT_EQ(traces_.size(), before);
  ExpectClean("its certificate", leaf.pem);
}

}  // namespace
}  // namespace sallyport
