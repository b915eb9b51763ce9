#include "config_service/filter_messages/to_filter.h"

#include <string>

#include "config_service/domain/violations.h"
#include "config_service/filter_messages/from_filter.h"
#include "google/protobuf/util/json_util.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"

namespace sallyport::filter_messages {
namespace {

namespace v1 = ::sallyport::filter::v1;

// What comes back from the domain is what went there.
template <typename Message>
void ExpectThereAndBack(const std::string& json) {
  Message message;
  const auto status =
      google::protobuf::util::JsonStringToMessage(json, &message);
  ASSERT_TRUE(status.ok()) << status.ToString() << json;
  domain::Violations violations;
  const Message back = ToFilter(FromFilter("field", message, violations));
  EXPECT_TRUE(violations.empty()) << json;
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(message, back))
      << json << "\n"
      << back.DebugString();
}

TEST(ToFilter, ReturnsEachKindOfClientRule) {
  for (const char* json :
       {R"({"sanDns": {"patterns": ["a", "b"]}})",
        R"({"sanUri": {"exact": ["a"], "spiffe": ["b"]}})",
        R"({"sanEmail": {"patterns": ["a"]}})",
        R"({"sanIp": {"ranges": ["a"]}})",
        R"({"subject": {"exact": ["a"], "attributes": [{"type": "O",
            "exact": ["b"], "prefix": ["c"], "suffix": ["d"],
            "ignoreCase": true}]}})",
        R"({"issuer": {"exact": ["a"]}})",
        R"({"certificateSha256": {"sha256": ["a"]}})",
        R"({"spkiSha256": {"sha256": ["a"]}})", R"({"serial": {"hex": ["a"]}})",
        R"({"truststore": {"names": ["a"]}})",
        R"({"certificateList": {"names": ["a"]}})",
        R"({"all": {"rules": [{"any": {"rules": [{"none": {"rules": [
            {"serial": {"hex": ["a"]}}]}}]}}]}})"}) {
    ExpectThereAndBack<v1::ClientRule>(json);
  }
}

TEST(ToFilter, ReturnsForwarding) {
  ExpectThereAndBack<v1::Forwarding>("{}");
  ExpectThereAndBack<v1::Forwarding>(
      R"({"xfcc": {"subject": true, "cert": true, "chain": true, "uri": true,
          "dns": true}, "rfc9440": {"chain": true},
          "alb": {"mode": "PASSTHROUGH"}, "ingressNginx": {"cert": true},
          "traefik": {"pem": true, "info": true}, "cloudflare": {},
          "apiGateway": {}, "chainSource": "VERIFIED", "truststore": true,
          "verdict": true, "removeHeaders": ["x-a"], "maxHeaderBytes": 4096,
          "trustedProxy": {"truststore": {"names": ["proxies"]}}})");
  ExpectThereAndBack<v1::Forwarding>(
      R"({"xfcc": {}, "rfc9440": {}, "alb": {"mode": "VERIFY"},
          "ingressNginx": {}, "traefik": {}})");
}

TEST(ToFilter, ReturnsPathRules) {
  ExpectThereAndBack<v1::PathRule>(
      R"({"exact": "/a", "clientCertificate": "OPTIONAL",
          "allow": {"truststore": {"names": ["a"]}}})");
  ExpectThereAndBack<v1::PathRule>(R"({"prefix": "/"})");
}

TEST(ToFilter, ReturnsEachNumber) {
  domain::Violations violations;
  for (const auto style :
       {v1::FORBIDDEN, v1::HANDSHAKE, v1::BAD_REQUEST, v1::PASS}) {
    EXPECT_EQ(ToFilter(FromFilter("", style, violations)), style);
  }
  for (const auto policy : {v1::COMPLETE_CHAIN, v1::ANY_ANCHOR}) {
    EXPECT_EQ(ToFilter(FromFilter("", policy, violations)), policy);
  }
  for (const auto rule : {v1::SOFT_FAIL, v1::HARD_FAIL}) {
    EXPECT_EQ(ToFilter(FromFilter("", rule, violations)), rule);
  }
  for (const auto scope : {v1::CHAIN, v1::LEAF}) {
    EXPECT_EQ(ToFilter(FromFilter("", scope, violations)), scope);
  }
  for (const auto requirement : {v1::REQUIRED, v1::OPTIONAL}) {
    EXPECT_EQ(ToFilter(*FromFilter("", requirement, violations)), requirement);
  }
  for (const auto rule : {v1::EKU_REQUIRE, v1::EKU_WARN, v1::EKU_IGNORE}) {
    EXPECT_EQ(ToFilter(*FromFilter("", rule, violations)), rule);
  }
}

TEST(ToFilter, ReturnsLimitsAndErrorPages) {
  v1::VerifyLimits limits;
  limits.set_max_chain_length(1);
  limits.set_max_client_certificates(2);
  limits.set_max_client_chain_bytes(3);
  limits.set_max_signature_checks(4);
  limits.set_max_path_iterations(5);
  limits.set_max_verified_paths(6);
  limits.set_max_sent_name_checks(7);
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(
      limits, ToFilter(FromFilter(limits))));
  v1::BadRequest page;
  page.set_body("a");
  page.set_content_type("b");
  page.set_redirect("c");
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(
      page, ToFilter(FromFilter(page))));
}

}  // namespace
}  // namespace sallyport::filter_messages
