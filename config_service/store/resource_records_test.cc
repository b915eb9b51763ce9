// Records of certificates, lists, APIs and fleets. Each test fills every field
// of a resource: that none is forgotten is checked on the message.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/secret.h"
#include "config_service/store/api_records.h"
#include "config_service/store/certificate_records.h"
#include "config_service/store/domain_records.h"
#include "config_service/store/fleet_records.h"
#include "config_service/store/keys.h"
#include "config_service/store/list_records.h"
#include "config_service/store/sealer.h"
#include "google/protobuf/message.h"
#include "gtest/gtest.h"
#include "pki/testing/make_certificate.h"
#include "proto/sallyport/store/v1/records.pb.h"

namespace sallyport::store {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

Record RecordOf(std::string value) {
  Record record;
  record.value = std::move(value);
  record.mod_revision = Revision(7);
  return record;
}

// The fields of `message`, and of the messages in it, that are not set. Of a
// oneof one is enough.
void Unset(const Message& message, const std::string& path,
           std::vector<std::string>& out) {
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = message.GetDescriptor()->field(i);
    const std::string name = absl::StrCat(path, field->name());
    if (field->containing_oneof() != nullptr &&
        !reflection.HasField(message, field)) {
      continue;
    }
    if (field->is_repeated() ? reflection.FieldSize(message, field) == 0
                             : !reflection.HasField(message, field)) {
      out.push_back(name);
      continue;
    }
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE ||
        field->is_map()) {
      continue;
    }
    Unset(field->is_repeated()
              ? reflection.GetRepeatedMessage(message, field, 0)
              : reflection.GetMessage(message, field),
          name + ".", out);
  }
}

template <typename T>
void ExpectFull(const std::string& value) {
  T message;
  ASSERT_TRUE(message.ParseFromString(value));
  std::vector<std::string> unset;
  Unset(message, "", unset);
  EXPECT_EQ(unset, std::vector<std::string>());
}

domain::Metadata FullMetadata() {
  domain::Metadata metadata;
  metadata.description = "what it is for";
  metadata.labels = {{"team", "edge"}, {"a", "b"}};
  metadata.create_time = absl::FromUnixSeconds(1000);
  metadata.update_time = absl::FromUnixNanos(2000000000001);
  return metadata;
}

// Encodes, decodes, and encodes again: nothing is lost on the way.
template <typename T, typename Resource>
void ExpectKept(const Resource& resource) {
  const std::string value = Encode(resource);
  ExpectFull<T>(value);
  const Record record = RecordOf(value);
  const auto read = Decode(resource.name, record);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->name, resource.name);
  EXPECT_EQ(Encode(*read), value);
  EXPECT_EQ(read->metadata.revision, 7);
  EXPECT_EQ(read->metadata.etag, domain::Etag::Of(value));

  // A field of a newer version, and bytes that are none.
  for (const std::string& bad :
       {value + std::string("\xf8\x7f\x01", 3), std::string("\xff\xff")}) {
    const auto damaged = Decode(resource.name, RecordOf(bad));
    EXPECT_EQ(damaged.status().code(), absl::StatusCode::kDataLoss);
    EXPECT_TRUE(
        absl::StrContains(damaged.status().message(), resource.name.ToString()))
        << damaged.status();
  }
}

std::unique_ptr<Sealer> MakeSealer(char c) {
  std::vector<Secret> keys;
  keys.emplace_back(std::string(kSealingKeyBytes, c));
  return Sealer::FromKeys(std::move(keys)).value();
}

std::string ChainPem() {
  return pki::MakeTestCertificate(pki::TestLeafSpec("leaf"),
                                  pki::TestKey::P256(), nullptr)
      .pem;
}

// ------------------------------------------------------------- certificates

TEST(CertificateRecords, KeepAServerCertificate) {
  domain::ServerCertificate certificate;
  certificate.name = domain::ServerCertificateName("api");
  certificate.metadata = FullMetadata();
  certificate.origin = domain::ServerCertificate::Origin::kIssued;
  certificate.issued_by = "internal";
  certificate.issuance.emplace();
  certificate.issuance->issuer = domain::IssuerName("internal");
  certificate.issuance->dns_names = {"api.example.com", "*.example.com"};
  certificate.issuance->validity = absl::Hours(24 * 30);
  certificate.active_version = 2;
  certificate.next_version = 4;
  ExpectKept<v1::ServerCertificate>(certificate);
  certificate.origin = domain::ServerCertificate::Origin::kImported;
  ExpectKept<v1::ServerCertificate>(certificate);
  for (const auto kind :
       {pki::PrivateKey::Kind::kRsa2048, pki::PrivateKey::Kind::kRsa3072,
        pki::PrivateKey::Kind::kEcP256, pki::PrivateKey::Kind::kEcP384}) {
    certificate.issuance->key_kind = kind;
    const auto read = Decode(certificate.name, RecordOf(Encode(certificate)));
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->issuance, certificate.issuance);
  }
  certificate.issuance.reset();
  const auto read = Decode(certificate.name, RecordOf(Encode(certificate)));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_FALSE(read->issuance.has_value());
}

TEST(CertificateRecords, KeepAVersionAndItsKeySealed) {
  const auto sealer = MakeSealer('a');
  domain::ServerCertificateVersion version;
  version.name = domain::ServerCertificateVersionName(
      domain::ServerCertificateName("api"), 3);
  version.create_time = absl::FromUnixSeconds(1000);
  version.certificate_chain_pem = ChainPem();
  const std::string key = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2Vw\n";
  const auto value = Encode(version, Secret::CopyOf(key), *sealer);
  ASSERT_TRUE(value.ok()) << value.status();
  ExpectFull<v1::ServerCertificateVersion>(*value);
  EXPECT_FALSE(absl::StrContains(*value, "PRIVATE KEY"));
  EXPECT_FALSE(absl::StrContains(*value, "MC4CAQAwBQYDK2Vw"));

  const Record record = RecordOf(*value);
  const auto read = Decode(version.name, record);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->name, version.name);
  EXPECT_EQ(read->create_time, version.create_time);
  EXPECT_EQ(read->certificate_chain_pem, version.certificate_chain_pem);
  EXPECT_EQ(read->spki_sha256_hex.size(), 64u);
  EXPECT_EQ(read->revision, 7);
  EXPECT_EQ(OpenPrivateKey(version.name, record, *sealer)->Reveal(), key);

  // Under another version's key it does not open, nor with another sealer.
  EXPECT_EQ(OpenPrivateKey(domain::ServerCertificateVersionName(
                               domain::ServerCertificateName("api"), 4),
                           record, *sealer)
                .status()
                .code(),
            absl::StatusCode::kDataLoss);
  EXPECT_EQ(
      OpenPrivateKey(version.name, record, *MakeSealer('b')).status().code(),
      absl::StatusCode::kFailedPrecondition);
}

TEST(CertificateRecords, RefuseAChainThatCannotBeRead) {
  domain::ServerCertificateVersion version;
  version.name = domain::ServerCertificateVersionName(
      domain::ServerCertificateName("api"), 3);
  version.certificate_chain_pem = "no PEM";
  const auto value = Encode(version, Secret::CopyOf("key"), *MakeSealer('a'));
  EXPECT_EQ(Decode(version.name, RecordOf(*value)).status().code(),
            absl::StatusCode::kDataLoss);
}

TEST(CertificateRecords, KeepAClientCertificateAndItsKeySealed) {
  const auto sealer = MakeSealer('a');
  domain::ClientCertificate certificate;
  certificate.name = domain::ClientCertificateName("backend");
  certificate.metadata = FullMetadata();
  certificate.origin = domain::ClientCertificate::Origin::kImported;
  certificate.certificate_chain_pem = ChainPem();
  const auto value = Encode(certificate, Secret::CopyOf("the key"), *sealer);
  ASSERT_TRUE(value.ok()) << value.status();
  ExpectFull<v1::ClientCertificate>(*value);
  EXPECT_FALSE(absl::StrContains(*value, "the key"));
  const auto read = Decode(certificate.name, RecordOf(*value));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->origin, certificate.origin);
  EXPECT_EQ(read->certificate_chain_pem, certificate.certificate_chain_pem);
  EXPECT_EQ(read->metadata.labels, certificate.metadata.labels);
  EXPECT_EQ(
      OpenPrivateKey(certificate.name, RecordOf(*value), *sealer)->Reveal(),
      "the key");
}

// -------------------------------------------------------------------- lists

TEST(ListRecords, KeepARevocationList) {
  domain::RevocationList list;
  list.name = domain::RevocationListName("crl");
  list.metadata = FullMetadata();
  list.sha256 = BlobDigest::Of("content").array();
  list.size_bytes = 7;
  domain::RevocationList::Summary summary;
  summary.issuer = "CN=CA";
  summary.this_update = absl::FromUnixSeconds(1000);
  summary.next_update = absl::FromUnixSeconds(2000);
  summary.entry_count = 3;
  list.lists = {summary};
  list.list_count = 101;
  list.entry_count = 300;
  list.next_update = absl::FromUnixSeconds(2000);
  ExpectKept<v1::RevocationList>(list);
  EXPECT_EQ(BlobOf(list), BlobDigest::Of("content"));

  list.next_update = absl::InfiniteFuture();
  list.lists[0].next_update = absl::InfiniteFuture();
  const auto read = Decode(list.name, RecordOf(Encode(list)));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->next_update, absl::InfiniteFuture());
  EXPECT_EQ(read->lists[0].next_update, absl::InfiniteFuture());
  EXPECT_EQ(read->lists[0].this_update, absl::FromUnixSeconds(1000));
}

TEST(ListRecords, KeepACertificateListAndItsEntries) {
  domain::CertificateList list;
  list.name = domain::CertificateListName("deny");
  list.metadata = FullMetadata();
  list.kind = domain::CertificateList::Kind::kAllow;
  list.everywhere = true;
  list.entry_count = 2;
  ExpectKept<v1::CertificateList>(list);

  domain::CertificateListEntry entry;
  entry.kind = domain::CertificateListEntry::Kind::kIssuerAndSerial;
  entry.sha256 = "00";  // Not together in truth; here for each field.
  entry.issuer = "CN=CA";
  entry.serial = "0a";
  entry.comment = "stolen";
  const std::string value = Encode(entry);
  ExpectFull<v1::CertificateListEntry>(value);
  const auto read = DecodeEntry(list.name, RecordOf(value));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(Encode(*read), value);
  EXPECT_EQ(EntryKey(list.name, *read), EntryKey(list.name, entry));
  EXPECT_TRUE(
      absl::StartsWith(EntryKey(list.name, entry), EntriesPrefix(list.name)));
}

// --------------------------------------------------------------------- APIs

TEST(ApiRecords, KeepAnApi) {
  domain::Api api;
  api.name = domain::ApiName("orders");
  api.metadata = FullMetadata();
  api.display_name = "Orders";
  api.disable_default_endpoint = true;
  for (auto type :
       {domain::EndpointType::kRegional, domain::EndpointType::kEdge,
        domain::EndpointType::kPrivate}) {
    api.endpoint_type = type;
    ExpectKept<v1::Api>(api);
    EXPECT_EQ(Decode(api.name, RecordOf(Encode(api)))->endpoint_type, type);
  }
}

std::vector<domain::Route> FullRoutes() {
  domain::BackendTls tls;
  tls.truststore = domain::TruststoreName("backends");
  tls.server_name = "backend.example";
  tls.insecure_skip_verification = true;
  domain::HttpProxyIntegration proxy;
  proxy.uri = "https://backend.example/{proxy}";
  proxy.timeout = absl::Milliseconds(1500);
  proxy.tls = tls;
  domain::HttpIntegration http;
  http.uri = "https://backend.example/orders/{id}";
  http.method = "POST";
  http.path_parameters = {{"id", "order"}};
  http.timeout = absl::Seconds(3);
  http.tls = tls;
  domain::MockIntegration mock;
  mock.status = 418;
  mock.headers = {{"x-pot", "tea"}};
  mock.body = "short and stout";
  std::vector<domain::Route> routes;
  for (const domain::Integration& integration :
       {domain::Integration(proxy), domain::Integration(http),
        domain::Integration(mock)}) {
    domain::Route route;
    route.name = domain::RouteName(domain::ApiName("orders"),
                                   absl::StrCat("r", routes.size()));
    route.metadata = FullMetadata();
    route.method = "GET";
    route.path = "/orders/{order}";
    route.integration = integration;
    routes.push_back(route);
  }
  return routes;
}

TEST(ApiRecords, KeepRoutesOfEachKind) {
  for (const domain::Route& route : FullRoutes()) {
    ExpectKept<v1::Route>(route);
    EXPECT_EQ(Decode(route.name, RecordOf(Encode(route)))->integration.index(),
              route.integration.index());
  }
}

TEST(ApiRecords, KeepAStage) {
  domain::Stage stage;
  const domain::ApiName api("orders");
  stage.name = domain::StageName(api, "prod");
  stage.metadata = FullMetadata();
  stage.deployment = domain::DeploymentName(api, "d2");
  stage.previous_deployment = domain::DeploymentName(api, "d1");
  stage.variables = {{"host", "backend"}};
  stage.client_certificate = domain::ClientCertificateName("backend");
  ExpectKept<v1::Stage>(stage);

  domain::Stage bare;
  bare.name = stage.name;
  const auto read = Decode(bare.name, RecordOf(Encode(bare)));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(read->deployment.empty());
  EXPECT_TRUE(read->client_certificate.empty());
}

TEST(ApiRecords, KeepADeploymentWithItsRoutesInABlob) {
  domain::Deployment deployment;
  deployment.name = domain::DeploymentName(domain::ApiName("orders"), "d1");
  deployment.metadata = FullMetadata();
  deployment.routes = FullRoutes();
  const std::string value = Encode(deployment);
  const std::string routes = EncodeRoutes(deployment);
  ExpectFull<v1::Deployment>(value);
  EXPECT_EQ(BlobOf(deployment), BlobDigest::Of(routes));
  EXPECT_EQ(RoutesOf(deployment.name, RecordOf(value)).value(),
            BlobDigest::Of(routes));
  const auto read = Decode(deployment.name, RecordOf(value), routes);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(Encode(*read), value);
  EXPECT_EQ(EncodeRoutes(*read), routes);
  ASSERT_EQ(read->routes.size(), 3u);
  EXPECT_EQ(read->routes[1].name, deployment.routes[1].name);

  const auto head = DecodeHead(deployment.name, RecordOf(value));
  ASSERT_TRUE(head.ok()) << head.status();
  EXPECT_EQ(head->num_routes, 3u);
  EXPECT_EQ(head->deployment.metadata.labels, deployment.metadata.labels);
  EXPECT_EQ(head->deployment.metadata.etag, domain::Etag::Of(value));

  // Only the routes that it names.
  deployment.routes.pop_back();
  EXPECT_EQ(Decode(deployment.name, RecordOf(value), EncodeRoutes(deployment))
                .status()
                .code(),
            absl::StatusCode::kDataLoss);
}

// ------------------------------------------------------------------ domains

domain::ClientRule FullRule() {
  domain::ClientRule name;
  name.kind = domain::ClientRule::Kind::kSubject;
  name.values = {"CN=client"};
  name.attributes = {{"O", {"Acme"}, {"A"}, {"e"}, true}};
  domain::ClientRule uri;
  uri.kind = domain::ClientRule::Kind::kSanUri;
  uri.values = {"https://a.example/"};
  uri.spiffe = {"a.example"};
  domain::ClientRule rule;
  rule.kind = domain::ClientRule::Kind::kAny;
  rule.rules = {name, uri};
  return rule;
}

domain::Forwarding FullForwarding() {
  domain::Forwarding forwarding;
  forwarding.xfcc = {true, true, true, true, true};
  forwarding.rfc9440 = {true};
  forwarding.alb = {domain::Forwarding::Alb::Mode::kPassthrough};
  forwarding.ingress_nginx = {true};
  forwarding.traefik = {true, true};
  forwarding.cloudflare = true;
  forwarding.api_gateway = true;
  forwarding.chain_source = domain::Forwarding::ChainSource::kVerified;
  forwarding.truststore = true;
  forwarding.verdict = true;
  forwarding.remove_headers = {"x-partner"};
  forwarding.max_header_bytes = 4096;
  forwarding.trusted_proxy = FullRule();
  return forwarding;
}

domain::MutualTls FullMutualTls() {
  domain::MutualTls mutual_tls;
  domain::TruststoreBinding binding;
  binding.truststore = domain::TruststoreName("partners");
  binding.version = domain::TruststoreVersionName(binding.truststore, 3);
  binding.extended_key_usage = pki::ExtendedKeyUsageRule::kIgnore;
  mutual_tls.truststores = {binding, binding};
  mutual_tls.truststores[1].version = {};
  mutual_tls.truststores[1].extended_key_usage.reset();
  mutual_tls.deny_lists = {domain::CertificateListName("deny")};
  mutual_tls.client_certificate = domain::ClientRequirement::kOptional;
  mutual_tls.rejection = domain::RejectionStyle::kBadRequest;
  mutual_tls.bad_request = domain::BadRequest{"a", "text/plain", "https://b"};
  mutual_tls.allow = FullRule();
  mutual_tls.allow_lists = {domain::CertificateListName("allow")};
  domain::PathRule path;
  path.exact = true;
  path.path = "/a";
  path.client_certificate = domain::ClientRequirement::kRequired;
  path.allow = FullRule();
  mutual_tls.paths = {path};
  mutual_tls.end_streams_after = absl::Seconds(90);
  mutual_tls.strict_handshake = true;
  mutual_tls.limits = {1, 2, 3, 4, 5, 6, 7};
  return mutual_tls;
}

domain::DomainName FullDomain() {
  domain::DomainName domain_name;
  domain_name.name = domain::DomainNameName("api.example.com");
  domain_name.metadata = FullMetadata();
  domain_name.fleets = {domain::FleetName("edge"), domain::FleetName("inner")};
  domain_name.endpoint_type = domain::EndpointType::kEdge;
  domain_name.security_policy = domain::SecurityPolicy::kTls13;
  domain_name.server_certificate = domain::ServerCertificateName("api");
  domain_name.ownership_verification_certificate =
      domain::ServerCertificateName("owned");
  domain_name.mutual_tls = FullMutualTls();
  domain_name.forwarding = FullForwarding();
  domain_name.held_certificate_version = 5;
  return domain_name;
}

TEST(DomainRecords, KeepADomain) {
  domain::DomainName domain_name = FullDomain();
  ExpectKept<v1::DomainName>(domain_name);
  for (auto policy :
       {domain::SecurityPolicy::kTls10, domain::SecurityPolicy::kTls12,
        domain::SecurityPolicy::kTls13}) {
    domain_name.security_policy = policy;
    const auto read = Decode(domain_name.name, RecordOf(Encode(domain_name)));
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->security_policy, policy);
    EXPECT_EQ(read->mutual_tls->truststores[0].version.number(), 3);
    EXPECT_TRUE(read->mutual_tls->truststores[1].version.empty());
    EXPECT_FALSE(read->mutual_tls->truststores[1].extended_key_usage);
  }
}

TEST(DomainRecords, TellAbsentFromDefault) {
  domain::DomainName domain_name;
  domain_name.name = domain::DomainNameName("api.example.com");
  auto read = Decode(domain_name.name, RecordOf(Encode(domain_name)));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_FALSE(read->mutual_tls);
  EXPECT_TRUE(read->server_certificate.empty());

  domain_name.mutual_tls.emplace();
  read = Decode(domain_name.name, RecordOf(Encode(domain_name)));
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_TRUE(read->mutual_tls);
  EXPECT_FALSE(read->mutual_tls->end_streams_after);
  EXPECT_FALSE(read->mutual_tls->allow);
  EXPECT_FALSE(read->mutual_tls->bad_request);

  domain_name.mutual_tls->end_streams_after = absl::ZeroDuration();
  read = Decode(domain_name.name, RecordOf(Encode(domain_name)));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->mutual_tls->end_streams_after, absl::ZeroDuration());
}

// What is not known would let in more, or others, than was asked for.
TEST(DomainRecords, RefuseWhatIsNotKnownHoweverDeep) {
  const domain::DomainName domain_name = FullDomain();
  const std::string value = Encode(domain_name);
  const auto refuses = [&](void (*damage)(v1::DomainName&)) {
    v1::DomainName message;
    EXPECT_TRUE(message.ParseFromString(value));
    damage(message);
    const auto read =
        Decode(domain_name.name, RecordOf(message.SerializeAsString()));
    return read.status().code() == absl::StatusCode::kDataLoss;
  };
  EXPECT_TRUE(refuses([](v1::DomainName& m) {
    m.set_security_policy(v1::DomainName::SECURITY_POLICY_UNSPECIFIED);
  }));
  EXPECT_TRUE(refuses([](v1::DomainName& m) {
    m.set_endpoint_type(static_cast<v1::EndpointType>(77));
  }));
  EXPECT_TRUE(refuses([](v1::DomainName& m) {
    m.mutable_mutual_tls()->set_rejection(
        static_cast<filter::v1::RejectionStyle>(77));
  }));
  EXPECT_TRUE(refuses([](v1::DomainName& m) {
    m.mutable_mutual_tls()->set_client_certificate(filter::v1::NOT_ASKED);
  }));
  EXPECT_TRUE(refuses([](v1::DomainName& m) {
    m.mutable_mutual_tls()->mutable_allow()->mutable_any()->add_rules();
  }));
  EXPECT_TRUE(refuses([](v1::DomainName& m) {
    m.mutable_mutual_tls()->mutable_paths(0)->clear_path();
  }));
  EXPECT_TRUE(refuses([](v1::DomainName& m) {
    m.mutable_mutual_tls()->mutable_truststores(0)->clear_truststore();
  }));
  EXPECT_TRUE(refuses([](v1::DomainName& m) {
    m.mutable_mutual_tls()->mutable_truststores(0)->set_truststore("x/y");
  }));
  EXPECT_TRUE(refuses(
      [](v1::DomainName& m) { m.mutable_mutual_tls()->add_deny_lists(""); }));
  EXPECT_TRUE(
      refuses([](v1::DomainName& m) { m.add_fleets("truststores/partners"); }));
  EXPECT_TRUE(refuses([](v1::DomainName& m) {
    m.mutable_forwarding()->mutable_xfcc()->MergeFromString(
        std::string("\xf8\x7f\x01", 3));
  }));
}

TEST(DomainRecords, KeepAnApiMapping) {
  domain::ApiMapping mapping;
  mapping.name = domain::ApiMappingName(
      domain::DomainNameName("api.example.com"), "partners");
  mapping.metadata = FullMetadata();
  mapping.base_path = "partners/v2";
  mapping.stage = domain::StageName(domain::ApiName("orders"), "prod");
  mapping.allow = FullRule();
  mapping.allow_lists = {domain::CertificateListName("allow")};
  mapping.client_certificate = domain::ClientRequirement::kOptional;
  mapping.forwarding = FullForwarding();
  ExpectKept<v1::ApiMapping>(mapping);

  mapping.base_path.clear();
  mapping.allow.reset();
  mapping.client_certificate.reset();
  mapping.forwarding.reset();
  const auto read = Decode(mapping.name, RecordOf(Encode(mapping)));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_FALSE(read->allow);
  EXPECT_FALSE(read->client_certificate);
  EXPECT_FALSE(read->forwarding);

  v1::ApiMapping message;
  ASSERT_TRUE(message.ParseFromString(Encode(mapping)));
  message.clear_stage();
  EXPECT_EQ(Decode(mapping.name, RecordOf(message.SerializeAsString()))
                .status()
                .code(),
            absl::StatusCode::kDataLoss);
}

// ------------------------------------------------------------------- fleets

TEST(FleetRecords, KeepAFleet) {
  domain::Fleet fleet;
  fleet.name = domain::FleetName("edge");
  fleet.metadata = FullMetadata();
  fleet.listen_address = "192.0.2.1";
  fleet.listen_port = 65535;
  fleet.default_endpoint_suffix = "apis.example.com";
  fleet.default_endpoint_certificate = domain::ServerCertificateName("apis");
  fleet.access_log.output = domain::AccessLog::Output::kOff;
  fleet.access_log.min_status = 400;
  ExpectKept<v1::Fleet>(fleet);

  v1::Fleet message;
  ASSERT_TRUE(message.ParseFromString(Encode(fleet)));
  message.set_listen_port(65536);
  EXPECT_EQ(
      Decode(fleet.name, RecordOf(message.SerializeAsString())).status().code(),
      absl::StatusCode::kDataLoss);
}

TEST(FleetRecords, AFleetThatSaysNothingOfItHasAnAccessLog) {
  const auto fleet = Decode(domain::FleetName("edge"),
                            RecordOf(v1::Fleet().SerializeAsString()));
  ASSERT_TRUE(fleet.ok()) << fleet.status();
  EXPECT_EQ(fleet->access_log.output, domain::AccessLog::Output::kStdout);
  EXPECT_EQ(fleet->access_log.min_status, 0u);
}

TEST(FleetRecords, KeepTheStatusOfAResource) {
  using Status = domain::DomainName::Status;
  using ConditionStatus = domain::Condition::Status;
  for (Status domain_status :
       {Status::kAvailable, Status::kUpdating, Status::kPending,
        Status::kPendingCertificateReimport,
        Status::kPendingOwnershipVerification, Status::kFailed}) {
    ResourceStatus status;
    for (ConditionStatus of : {ConditionStatus::kTrue, ConditionStatus::kFalse,
                               ConditionStatus::kUnknown}) {
      domain::Condition condition;
      condition.type = "Programmed";
      condition.status = of;
      condition.reason = "ACKNOWLEDGED";
      condition.message = "by all nodes";
      condition.observed_revision = 9;
      condition.transition_time = absl::FromUnixSeconds(1000);
      status.conditions.push_back(condition);
    }
    status.domain_status = domain_status;
    status.message = "why";
    const std::string value = Encode(status);
    ExpectFull<v1::Status>(value);
    const auto read = DecodeStatus("domainNames/a.example", RecordOf(value));
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(Encode(*read), value);
    EXPECT_EQ(read->domain_status, domain_status);
  }
  EXPECT_EQ(DecodeStatus("domainNames/a.example", RecordOf("")).status().code(),
            absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace sallyport::store
