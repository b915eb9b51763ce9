#include "config_service/aws/operations.h"

#include <set>
#include <string>
#include <utility>

#include "config_service/service/roles.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sallyport::aws {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

std::optional<Route> Find(absl::string_view method, absl::string_view target,
                          Service service = Service::kApiGateway) {
  return FindByPath(service, method, *ParseTarget(target));
}

TEST(Operations, AreInOrderAndEachSaysHowItIsSupportedOrWhyNot) {
  std::set<std::pair<Service, absl::string_view>> seen;
  std::pair<Service, absl::string_view> last = {Service::kAcm, ""};
  for (const Operation& operation : Operations()) {
    const std::pair<Service, absl::string_view> name = {operation.service,
                                                        operation.name};
    EXPECT_TRUE(last < name) << operation.name;
    last = name;
    EXPECT_TRUE(seen.insert(name).second) << operation.name;
    EXPECT_NE(operation.supported(), !operation.note.empty()) << operation.name;
    if (operation.supported()) {
      EXPECT_TRUE(service::RequiredRole(operation.method).has_value())
          << operation.name << " " << operation.method;
    }
  }
  EXPECT_GT(seen.size(), 230u);
}

TEST(Operations, ThatReadAreForViewersAndOthersAreNot) {
  for (const Operation& operation : Operations()) {
    if (!operation.supported()) continue;
    const bool reads = operation.name.substr(0, 3) == "Get" ||
                       operation.name.substr(0, 4) == "List" ||
                       operation.name.substr(0, 8) == "Describe";
    EXPECT_EQ(
        *service::RequiredRole(operation.method) == service::Role::kViewer,
        reads)
        << operation.name;
  }
}

TEST(FindByPath, FindsEveryOperationByItsOwnUri) {
  for (const Operation& operation : Operations()) {
    if (operation.service == Service::kAcm) continue;
    const auto route =
        Find(operation.http_method, operation.uri, operation.service);
    ASSERT_TRUE(route.has_value()) << operation.name;
    EXPECT_EQ(route->operation->name, operation.name) << operation.uri;
  }
}

TEST(FindByPath, GivesTheParameters) {
  const auto route =
      Find("GET", "/domainnames/a.example.com/basepathmappings/v1%2Fx");
  ASSERT_TRUE(route.has_value());
  EXPECT_EQ(route->operation->name, "GetBasePathMapping");
  EXPECT_THAT(route->parameters,
              ElementsAre(Pair("base_path", "v1/x"),
                          Pair("domain_name", "a.example.com")));
}

TEST(FindByPath, TellsOperationsApartByMethodAndMode) {
  EXPECT_EQ(Find("POST", "/restapis")->operation->name, "CreateRestApi");
  EXPECT_EQ(Find("POST", "/restapis?mode=import")->operation->name,
            "ImportRestApi");
  EXPECT_EQ(Find("POST", "/restapis?mode=other")->operation->name,
            "CreateRestApi");
  EXPECT_EQ(Find("GET", "/restapis")->operation->name, "GetRestApis");
  EXPECT_EQ(Find("PATCH", "/domainnames/a")->operation->name,
            "UpdateDomainName");
}

TEST(FindByPath, FindsNothingElse) {
  for (const char* path :
       {"/", "/x", "/domainnames/a/b", "/domainnames//basepathmappings",
        "/DomainNames", "/v2/domainnames",
        "/domainnames/a/basepathmappings/b/c"}) {
    EXPECT_FALSE(Find("GET", path).has_value()) << path;
  }
  EXPECT_FALSE(Find("TRACE", "/domainnames").has_value());
  EXPECT_TRUE(
      Find("GET", "/v2/domainnames", Service::kApiGatewayV2).has_value());
}

TEST(FindByTarget, FindsAcmsOperations) {
  EXPECT_EQ(
      FindByTarget("CertificateManager.ImportCertificate")->operation->name,
      "ImportCertificate");
  for (const char* target :
       {"", "ImportCertificate", "CertificateManager.",
        "Other.ListCertificates", "CertificateManager.CreateDomainName",
        "CertificateManager.importcertificate"}) {
    EXPECT_FALSE(FindByTarget(target).has_value()) << target;
  }
}

}  // namespace
}  // namespace sallyport::aws
