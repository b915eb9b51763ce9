#include "config_service/domain/api_mapping.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "config_service/domain/limits.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sallyport::domain {
namespace {

using ::testing::HasSubstr;

TEST(CheckBasePath, TakesNoneOneAndSeveralSegments) {
  for (const char* path : {"", "c360", "partners/v2", "a/b/c/d", "A-b_c.d~e",
                           "$&'()*+,=:@!", ".hidden", "..a"}) {
    EXPECT_TRUE(CheckBasePath(path).ok()) << path << CheckBasePath(path);
  }
}

TEST(CheckBasePath, SaysWhatIsWrong) {
  const auto problem = [](absl::string_view path) {
    return std::string(CheckBasePath(path).message());
  };
  EXPECT_THAT(problem("/"), HasSubstr("begins or ends"));
  EXPECT_THAT(problem("/a"), HasSubstr("begins or ends"));
  EXPECT_THAT(problem("a/"), HasSubstr("begins or ends"));
  EXPECT_THAT(problem("a//b"), HasSubstr("empty segment"));
  for (const char* path : {".", "..", "a/..", "a/../b", "a./b"}) {
    EXPECT_THAT(problem(path), HasSubstr("ends in a dot")) << path;
  }
  for (const char* path :
       {"a b", "a?b", "a%41", "a;b", "a\\b", "{a}", "ä", "a#b", "a\n"}) {
    EXPECT_THAT(problem(path), HasSubstr("none of")) << path;
  }
}

TEST(CheckBasePath, HasALengthLimit) {
  EXPECT_TRUE(CheckBasePath(std::string(kMaxBasePathLength, 'a')).ok());
  EXPECT_FALSE(CheckBasePath(std::string(kMaxBasePathLength + 1, 'a')).ok());
}

ApiMapping Good() {
  ApiMapping mapping;
  mapping.name = ApiMappingName(DomainNameName("api.example.com"), "m");
  mapping.base_path = "c360";
  mapping.stage = StageName(ApiName("customers"), "DEV");
  return mapping;
}

TEST(ValidateApiMapping, FindsAllThatIsWrongAtOnce) {
  Violations none;
  Validate(Good(), none);
  EXPECT_TRUE(none.empty());
  ApiMapping bad = Good();
  bad.base_path = "/c360";
  bad.stage = StageName();
  bad.allow.emplace();
  bad.forwarding.emplace();
  bad.forwarding->traefik.emplace();
  for (size_t i = 0; i <= kMaxCertificateListsOfDomain; ++i) {
    bad.allow_lists.emplace_back(absl::StrCat("l", i));
  }
  Violations violations;
  Validate(bad, violations);
  EXPECT_EQ(violations.size(), 5u);
  EXPECT_TRUE(violations.Has("base_path", Reason::kBasePathInvalid));
  EXPECT_TRUE(violations.Has("stage", Reason::kFieldRequired));
  EXPECT_TRUE(violations.Has("allow.all.rules", Reason::kClientRuleInvalid));
  EXPECT_TRUE(violations.Has("forwarding.traefik", Reason::kForwardingInvalid));
  EXPECT_TRUE(violations.Has("allow_lists", Reason::kTooManyEntries));
}

DomainName Domain(bool mutual_tls) {
  DomainName domain_name;
  domain_name.name = DomainNameName("api.example.com");
  if (mutual_tls) domain_name.mutual_tls.emplace();
  return domain_name;
}

TEST(ValidateOn, RefusesMutualTlsOnAPrivateApi) {
  Api api;
  api.endpoint_type = EndpointType::kPrivate;
  Violations refused;
  ValidateOn(Good(), Domain(true), api, refused);
  EXPECT_TRUE(refused.Has("stage", Reason::kMutualTlsOnPrivateApi));
  Violations plain;
  ValidateOn(Good(), Domain(false), api, plain);
  EXPECT_TRUE(plain.empty());
  api.endpoint_type = EndpointType::kRegional;
  Violations regional;
  ValidateOn(Good(), Domain(true), api, regional);
  EXPECT_TRUE(regional.empty());
}

TEST(ValidateOn, RefusesClientRulesWhereNoClientHasACertificate) {
  ApiMapping mapping = Good();
  mapping.allow.emplace();
  mapping.allow_lists.emplace_back("l");
  mapping.client_certificate = ClientRequirement::kOptional;
  Violations refused;
  ValidateOn(mapping, Domain(false), Api(), refused);
  EXPECT_TRUE(refused.Has("allow", Reason::kClientRuleWithoutMutualTls));
  EXPECT_TRUE(refused.Has("allow_lists", Reason::kClientRuleWithoutMutualTls));
  EXPECT_TRUE(
      refused.Has("client_certificate", Reason::kClientRuleWithoutMutualTls));
  Violations taken;
  ValidateOn(mapping, Domain(true), Api(), taken);
  EXPECT_TRUE(taken.empty());
}

TEST(LeavesDefaultEndpointOpen, IsSoUnlessDisabledOrAbsent) {
  Api api;
  EXPECT_TRUE(LeavesDefaultEndpointOpen(Domain(true), api, true));
  EXPECT_FALSE(LeavesDefaultEndpointOpen(Domain(true), api, false));
  EXPECT_FALSE(LeavesDefaultEndpointOpen(Domain(false), api, true));
  api.disable_default_endpoint = true;
  EXPECT_FALSE(LeavesDefaultEndpointOpen(Domain(true), api, true));
}

}  // namespace
}  // namespace sallyport::domain
