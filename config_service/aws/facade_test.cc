#include "config_service/aws/facade.h"

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/clock.h"
#include "base/secret.h"
#include "config_service/aws/limits.h"
#include "config_service/aws/operations.h"
#include "config_service/domain/api.h"
#include "config_service/domain/violations.h"
#include "config_service/objects/object_reader.h"
#include "config_service/service/api_drafts.h"
#include "config_service/service/apis.h"
#include "config_service/service/audit_log.h"
#include "config_service/service/internal_issuer.h"
#include "config_service/service/testing/fake_rollouts.h"
#include "config_service/service/testing/plain_audit_format.h"
#include "config_service/store/memory.h"
#include "config_service/store/sealer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "pki/testing/make_certificate.h"
#include "sigv4/sigv4.h"

namespace sallyport::aws {
namespace {

using service::Role;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::Pair;

constexpr char kHost[] = "api.example.com";
constexpr char kUri[] = "s3://partners-trust-store/trusted_partners.pem";

pki::TestCertificate Ca(const std::string& name) {
  return pki::MakeTestCertificate(pki::TestCaSpec(name), pki::TestKey::P256(),
                                  nullptr);
}

pki::TestCertificate Leaf(const pki::TestCertificate& ca,
                          const std::vector<std::string>& hosts) {
  pki::TestCertificateSpec spec = pki::TestLeafSpec(hosts[0]);
  spec.subject.clear();
  spec.alt_names = "critical";
  for (const std::string& host : hosts) {
    absl::StrAppend(&spec.alt_names, ",DNS:", host);
  }
  spec.extended_key_usage = "serverAuth";
  return pki::MakeTestCertificate(spec, pki::TestKey::P256(), &ca);
}

// Objects in memory, with S3's versions "v1", "v2"...
class FakeObjects : public objects::ObjectReader {
 public:
  void Put(const std::string& uri, std::string content) {
    versions_[uri].push_back(std::move(content));
  }
  absl::StatusOr<objects::Object> Read(
      const objects::ReadRequest& request) override {
    ++reads;
    const auto found = versions_.find(request.uri);
    if (found == versions_.end()) {
      return absl::NotFoundError("there is no such key");
    }
    for (size_t i = found->second.size(); i > 0; --i) {
      const std::string version = absl::StrCat("v", i);
      if (!request.version.empty() && request.version != version) continue;
      objects::Object object;
      object.version = version;
      object.etag = absl::StrCat("\"", version, "\"");
      object.content = found->second[i - 1];
      return object;
    }
    return absl::NotFoundError("there is no such version");
  }
  int reads = 0;

 private:
  std::map<std::string, std::vector<std::string>> versions_;
};

struct Reply {
  int status;
  Json body;
  HttpResponse raw;
  std::string code() const {
    for (const auto& [name, value] : raw.headers) {
      if (name == "x-amzn-ErrorType") return value;
    }
    return "";
  }
  std::string message() const { return body.value("message", ""); }
};

class FacadeTest : public testing::Test {
 protected:
  FacadeTest()
      : clock_(pki::TestNow()),
        store_(store::NewMemoryStore()),
        sealer_([] {
          std::vector<Secret> keys;
          keys.emplace_back(std::string(store::kSealingKeyBytes, 'k'));
          return store::Sealer::FromKeys(std::move(keys)).value();
        }()),
        context_{store_.get(), &clock_, &format_, sealer_.get(), &rollouts_},
        issuer_(service::InternalIssuer::FromStore(
                    *store_, *sealer_, clock_,
                    {domain::AllowedNames::Parse("example.com").value(),
                     absl::Hours(24 * 90)})
                    .value()),
        truststores_(context_, &objects_),
        served_(store_.get()),
        certificates_(context_, &served_, false, Issuing()),
        client_certificates_(context_),
        domains_(context_, truststores_.bundles(), &served_, {}),
        keys_(context_),
        apis_(context_),
        drafts_(context_),
        mappings_(context_),
        audit_(store_.get()) {
    UseCases cases;
    cases.access_keys = &keys_;
    cases.api_drafts = &drafts_;
    cases.api_mappings = &mappings_;
    cases.apis = &apis_;
    cases.client_certificates = &client_certificates_;
    cases.domain_names = &domains_;
    cases.server_certificates = &certificates_;
    cases.truststores = &truststores_;
    FacadeOptions options;
    options.unsigned_loopback = true;
    options.count = [this](const std::string&) { return count_; };
    options.observe = [this](const CallRecord& record) {
      records_.push_back(record);
    };
    facade_.emplace(context_, cases, options);
  }

  service::Issuing Issuing() {
    service::Issuing out;
    out.issuers.push_back(issuer_.get());
    return out;
  }

  Reply Send(HttpRequest request) {
    Reply out;
    out.raw = facade_->Handle(request);
    out.status = out.raw.status;
    out.body = Json::parse(out.raw.body, nullptr, /*allow_exceptions=*/false);
    return out;
  }
  HttpRequest Plain(const std::string& method, const std::string& target,
                    const Json& body = Json()) {
    HttpRequest out;
    out.method = method;
    out.target = target;
    out.headers = {{"Host", "127.0.0.1:9442"}};
    out.peer = "127.0.0.1:5000";
    if (!body.is_null()) out.body = body.dump();
    return out;
  }
  Reply Call(const std::string& method, const std::string& target,
             const Json& body = Json()) {
    return Send(Plain(method, target, body));
  }
  Reply Acm(const std::string& operation, const Json& body) {
    HttpRequest request = Plain("POST", "/", body);
    request.headers.emplace_back("X-Amz-Target",
                                 "CertificateManager." + operation);
    return Send(std::move(request));
  }
  Json ImportBody(const pki::TestCertificate& leaf) {
    return {{"Certificate", absl::Base64Escape(leaf.pem)},
            {"PrivateKey", absl::Base64Escape(leaf.key.Pem())}};
  }
  std::string Import(const std::vector<std::string>& hosts) {
    const Reply reply = Acm("ImportCertificate", ImportBody(Leaf(ca_, hosts)));
    EXPECT_EQ(reply.status, 200) << reply.raw.body;
    return reply.body.value("CertificateArn", "");
  }
  Json DomainBody(const std::string& arn) {
    return {{"domainName", kHost},
            {"regionalCertificateArn", arn},
            {"endpointConfiguration", {{"types", {"REGIONAL"}}}},
            {"securityPolicy", "TLS_1_2"},
            {"mutualTlsAuthentication", {{"truststoreUri", kUri}}}};
  }
  Reply CreateDomain() {
    objects_.Put(kUri, partner_.pem);
    return Call("POST", "/domainnames", DomainBody(Import({kHost})));
  }
  Reply Patch(const std::string& target, const std::string& path,
              const std::string& value, const std::string& op = "replace") {
    Json operation = {{"op", op}, {"path", path}};
    if (op != "remove") operation["value"] = value;
    return Call("PATCH", target,
                {{"patchOperations", Json::array({operation})}});
  }
  Reply PatchDomain(const std::string& path, const std::string& value,
                    const std::string& op = "replace") {
    return Patch(absl::StrCat("/domainnames/", kHost), path, value, op);
  }

  // An API with a stage, by the use cases.
  void AddApi(const std::string& id, const std::string& stage) {
    domain::Api api;
    api.display_name = id;
    ASSERT_TRUE(apis_.CreateApi(caller_, write_, id, api).ok());
    ASSERT_TRUE(apis_
                    .CreateStage(caller_, write_, domain::ApiName(id), stage,
                                 domain::Stage())
                    .ok());
  }

  // A REST API; the target of its requests.
  std::string NewApi(const Json& more = Json::object()) {
    Json body = {{"name", "shop"}};
    body.update(more);
    const Reply reply = Call("POST", "/restapis", body);
    EXPECT_EQ(reply.status, 201) << reply.raw.body;
    return absl::StrCat("/restapis/", reply.body.value("id", ""));
  }
  // The id of a resource that is made below another.
  std::string NewResource(const std::string& api, const std::string& parent,
                          const std::string& part) {
    const Reply reply =
        Call("POST", api + "/resources/" + parent, {{"pathPart", part}});
    EXPECT_EQ(reply.status, 201) << reply.raw.body;
    return reply.body.value("id", "");
  }
  std::string RootOf(const std::string& api) {
    return Call("GET", api).body.value("rootResourceId", "");
  }
  // A method with an integration; its target.
  std::string NewMethod(const std::string& api, const std::string& resource,
                        const std::string& method, const Json& integration) {
    const std::string target =
        absl::StrCat(api, "/resources/", resource, "/methods/", method);
    Reply reply = Call("PUT", target, {{"authorizationType", "NONE"}});
    EXPECT_EQ(reply.status, 201) << reply.raw.body;
    if (integration.is_null()) return target;
    reply = Call("PUT", target + "/integration", integration);
    EXPECT_EQ(reply.status, 201) << reply.raw.body;
    return target;
  }
  static Json MockBody(int status = 200) {
    return {{"type", "MOCK"},
            {"requestTemplates",
             {{"application/json",
               absl::StrCat("{\"statusCode\": ", status, "}")}}}};
  }
  static Json ProxyBody(const std::string& uri) {
    return {{"type", "HTTP_PROXY"}, {"httpMethod", "GET"}, {"uri", uri}};
  }
  // The routes as the use cases have them: "GET /path".
  std::vector<std::string> RoutesOf(const std::string& api) {
    std::vector<std::string> out;
    const auto view =
        drafts_.Get(domain::ApiName(api.substr(api.rfind('/') + 1)));
    for (const domain::Route& route : view->routes) {
      out.push_back(absl::StrCat(route.method, " ", route.path));
    }
    std::sort(out.begin(), out.end());
    return out;
  }

  FakeClock clock_;
  service::PlainAuditFormat format_;
  service::FakeRollouts rollouts_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<store::Sealer> sealer_;
  service::Context context_;
  std::unique_ptr<service::CertificateIssuer> issuer_;
  FakeObjects objects_;
  service::Truststores truststores_;
  service::ServedCertificates served_;
  service::ServerCertificates certificates_;
  service::ClientCertificates client_certificates_;
  service::DomainNames domains_;
  service::AccessKeys keys_;
  service::Apis apis_;
  service::ApiDrafts drafts_;
  service::ApiMappings mappings_;
  service::AuditLog audit_;
  absl::Status count_;
  std::vector<CallRecord> records_;
  std::optional<Facade> facade_;
  const service::Caller caller_{"token:alice", "192.0.2.1", Role::kAdmin};
  const service::Write write_{"Test", false, "", {}};
  const pki::TestCertificate ca_ = Ca("server CA");
  const pki::TestCertificate partner_ = Ca("partner");
};

// ---------------------------------------------------------------- the frame

TEST_F(FacadeTest, HandlesWhatTheTableSaysAndNothingElse) {
  for (const Operation& operation : Operations()) {
    EXPECT_EQ(facade_->Handles(operation), operation.supported())
        << operation.name;
  }
}

TEST_F(FacadeTest, NamesOperationsThatAreNotSupported) {
  const Reply reply = Call("POST", "/vpclinks", Json::object());
  EXPECT_EQ(reply.status, 501);
  EXPECT_EQ(reply.code(), "NotImplementedException");
  EXPECT_THAT(reply.message(), HasSubstr("CreateVpcLink"));
  const Reply acm = Acm("ExportCertificate", Json::object());
  EXPECT_EQ(acm.status, 501);
  EXPECT_EQ(acm.body["__type"], "NotImplementedException");
}

TEST_F(FacadeTest, SaysThatAnOperationIsUnknown) {
  for (const Reply& reply :
       {Call("GET", "/nothing"), Call("GET", "/"), Call("TRACE", "/restapis"),
        Acm("Nothing", Json::object()), Call("GET", "/v2/nothing")}) {
    EXPECT_EQ(reply.status, 404);
    EXPECT_EQ(reply.code(), "UnknownOperationException");
  }
}

TEST_F(FacadeTest, RefusesBodiesThatAreNoObject) {
  for (const char* body : {"x", "[]", "1", "\"a\"", "{", "{\"a\":1}x"}) {
    HttpRequest request = Plain("POST", "/domainnames");
    request.body = body;
    const Reply reply = Send(request);
    EXPECT_EQ(reply.status, 400) << body;
    EXPECT_EQ(reply.code(), "SerializationException") << body;
  }
  HttpRequest request = Plain("POST", "/domainnames");
  request.body =
      "{\"a\":" + std::string(10000, '[') + std::string(10000, ']') + "}";
  EXPECT_EQ(Send(request).code(), "SerializationException");
}

TEST_F(FacadeTest, HasALimitForBodies) {
  HttpRequest request = Plain("POST", "/domainnames");
  request.body = std::string(kMaxBodyBytes + 1, ' ');
  EXPECT_EQ(Send(request).status, 413);
  request.body = "{}" + std::string(kMaxBodyBytes - 2, ' ');
  EXPECT_EQ(Send(request).code(), "BadRequestException");
}

TEST_F(FacadeTest, HasALimitForHeaders) {
  HttpRequest request = Plain("GET", "/restapis");
  request.headers.resize(kMaxHeaders, {"a", "b"});
  EXPECT_EQ(Send(request).status, 200);
  request.headers.resize(kMaxHeaders + 1, {"a", "b"});
  EXPECT_EQ(Send(request).code(), "BadRequestException");
}

TEST_F(FacadeTest, GivesEachAnswerAnIdAndRecordsIt) {
  const Reply reply = Call("GET", "/domainnames");
  EXPECT_EQ(reply.status, 200);
  EXPECT_THAT(reply.raw.headers, Contains(Pair("Cache-Control", "no-store")));
  ASSERT_EQ(records_.size(), 1u);
  EXPECT_EQ(records_[0].operation, "apigateway/GetDomainNames");
  EXPECT_EQ(records_[0].principal, "loopback");
  EXPECT_EQ(records_[0].status, 200);
  EXPECT_THAT(reply.raw.headers,
              Contains(Pair("x-amzn-RequestId", records_[0].request)));
}

TEST_F(FacadeTest, SlowsDownWhoAsksTooOften) {
  count_ = domain::MakeError(domain::Reason::kRateLimited, "too many calls",
                             {{"retry_after_seconds", "2"}});
  const Reply reply = Call("GET", "/domainnames");
  EXPECT_EQ(reply.status, 429);
  EXPECT_EQ(reply.code(), "TooManyRequestsException");
  EXPECT_THAT(reply.raw.headers, Contains(Pair("Retry-After", "2")));
}

TEST_F(FacadeTest, TakesUnsignedRequestsFromToolsOnThisMachineAlone) {
  EXPECT_EQ(Call("GET", "/domainnames").status, 200);
  struct Case {
    const char* what;
    const char* name;
    const char* value;
  };
  for (const Case& c :
       {Case{"a page of another name that leads here", "Host", "evil.test"},
        Case{"a proxy before us", "Host", "api.corp.example"}}) {
    HttpRequest request = Plain("GET", "/domainnames");
    request.headers = {{c.name, c.value}};
    const Reply reply = Send(request);
    EXPECT_EQ(reply.status, 403) << c.what;
    EXPECT_EQ(reply.code(), "AccessDeniedException") << c.what;
  }
  for (const char* name : {"Origin", "Sec-Fetch-Site"}) {
    HttpRequest request = Plain("GET", "/domainnames");
    request.headers.emplace_back(name, "null");
    EXPECT_EQ(Send(request).status, 403) << name;
  }
  HttpRequest request = Plain("GET", "/domainnames");
  request.peer = "192.0.2.1:5000";
  EXPECT_EQ(Send(request).code(), "MissingAuthenticationTokenException");
  // Who signs, however badly, is not taken for nobody.
  request = Plain("GET", "/domainnames");
  request.headers.emplace_back("Authorization", "Bearer x");
  EXPECT_EQ(Send(request).code(), "IncompleteSignatureException");
}

TEST_F(FacadeTest, LetsEachKeyDoWhatItsRoleMay) {
  for (const auto& [role, may_read, may_write] :
       {std::make_tuple("viewer", true, false),
        std::make_tuple("operator", true, true)}) {
    domain::AccessKey wanted;
    wanted.owner = "ci";
    wanted.role = role;
    const auto key = keys_.Issue(caller_, write_, wanted);
    ASSERT_TRUE(key.ok());
    const auto send = [&](const std::string& method, const std::string& target,
                          const std::string& body, const char* digest) {
      sigv4::Credentials credentials;
      credentials.access_key_id = key->key.name.id();
      credentials.secret_access_key = key->secret.Clone();
      sigv4::Request to_sign;
      to_sign.method = method;
      to_sign.path = target;
      to_sign.headers = {{"host", "sallyport.example:9442"}};
      to_sign.payload_sha256 = digest;
      const std::string authorization = sigv4::Authorize(
          credentials, "us-east-1", "apigateway", clock_.Now(), to_sign);
      HttpRequest request = Plain(method, target);
      request.headers.assign(to_sign.headers.begin(), to_sign.headers.end());
      request.headers.emplace_back("Authorization", authorization);
      request.peer = "192.0.2.7:5000";
      request.body = body;
      return Send(std::move(request));
    };
    // SHA-256 of nothing, and of {}.
    const Reply read = send(
        "GET", "/domainnames", "",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(read.status == 200, may_read) << role;
    const Reply write = send(
        "POST", "/clientcertificates", "{}",
        "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
    EXPECT_EQ(write.status == 201, may_write) << role << write.raw.body;
    if (!may_write) {
      EXPECT_EQ(write.code(), "AccessDeniedException");
    }
    EXPECT_EQ(records_.back().principal, "access-key:ci");
  }
}

// --------------------------------------------------------------------- ACM

TEST_F(FacadeTest, ImportsACertificateAndDescribesIt) {
  const std::string arn = Import({kHost, "www.example.com"});
  EXPECT_THAT(arn, MatchesRegex("arn:aws:acm:us-east-1:123456789012:"
                                "certificate/[0-9a-f-]{36}"));
  const Reply described = Acm("DescribeCertificate", {{"CertificateArn", arn}});
  ASSERT_EQ(described.status, 200) << described.raw.body;
  const Json& certificate = described.body["Certificate"];
  EXPECT_EQ(certificate["CertificateArn"], arn);
  EXPECT_EQ(certificate["DomainName"], kHost);
  EXPECT_EQ(certificate["SubjectAlternativeNames"],
            Json::array({kHost, "www.example.com"}));
  EXPECT_EQ(certificate["Type"], "IMPORTED");
  EXPECT_EQ(certificate["Status"], "ISSUED");
  EXPECT_EQ(certificate["RenewalEligibility"], "INELIGIBLE");
  EXPECT_EQ(certificate["KeyAlgorithm"], "EC_prime256v1");
  EXPECT_EQ(certificate["SignatureAlgorithm"], "SHA256WITHECDSA");
  EXPECT_EQ(certificate["InUseBy"], Json::array());
  EXPECT_EQ(certificate["ImportedAt"], absl::ToUnixSeconds(clock_.Now()));
  const Reply got = Acm("GetCertificate", {{"CertificateArn", arn}});
  EXPECT_THAT(got.body["Certificate"].get<std::string>(),
              HasSubstr("BEGIN CERTIFICATE"));
  EXPECT_FALSE(got.body.contains("CertificateChain"));
}

TEST_F(FacadeTest, KeepsTheKeyOfAnImportToItself) {
  const auto leaf = Leaf(ca_, {kHost});
  HttpRequest request = Plain("POST", "/", ImportBody(leaf));
  request.headers.emplace_back("X-Amz-Target",
                               "CertificateManager.ImportCertificate");
  const HttpResponse response = facade_->Handle(request);
  EXPECT_EQ(response.status, 200);
  EXPECT_TRUE(request.body.empty());
  EXPECT_THAT(response.body, Not(HasSubstr("PRIVATE")));
}

TEST_F(FacadeTest, ImportsAgainByArn) {
  const std::string arn = Import({kHost});
  Json body = ImportBody(Leaf(ca_, {kHost, "new.example.com"}));
  body["CertificateArn"] = arn;
  const Reply again = Acm("ImportCertificate", body);
  ASSERT_EQ(again.status, 200) << again.raw.body;
  EXPECT_EQ(again.body["CertificateArn"], arn);
  EXPECT_EQ(Acm("DescribeCertificate", {{"CertificateArn", arn}})
                .body["Certificate"]["SubjectAlternativeNames"]
                .size(),
            2u);
  body["Tags"] = Json::array({{{"Key", "a"}, {"Value", "b"}}});
  EXPECT_EQ(Acm("ImportCertificate", body).code(), "ValidationException");
}

TEST_F(FacadeTest, RefusesImportsWithWordsOfTheRequest) {
  const auto leaf = Leaf(ca_, {kHost});
  Json body = ImportBody(leaf);
  body["PrivateKey"] = absl::Base64Escape(Leaf(ca_, {"b.test"}).key.Pem());
  Reply reply = Acm("ImportCertificate", body);
  // One test key for all: take one of another kind of fault.
  body["PrivateKey"] = absl::Base64Escape("no key");
  reply = Acm("ImportCertificate", body);
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(reply.code(), "ValidationException");
  EXPECT_THAT(reply.message(), HasSubstr("PrivateKey"));
  body = ImportBody(leaf);
  body["Certificate"] = "***";
  reply = Acm("ImportCertificate", body);
  EXPECT_THAT(reply.message(), HasSubstr("Certificate is not base64"));
  reply = Acm("ImportCertificate", Json::object());
  EXPECT_THAT(reply.message(), HasSubstr("PrivateKey is missing"));
}

TEST_F(FacadeTest, TellsArnsThatAreNoneFromThoseOfNothing) {
  Reply reply = Acm("DescribeCertificate", {{"CertificateArn", "web"}});
  EXPECT_EQ(reply.code(), "InvalidArnException");
  reply = Acm("DescribeCertificate",
              {{"CertificateArn",
                "arn:aws:acm:us-east-1:123456789012:certificate/none"}});
  EXPECT_EQ(reply.code(), "ResourceNotFoundException");
  EXPECT_EQ(reply.status, 400);
}

TEST_F(FacadeTest, ListsCertificatesPageByPage) {
  std::vector<std::string> arns;
  for (int i = 0; i < 3; ++i) {
    arns.push_back(Import({absl::StrCat("h", i, ".example.com")}));
  }
  std::vector<std::string> found;
  Json body = {{"MaxItems", 2}};
  for (int page = 0; page < 2; ++page) {
    const Reply reply = Acm("ListCertificates", body);
    ASSERT_EQ(reply.status, 200) << reply.raw.body;
    for (const Json& item : reply.body["CertificateSummaryList"]) {
      found.push_back(item["CertificateArn"]);
      EXPECT_EQ(item["InUse"], false);
    }
    EXPECT_EQ(reply.body.contains("NextToken"), page == 0);
    body["NextToken"] = reply.body.value("NextToken", "");
  }
  EXPECT_THAT(found, testing::UnorderedElementsAreArray(arns));
  EXPECT_EQ(
      Acm("ListCertificates", {{"Includes", {{"keyTypes", {"RSA_2048"}}}}})
          .body["CertificateSummaryList"]
          .size(),
      0u);
  EXPECT_EQ(Acm("ListCertificates", {{"MaxItems", 0}}).code(),
            "ValidationException");
  EXPECT_THAT(Acm("ListCertificates", {{"SortBy", "CREATED_AT"}}).message(),
              HasSubstr("SortBy is not supported"));
}

TEST_F(FacadeTest, RequestsACertificateFromTheIssuer) {
  const Json body = {{"DomainName", kHost},
                     {"ValidationMethod", "DNS"},
                     {"KeyAlgorithm", "EC_prime256v1"},
                     {"IdempotencyToken", "t1"}};
  const Reply reply = Acm("RequestCertificate", body);
  ASSERT_EQ(reply.status, 200) << reply.raw.body;
  const std::string arn = reply.body["CertificateArn"];
  // The same token, the same answer.
  EXPECT_EQ(Acm("RequestCertificate", body).body["CertificateArn"], arn);
  const Json certificate =
      Acm("DescribeCertificate", {{"CertificateArn", arn}}).body["Certificate"];
  EXPECT_EQ(certificate["Type"], "PRIVATE");
  EXPECT_EQ(certificate["RenewalEligibility"], "ELIGIBLE");
  EXPECT_EQ(certificate["DomainValidationOptions"][0]["ValidationStatus"],
            "SUCCESS");
  EXPECT_EQ(Acm("RenewCertificate", {{"CertificateArn", arn}}).status, 200);
  // After an hour the token may mean another one.
  clock_.Advance(absl::Hours(2));
  service::ForgetRequests(*store_, clock_.Now()).IgnoreError();
  const Reply later = Acm("RequestCertificate", body);
  ASSERT_EQ(later.status, 200) << later.raw.body;
  EXPECT_NE(later.body["CertificateArn"], arn);
}

TEST_F(FacadeTest, RefusesRequestsThatTheIssuerRefusesAndOptionsItHasNot) {
  EXPECT_THAT(
      Acm("RequestCertificate", {{"DomainName", "other.test"}}).message(),
      HasSubstr("SubjectAlternativeNames"));
  for (const auto& [name, value] :
       std::map<std::string, Json>{{"ValidationMethod", "EMAIL"},
                                   {"CertificateAuthorityArn", "arn:x"},
                                   {"KeyAlgorithm", "RSA_1024"},
                                   {"Nothing", 1}}) {
    Json body = {{"DomainName", kHost}};
    body[name] = value;
    const Reply reply = Acm("RequestCertificate", body);
    EXPECT_EQ(reply.code(), "ValidationException") << name;
    EXPECT_THAT(reply.message(), HasSubstr(name));
  }
}

TEST_F(FacadeTest, TagsCertificates) {
  const std::string arn = Import({kHost});
  const auto tag = [](const char* key, const char* value) {
    return Json{{"Key", key}, {"Value", value}};
  };
  EXPECT_EQ(Acm("AddTagsToCertificate",
                {{"CertificateArn", arn},
                 {"Tags", Json::array({tag("team", "a"), tag("env", "b")})}})
                .status,
            200);
  EXPECT_EQ(
      Acm("RemoveTagsFromCertificate",
          {{"CertificateArn", arn},
           {"Tags", Json::array({tag("team", "other"), tag("env", "b")})}})
          .status,
      200);
  EXPECT_EQ(
      Acm("ListTagsForCertificate", {{"CertificateArn", arn}}).body["Tags"],
      Json::array({tag("team", "a")}));
}

TEST_F(FacadeTest, KeepsCertificatesThatAreInUse) {
  ASSERT_EQ(CreateDomain().status, 201);
  const std::string arn = Call("GET", absl::StrCat("/domainnames/", kHost))
                              .body["regionalCertificateArn"];
  EXPECT_EQ(Acm("DeleteCertificate", {{"CertificateArn", arn}}).code(),
            "ResourceInUseException");
  EXPECT_EQ(Acm("DescribeCertificate", {{"CertificateArn", arn}})
                .body["Certificate"]["InUseBy"],
            Json::array({absl::StrCat(
                "arn:aws:apigateway:us-east-1::/domainnames/", kHost)}));
  EXPECT_EQ(Call("DELETE", absl::StrCat("/domainnames/", kHost)).status, 202);
  EXPECT_EQ(Acm("DeleteCertificate", {{"CertificateArn", arn}}).status, 200);
  EXPECT_EQ(Acm("DeleteCertificate", {{"CertificateArn", arn}}).code(),
            "ResourceNotFoundException");
}

// ------------------------------------------------------------ domain names

TEST_F(FacadeTest, CreatesADomainAsTheDocumentsDo) {
  const Reply reply = CreateDomain();
  ASSERT_EQ(reply.status, 201) << reply.raw.body;
  const Json& out = reply.body;
  EXPECT_EQ(out["domainName"], kHost);
  EXPECT_THAT(out["regionalDomainName"].get<std::string>(),
              MatchesRegex("d-[a-z2-7]{10}\\.execute-api\\.us-east-1\\..*"));
  EXPECT_EQ(out["regionalHostedZoneId"], kDefaultHostedZone);
  EXPECT_EQ(out["certificateUploadDate"], absl::ToUnixSeconds(clock_.Now()));
  EXPECT_EQ(out["securityPolicy"], "TLS_1_2");
  EXPECT_EQ(out["endpointConfiguration"]["types"], Json::array({"REGIONAL"}));
  EXPECT_EQ(out["mutualTlsAuthentication"]["truststoreUri"], kUri);
  EXPECT_EQ(out["mutualTlsAuthentication"]["truststoreVersion"], "v1");
  EXPECT_FALSE(out["mutualTlsAuthentication"].contains("truststoreWarnings"));
  // The same again is a conflict, and reads nothing.
  const int reads = objects_.reads;
  const Reply again =
      Call("POST", "/domainnames", DomainBody(out["regionalCertificateArn"]));
  EXPECT_EQ(again.status, 409);
  EXPECT_EQ(again.code(), "ConflictException");
  EXPECT_EQ(objects_.reads, reads);
}

TEST_F(FacadeTest, HasTheStatusOfTheRollout) {
  rollouts_.rollout.num_connected = 1;
  rollouts_.rollout.complete = false;
  EXPECT_EQ(CreateDomain().body["domainNameStatus"], "UPDATING");
  rollouts_.rollout.complete = true;
  EXPECT_EQ(Call("GET", absl::StrCat("/domainnames/", kHost))
                .body["domainNameStatus"],
            "AVAILABLE");
}

TEST_F(FacadeTest, AcceptsABundleThatGivesNoTrustWithItsWarnings) {
  pki::TestCertificateSpec spec = pki::TestCaSpec("expired");
  spec.not_after = pki::TestNow() - absl::Hours(1);
  objects_.Put(
      kUri, pki::MakeTestCertificate(spec, pki::TestKey::P256(), nullptr).pem);
  const Reply reply = Call("POST", "/domainnames", DomainBody(Import({kHost})));
  ASSERT_EQ(reply.status, 201) << reply.raw.body;
  const Json& warnings =
      reply.body["mutualTlsAuthentication"]["truststoreWarnings"];
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_THAT(warnings[0].get<std::string>(), HasSubstr("CN=expired"));
}

TEST_F(FacadeTest, LeavesNothingOfADomainThatIsRefused) {
  objects_.Put(kUri, partner_.pem);
  Json body = DomainBody(Import({"other.example.com"}));
  Reply reply = Call("POST", "/domainnames", body);
  EXPECT_EQ(reply.status, 400);
  EXPECT_THAT(reply.message(), HasSubstr("regionalCertificateArn"));
  EXPECT_TRUE(truststores_.List({})->items.empty());
  // A bundle that cannot be read.
  body["mutualTlsAuthentication"]["truststoreUri"] = "s3://none/none.pem";
  reply = Call("POST", "/domainnames", body);
  EXPECT_EQ(reply.status, 400);
  EXPECT_THAT(reply.message(), HasSubstr("s3://none/none.pem"));
  EXPECT_TRUE(truststores_.List({})->items.empty());
}

TEST_F(FacadeTest, RefusesOptionsOfDomainsThatAreNotSupported) {
  objects_.Put(kUri, partner_.pem);
  const std::string arn = Import({kHost});
  for (const auto& [name, value] : std::map<std::string, Json>{
           {"certificateBody", "x"},
           {"regionalCertificateName", "x"},
           {"policy", "{}"},
           {"routingMode", "ROUTING_RULE_ONLY"},
           {"securityPolicy", "TLS_1_1"},
           {"endpointAccessMode", "STRICT"},
           {"endpointConfiguration",
            {{"types", {"REGIONAL"}}, {"ipAddressType", "dualstack"}}},
           {"nothing", true}}) {
    Json body = DomainBody(arn);
    body[name] = value;
    const Reply reply = Call("POST", "/domainnames", body);
    EXPECT_EQ(reply.status, 400) << name;
    EXPECT_EQ(reply.code(), "BadRequestException") << name;
    EXPECT_THAT(reply.message(), HasSubstr(name));
  }
  EXPECT_EQ(Call("GET", "/domainnames").body["item"].size(), 0u);
}

TEST_F(FacadeTest, MovesToAnotherVersionOfTheTruststore) {
  ASSERT_EQ(CreateDomain().status, 201);
  objects_.Put(kUri, Ca("second").pem);
  Reply reply = PatchDomain("/mutualTlsAuthentication/truststoreVersion", "v2");
  ASSERT_EQ(reply.status, 200) << reply.raw.body;
  EXPECT_EQ(reply.body["mutualTlsAuthentication"]["truststoreVersion"], "v2");
  EXPECT_EQ(reply.body["mutualTlsAuthentication"]["truststoreUri"], kUri);
  // One truststore, of which the domain names the second version.
  EXPECT_EQ(truststores_.List({})->items.size(), 1u);
  const auto view = domains_.Get(domain::DomainNameName(kHost));
  EXPECT_EQ(view->domain_name.mutual_tls->truststores[0].version.number(), 2);
  reply = PatchDomain("/mutualTlsAuthentication/truststoreVersion", "v9");
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(domains_.Get(domain::DomainNameName(kHost))
                ->domain_name.mutual_tls->truststores[0]
                .version.number(),
            2);
}

TEST_F(FacadeTest, ReadsTheNewestVersionOfAnotherObject) {
  ASSERT_EQ(CreateDomain().status, 201);
  objects_.Put("s3://other/bundle.pem", Ca("other").pem);
  const Reply reply = PatchDomain("/mutualTlsAuthentication/truststoreUri",
                                  "s3://other/bundle.pem");
  ASSERT_EQ(reply.status, 200) << reply.raw.body;
  EXPECT_EQ(reply.body["mutualTlsAuthentication"]["truststoreUri"],
            "s3://other/bundle.pem");
  EXPECT_EQ(reply.body["mutualTlsAuthentication"]["truststoreVersion"], "v1");
}

TEST_F(FacadeTest, TurnsMutualTlsOffAndOnAgain) {
  ASSERT_EQ(CreateDomain().status, 201);
  Reply reply = PatchDomain("/mutualTlsAuthentication/truststoreUri", "");
  ASSERT_EQ(reply.status, 200) << reply.raw.body;
  EXPECT_FALSE(reply.body.contains("mutualTlsAuthentication"));
  reply = PatchDomain("/mutualTlsAuthentication/truststoreVersion", "v1");
  EXPECT_EQ(reply.status, 400);
  reply = PatchDomain("/mutualTlsAuthentication/truststoreUri", kUri);
  ASSERT_EQ(reply.status, 200) << reply.raw.body;
  EXPECT_EQ(reply.body["mutualTlsAuthentication"]["truststoreUri"], kUri);
  EXPECT_EQ(PatchDomain("/mutualTlsAuthentication", "", "remove").status, 200);
}

TEST_F(FacadeTest, ChangesAllOfAPatchOrNothing) {
  ASSERT_EQ(CreateDomain().status, 201);
  objects_.Put(kUri, Ca("second").pem);
  const Json operations =
      Json::array({{{"op", "replace"},
                    {"path", "/mutualTlsAuthentication/truststoreVersion"},
                    {"value", "v2"}},
                   {{"op", "replace"},
                    {"path", "/regionalCertificateArn"},
                    {"value", Import({"other.example.com"})}}});
  const Reply reply = Call("PATCH", absl::StrCat("/domainnames/", kHost),
                           {{"patchOperations", operations}});
  EXPECT_EQ(reply.status, 400);
  const Json after = Call("GET", absl::StrCat("/domainnames/", kHost)).body;
  EXPECT_EQ(after["mutualTlsAuthentication"]["truststoreVersion"], "v1");
  // The version that was read for it is gone.
  const auto own = OwnTruststore(domain::DomainNameName(kHost));
  EXPECT_EQ(truststores_.ListVersions(own, {})->items.size(), 1u);
}

TEST_F(FacadeTest, PatchesTheOtherPaths) {
  ASSERT_EQ(CreateDomain().status, 201);
  EXPECT_EQ(PatchDomain("/securityPolicy", "SecurityPolicy_TLS13_1_3_2025_09")
                .body["securityPolicy"],
            "SecurityPolicy_TLS13_1_3_2025_09");
  const std::string arn = Import({kHost, "b.example.com"});
  EXPECT_EQ(PatchDomain("/regionalCertificateArn", arn)
                .body["regionalCertificateArn"],
            arn);
  const std::string proof = Import({"*.example.com", kHost, "b.example.com"});
  EXPECT_EQ(PatchDomain("/ownershipVerificationCertificateArn", proof)
                .body["ownershipVerificationCertificateArn"],
            proof);
  EXPECT_FALSE(PatchDomain("/ownershipVerificationCertificateArn", "", "remove")
                   .body.contains("ownershipVerificationCertificateArn"));
  EXPECT_EQ(
      PatchDomain("/endpointConfiguration/types/REGIONAL", "REGIONAL").status,
      200);
  // Mutual TLS needs a regional domain.
  EXPECT_EQ(PatchDomain("/endpointConfiguration/types/0", "EDGE").status, 400);
}

TEST_F(FacadeTest, RefusesPatchesThatItCannotDo) {
  ASSERT_EQ(CreateDomain().status, 201);
  const Json before = Call("GET", absl::StrCat("/domainnames/", kHost)).body;
  for (const auto& [path, value] : std::map<std::string, std::string>{
           {"/domainName", "b.example.com"},
           {"/nothing", "x"},
           {"/", ""},
           {"/regionalCertificateName", "x"},
           {"/certificateArn",
            "arn:aws:acm:us-east-1:123456789012:certificate/"
            "a"},
           {"/securityPolicy", "SSL"},
           {"/endpointConfiguration/types/EDGE", "REGIONAL"},
           {"/endpointConfiguration/types/0/1", "REGIONAL"},
           {"/endpointConfiguration/vpcEndpointIds", "x"},
           {"/mutualTlsAuthentication/truststoreUri", "http://a/b"},
           {"/mutualTlsAuthentication/other", "x"},
           {"/routingMode", "ROUTING_RULE_ONLY"}}) {
    const Reply reply = PatchDomain(path, value);
    EXPECT_EQ(reply.status, 400) << path;
    EXPECT_EQ(reply.code(), "BadRequestException") << path;
  }
  EXPECT_EQ(Call("GET", absl::StrCat("/domainnames/", kHost)).body, before);
}

TEST_F(FacadeTest, NamesTruststoresOfTheServiceByTheirNames) {
  service::Truststores::CreateRequest request;
  request.id = "partners";
  request.pem = partner_.pem;
  ASSERT_TRUE(truststores_.Create(caller_, write_, request).ok());
  Json body = DomainBody(Import({kHost}));
  body["mutualTlsAuthentication"] = {{"truststoreUri", "truststores/partners"},
                                     {"truststoreVersion", "1"}};
  const Reply reply = Call("POST", "/domainnames", body);
  ASSERT_EQ(reply.status, 201) << reply.raw.body;
  EXPECT_EQ(reply.body["mutualTlsAuthentication"],
            body["mutualTlsAuthentication"]);
  // It stays when the domain goes.
  EXPECT_EQ(Call("DELETE", absl::StrCat("/domainnames/", kHost)).status, 202);
  EXPECT_EQ(truststores_.List({})->items.size(), 1u);
}

TEST_F(FacadeTest, LeavesDomainsWithSeveralTruststoresToTheirOwner) {
  ASSERT_EQ(CreateDomain().status, 201);
  service::Truststores::CreateRequest request;
  request.id = "second";
  request.pem = Ca("second").pem;
  ASSERT_TRUE(truststores_.Create(caller_, write_, request).ok());
  service::DomainNames::UpdateRequest update;
  update.domain_name = domains_.Get(domain::DomainNameName(kHost))->domain_name;
  update.domain_name.mutual_tls->truststores.push_back(
      {domain::TruststoreName("second"), {}, {}});
  update.mask = {"mutual_tls.truststores"};
  ASSERT_TRUE(domains_.Update(caller_, write_, update).ok());
  EXPECT_EQ(
      PatchDomain("/mutualTlsAuthentication/truststoreVersion", "v1").status,
      400);
  EXPECT_EQ(domains_.Get(domain::DomainNameName(kHost))
                ->domain_name.mutual_tls->truststores.size(),
            2u);
  EXPECT_EQ(PatchDomain("/mutualTlsAuthentication/truststoreUri", "").status,
            200);
}

TEST_F(FacadeTest, DeletesADomainWithItsMappingsAndItsTruststore) {
  ASSERT_EQ(CreateDomain().status, 201);
  AddApi("shop", "DEV");
  ASSERT_EQ(
      Call("POST", absl::StrCat("/domainnames/", kHost, "/basepathmappings"),
           {{"restApiId", "shop"}, {"stage", "DEV"}})
          .status,
      201);
  EXPECT_EQ(truststores_.List({})->items.size(), 1u);
  EXPECT_EQ(Call("DELETE", absl::StrCat("/domainnames/", kHost)).status, 202);
  EXPECT_EQ(Call("GET", absl::StrCat("/domainnames/", kHost)).code(),
            "NotFoundException");
  EXPECT_TRUE(truststores_.List({})->items.empty());
  EXPECT_EQ(Call("DELETE", absl::StrCat("/domainnames/", kHost)).status, 404);
}

TEST_F(FacadeTest, ListsDomainsPageByPage) {
  for (const char* host : {"a.example.com", "b.example.com", "c.example.com"}) {
    Json body = DomainBody(Import({host}));
    body["domainName"] = host;
    body.erase("mutualTlsAuthentication");
    ASSERT_EQ(Call("POST", "/domainnames", body).status, 201);
  }
  const Reply first = Call("GET", "/domainnames?limit=2");
  ASSERT_EQ(first.status, 200) << first.raw.body;
  EXPECT_EQ(first.body["item"].size(), 2u);
  const Reply second =
      Call("GET", absl::StrCat("/domainnames?limit=2&position=",
                               first.body["position"].get<std::string>()));
  ASSERT_EQ(second.status, 200) << second.raw.body;
  EXPECT_EQ(second.body["item"].size(), 1u);
  EXPECT_FALSE(second.body.contains("position"));
  for (const char* query : {"limit=0", "limit=501", "limit=x", "position=x",
                            "other=1", "resourceOwner=OTHER_ACCOUNTS"}) {
    EXPECT_EQ(Call("GET", absl::StrCat("/domainnames?", query)).status, 400)
        << query;
  }
}

TEST_F(FacadeTest, RefusesNamesThatAreNoDomains) {
  for (const char* name :
       {"localhost", "a%2Fb.example.com", "a_b.example.com", "..", "%2a"}) {
    EXPECT_EQ(Call("GET", absl::StrCat("/domainnames/", name)).status, 400)
        << name;
  }
  // Whatever the case, it is the same domain.
  ASSERT_EQ(CreateDomain().status, 201);
  EXPECT_EQ(Call("GET", "/domainnames/API.Example.COM").status, 200);
}

TEST_F(FacadeTest, WritesTheOperationIntoTheAuditLog) {
  ASSERT_EQ(CreateDomain().status, 201);
  const auto entries = audit_.List({});
  ASSERT_TRUE(entries.ok());
  std::vector<std::string> methods;
  for (const auto& entry : entries->items) methods.push_back(entry.method);
  EXPECT_THAT(methods, Contains("aws.apigateway/CreateDomainName"));
  EXPECT_THAT(methods, Contains("aws.acm/ImportCertificate"));
}

TEST(OwnTruststore, IsAnIdWhateverTheDomain) {
  for (const std::string& domain :
       {std::string("a.b"), std::string("*.example.com"),
        std::string(63, 'a') + "." + std::string(63, 'b') + ".example.com",
        std::string(47, 'a') + "-b.example.com"}) {
    const auto name = OwnTruststore(domain::DomainNameName(domain));
    EXPECT_TRUE(domain::TruststoreName::Parse(name.ToString()).ok()) << name;
  }
  EXPECT_NE(OwnTruststore(domain::DomainNameName("a-b.example.com")),
            OwnTruststore(domain::DomainNameName("a.b.example.com")));
}

// ------------------------------------------------------ base path mappings

TEST_F(FacadeTest, MapsBasePaths) {
  ASSERT_EQ(CreateDomain().status, 201);
  AddApi("customer", "DEV");
  AddApi("orders", "prod");
  const std::string base =
      absl::StrCat("/domainnames/", kHost, "/basepathmappings");
  Reply reply =
      Call("POST", base,
           {{"basePath", "c360"}, {"restApiId", "customer"}, {"stage", "DEV"}});
  ASSERT_EQ(reply.status, 201) << reply.raw.body;
  EXPECT_EQ(reply.body, (Json{{"basePath", "c360"},
                              {"restApiId", "customer"},
                              {"stage", "DEV"}}));
  EXPECT_EQ(
      Call("POST", base,
           {{"basePath", "c360"}, {"restApiId", "orders"}, {"stage", "prod"}})
          .code(),
      "ConflictException");
  reply = Call("POST", base, {{"restApiId", "orders"}, {"stage", "prod"}});
  EXPECT_EQ(reply.body["basePath"], "(none)");
  EXPECT_EQ(Call("GET", base + "/%28none%29").body["restApiId"], "orders");
  EXPECT_EQ(Call("GET", base).body["item"].size(), 2u);
  EXPECT_EQ(Patch(base + "/c360", "/basePath", "v2").body["basePath"], "v2");
  EXPECT_EQ(Call("GET", base + "/c360").code(), "NotFoundException");
  reply = Call(
      "PATCH", base + "/v2",
      {{"patchOperations",
        Json::array(
            {{{"op", "replace"}, {"path", "/restapiId"}, {"value", "orders"}},
             {{"op", "replace"}, {"path", "/stage"}, {"value", "prod"}}})}});
  EXPECT_EQ(reply.body["restApiId"], "orders") << reply.raw.body;
  EXPECT_EQ(Call("DELETE", base + "/v2").status, 202);
  EXPECT_EQ(Call("DELETE", base + "/v2").status, 404);
}

TEST_F(FacadeTest, RefusesMappingsThatCannotBe) {
  ASSERT_EQ(CreateDomain().status, 201);
  AddApi("customer", "DEV");
  const std::string base =
      absl::StrCat("/domainnames/", kHost, "/basepathmappings");
  EXPECT_EQ(
      Call("POST", base, {{"restApiId", "none"}, {"stage", "DEV"}}).status,
      400);
  EXPECT_THAT(Call("POST", base, {{"restApiId", "customer"}}).message(),
              HasSubstr("stage"));
  EXPECT_EQ(
      Call("POST", base, {{"restApiId", "../x"}, {"stage", "DEV"}}).status,
      400);
  EXPECT_EQ(Call("POST", "/domainnames/none.example.com/basepathmappings",
                 {{"restApiId", "customer"}, {"stage", "DEV"}})
                .status,
            404);
  ASSERT_EQ(
      Call("POST", base, {{"restApiId", "customer"}, {"stage", "DEV"}}).status,
      201);
  EXPECT_EQ(Patch(base + "/%28none%29", "/basePath", "", "remove").status, 400);
  EXPECT_EQ(Patch(base + "/%28none%29", "/other", "x").status, 400);
}

// ----------------------------------------------------- client certificates

TEST_F(FacadeTest, GeneratesClientCertificates) {
  Reply reply =
      Call("POST", "/clientcertificates",
           {{"description", "for the shop"}, {"tags", {{"team", "a"}}}});
  ASSERT_EQ(reply.status, 201) << reply.raw.body;
  const std::string id = reply.body["clientCertificateId"];
  EXPECT_THAT(reply.body["pemEncodedCertificate"].get<std::string>(),
              HasSubstr("BEGIN CERTIFICATE"));
  EXPECT_THAT(reply.raw.body, Not(HasSubstr("PRIVATE")));
  EXPECT_EQ(reply.body["description"], "for the shop");
  EXPECT_EQ(reply.body["tags"], (Json{{"team", "a"}}));
  const auto day = absl::Hours(24);
  EXPECT_NEAR(
      reply.body["expirationDate"].get<double>(),
      static_cast<double>(absl::ToUnixSeconds(clock_.Now() + 365 * day)), 600);
  const std::string target = absl::StrCat("/clientcertificates/", id);
  EXPECT_EQ(Call("GET", target).body["clientCertificateId"], id);
  EXPECT_EQ(Patch(target, "/description", "new").body["description"], "new");
  EXPECT_EQ(Patch(target, "/tags", "x").status, 400);
  EXPECT_EQ(Call("GET", "/clientcertificates").body["item"].size(), 1u);
  EXPECT_EQ(Call("DELETE", target).status, 202);
  EXPECT_EQ(Call("GET", target).code(), "NotFoundException");
  EXPECT_EQ(Call("GET", "/clientcertificates/%2e%2e").status, 400);
}

// ---------------------------------------------------------------- REST APIs

TEST_F(FacadeTest, MakesShowsAndDeletesApis) {
  const Reply made = Call("POST", "/restapis",
                          {{"name", "shop"},
                           {"description", "all of it"},
                           {"version", "v1"},
                           {"binaryMediaTypes", {"image/png"}},
                           {"endpointConfiguration", {{"types", {"REGIONAL"}}}},
                           {"tags", {{"team", "a"}}}});
  ASSERT_EQ(made.status, 201) << made.raw.body;
  EXPECT_EQ(made.body["name"], "shop");
  EXPECT_EQ(made.body["version"], "v1");
  EXPECT_EQ(made.body["binaryMediaTypes"], Json::array({"image/png"}));
  EXPECT_EQ(made.body["endpointConfiguration"]["types"],
            Json::array({"REGIONAL"}));
  EXPECT_EQ(made.body["disableExecuteApiEndpoint"], false);
  EXPECT_EQ(made.body["tags"], Json({{"team", "a"}}));
  const std::string target =
      absl::StrCat("/restapis/", made.body["id"].get<std::string>());
  EXPECT_EQ(Call("GET", target).body, made.body);
  EXPECT_EQ(Call("GET", "/restapis").body["item"], Json::array({made.body}));
  EXPECT_EQ(Call("DELETE", target).status, 202);
  EXPECT_EQ(Call("GET", target).code(), "NotFoundException");
  EXPECT_EQ(Call("GET", "/restapis/Not%20one").code(), "NotFoundException");
}

TEST_F(FacadeTest, PatchesApisAllOrNothing) {
  const std::string api = NewApi();
  // As the partners' document writes it.
  Reply reply = Patch(api, "/disableExecuteApiEndpoint", "True");
  EXPECT_EQ(reply.status, 200) << reply.raw.body;
  EXPECT_EQ(reply.body["disableExecuteApiEndpoint"], true);
  EXPECT_EQ(Call("GET", api).body["disableExecuteApiEndpoint"], true);
  EXPECT_EQ(Patch(api, "/binaryMediaTypes/image~1png", "", "add")
                .body["binaryMediaTypes"],
            Json::array({"image/png"}));
  reply = Call("PATCH", api,
               {{"patchOperations",
                 {{{"op", "replace"}, {"path", "/name"}, {"value", "other"}},
                  {{"op", "replace"}, {"path", "/policy"}, {"value", "{}"}},
                  {{"op", "replace"},
                   {"path", "/disableExecuteApiEndpoint"},
                   {"value", "maybe"}}}}});
  EXPECT_EQ(reply.code(), "BadRequestException");
  EXPECT_TRUE(absl::StrContains(reply.message(), "/policy"));
  EXPECT_TRUE(absl::StrContains(reply.message(), "patchOperations[2].value"));
  EXPECT_EQ(Call("GET", api).body["name"], "shop");
}

TEST_F(FacadeTest, RefusesWhatApisCannotHave) {
  const Reply reply = Call("POST", "/restapis",
                           {{"name", "x"},
                            {"cloneFrom", "abc"},
                            {"policy", "{}"},
                            {"minimumCompressionSize", 1},
                            {"binaryMediaTypes", {""}}});
  EXPECT_EQ(reply.code(), "BadRequestException");
  for (const char* field : {"cloneFrom", "policy", "minimumCompressionSize"}) {
    EXPECT_TRUE(absl::StrContains(reply.message(), field)) << field;
  }
  EXPECT_EQ(Call("GET", "/restapis").body["item"], Json::array());
}

TEST_F(FacadeTest, HasATreeOfResources) {
  const std::string api = NewApi();
  const std::string root = RootOf(api);
  const std::string customer = NewResource(api, root, "customer");
  const std::string one = NewResource(api, customer, "{customer-id}");
  const Reply got = Call("GET", api + "/resources/" + one);
  EXPECT_EQ(got.body, Json({{"id", one},
                            {"parentId", customer},
                            {"pathPart", "{customer-id}"},
                            {"path", "/customer/{customer-id}"}}));
  const auto create = [&](const std::string& parent, const std::string& part) {
    return Call("POST", api + "/resources/" + parent, {{"pathPart", part}})
        .code();
  };
  EXPECT_EQ(create(root, "customer"), "ConflictException");
  EXPECT_EQ(create(customer, "{other}"), "BadRequestException");
  EXPECT_EQ(create(root, "a/b"), "BadRequestException");
  EXPECT_EQ(create(root, "{a"), "BadRequestException");
  EXPECT_EQ(create("0123456789", "a"), "NotFoundException");
  // Pages.
  Reply page = Call("GET", api + "/resources?limit=2");
  ASSERT_EQ(page.body["item"].size(), 2u);
  EXPECT_EQ(page.body["item"][0], Json({{"id", root}, {"path", "/"}}));
  page = Call("GET", api + "/resources?limit=2&position=" +
                         page.body["position"].get<std::string>());
  EXPECT_EQ(page.body["item"].size(), 1u);
  EXPECT_FALSE(page.body.contains("position"));
  EXPECT_EQ(Call("GET", api + "/resources?position=x").code(),
            "BadRequestException");
  // With what is below.
  EXPECT_EQ(Call("DELETE", api + "/resources/" + customer).status, 202);
  EXPECT_EQ(Call("GET", api + "/resources").body["item"].size(), 1u);
  EXPECT_EQ(Call("DELETE", api + "/resources/" + root).code(),
            "BadRequestException");
}

TEST_F(FacadeTest, MakesARouteOfAMethodWithAnIntegration) {
  const std::string api = NewApi();
  const std::string item = NewResource(api, RootOf(api), "{id}");
  const std::string method = NewMethod(api, item, "GET", Json());
  EXPECT_EQ(Call("PUT", method, {{"authorizationType", "NONE"}}).code(),
            "ConflictException");
  EXPECT_EQ(Call("GET", method + "/integration").code(), "NotFoundException");
  EXPECT_TRUE(RoutesOf(api).empty());
  const Reply put =
      Call("PUT", method + "/integration",
           {{"type", "HTTP_PROXY"},
            {"httpMethod", "GET"},
            {"uri", "https://backend.example.com/items/{id}"},
            {"timeoutInMillis", 2500},
            {"requestParameters",
             {{"integration.request.path.id", "method.request.path.id"}}}});
  ASSERT_EQ(put.status, 201) << put.raw.body;
  EXPECT_EQ(put.body["type"], "HTTP_PROXY");
  EXPECT_EQ(put.body["timeoutInMillis"], 2500);
  EXPECT_EQ(put.body["cacheNamespace"], item);
  EXPECT_EQ(Call("GET", method + "/integration").body, put.body);
  EXPECT_EQ(Call("GET", method).body["methodIntegration"], put.body);
  EXPECT_EQ(Call("GET", api + "/resources/" + item + "?embed=methods")
                .body["resourceMethods"]["GET"]["methodIntegration"],
            put.body);
  EXPECT_EQ(RoutesOf(api), std::vector<std::string>({"GET /{id}"}));
  // Another name, and another method.
  const Reply mapped =
      Call("PUT", method + "/integration",
           {{"type", "HTTP"},
            {"httpMethod", "POST"},
            {"uri", "https://backend.example.com/items/{number}"},
            {"requestParameters",
             {{"integration.request.path.number", "method.request.path.id"}}}});
  ASSERT_EQ(mapped.status, 201) << mapped.raw.body;
  const auto view =
      drafts_.Get(domain::ApiName(api.substr(api.rfind('/') + 1)));
  const auto& http =
      std::get<domain::HttpIntegration>(view->routes.at(0).integration);
  EXPECT_EQ(http.method, "POST");
  EXPECT_EQ(http.path_parameters.at("number"), "id");
  // Patches, all or nothing.
  EXPECT_EQ(Patch(method + "/integration", "/uri",
                  "https://other.example.com/{number}")
                .body["uri"],
            "https://other.example.com/{number}");
  EXPECT_EQ(Patch(method + "/integration", "/credentials", "arn").code(),
            "BadRequestException");
  EXPECT_EQ(Patch(method + "/integration", "/uri", "ftp://x").code(),
            "BadRequestException");
  EXPECT_EQ(Call("GET", method + "/integration").body["httpMethod"], "POST");
  EXPECT_EQ(Call("DELETE", method + "/integration").status, 204);
  EXPECT_TRUE(RoutesOf(api).empty());
  EXPECT_EQ(Call("GET", method).body["httpMethod"], "GET");
  EXPECT_EQ(Call("DELETE", method).status, 204);
  EXPECT_EQ(Call("GET", method).code(), "NotFoundException");
  EXPECT_EQ(Call("GET", api + "/resources/" + item).status, 200);
}

TEST_F(FacadeTest, RefusesIntegrationsThatCannotBeServed) {
  const std::string api = NewApi();
  const std::string method = NewMethod(api, RootOf(api), "ANY", Json());
  struct Row {
    Json body;
    const char* said;
  };
  const auto proxy = [](const char* name, const Json& value) {
    Json out = ProxyBody("https://backend.example.com/");
    out["httpMethod"] = "ANY";
    out[name] = value;
    return out;
  };
  const Row rows[] = {
      {{{"type", "AWS_PROXY"}, {"httpMethod", "POST"}, {"uri", "arn:aws:x"}},
       "AWS_PROXY"},
      {proxy("connectionType", "VPC_LINK"), "connectionType"},
      {proxy("credentials", "arn:aws:iam::1:role/x"), "credentials"},
      {proxy("requestParameters",
             {{"integration.request.header.x", "method.request.header.x"}}),
       "integration.request.header.x"},
      {proxy("requestParameters", {{"integration.request.path.x", "'a'"}}),
       "integration.request.path.x"},
      {proxy("requestTemplates", {{"application/json", "$input.json('$')"}}),
       "requestTemplates"},
      {proxy("passthroughBehavior", "NEVER"), "passthroughBehavior"},
      {proxy("cacheKeyParameters", {"a"}), "cacheKeyParameters"},
      {proxy("timeoutInMillis", 1), "timeoutInMillis"},
      {proxy("uri", "https://a.example.com/{gone}"), "uri"},
      {proxy("uri", "https://user:secret@a.example.com/"), "uri"},
      {proxy("unknown", "x"), "unknown"},
      {{{"type", "MOCK"},
        {"requestTemplates", {{"application/json", "#set($x = 1)"}}}},
       "requestTemplates"},
      {{{"type", "HTTP_PROXY"}}, "uri"},
  };
  for (const Row& row : rows) {
    const Reply reply = Call("PUT", method + "/integration", row.body);
    EXPECT_EQ(reply.code(), "BadRequestException") << row.body.dump();
    EXPECT_TRUE(absl::StrContains(reply.message(), row.said))
        << reply.message();
    EXPECT_FALSE(absl::StrContains(reply.message(), "secret"));
  }
  EXPECT_TRUE(RoutesOf(api).empty());
}

TEST_F(FacadeTest, AnswersAMockByItsResponses) {
  const std::string api = NewApi();
  const std::string method = NewMethod(api, RootOf(api), "GET", MockBody(404));
  EXPECT_EQ(Call("PUT", method + "/responses/404",
                 {{"responseParameters", {{"method.response.header.x", true}}},
                  {"responseModels", {{"application/json", "Empty"}}}})
                .status,
            201);
  const Json response = {
      {"selectionPattern", "404"},
      {"responseParameters", {{"method.response.header.x", "'y'"}}},
      {"responseTemplates", {{"application/json", "{\"a\": 1}"}}}};
  Reply put = Call("PUT", method + "/integration/responses/404", response);
  ASSERT_EQ(put.status, 201) << put.raw.body;
  EXPECT_EQ(put.body["statusCode"], "404");
  EXPECT_EQ(Call("GET", method + "/integration/responses/404").body, put.body);
  const Json whole = Call("GET", method).body;
  EXPECT_EQ(whole["methodResponses"]["404"]["statusCode"], "404");
  EXPECT_EQ(whole["methodIntegration"]["integrationResponses"]["404"],
            put.body);
  const domain::ApiName name(api.substr(api.rfind('/') + 1));
  const auto mock = [&] {
    return std::get<domain::MockIntegration>(
        drafts_.Get(name)->routes.at(0).integration);
  };
  EXPECT_EQ(mock().status, 404);
  EXPECT_EQ(mock().body, "{\"a\": 1}");
  EXPECT_EQ(mock().headers.at("x"), "y");
  // What is changed elsewhere is what is shown.
  domain::Route route = drafts_.Get(name)->routes.at(0);
  route.integration = domain::MockIntegration{201, {}, "changed"};
  ASSERT_TRUE(apis_.UpdateRoute(caller_, write_, route, {"mock"}).ok());
  const Json shown = Call("GET", method + "/integration").body;
  EXPECT_EQ(shown["requestTemplates"]["application/json"],
            "{\"statusCode\": 201}");
  EXPECT_EQ(shown["integrationResponses"]["201"]["responseTemplates"]
                 ["application/json"],
            "changed");
  for (const Json& bad :
       {Json({{"selectionPattern", "4\\d{2}"}}),
        Json({{"responseTemplates",
               {{"application/json", "$context.requestId"}}}}),
        Json({{"responseParameters",
               {{"method.response.header.x",
                 "integration.response.header.y"}}}})}) {
    EXPECT_EQ(Call("PUT", method + "/integration/responses/500", bad).code(),
              "BadRequestException")
        << bad.dump();
  }
  EXPECT_EQ(Call("DELETE", method + "/responses/404").status, 204);
  EXPECT_EQ(Call("GET", method + "/responses/404").code(), "NotFoundException");
}

TEST_F(FacadeTest, ShowsRoutesThatOthersMadeAsMethods) {
  const std::string api = NewApi();
  domain::Route route;
  route.method = "GET";
  route.path = "/a/b";
  domain::HttpProxyIntegration proxy;
  proxy.uri = "http://backend.example.com/";
  route.integration = proxy;
  const domain::ApiName name(api.substr(api.rfind('/') + 1));
  ASSERT_TRUE(apis_.CreateRoute(caller_, write_, name, "", route).ok());
  const Json items = Call("GET", api + "/resources?embed=methods").body["item"];
  ASSERT_EQ(items.size(), 3u);
  EXPECT_EQ(items[2]["path"], "/a/b");
  EXPECT_EQ(items[2]["resourceMethods"]["GET"]["methodIntegration"]["uri"],
            "http://backend.example.com/");
}

TEST_F(FacadeTest, DeploysToStages) {
  const std::string api = NewApi();
  EXPECT_EQ(
      Call("POST", api + "/deployments", {{"stageName", "DEV"}}).message(),
      "The REST API doesn't contain any methods");
  const std::string root = RootOf(api);
  NewMethod(api, root, "GET", MockBody());
  const std::string post = NewMethod(api, root, "POST", Json());
  EXPECT_EQ(
      Call("POST", api + "/deployments", {{"stageName", "DEV"}}).message(),
      "No integration defined for method: POST /");
  ASSERT_EQ(Call("PUT", post + "/integration",
                 {{"type", "HTTP_PROXY"},
                  {"httpMethod", "POST"},
                  {"uri", "https://${stageVariables.host}/"}})
                .status,
            201);
  Reply reply = Call("POST", api + "/deployments", {{"stageName", "DEV"}});
  EXPECT_EQ(reply.code(), "BadRequestException");
  EXPECT_TRUE(absl::StrContains(reply.message(), "host")) << reply.message();
  reply = Call("POST", api + "/deployments",
               {{"stageName", "DEV"},
                {"description", "first"},
                {"stageDescription", "for us"},
                {"variables", {{"host", "b.example.com"}}}});
  ASSERT_EQ(reply.status, 201) << reply.raw.body;
  const std::string first = reply.body["id"];
  EXPECT_EQ(Call("GET", api + "/deployments/" + first + "?embed=apisummary")
                .body["apiSummary"]["/"]
                .size(),
            2u);
  Json stage = Call("GET", api + "/stages/DEV").body;
  EXPECT_EQ(stage["deploymentId"], first);
  EXPECT_EQ(stage["description"], "for us");
  EXPECT_EQ(stage["variables"], Json({{"host", "b.example.com"}}));
  // Again, in one commit; and by hand.
  reply = Call("POST", api + "/deployments", {{"stageName", "DEV"}});
  ASSERT_EQ(reply.status, 201) << reply.raw.body;
  EXPECT_EQ(Call("GET", api + "/stages/DEV").body["deploymentId"],
            reply.body["id"]);
  EXPECT_EQ(Call("GET", api + "/deployments").body["item"].size(), 2u);
  EXPECT_EQ(Call("POST", api + "/stages",
                 {{"stageName", "live"},
                  {"deploymentId", first},
                  {"variables", {{"host", "b.example.com"}}}})
                .status,
            201);
  EXPECT_EQ(
      Call("GET", api + "/stages?deploymentId=" + first).body["item"].size(),
      1u);
  EXPECT_EQ(Call("DELETE", api + "/deployments/" + first).code(),
            "ConflictException");
  EXPECT_EQ(Call("DELETE", api + "/stages/live").status, 202);
  EXPECT_EQ(Call("GET", api + "/stages/live").code(), "NotFoundException");
  // Nothing stays of one whose stage is refused.
  reply = Call("POST", api + "/deployments",
               {{"stageName", "DEV"}, {"variables", {{"bad name", "x"}}}});
  EXPECT_EQ(reply.code(), "BadRequestException");
  EXPECT_EQ(Call("GET", api + "/deployments").body["item"].size(), 2u);
}

TEST_F(FacadeTest, RotatesTheClientCertificateOfAStage) {
  const std::string api = NewApi();
  NewMethod(api, RootOf(api), "GET", ProxyBody("https://b.example.com/"));
  ASSERT_EQ(Call("POST", api + "/deployments", {{"stageName", "s1"}}).status,
            201);
  const std::string certificate =
      Call("POST", "/clientcertificates", Json::object())
          .body["clientCertificateId"];
  const std::string stage = api + "/stages/s1";
  EXPECT_EQ(Patch(stage, "/clientCertificateId", certificate)
                .body["clientCertificateId"],
            certificate);
  EXPECT_EQ(Call("DELETE", "/clientcertificates/" + certificate).code(),
            "ConflictException");
  EXPECT_EQ(Patch(stage, "/clientCertificateId", "ndiqef").code(),
            "BadRequestException");
  EXPECT_EQ(Patch(stage, "/variables/a", "1", "add").body["variables"],
            Json({{"a", "1"}}));
  EXPECT_FALSE(
      Patch(stage, "/variables/a", "", "remove").body.contains("variables"));
  for (const char* path :
       {"/canarySettings/percentTraffic", "/*/*/throttling/rateLimit",
        "/accessLogSettings/destinationArn", "/variables", "/stageName"}) {
    EXPECT_EQ(Patch(stage, path, "1").code(), "BadRequestException") << path;
  }
  EXPECT_FALSE(Patch(stage, "/clientCertificateId", "")
                   .body.contains("clientCertificateId"));
}

TEST_F(FacadeTest, SaysThatNobodyCanSendATest) {
  const std::string api = NewApi();
  const std::string method = NewMethod(api, RootOf(api), "GET", MockBody());
  EXPECT_EQ(Call("POST", method, Json::object()).code(),
            "NotImplementedException");
  EXPECT_EQ(Call("POST", method, {{"clientCertificateId", "No One"}}).code(),
            "BadRequestException");
}

TEST_F(FacadeTest, KeepsADraftWithinItsLimits) {
  const std::string api = NewApi();
  const std::string root = RootOf(api);
  const std::string method = NewMethod(api, root, "GET", MockBody());
  const std::string large(40'000, 'x');
  EXPECT_EQ(Call("PUT", method + "/integration/responses/200",
                 {{"responseTemplates", {{"application/json", large}}}})
                .code(),
            "BadRequestException");
  EXPECT_EQ(Call("PUT", absl::StrCat(api, "/resources/", root, "/methods/POST"),
                 {{"authorizationType", "NONE"}, {"operationName", large}})
                .code(),
            "BadRequestException");
  EXPECT_EQ(Call("PUT", absl::StrCat(api, "/resources/", root, "/methods/BREW"),
                 {{"authorizationType", "NONE"}})
                .code(),
            "BadRequestException");
}

// ------------------------------------------------------- the second version

TEST_F(FacadeTest, HasTheSameDomainsInTheSecondVersion) {
  objects_.Put(kUri, partner_.pem);
  const std::string arn = Import({kHost});
  const Reply made =
      Call("POST", "/v2/domainnames",
           {{"domainName", kHost},
            {"domainNameConfigurations",
             Json::array({{{"certificateArn", arn},
                           {"endpointType", "REGIONAL"},
                           {"securityPolicy", "TLS_1_2"}}})},
            {"mutualTlsAuthentication", {{"truststoreUri", kUri}}}});
  ASSERT_EQ(made.status, 201) << made.raw.body;
  const Json& configuration = made.body["domainNameConfigurations"][0];
  EXPECT_EQ(configuration["certificateArn"], arn);
  EXPECT_EQ(configuration["endpointType"], "REGIONAL");
  EXPECT_TRUE(configuration["certificateUploadDate"].is_string());
  EXPECT_EQ(made.body["mutualTlsAuthentication"]["truststoreUri"], kUri);
  const std::string target = absl::StrCat("/v2/domainnames/", kHost);
  EXPECT_EQ(Call("GET", target)
                .body["domainNameConfigurations"][0]["apiGatewayDomainName"],
            Call("GET", absl::StrCat("/domainnames/", kHost))
                .body["regionalDomainName"]);
  EXPECT_EQ(Call("GET", "/v2/domainnames").body["items"].size(), 1u);
  const Reply off = Call(
      "PATCH", target, {{"mutualTlsAuthentication", {{"truststoreUri", ""}}}});
  EXPECT_EQ(off.status, 200) << off.raw.body;
  EXPECT_FALSE(off.body.contains("mutualTlsAuthentication"));
  EXPECT_EQ(Call("PATCH", target, {{"policy", "x"}}).code(),
            "BadRequestException");
  EXPECT_EQ(Call("DELETE", target).status, 204);
  EXPECT_EQ(Call("GET", target).code(), "NotFoundException");
}

TEST_F(FacadeTest, MapsPathsOfSeveralPartsInTheSecondVersion) {
  ASSERT_EQ(CreateDomain().status, 201);
  AddApi("shop", "live");
  AddApi("other", "live");
  const std::string mappings =
      absl::StrCat("/v2/domainnames/", kHost, "/apimappings");
  const Reply made = Call(
      "POST", mappings,
      {{"apiId", "shop"}, {"stage", "live"}, {"apiMappingKey", "c360/v1"}});
  ASSERT_EQ(made.status, 201) << made.raw.body;
  EXPECT_EQ(made.body["apiMappingKey"], "c360/v1");
  const std::string target =
      absl::StrCat(mappings, "/", made.body["apiMappingId"].get<std::string>());
  EXPECT_EQ(Call("GET", target).body, made.body);
  EXPECT_EQ(Call("GET", mappings).body["items"], Json::array({made.body}));
  EXPECT_EQ(Call("PATCH", target, {{"apiId", "other"}}).body["apiId"], "other");
  EXPECT_EQ(
      Call("POST", mappings, {{"apiId", "gone"}, {"stage", "live"}}).code(),
      "BadRequestException");
  EXPECT_EQ(Call("DELETE", target).status, 204);
  EXPECT_EQ(Call("GET", target).code(), "NotFoundException");
  EXPECT_EQ(Call("GET", mappings + "/Not%20one").code(), "NotFoundException");
}

TEST_F(FacadeTest, ClosesDefaultEndpointsInTheSecondVersion) {
  AddApi("shop", "live");
  EXPECT_EQ(Call("GET", "/v2/apis").body["items"].size(), 1u);
  EXPECT_EQ(
      Call("PATCH", "/v2/apis/shop", {{"disableExecuteApiEndpoint", true}})
          .body["disableExecuteApiEndpoint"],
      true);
  EXPECT_EQ(Call("GET", "/v2/apis/shop").body["disableExecuteApiEndpoint"],
            true);
  EXPECT_EQ(Call("PATCH", "/v2/apis/shop", {{"target", "x"}}).code(),
            "BadRequestException");
}

// ----------------------------------------------------- definitions and tags

Json Definition() {
  return Json::parse(R"({
    "openapi": "3.0.1",
    "info": {"title": "shop", "version": "2026-01-01", "description": "d"},
    "servers": [{"url": "https://x.example.com/{basePath}"}],
    "x-amazon-apigateway-binary-media-types": ["image/png"],
    "x-amazon-apigateway-endpoint-configuration":
        {"disableExecuteApiEndpoint": true},
    "components": {"schemas": {"Empty": {"type": "object"}}},
    "paths": {
      "/customer/{id}": {
        "get": {
          "operationId": "one",
          "parameters": [{"name": "id", "in": "path", "required": true,
                          "schema": {"type": "string"}},
                         {"name": "q", "in": "query"}],
          "responses": {"200": {"description": "ok",
                                "headers": {"x-a": {}}}},
          "x-amazon-apigateway-integration": {
            "type": "http_proxy", "httpMethod": "GET",
            "uri": "https://b.example.com/{id}",
            "requestParameters":
                {"integration.request.path.id": "method.request.path.id"},
            "passthroughBehavior": "when_no_match",
            "responses": {"default": {"statusCode": "200"}}}},
        "x-amazon-apigateway-any-method": {
          "x-amazon-apigateway-integration": {
            "type": "mock",
            "requestTemplates": {"application/json": "{\"statusCode\": 405}"},
            "responses": {"405": {"statusCode": "405",
                "responseTemplates": {"application/json": "no"}}}}}},
      "/empty": {}
    }})");
}

TEST_F(FacadeTest, ImportsADefinition) {
  const Reply made = Call("POST", "/restapis?mode=import", Definition());
  ASSERT_EQ(made.status, 201) << made.raw.body;
  EXPECT_EQ(made.body["name"], "shop");
  EXPECT_EQ(made.body["version"], "2026-01-01");
  EXPECT_EQ(made.body["disableExecuteApiEndpoint"], true);
  EXPECT_EQ(made.body["binaryMediaTypes"], Json::array({"image/png"}));
  ASSERT_EQ(made.body["warnings"].size(), 1u);
  EXPECT_TRUE(absl::StrContains(made.body["warnings"][0].get<std::string>(),
                                "components"));
  const std::string api =
      absl::StrCat("/restapis/", made.body["id"].get<std::string>());
  EXPECT_EQ(RoutesOf(api), std::vector<std::string>(
                               {"ANY /customer/{id}", "GET /customer/{id}"}));
  const Json items = Call("GET", api + "/resources?embed=methods").body["item"];
  ASSERT_EQ(items.size(), 4u);
  const Json& get = items[2]["resourceMethods"]["GET"];
  EXPECT_EQ(get["operationName"], "one");
  EXPECT_EQ(get["requestParameters"],
            Json({{"method.request.path.id", true},
                  {"method.request.querystring.q", false}}));
  EXPECT_EQ(get["methodIntegration"]["type"], "HTTP_PROXY");
  EXPECT_EQ(
      get["methodIntegration"]["integrationResponses"]["200"]["statusCode"],
      "200");
  EXPECT_EQ(items[3]["path"], "/empty");
  // And out again, as it is served.
  ASSERT_EQ(Call("POST", api + "/deployments", {{"stageName", "s"}}).status,
            201);
  const Reply out =
      Call("GET", api + "/stages/s/exports/oas30?extensions=integrations");
  ASSERT_EQ(out.status, 200) << out.raw.body;
  const Reply again = Call("POST", "/restapis?mode=import", out.body);
  ASSERT_EQ(again.status, 201) << again.raw.body;
  const std::string other =
      absl::StrCat("/restapis/", again.body["id"].get<std::string>());
  EXPECT_EQ(RoutesOf(other), RoutesOf(api));
  EXPECT_EQ(Call("GET", api + "/stages/s/exports/swagger").code(),
            "BadRequestException");
}

TEST_F(FacadeTest, PutsADefinitionInThePlaceOfAnother) {
  const std::string api = NewApi();
  NewMethod(api, RootOf(api), "GET", MockBody());
  Reply reply = Call("PUT", api, Definition());
  ASSERT_EQ(reply.status, 200) << reply.raw.body;
  EXPECT_EQ(RoutesOf(api).size(), 3u);
  reply = Call("PUT", api + "?mode=overwrite", Definition());
  ASSERT_EQ(reply.status, 200) << reply.raw.body;
  EXPECT_EQ(RoutesOf(api).size(), 2u);
  EXPECT_EQ(Call("PUT", api + "?mode=other", Definition()).code(),
            "BadRequestException");
}

TEST_F(FacadeTest, ImportsNothingOfADefinitionThatAsksForMoreThanThereIs) {
  struct Row {
    const char* pointer;
    Json value;
    const char* said;
  };
  const std::string get = "/paths/~1customer~1{id}/get";
  const Row rows[] = {
      {"/security", Json::array({{{"key", Json::array()}}}), "security"},
      {"/openapi", "3.1.0", "openapi"},
      {"/swagger", "2.0", "swagger"},
      {"/x-amazon-apigateway-policy", Json::object(),
       "x-amazon-apigateway-policy"},
      {"/x-amazon-apigateway-request-validator", "all",
       "x-amazon-apigateway-request-validator"},
      {"/paths/~1customer~1{id}/get/security",
       Json::array({{{"key", Json::array()}}}), "security"},
      {"/paths/~1customer~1{id}/get/x-amazon-apigateway-auth",
       {{"type", "AWS_IAM"}},
       "x-amazon-apigateway-auth"},
      {"/paths/~1customer~1{id}/get/x-amazon-apigateway-integration/type",
       "aws_proxy", "AWS_PROXY"},
      {"/paths/~1customer~1{id}/get/x-amazon-apigateway-integration/uri",
       "https://b.example.com/{gone}", "uri"},
      {"/paths/~1customer~1{other}",
       {{"get", {{"x-amazon-apigateway-integration", MockBody()}}}},
       "matches the same requests"},
      {"/paths/no", Json::object(), "paths"},
      {"/unknown", 1, "unknown"},
  };
  for (const Row& row : rows) {
    Json definition = Definition();
    definition[Json::json_pointer(row.pointer)] = row.value;
    const Reply reply = Call("POST", "/restapis?mode=import", definition);
    EXPECT_GE(reply.status, 400) << row.pointer;
    EXPECT_TRUE(absl::StrContains(reply.message(), row.said))
        << row.pointer << ": " << reply.raw.body;
  }
  EXPECT_EQ(
      Call("POST", "/restapis?mode=import&failonwarnings=true", Definition())
          .code(),
      "BadRequestException");
  EXPECT_EQ(
      Call("POST", "/restapis?mode=import&basepath=split", Definition()).code(),
      "BadRequestException");
  // A YAML one, and one that is too deep.
  HttpRequest request = Plain("POST", "/restapis?mode=import");
  request.body = "openapi: 3.0.1";
  EXPECT_EQ(Send(request).code(), "SerializationException");
  request = Plain("POST", "/restapis?mode=import");
  request.body = std::string(100'000, '[');
  EXPECT_EQ(Send(request).code(), "SerializationException");
  EXPECT_EQ(Call("GET", "/restapis").body["item"], Json::array());
}

TEST_F(FacadeTest, ImportsAsManyRoutesAsAnApiMayHave) {
  Json definition = Definition();
  definition["paths"] = Json::object();
  for (int i = 0; i < 1000; ++i) {
    Json integration = MockBody();
    definition["paths"][absl::StrCat("/p", i)]["get"]
              ["x-amazon-apigateway-integration"] = std::move(integration);
  }
  const Reply made = Call("POST", "/restapis?mode=import", definition);
  ASSERT_EQ(made.status, 201) << made.message();
  const std::string api =
      absl::StrCat("/restapis/", made.body["id"].get<std::string>());
  EXPECT_EQ(RoutesOf(api).size(), 1000u);
  definition["paths"]["/one-more"] = definition["paths"]["/p1"];
  EXPECT_GE(Call("PUT", api, definition).status, 400);
  EXPECT_EQ(Call("DELETE", api).status, 202);
}

TEST_F(FacadeTest, TagsWhatAnArnNames) {
  const std::string api = NewApi();
  const auto target = [](const std::string& resource) {
    return absl::StrCat("/tags/arn%3Aaws%3Aapigateway%3Aus-east-1%3A%3A",
                        absl::StrReplaceAll(resource, {{"/", "%2F"}}));
  };
  EXPECT_EQ(
      Call("PUT", target(api), {{"tags", {{"a", "1"}, {"b", "2"}}}}).status,
      204);
  EXPECT_EQ(Call("GET", target(api)).body["tags"],
            Json({{"a", "1"}, {"b", "2"}}));
  EXPECT_EQ(Call("DELETE", target(api) + "?tagKeys=a").status, 204);
  EXPECT_EQ(Call("GET", api).body["tags"], Json({{"b", "2"}}));
  for (const char* resource :
       {"/restapis/gone", "/usageplans/x", "/restapis/a/stages/b", "/"}) {
    EXPECT_EQ(Call("GET", target(resource)).code(), "NotFoundException")
        << resource;
  }
  EXPECT_EQ(Call("GET", "/tags/arn%3Aaws%3Aacm%3Aus-east-1").code(),
            "NotFoundException");
}

}  // namespace
}  // namespace sallyport::aws
