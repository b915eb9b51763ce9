#include "filters/mtls_http/path_rules.h"

#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/text.h"
#include "gmock/gmock.h"
#include "google/protobuf/util/json_util.h"
#include "gtest/gtest.h"

namespace sallyport::mtls_http {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;
namespace v1 = ::sallyport::filter::v1;

v1::MutualTls Config(const std::string& paths) {
  v1::MutualTls config;
  const auto status = google::protobuf::util::JsonStringToMessage(
      absl::StrCat("{\"paths\":[", paths, "]}"), &config);
  EXPECT_TRUE(status.ok()) << status.ToString();
  return config;
}

std::unique_ptr<const PathRules> Rules(const std::string& paths) {
  auto rules = PathRules::Create(Config(paths).paths(), "paths");
  EXPECT_TRUE(rules.ok()) << rules.status();
  return *std::move(rules);
}

std::string ErrorOf(const v1::MutualTls& config) {
  const auto rules = PathRules::Create(config.paths(), "paths");
  EXPECT_FALSE(rules.ok());
  return std::string(rules.status().message());
}

// A rule that lets in clients of a truststore, which names it.
std::string Rule(const std::string& kind, const std::string& path,
                 const std::string& truststore,
                 const std::string& client_certificate = "") {
  std::string out = absl::StrCat("{\"", kind, "\":\"", path, "\"");
  if (!truststore.empty()) {
    absl::StrAppend(&out, ",\"allow\":{\"truststore\":{\"names\":[\"",
                    truststore, "\"]}}");
  }
  if (!client_certificate.empty()) {
    absl::StrAppend(&out, ",\"clientCertificate\":\"", client_certificate,
                    "\"");
  }
  return out + "}";
}
std::string Prefix(const std::string& path, const std::string& truststore,
                   const std::string& client_certificate = "") {
  return Rule("prefix", path, truststore, client_certificate);
}
std::string Exact(const std::string& path, const std::string& truststore,
                  const std::string& client_certificate = "") {
  return Rule("exact", path, truststore, client_certificate);
}

// The truststores that the requirement names.
std::vector<std::string> Met(const PathRules& rules, absl::string_view path) {
  std::vector<std::string> out;
  for (const pki::ClientRule* rule : rules.For(path).rules) {
    const std::string& text = rule->Describe();  // truststore("x")
    out.push_back(text.substr(12, text.size() - 14));
  }
  return out;
}

TEST(PathRules, TakeTheLongestPathThatCovers) {
  const auto rules =
      Rules(absl::StrCat(Prefix("/", "root"), ",", Prefix("/admin", "admin"),
                         ",", Prefix("/admin/users", "users"), ",",
                         Exact("/admin", "exact"), ",", Exact("/", "home")));
  EXPECT_THAT(Met(*rules, "/"), ElementsAre("home"));
  EXPECT_THAT(Met(*rules, "/?a=/admin"), ElementsAre("home"));
  EXPECT_THAT(Met(*rules, "/x"), ElementsAre("root"));
  EXPECT_THAT(Met(*rules, "/adminx"), ElementsAre("root"));
  EXPECT_THAT(Met(*rules, "/x/admin"), ElementsAre("root"));
  EXPECT_THAT(Met(*rules, "/admin"), ElementsAre("exact"));
  EXPECT_THAT(Met(*rules, "/admin?x"), ElementsAre("exact"));
  EXPECT_THAT(Met(*rules, "/admin/x"), ElementsAre("admin"));
  EXPECT_THAT(Met(*rules, "/admin/users"), ElementsAre("users"));
  EXPECT_THAT(Met(*rules, "/admin/users/x/y"), ElementsAre("users"));
  EXPECT_THAT(Met(*rules, "/admin/usersx"), ElementsAre("admin"));
}

TEST(PathRules, AskNothingWhereNoneCovers) {
  const auto rules = Rules(Prefix("/admin", "admin", "REQUIRED"));
  for (const absl::string_view path :
       {"/", "/x", "/adminx", "/a", "/x.admin"}) {
    const PathRequirement requirement = rules->For(path);
    EXPECT_THAT(requirement.rules, IsEmpty()) << path;
    EXPECT_EQ(requirement.client_certificate,
              v1::CLIENT_CERTIFICATE_UNSPECIFIED);
    EXPECT_FALSE(requirement.doubtful);
  }
}

TEST(PathRules, AskNothingWithoutAList) {
  const auto rules = Rules("");
  EXPECT_TRUE(rules->empty());
  for (const absl::string_view path : {"", "*", "/", "/%2f", "/a\\b"}) {
    EXPECT_THAT(rules->For(path).rules, IsEmpty());
    EXPECT_FALSE(rules->For(path).doubtful);
  }
}

TEST(PathRules, CanExemptAPathBelowAnother) {
  const auto rules =
      Rules(absl::StrCat(Prefix("/admin", "admin", "REQUIRED"), ",",
                         Prefix("/admin/public", "", "OPTIONAL")));
  const PathRequirement requirement = rules->For("/admin/public/x");
  EXPECT_THAT(requirement.rules, IsEmpty());
  EXPECT_EQ(requirement.client_certificate, v1::OPTIONAL);
  EXPECT_EQ(rules->For("/admin/x").client_certificate, v1::REQUIRED);
}

TEST(PathRules, SeeThroughEverySpellingOfAPath) {
  const auto rules = Rules(absl::StrCat(Prefix("/admin", "admin"), ",",
                                        Prefix("/public", "public"), ",",
                                        Exact("/a b/coffee", "coffee")));
  for (const absl::string_view path : {"/admin/",
                                       "//admin",
                                       "/admin//",
                                       "/./admin",
                                       "/admin/.",
                                       "/x/../admin",
                                       "/x/y/../../admin/z",
                                       "/../admin",
                                       "/%61dmin",
                                       "/%61%64%6d%69%6E/x",
                                       "/admin;x=1",
                                       "/admin;x/y",
                                       "/;/admin",
                                       "/;a=b/admin",
                                       "/.;/admin",
                                       "/x/..;/admin",
                                       "/x/..;y/admin",
                                       "/admin%3Bx",
                                       "/%2e/admin",
                                       "/x/%2e%2e/admin",
                                       "/x/%2E./admin",
                                       "/x/.%2e;z/admin",
                                       "/admin.",
                                       "/admin./x",
                                       "/admin...",
                                       "/admin%20",
                                       "/admin%20.%20/x",
                                       "/ADMIN",
                                       "/Admin/x",
                                       "//ADMIN;x/",
                                       "/admin.json",
                                       "/Admin.JSON",
                                       "/admin.json/",
                                       "/x//../admin",
                                       "/x/..//admin",
                                       "/admin/x%25y",
                                       "/%61dmin.json"}) {
    EXPECT_THAT(Met(*rules, path), testing::Contains("admin")) << path;
    EXPECT_FALSE(rules->For(path).doubtful) << path;
  }
  EXPECT_THAT(Met(*rules, "/a%20b/coffee"), ElementsAre("coffee"));
  EXPECT_THAT(Met(*rules, "/a%20b/coffe%65/"), ElementsAre("coffee"));
}

TEST(PathRules, AskForEachReadingWhereBackendsDiffer) {
  const auto rules = Rules(absl::StrCat(
      Prefix("/admin", "admin", "REQUIRED"), ",",
      Prefix("/public", "public", "OPTIONAL"), ",", Prefix("/x", "x")));
  // Removed dot segments or not; parameters cut off or not.
  for (const absl::string_view path :
       {"/public/../admin", "/admin/../public", "/public/..;/admin",
        "/admin/.%2e/public/x"}) {
    EXPECT_THAT(Met(*rules, path), UnorderedElementsAre("admin", "public"))
        << path;
    EXPECT_EQ(rules->For(path).client_certificate, v1::REQUIRED) << path;
  }
  // One reading waives the certificate, another does not.
  for (const absl::string_view path :
       {"/%70ublic", "//public", "/public;x", "/./public", "/y/../public",
        "/PUBLIC/../y", "/public.html", "/Public"}) {
    EXPECT_EQ(rules->For(path).client_certificate,
              v1::CLIENT_CERTIFICATE_UNSPECIFIED)
        << path;
    EXPECT_THAT(Met(*rules, path), ElementsAre("public")) << path;
  }
  // All readings waive it.
  for (const absl::string_view path :
       {"/public", "/public/", "/public/a%20b", "/public/a;b", "/public//a",
        "/public/./a", "/public/b/../a", "/public/a.json", "/public/%61"}) {
    EXPECT_EQ(rules->For(path).client_certificate, v1::OPTIONAL) << path;
  }
}

TEST(PathRules, SeeThroughAHostInThePath) {
  // Node's new URL("//x/admin", base), and what resolves references alike.
  const auto rules =
      Rules(absl::StrCat(Prefix("/admin", "admin", "REQUIRED"), ",",
                         Prefix("/public", "", "OPTIONAL")));
  for (const absl::string_view path :
       {"//x/admin",          "///x/admin",    "/////x/admin",
        "//x:1/admin/secret", "//x@y/admin",   "//[::1]/admin",
        "//x/y/../admin",     "//x/../admin",  "/.//x/admin",
        "/y/..//x/admin",     "/%2e//x/admin", "/;//x/admin",
        "/;/x/admin",         "//x/ADMIN",     "//x/admin.json",
        "//x/admin/",         "//x/%61dmin",   "//x/admin;y",
        "//x/./admin",        "//x;y/admin",   "/%20/x/admin",
        "//x/admin?y",        "//public/admin"}) {
    EXPECT_THAT(Met(*rules, path), testing::Contains("admin")) << path;
    EXPECT_EQ(rules->For(path).client_certificate, v1::REQUIRED) << path;
    EXPECT_FALSE(rules->For(path).doubtful) << path;
  }
  // A host after a host is nothing that anybody sends by mistake.
  for (const absl::string_view path :
       {"//x//y/admin", "//x//admin", "///x//y", "//x/.//y/admin"}) {
    EXPECT_TRUE(rules->For(path).doubtful) << path;
  }
  for (const absl::string_view path : {"//x/y", "//x", "//", "/x//admin"}) {
    EXPECT_THAT(Met(*rules, path), IsEmpty()) << path;
    EXPECT_FALSE(rules->For(path).doubtful) << path;
  }
  // Nothing is waived for a host's sake.
  EXPECT_EQ(rules->For("//x/public").client_certificate,
            v1::CLIENT_CERTIFICATE_UNSPECIFIED);
  const auto root = Rules(Exact("/", "home"));
  EXPECT_THAT(Met(*root, "//x"), ElementsAre("home"));
}

TEST(PathRules, CutEveryExtension) {
  const auto rules = Rules(Prefix("/admin", "admin"));
  for (const absl::string_view path :
       {"/admin.a.b", "/admin.a.b/", "/admin..a", "/ADMIN.a.b", "/admin.a.",
        "/x/../admin.a.b", "//x/admin.a.b"}) {
    EXPECT_THAT(Met(*rules, path), ElementsAre("admin")) << path;
  }
  EXPECT_THAT(Met(*rules, "/x.admin.y"), IsEmpty());
  EXPECT_THAT(Met(*rules, "/.admin.y"), IsEmpty());
}

TEST(PathRules, HoldPathsWithManyExtensionsToEveryRule) {
  const auto rules =
      Rules(absl::StrCat(Prefix("/admin", "admin"), ",",
                         Prefix("/" + std::string(100, 'x'), "long")));
  std::string path = "/a";
  for (size_t i = 0; i < kMaxExtensions; ++i) path += ".a";
  EXPECT_FALSE(rules->For(path).doubtful);
  path += ".a";
  EXPECT_TRUE(rules->For(path).doubtful);
  EXPECT_FALSE(rules->For(path + "/x").doubtful);
  // Beyond the longest path of the list there is nothing to be found.
  std::string far = "/" + std::string(200, 'y');
  for (int i = 0; i < 100; ++i) far += ".a";
  EXPECT_FALSE(rules->For(far).doubtful);
}

TEST(PathRules, HoldWhatIsBeyondAsciiToEveryRuleWhereTheListIsToo) {
  const auto rules = Rules(absl::StrCat(Prefix("/caf\xc3\xa9", "cafe"), ",",
                                        Prefix("/admin", "admin")));
  for (const absl::string_view path :
       {"/CAF%C3%89", "/caf%C3%89", "/cafe%CC%81", "/caf%C3%A9", "/x/%C3%A9"}) {
    EXPECT_TRUE(rules->For(path).doubtful) << path;
  }
  EXPECT_FALSE(rules->For("/x/%41").doubtful);
  // "admin" with another i, and "desk" with another k and s.
  const auto ascii = Rules(
      absl::StrCat(Prefix("/admin", "admin"), ",", Prefix("/desk", "desk")));
  for (const absl::string_view path :
       {"/adm%C4%B1n", "/adm%C4%B0n", "/des%E2%84%AA", "/de%C5%BFk"}) {
    EXPECT_TRUE(ascii->For(path).doubtful) << path;
  }
  EXPECT_FALSE(ascii->For("/caf%C3%A9").doubtful);
}

TEST(PathRules, SeeThroughWhatNormalisesToAscii) {
  const auto rules =
      Rules(absl::StrCat(Prefix("/admin", "admin", "REQUIRED"), ",",
                         Prefix("/office/password", "office", "REQUIRED"), ",",
                         Prefix("/public", "public", "OPTIONAL")));
  for (const absl::string_view path :
       {"/%EF%BD%81dmin", "/%EF%BC%A1DMIN", "/admin%E2%80%8B", "/ad%C2%ADmin",
        "/%EF%BB%BFadmin/x", "/%F0%9D%90%9Admin",
        // Beside what stays beyond ASCII.
        "/%EF%BD%81dmin/%E5%B9%B4", "/%EF%BD%81dmin;%E5%B9%B4",
        "/%EF%BD%81dmin.%E5%B9%B4", "/x/%EF%BC%8E./%EF%BD%81dmin",
        "/admin%EF%BC%9B%E5%B9%B4", "/admin%EF%BC%8E", "/admin%C2%A0"}) {
    EXPECT_THAT(Met(*rules, path), ElementsAre("admin")) << path;
    EXPECT_EQ(rules->For(path).client_certificate, v1::REQUIRED) << path;
  }
  for (const absl::string_view path :
       {"/o%EF%AC%80ice/password", "/office/pa%C3%9Fword",
        "/office/pa%E1%BA%9Eword", "/o%EF%AC%80ice/pa%C3%9Fword/x"}) {
    EXPECT_THAT(Met(*rules, path), ElementsAre("office")) << path;
  }
  // Normalised or not, and each segment by itself.
  EXPECT_THAT(Met(*rules, "/%EF%BD%90ublic/../admin"),
              UnorderedElementsAre("public", "admin"));
  const auto nested =
      Rules(absl::StrCat(Prefix("/admin", "admin", "REQUIRED"), ",",
                         Prefix("/admin/ss", "below", "OPTIONAL")));
  EXPECT_THAT(Met(*nested, "/%EF%BD%81dmin/%C3%9F"),
              UnorderedElementsAre("admin", "below"));
  EXPECT_EQ(nested->For("/%EF%BD%81dmin/%C3%9F").client_certificate,
            v1::REQUIRED);
}

TEST(PathRules, LeaveTextBeyondAsciiAloneThatNoRuleConcerns) {
  const auto rules =
      Rules(absl::StrCat(Prefix("/admin", "admin", "REQUIRED"), ",",
                         Prefix("/public", "public", "OPTIONAL")));
  for (const absl::string_view path :
       {"/caf%C3%A9", "/stra%C3%9Fe", "/%E5%B9%B4/%EF%BC%92%EF%BC%90",
        "/%E2%9D%A4%EF%B8%8F/x", "/x%C2%A0y/%E2%91%A0/%E2%91%A1"}) {
    EXPECT_THAT(Met(*rules, path), IsEmpty()) << path;
    EXPECT_FALSE(rules->For(path).doubtful) << path;
    const std::string open = absl::StrCat("/public", path);
    EXPECT_EQ(rules->For(open).client_certificate, v1::OPTIONAL) << open;
  }
}

TEST(PathRules, HoldWhatNormalisesToAsciiWithDoubtToEveryRule) {
  const auto rules = Rules(Prefix("/admin", "admin", "REQUIRED"));
  std::string many;
  for (size_t i = 0; i < kMaxFoldedSegments; ++i) many += "/%EF%BD%81";
  EXPECT_FALSE(rules->For(many).doubtful);
  EXPECT_TRUE(rules->For(many + "/%EF%BD%81").doubtful);
  // '/', 'a/c', '\', '%', '?', '#'.
  for (const absl::string_view path :
       {"/x%EF%BC%8Fy", "/x/%E2%84%80", "/x%EF%BC%BCy", "/x%EF%BC%8561",
        "/x%EF%BC%9F", "/x%EF%BC%83"}) {
    EXPECT_TRUE(rules->For(path).doubtful) << path;
  }
  // The folded text does not say in which case it was.
  const auto capitals = Rules(
      absl::StrCat(Prefix("/Admin", "admin"), ",", Prefix("/admin/x", "x")));
  EXPECT_TRUE(capitals->For("/%EF%BC%A1dmin/x").doubtful);
  EXPECT_FALSE(capitals->For("/caf%C3%A9").doubtful);
}

TEST(PathRules, LeaveOtherUnusualPathsAlone) {
  const auto rules = Rules(Prefix("/admin", "admin", "REQUIRED"));
  for (const absl::string_view path :
       {"/x//y", "/x/./y", "/x/../y", "/x;jsessionid=1", "/%78", "/x/admin",
        "/x/%61dmin", "/x/y%20z", "/x.", "/caf%C3%A9", "/100%25", "/admi.n",
        "/xadmin.json", "/admin-x", "/x/~user", "/x/%7Euser", "/a@b:c,d"}) {
    const PathRequirement requirement = rules->For(path);
    EXPECT_THAT(requirement.rules, IsEmpty()) << path;
    EXPECT_FALSE(requirement.doubtful) << path;
  }
}

TEST(PathRules, HoldDoubtfulPathsToEveryRule) {
  const auto rules = Rules(absl::StrCat(
      Prefix("/admin", "admin", "REQUIRED"), ",",
      Prefix("/public", "public", "OPTIONAL"), ",", Prefix("/x", "x")));
  for (const absl::string_view path :
       {absl::string_view(""),
        absl::string_view("*"),
        absl::string_view("admin"),
        absl::string_view("http://a.test/public"),
        absl::string_view("a.test:443"),
        absl::string_view("?x"),
        absl::string_view("/public/..%2fadmin"),
        absl::string_view("/%2fadmin"),
        absl::string_view("/public%2F"),
        absl::string_view("/public\\..\\admin"),
        absl::string_view("/public%5c..%5Cadmin"),
        absl::string_view("\\admin"),
        absl::string_view("/public%00"),
        absl::string_view("/admin%00.html"),
        absl::string_view("/public\0", 8),
        absl::string_view("/public%0a"),
        absl::string_view("/public%7f"),
        absl::string_view("/public\x7f"),
        absl::string_view("/public\t"),
        absl::string_view("/public x"),
        absl::string_view("/public#x"),
        absl::string_view("/public%23x"),
        absl::string_view("/public%3fx"),
        absl::string_view("/public%"),
        absl::string_view("/public%4"),
        absl::string_view("/public%zz"),
        absl::string_view("/public%u002f"),
        absl::string_view("/public/%2561"),
        absl::string_view("/public/%25%36%31"),
        absl::string_view("/public/%25u002f"),
        absl::string_view("/public/%252561"),
        absl::string_view("/public/%ff"),
        absl::string_view("/public/%c0%af"),
        absl::string_view("/public/%C3"),
        absl::string_view("/public/%ed%a0%80"),
        absl::string_view("/public/caf\xc3\xa9"),
        absl::string_view("/%41%")}) {
    SCOPED_TRACE(Printable(path));
    const PathRequirement requirement = rules->For(path);
    EXPECT_TRUE(requirement.doubtful);
    EXPECT_EQ(requirement.client_certificate, v1::REQUIRED);
    EXPECT_THAT(Met(*rules, path),
                UnorderedElementsAre("admin", "public", "x"));
  }
}

TEST(PathRules, NeverWaiveACertificateForADoubtfulPath) {
  const auto rules = Rules(Prefix("/public", "", "OPTIONAL"));
  EXPECT_EQ(rules->For("/public/%2f").client_certificate,
            v1::CLIENT_CERTIFICATE_UNSPECIFIED);
  EXPECT_TRUE(rules->For("*").doubtful);
}

TEST(PathRules, AskOnceForRulesThatAreTheSame) {
  const auto rules =
      Rules(absl::StrCat(Prefix("/a", "t"), ",", Prefix("/b", "t")));
  EXPECT_THAT(Met(*rules, "*"), ElementsAre("t"));
}

TEST(PathRules, TellPathsApartByCaseWhereTheListDoes) {
  const auto rules =
      Rules(absl::StrCat(Prefix("/a", "small"), ",", Prefix("/A", "large"), ",",
                         Prefix("/A/X", "x")));
  EXPECT_THAT(Met(*rules, "/a/b"), ElementsAre("small"));
  EXPECT_THAT(Met(*rules, "/A/b"), ElementsAre("large"));
  EXPECT_THAT(Met(*rules, "/a/x"), UnorderedElementsAre("small", "x"));
  EXPECT_THAT(Met(*rules, "/A/X"), ElementsAre("x"));
}

TEST(PathRules, CoverAnExtensionOnlyOfTheirOwnLastSegment) {
  const auto rules = Rules(absl::StrCat(
      Exact("/favicon.ico", "icon", "OPTIONAL"), ",", Exact("/login", "login"),
      ",", Prefix("/.well-known", "known", "OPTIONAL")));
  EXPECT_EQ(rules->For("/favicon.ico").client_certificate, v1::OPTIONAL);
  EXPECT_EQ(rules->For("/.well-known/x").client_certificate, v1::OPTIONAL);
  EXPECT_THAT(Met(*rules, "/login.html"), ElementsAre("login"));
  EXPECT_THAT(Met(*rules, "/login.html/x"), IsEmpty());
  EXPECT_THAT(Met(*rules, "/x/login.html"), IsEmpty());
  EXPECT_THAT(Met(*rules, "/favicon"), IsEmpty());
  // With '/' at the end it is another path to some.
  EXPECT_EQ(rules->For("/favicon.ico/").client_certificate,
            v1::CLIENT_CERTIFICATE_UNSPECIFIED);
  EXPECT_THAT(Met(*rules, "/login/"), ElementsAre("login"));
}

TEST(PathRules, HoldUnusualPathsOfManySegmentsToEveryRule) {
  const auto rules = Rules(Prefix("/admin", "admin"));
  std::string path = "/%61";
  for (size_t i = 1; i < kMaxUnusualPathSegments; ++i) path += "/b";
  EXPECT_FALSE(rules->For(path).doubtful);
  EXPECT_TRUE(rules->For(path + "/b").doubtful);
}

TEST(PathRules, HoldPathsThatTakeLongToReadToEveryRule) {
  // One rule as long as may be, so that whole paths are looked up.
  const auto rules =
      Rules(Prefix("/" + std::string(limits::kMaxPathRuleBytes - 1, 'a'), "a"));
  // Each piece of it doubles the ways to read it.
  std::string path = "/";
  while (path.size() + 30 < limits::kMaxUnusualPathBytes) {
    path += "/;/./a;/a;/a./%61 ";
    path.pop_back();
  }
  EXPECT_TRUE(rules->For(path).doubtful);
  std::string few = "//;/./a;/a;/a./%61";
  EXPECT_FALSE(rules->For("/x" + few.substr(1)).doubtful);
}

TEST(PathRules, HoldLongUnusualPathsToEveryRule) {
  const auto rules = Rules(Prefix("/admin", "admin"));
  std::string path = "/x/%20";
  path.append(limits::kMaxUnusualPathBytes - path.size(), 'a');
  EXPECT_THAT(Met(*rules, path), IsEmpty());
  EXPECT_THAT(Met(*rules, path + "?" + std::string(9000, 'q')), IsEmpty());
  path += 'a';
  EXPECT_TRUE(rules->For(path).doubtful);
  // A plain one may have any length.
  EXPECT_THAT(Met(*rules, "/x" + std::string(60000, 'a')), IsEmpty());
  EXPECT_THAT(Met(*rules, "/admin/" + std::string(60000, 'a')),
              ElementsAre("admin"));
}

TEST(PathRules, RefuseListsThatCannotBeMeant) {
  const auto error = [](const std::string& paths) {
    return ErrorOf(Config(paths));
  };
  const std::string ok = Prefix("/ok", "") + ",";
  EXPECT_THAT(error(ok + "{}"), StartsWith("paths[1]: has no path"));
  EXPECT_THAT(error(ok + Exact("/ok/", "")),
              StartsWith("paths[1].exact: ends with '/'"));
  EXPECT_THAT(error(ok + Prefix("", "")),
              StartsWith("paths[1].prefix: does not begin with '/'"));
  EXPECT_THAT(error(ok + Prefix("admin", "")), HasSubstr("begin with '/'"));
  EXPECT_THAT(error(ok + Prefix("http://a/b", "")),
              HasSubstr("begin with '/'"));
  for (const char* path : {"/a?b", "/a#b", "/a%20b", "/a;b", "/a\\\\b",
                           "/a\\u0000", "/a\\u000ab", "/a\\u007f"}) {
    EXPECT_THAT(error(ok + Exact(path, "")),
                StartsWith("paths[1].exact: has one of"))
        << path;
  }
  EXPECT_THAT(error(ok + Prefix("/a/*", "")), HasSubstr("has '*'"));
  EXPECT_THAT(error(ok + Prefix("/a//b", "")), HasSubstr("empty segment"));
  for (const char* path : {"/.", "/..", "/a/../b", "/a/.", "/a./b", "/a "}) {
    EXPECT_THAT(error(ok + Prefix(path, "")), HasSubstr("ends in a dot"))
        << path;
  }
  EXPECT_THAT(
      error(Prefix("/a", "") + "," + Exact("/a", "") + "," + Prefix("/a", "")),
      StartsWith("paths[2].prefix: is the path of paths[0] again"));
  EXPECT_THAT(error(Exact("/", "") + "," + Exact("/", "x")),
              StartsWith("paths[1].exact: is the path of paths[0] again"));
  EXPECT_THAT(error(R"({"prefix":"/a","allow":{}})"),
              StartsWith("paths[0].allow: has no rule"));
  EXPECT_THAT(
      error(R"({"prefix":"/a","allow":{"sanDns":{"patterns":["a b"]}}})"),
      StartsWith("paths[0].allow.san_dns.patterns[0]: "));
  v1::MutualTls unknown = Config(Prefix("/a", ""));
  unknown.mutable_paths(0)->set_client_certificate(
      static_cast<v1::ClientCertificate>(7));
  EXPECT_THAT(ErrorOf(unknown), StartsWith("paths[0].client_certificate: "));
}

TEST(PathRules, HoldTheLimits) {
  v1::MutualTls config;
  for (size_t i = 0; i < limits::kMaxPathRules; ++i) {
    config.add_paths()->set_prefix(absl::StrCat("/", i));
  }
  EXPECT_TRUE(PathRules::Create(config.paths(), "paths").ok());
  config.add_paths()->set_prefix("/x");
  EXPECT_THAT(ErrorOf(config), HasSubstr("more than"));
  config.Clear();
  std::string longest = "/" + std::string(limits::kMaxPathRuleBytes - 1, 'a');
  config.add_paths()->set_prefix(longest);
  config.mutable_paths(0)->set_client_certificate(v1::OPTIONAL);
  const auto rules = PathRules::Create(config.paths(), "paths");
  ASSERT_TRUE(rules.ok());
  EXPECT_EQ((*rules)->For(longest + "/x").client_certificate, v1::OPTIONAL);
  EXPECT_EQ((*rules)->For(longest + "x").client_certificate,
            v1::CLIENT_CERTIFICATE_UNSPECIFIED);
  config.mutable_paths(0)->set_prefix(longest + "a");
  EXPECT_THAT(ErrorOf(config), HasSubstr("longer than"));
}

thread_local size_t allocations = 0;

TEST(PathRules, TakePlainPathsWithoutAllocation) {
  const auto rules = Rules(absl::StrCat(
      Prefix("/admin", "admin"), ",", Prefix("/public", "public"), ",",
      Exact("/login", "login"), ",", Prefix("/Admin/X", "x")));
  for (const absl::string_view path :
       {"/", "/admin/x/y/z?q=1", "/login/", "/login.html", "/ADMIN/x",
        "/somewhere/else/altogether/with/a/path/that/is/long/enough.html"}) {
    const size_t before = allocations;
    const size_t met = rules->For(path).rules.size();
    EXPECT_EQ(allocations, before) << path;
    EXPECT_LE(met, 3u);
  }
  const size_t before = allocations;
  EXPECT_EQ(std::string(100, 'x').size(), 100u);
  EXPECT_GT(allocations, before);
}

}  // namespace
}  // namespace sallyport::mtls_http

// What `new` takes, counted.
void* operator new(size_t size) {
  ++sallyport::mtls_http::allocations;
  void* const memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) std::abort();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t /*size*/) noexcept {
  std::free(memory);
}
