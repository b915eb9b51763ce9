#include "cli/online/document.h"

#include <fstream>
#include <string>

#include "gmock/gmock.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"
#include "proto/sallyport/config/v1/api.pb.h"
#include "proto/sallyport/config/v1/domain_name.pb.h"
#include "proto/sallyport/config/v1/truststore.pb.h"

namespace sallyport::cli::online {
namespace {

namespace proto = sallyport::config::v1;
using ::google::protobuf::util::MessageDifferencer;
using ::testing::HasSubstr;
using ::testing::Not;

template <typename T>
std::string ReadInto(const std::string& yaml, T& message) {
  Problems problems("file.yaml");
  ReadMessage(YAML::Load(yaml), "", {}, message, problems);
  return problems.ToString();
}

TEST(Document, ReadsEveryKindOfField) {
  proto::Truststore t;
  EXPECT_EQ(ReadInto("description: 12\n"
                     "labels: {team: edge, on: 'true'}\n"
                     "source: {uri: s3://b/k, watch: candidate-only, "
                     "poll_interval: 90s}\n"
                     "chain_policy: any-anchor\n"
                     "pin_leaf: true\n"
                     "limits: {max_certificates: 5}\n"
                     "revocation_lists: [revocationLists/a]\n"
                     "create_time: 2026-01-31T12:00:00Z\n",
                     t),
            "");
  EXPECT_EQ(t.description(), "12");
  EXPECT_EQ(t.labels().at("on"), "true");
  EXPECT_EQ(t.source().watch(), proto::TruststoreSource::CANDIDATE_ONLY);
  EXPECT_EQ(t.source().poll_interval().seconds(), 90);
  EXPECT_EQ(t.chain_policy(), sallyport::filter::v1::ANY_ANCHOR);
  EXPECT_TRUE(t.pin_leaf());
  EXPECT_EQ(t.limits().max_certificates(), 5u);
  EXPECT_EQ(t.revocation_lists(0), "revocationLists/a");
  EXPECT_EQ(t.create_time().seconds(), 1769860800);
  // Null is nothing.
  EXPECT_EQ(ReadInto("description:\nlabels: ~\n", t), "");
  EXPECT_EQ(t.description(), "");
  EXPECT_TRUE(t.labels().empty());
}

TEST(Document, SaysAllThatIsWrongAndWhere) {
  proto::Truststore t;
  const std::string problems = ReadInto(
      "descriptoin: x\n"
      "pin_leaf: maybe\n"
      "chain_policy: some\n"
      "limits: {max_certificates: -1}\n"
      "labels: [a]\n"
      "source: {poll_interval: soon}\n"
      "revocation_lists: a\n",
      t);
  for (const char* part :
       {"file.yaml:1: descriptoin: there is no such field",
        "file.yaml:2: pin_leaf: \"maybe\" is neither true nor false",
        "file.yaml:3: chain_policy: ", "COMPLETE_CHAIN, ANY_ANCHOR",
        "file.yaml:4: limits.max_certificates: ",
        "file.yaml:5: labels: is to be a mapping",
        "file.yaml:6: source.poll_interval: is no duration",
        "file.yaml:7: revocation_lists: is to be a list"}) {
    EXPECT_THAT(problems, HasSubstr(part));
  }
}

TEST(Document, ReadsFieldsFromFiles) {
  const std::string path = testing::TempDir() + "/document_test.pem";
  std::ofstream(path) << "a\nb\n";
  proto::CreateTruststoreRequest request;
  EXPECT_EQ(ReadInto("pem_file: " + path + "\n", request), "");
  EXPECT_EQ(request.pem(), "a\nb\n");
  EXPECT_THAT(ReadInto("pem_file: /no/such/file\n", request),
              HasSubstr("file.yaml:1: pem_file: "));
  EXPECT_THAT(ReadInto("force_file: /no\n", request),
              HasSubstr("there is no such field"));
}

TEST(Document, SetsOneEntryOfAMapAndLeavesTheOthers) {
  proto::Truststore t;
  (*t.mutable_labels())["a"] = "1";
  (*t.mutable_labels())["b"] = "2";
  Problems problems("");
  EXPECT_EQ(SetPath("labels.a", YAML::Node("3"), {}, t, problems), "labels");
  EXPECT_EQ(SetPath("source.uri", YAML::Node("s3://b/k"), {}, t, problems),
            "source.uri");
  EXPECT_TRUE(problems.empty()) << problems.ToString();
  EXPECT_EQ(t.labels().at("a"), "3");
  EXPECT_EQ(t.labels().at("b"), "2");
  EXPECT_EQ(t.labels().size(), 2u);
  SetPath("source.nothing", YAML::Node("x"), {}, t, problems);
  SetPath("description.x", YAML::Node("x"), {}, t, problems);
  EXPECT_THAT(problems.ToString(), HasSubstr("\"description\" has no fields"));
}

TEST(Document, ReadsWhatItWrites) {
  proto::DomainName d;
  d.set_name("domainNames/*.example.com");
  d.set_description("a: b # \x1b[31m \u00e9 \U0001F600 \"q\" \\");
  (*d.mutable_labels())["null"] = "";
  (*d.mutable_labels())["x/y"] = "true";
  auto& tls = *d.mutable_mutual_tls();
  tls.add_truststores()->set_truststore("truststores/a");
  tls.add_truststores();
  tls.mutable_end_streams_after()->set_seconds(90);
  tls.mutable_bad_request()->set_body("line 1\n  line 2\n");
  auto& rule = *tls.mutable_allow();
  rule.mutable_any()->add_rules()->mutable_san_dns()->add_patterns(
      "a.example.com");
  d.mutable_create_time()->set_seconds(1769860800);
  d.mutable_create_time()->set_nanos(5000);
  const std::string yaml = WriteYaml(d);
  proto::DomainName again;
  EXPECT_EQ(ReadInto(yaml, again), "") << yaml;
  EXPECT_TRUE(MessageDifferencer::Equals(d, again))
      << yaml << again.DebugString();
  // Nothing that a terminal would obey.
  EXPECT_THAT(yaml, Not(HasSubstr("\x1b")));
}

TEST(Document, MakesCellsOfValues) {
  proto::Truststore t;
  t.set_pin_leaf(true);
  t.mutable_update_time()->set_seconds(1769860800);
  auto& condition = *t.add_conditions();
  condition.set_type("GivesTrust");
  condition.set_status(proto::Condition::STATUS_FALSE);
  EXPECT_EQ(CellOf(t, "pin_leaf"), "yes");
  EXPECT_EQ(CellOf(t, "update_time"), "2026-01-31T12:00:00Z");
  EXPECT_EQ(CellOf(t, "create_time"), "");
  EXPECT_EQ(CellOf(t, "conditions"), "GivesTrust=no");
  EXPECT_EQ(CellOf(t, "chain_policy"), "");
  proto::Route r;
  EXPECT_EQ(CellOf(r, "integration"), "");
  r.mutable_http()->set_uri("http://a");
  EXPECT_EQ(CellOf(r, "integration"), "http");
}

}  // namespace
}  // namespace sallyport::cli::online
