#include "filters/shim/config.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "proto/sallyport/filter/v1/config.pb.h"

namespace sallyport::shim {
namespace {

using ::sallyport::filter::v1::MutualTls;
using ::sallyport::filter::v1::TruststoreValidator;

TEST(ReadConfig, ReadsJsonWithBlanksBeforeIt) {
  TruststoreValidator config;
  ASSERT_TRUE(ReadConfig(" \n\t{\"domain\": \"a\", \"truststores\": "
                         "[{\"file\": \"f\", \"limits\": {\"max_bytes\": "
                         "1.34217728e+08}}], \"chain_policy\": \"ANY_ANCHOR\"}",
                         config)
                  .ok());
  EXPECT_EQ(config.domain(), "a");
  EXPECT_EQ(config.truststores(0).limits().max_bytes(), 134217728u);
  EXPECT_EQ(config.chain_policy(), filter::v1::ANY_ANCHOR);
}

TEST(ReadConfig, ReadsTheBinaryForm) {
  TruststoreValidator in, out;
  in.set_domain("a");
  in.add_truststores()->set_file("f");
  ASSERT_TRUE(ReadConfig(in.SerializeAsString(), out).ok());
  EXPECT_EQ(out.SerializeAsString(), in.SerializeAsString());
}

TEST(ReadConfig, RefusesAnUnknownFieldInJsonAndNamesIt) {
  MutualTls config;
  const auto status =
      ReadConfig("{\"domain\": \"a\", \"forwarding\": {\"xfc\": {}}}", config);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(absl::StrContains(status.message(), "xfc")) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "forwarding")) << status;
}

TEST(ReadConfig, RefusesAnUnknownFieldInBinaryAtAnyDepthAndNamesIt) {
  MutualTls in, out;
  in.set_domain("a");
  auto* xfcc = in.mutable_forwarding()->mutable_xfcc();
  xfcc->GetReflection()->MutableUnknownFields(xfcc)->AddVarint(99, 1);
  const auto status = ReadConfig(in.SerializeAsString(), out);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(absl::StrContains(status.message(), "forwarding.xfcc.#99"))
      << status;
}

TEST(ReadConfig, RefusesWhatIsNeither) {
  MutualTls config;
  EXPECT_FALSE(ReadConfig("domain: a", config).ok());
  EXPECT_FALSE(ReadConfig("[]", config).ok());
  EXPECT_FALSE(ReadConfig("{", config).ok());
  EXPECT_FALSE(ReadConfig("{\"domain\": \"a\"} x", config).ok());
  EXPECT_FALSE(ReadConfig("{\"domain\": 1e400}", config).ok());
}

TEST(ReadConfig, SaysWhichValuesAnEnumHas) {
  TruststoreValidator config;
  const auto rule = ReadConfig("{\"extended_key_usage\": \"ignore\"}", config);
  EXPECT_TRUE(absl::StrContains(rule.message(),
                                "; one of EKU_REQUIRE, EKU_WARN, EKU_IGNORE"))
      << rule;
  EXPECT_TRUE(absl::StrContains(rule.message(), "extended_key_usage")) << rule;
  MutualTls filter;
  const auto nested =
      ReadConfig("{\"forwarding\": {\"alb\": {\"mode\": \"verify\"}}}", filter);
  EXPECT_TRUE(
      absl::StrContains(nested.message(), "; one of VERIFY, PASSTHROUGH"))
      << nested;
}

TEST(ReadConfig, SaysWhatToDoWithTwoKindsInOne) {
  MutualTls filter;
  const auto rules = ReadConfig(
      "{\"allow\": {\"san_dns\": {\"patterns\": [\"a\"]}, "
      "\"san_ip\": {\"ranges\": [\"10.0.0.0/8\"]}}}",
      filter);
  EXPECT_TRUE(absl::StrContains(rules.message(), "`all` or `any`")) << rules;
  TruststoreValidator validator;
  const auto sources = ReadConfig(
      "{\"truststores\": [{\"file\": \"/f\", \"inline_pem\": \"x\"}]}",
      validator);
  EXPECT_TRUE(
      absl::StrContains(sources.message(), "give one of file, inline_pem"))
      << sources;
}

TEST(ReadConfig, NeverEchoesValues) {
  constexpr char kSecret[] = "MIIEvQIBADANBgkqhkiG9w0BAQ";
  TruststoreValidator config;
  for (const std::string& json :
       {absl::StrCat("{\"truststores\": \"", kSecret, "\"}"),
        absl::StrCat("{\"pin_leaf\": \"", kSecret, "\"}"),
        absl::StrCat("{\"limits\": {\"max_chain_length\": \"", kSecret, "\"}}"),
        absl::StrCat("{\"domain\": \"", kSecret, "\", !}"),
        absl::StrCat("{\"domain\": \"", kSecret),
        absl::StrCat("{\"domain\": ", kSecret, "}"),
        absl::StrCat("{\"", kSecret, kSecret, "\": 1}"),
        absl::StrCat("{\"chain_policy\": \"", kSecret, "\"}")}) {
    const auto status = ReadConfig(json, config);
    ASSERT_FALSE(status.ok()) << json;
    EXPECT_FALSE(absl::StrContains(status.message(), "MIIE")) << status;
  }
}

}  // namespace
}  // namespace sallyport::shim
