#include "cli/online/document.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

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
std::string ReadInto(const std::string& yaml, T& message,
                     const DocumentOptions& options = {}) {
  Problems problems("file.yaml");
  ReadMessage(YAML::Load(yaml), "", options, message, problems);
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

TEST(Document, RefusesWhatIsThereTwice) {
  proto::Truststore t;
  const std::string problems = ReadInto(
      "pin_leaf: true\n"
      "labels:\n"
      "  team: edge\n"
      "  team: core\n"
      "pin_leaf: false\n"
      "source:\n"
      "  uri: s3://b/k\n"
      "  uri: s3://b/other\n"
      "chain_policy: any-anchor\n"
      "chainPolicy: complete-chain\n",
      t);
  for (const char* part :
       {"file.yaml:4: labels[team]: is there twice, the first time on line 3",
        "file.yaml:5: pin_leaf: is there twice, the first time on line 1",
        "file.yaml:8: source.uri: is there twice, the first time on line 7",
        "file.yaml:10: chainPolicy: is there twice, the first time on line "
        "9"}) {
    EXPECT_THAT(problems, HasSubstr(part));
  }
  const std::string path = testing::TempDir() + "/doubled.pem";
  std::ofstream(path) << "a\n";
  proto::CreateTruststoreRequest request;
  EXPECT_THAT(ReadInto("pem: b\npem_file: " + path + "\n", request),
              HasSubstr("file.yaml:2: pem_file: is there twice"));
}

TEST(Document, ReadsFieldsFromFiles) {
  const std::string path = testing::TempDir() + "/document_test.pem";
  std::ofstream(path) << "a\nb\n";
  proto::CreateTruststoreRequest request;
  DocumentOptions options;
  options.folder = testing::TempDir();
  EXPECT_EQ(ReadInto("pem_file: " + path + "\n", request, options), "");
  EXPECT_EQ(request.pem(), "a\nb\n");
  request.clear_pem();
  EXPECT_EQ(ReadInto("pem_file: document_test.pem\n", request, options), "");
  EXPECT_EQ(request.pem(), "a\nb\n");
  EXPECT_THAT(ReadInto("pem_file: nothing\n", request, options),
              HasSubstr("file.yaml:1: pem_file: "));
  EXPECT_THAT(ReadInto("force_file: /no\n", request),
              HasSubstr("there is no such field"));
}

TEST(Document, ReadsNoFileOutsideOfItsFolderUnlessItMay) {
  const std::filesystem::path top = testing::TempDir() + "/outside_test";
  std::filesystem::create_directories(top / "documents" / "below");
  std::filesystem::create_directories(top / "documents-2");
  for (const char* name : {"secret", "documents-2/secret", "documents/pem",
                           "documents/below/pem"}) {
    std::ofstream(top / name) << name;
  }
  std::error_code error;
  std::filesystem::create_symlink("../secret", top / "documents/link", error);
  std::filesystem::create_symlink("below/pem", top / "documents/inside", error);
  std::filesystem::create_directory_symlink("documents", top / "alias", error);
  DocumentOptions options;
  options.folder = (top / "documents").string();
  proto::CreateTruststoreRequest request;
  for (const std::string& file :
       {std::string("../secret"), (top / "secret").string(),
        std::string("below/../../secret"), std::string("../documents-2/secret"),
        std::string("link"), std::string("/etc/passwd"), std::string(".."),
        std::string("/")}) {
    request.clear_pem();
    const std::string problem =
        ReadInto("pem_file: " + file + "\n", request, options);
    EXPECT_THAT(problem, HasSubstr("--allow-files-anywhere")) << file;
    EXPECT_EQ(request.pem(), "");
  }
  // Standard input is none of the document's business either.
  EXPECT_NE(ReadInto("pem_file: '-'\n", request, options), "");
  for (const std::string& file :
       {std::string("pem"), std::string("below/pem"), std::string("inside"),
        std::string("below/../pem"), (top / "documents/pem").string()}) {
    EXPECT_EQ(ReadInto("pem_file: " + file + "\n", request, options), "")
        << file;
  }
  // By another name of the folder.
  options.folder = (top / "alias").string();
  EXPECT_EQ(ReadInto("pem_file: pem\n", request, options), "");
  options.files_anywhere = true;
  EXPECT_EQ(ReadInto("pem_file: ../secret\n", request, options), "");
  EXPECT_EQ(request.pem(), "secret");
  EXPECT_EQ(FolderOf("a/b.yaml"), "a");
  EXPECT_EQ(FolderOf("/b.yaml"), "/");
  EXPECT_EQ(FolderOf("b.yaml"), ".");
  EXPECT_EQ(FolderOf("-"), ".");
}

TEST(Document, NamesTheFieldsThatCanBeSet) {
  const std::string text =
      NoSuchField(*proto::Truststore::descriptor(),
                  proto::CreateTruststoreRequest::descriptor());
  EXPECT_THAT(text, HasSubstr("description, "));
  EXPECT_THAT(text, HasSubstr("pem"));
  for (const char* left_out :
       {"revision", "update_time", "etag,", "truststore,", "truststore_id",
        "validate_only"}) {
    EXPECT_THAT(text, Not(HasSubstr(left_out)));
  }
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
