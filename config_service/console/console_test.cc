// The console before a gRPC server of this process, which says what came.

#include "config_service/console/console.h"

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "config_service/console/limits.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "proto/sallyport/config/v1/fleet.grpc.pb.h"

namespace sallyport::console {
namespace {

using nlohmann::json;
namespace proto = sallyport::config::v1;

constexpr char kHost[] = "127.0.0.1:9442";
constexpr char kGood[] = "good-token";

class Fleets final : public proto::Fleets::Service {
 public:
  grpc::Status ListFleets(grpc::ServerContext* context,
                          const proto::ListFleetsRequest* request,
                          proto::ListFleetsResponse* response) override {
    if (!Known(*context)) return Unknown();
    response->add_fleets()->set_name("fleets/<b>default</b>");
    response->set_revision(request->page_size());
    return grpc::Status::OK;
  }
  grpc::Status GetFleet(grpc::ServerContext* context,
                        const proto::GetFleetRequest* request,
                        proto::Fleet*) override {
    if (!Known(*context)) return Unknown();
    return {grpc::StatusCode::NOT_FOUND, absl::StrCat("no ", request->name())};
  }
  grpc::Status WatchEvents(grpc::ServerContext* context,
                           const proto::WatchEventsRequest* request,
                           grpc::ServerWriter<proto::Event>* writer) override {
    if (!Known(*context)) return Unknown();
    if (request->after_revision() == 1) {
      return {grpc::StatusCode::OUT_OF_RANGE, "compacted"};
    }
    writer->SendInitialMetadata();
    for (int i = 1; i <= 2; ++i) {
      proto::Event event;
      event.set_revision(request->after_revision() + i);
      if (!writer->Write(event)) break;
    }
    while (!context->IsCancelled()) {
      absl::SleepFor(absl::Milliseconds(1));
    }
    return grpc::Status::OK;
  }

  std::string peer() {
    const absl::MutexLock lock(&mu_);
    return peer_;
  }
  void Forget() {
    const absl::MutexLock lock(&mu_);
    known_ = false;
  }

 private:
  static grpc::Status Unknown() {
    return {grpc::StatusCode::UNAUTHENTICATED, "nobody"};
  }
  bool Known(const grpc::ServerContext& context) {
    const absl::MutexLock lock(&mu_);
    const auto& metadata = context.client_metadata();
    const auto peer = metadata.find("peer");
    peer_ = std::string(peer->second.data(), peer->second.size());
    const auto authorization = metadata.find("authorization");
    return known_ && authorization != metadata.end() &&
           authorization->second == absl::StrCat("Bearer ", kGood);
  }

  absl::Mutex mu_;
  bool known_ = true;
  std::string peer_;
};

class ConsoleTest : public testing::Test {
 protected:
  ConsoleTest() {
    grpc::ServerBuilder builder;
    builder.RegisterService(&fleets_);
    server_ = builder.BuildAndStart();
    ConsoleOptions options;
    options.origins = Origins::Parse("https://console.example.com").value();
    options.channel = server_->InProcessChannel({});
    options.introduce = [](grpc::ClientContext& context,
                           const std::string& peer) {
      context.AddMetadata("peer", peer);
    };
    options.identify = [](const std::string* authorization,
                          const std::string&) -> absl::StatusOr<Identity> {
      if (authorization == nullptr) return absl::UnauthenticatedError("none");
      return Identity{"token:me", "operator"};
    };
    console_ = std::make_unique<Console>(std::move(options), &clock_);
  }
  void TearDown() override { server_->Shutdown(); }

  // A request of the page itself.
  Request Make(const std::string& method, const std::string& target,
               const std::string& body = "") {
    Request out;
    out.method = method;
    out.target = target;
    out.body = body;
    out.peer = "127.0.0.1:5000";
    out.headers = {{"Host", kHost}, {"X-Sallyport-Console", "1"}};
    if (method == "POST") {
      out.headers.emplace_back("Content-Type", "application/json");
      out.headers.emplace_back("Origin", absl::StrCat("http://", kHost));
      out.headers.emplace_back("Sec-Fetch-Site", "same-origin");
    }
    if (!cookie_.empty()) out.headers.emplace_back("Cookie", cookie_);
    if (!proof_.empty()) {
      out.headers.emplace_back("X-Sallyport-Proof", proof_);
    }
    return out;
  }
  static void Set(Request& request, const std::string& name,
                  const std::optional<std::string>& value) {
    auto& headers = request.headers;
    for (auto it = headers.begin(); it != headers.end();) {
      it = it->first == name ? headers.erase(it) : it + 1;
    }
    if (value.has_value()) headers.emplace_back(name, *value);
  }
  static std::string Header(const Response& response, const std::string& name) {
    for (const auto& [key, value] : response.headers) {
      if (key == name) return value;
    }
    return "";
  }
  Response Ask(const std::string& method, const std::string& target,
               const std::string& body = "") {
    return console_->Handle(Make(method, target, body));
  }
  void SignIn() {
    const Response response =
        Ask("POST", "/console/session", R"({"token":"good-token"})");
    ASSERT_EQ(response.status, 200) << response.body;
    const std::string set = Header(response, "Set-Cookie");
    cookie_ = set.substr(0, set.find(';'));
    proof_ = json::parse(response.body).at("proof");
  }

  FakeClock clock_{absl::FromUnixSeconds(1700000000)};
  Fleets fleets_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<Console> console_;
  std::string cookie_;
  std::string proof_;
};

TEST_F(ConsoleTest, KnowsWhatIsForIt) {
  EXPECT_TRUE(Console::IsFor("GET", "/"));
  EXPECT_TRUE(Console::IsFor("GET", "/console"));
  EXPECT_TRUE(Console::IsFor("POST", "/console/api/A/B?c"));
  EXPECT_TRUE(Console::IsFor("GET", "/?x"));
  EXPECT_FALSE(Console::IsFor("POST", "/"));
  EXPECT_FALSE(Console::IsFor("GET", "/consoles"));
  EXPECT_FALSE(Console::IsFor("GET", "/restapis"));
}

TEST_F(ConsoleTest, ServesItsPagesToBeKeptAndAskedForAgain) {
  const Response page = Ask("GET", "/console/");
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(Header(page, "Content-Type"), "text/html; charset=utf-8");
  EXPECT_TRUE(absl::StrContains(page.body, "<main"));
  const std::string etag = Header(page, "ETag");
  EXPECT_EQ(etag.size(), 34U);
  Request again = Make("GET", "/console/");
  again.headers.emplace_back("If-None-Match", etag);
  const Response same = console_->Handle(again);
  EXPECT_EQ(same.status, 304);
  EXPECT_EQ(same.body, "");
  EXPECT_EQ(Header(same, "ETag"), etag);

  const Response script = Ask("GET", "/console/views/domains.js");
  EXPECT_EQ(script.status, 200);
  EXPECT_EQ(Header(script, "Content-Type"), "text/javascript; charset=utf-8");
  EXPECT_EQ(Ask("GET", "/").status, 302);
  EXPECT_EQ(Header(Ask("GET", "/console"), "Location"), "/console/");
  for (const char* path :
       {"/console/views/", "/console/../console/main.js", "/console//main.js",
        "/console/main.js/", "/console/%2e%2e/x", "/console/embed.py"}) {
    EXPECT_EQ(Ask("GET", path).status, 404) << path;
  }
  EXPECT_EQ(Ask("POST", "/console/main.js", "{}").status, 405);
}

TEST_F(ConsoleTest, SaysToBrowsersWhatPagesMayDoWhateverTheAnswer) {
  Request foreign = Make("GET", "/console/");
  Set(foreign, "Host", "evil.example.com");
  for (const Response& response :
       {Ask("GET", "/console/"), Ask("GET", "/console/none"),
        Ask("GET", "/console/session"), console_->Handle(foreign)}) {
    const std::string policy = Header(response, "Content-Security-Policy");
    for (const char* part :
         {"default-src 'none'", "script-src 'self'", "style-src 'self'",
          "connect-src 'self'", "frame-ancestors 'none'", "base-uri 'none'",
          "form-action 'none'"}) {
      EXPECT_TRUE(absl::StrContains(policy, part)) << part;
    }
    EXPECT_FALSE(absl::StrContains(policy, "unsafe"));
    EXPECT_EQ(Header(response, "X-Content-Type-Options"), "nosniff");
    EXPECT_EQ(Header(response, "Referrer-Policy"), "no-referrer");
    EXPECT_EQ(Header(response, "X-Frame-Options"), "DENY");
  }
}

TEST_F(ConsoleTest, AnswersUnderItsOwnNamesAlone) {
  for (const std::optional<std::string>& host :
       {std::optional<std::string>(), std::optional<std::string>(""),
        std::optional<std::string>("evil.example.com"),
        std::optional<std::string>("evil.example.com:9442")}) {
    for (const char* target : {"/console/", "/console/session"}) {
      Request request = Make("GET", target);
      Set(request, "Host", host);
      EXPECT_EQ(console_->Handle(request).status, 421);
    }
  }
  Request twice = Make("GET", "/console/");
  twice.headers.emplace_back("host", kHost);
  EXPECT_EQ(console_->Handle(twice).status, 421);
}

TEST_F(ConsoleTest, SignsInAndOut) {
  EXPECT_EQ(Ask("GET", "/console/session").status, 401);
  SignIn();
  const std::string cookie = cookie_;
  EXPECT_TRUE(absl::StartsWith(cookie, "sallyport-console="));
  const Response session = Ask("GET", "/console/session");
  EXPECT_EQ(session.status, 200);
  EXPECT_EQ(json::parse(session.body),
            json({{"principal", "token:me"}, {"role", "operator"}}));
  EXPECT_FALSE(absl::StrContains(session.body, proof_));
  const Response out = Ask("DELETE", "/console/session");
  EXPECT_EQ(out.status, 200);
  EXPECT_TRUE(absl::StrContains(Header(out, "Set-Cookie"), "Max-Age=0"));
  EXPECT_EQ(Ask("GET", "/console/session").status, 401);
}

TEST_F(ConsoleTest, TheCookieIsForTheBrowserAlone) {
  const Response plain =
      Ask("POST", "/console/session", R"({"token":"good-token"})");
  EXPECT_TRUE(absl::StrContains(Header(plain, "Set-Cookie"),
                                "; Path=/; HttpOnly; SameSite=Strict"));
  EXPECT_FALSE(absl::StrContains(Header(plain, "Set-Cookie"), "Secure"));
  Request tls = Make("POST", "/console/session", R"({"token":"good-token"})");
  Set(tls, "Host", "console.example.com");
  Set(tls, "Origin", "https://console.example.com");
  const Response secure = console_->Handle(tls);
  EXPECT_EQ(secure.status, 200) << secure.body;
  EXPECT_TRUE(absl::StartsWith(Header(secure, "Set-Cookie"),
                               "__Host-sallyport-console="));
  EXPECT_TRUE(absl::StrContains(Header(secure, "Set-Cookie"), "; Secure"));
}

TEST_F(ConsoleTest, RefusesTokensThatDoNotCount) {
  for (const char* body : {R"({"token":"bad"})", R"({"token":""})", R"({})",
                           R"({"token":"a\r\nb: c"})", R"({"token":7})"}) {
    const Response response = Ask("POST", "/console/session", body);
    EXPECT_EQ(response.status, 401) << body;
    EXPECT_EQ(Header(response, "Set-Cookie"), "");
  }
  EXPECT_EQ(Ask("POST", "/console/session", "[]").status, 400);
  EXPECT_EQ(Ask("POST", "/console/session", "{").status, 400);
  const std::string longest(kMaxTokenBytes + 1, 'a');
  EXPECT_EQ(
      Ask("POST", "/console/session", json({{"token", longest}}).dump()).status,
      401);
}

TEST_F(ConsoleTest, TakesNoCallFromAnotherPage) {
  SignIn();
  const auto status = [&](const std::string& name,
                          const std::optional<std::string>& value) {
    Request request = Make("POST", "/console/api/Fleets/ListFleets", "{}");
    Set(request, name, value);
    return console_->Handle(request).status;
  };
  EXPECT_EQ(status("Origin", "http://127.0.0.1:9442"), 200);
  // Programs that are no browsers.
  EXPECT_EQ(status("Origin", std::nullopt), 200);
  EXPECT_EQ(status("Sec-Fetch-Site", std::nullopt), 200);

  EXPECT_EQ(status("Origin", "http://evil.example.com"), 403);
  EXPECT_EQ(status("Origin", "http://127.0.0.1:9443"), 403);
  EXPECT_EQ(status("Origin", "https://127.0.0.1:9442"), 403);
  EXPECT_EQ(status("Origin", "null"), 403);
  EXPECT_EQ(status("Sec-Fetch-Site", "cross-site"), 403);
  EXPECT_EQ(status("Sec-Fetch-Site", "same-site"), 403);
  EXPECT_EQ(status("Sec-Fetch-Site", "none"), 403);
  EXPECT_EQ(status("X-Sallyport-Console", std::nullopt), 403);
  EXPECT_EQ(status("Content-Type", "text/plain"), 415);
  EXPECT_EQ(status("Content-Type", std::nullopt), 415);
  EXPECT_EQ(status("X-Sallyport-Proof", std::nullopt), 401);
  EXPECT_EQ(status("X-Sallyport-Proof", std::string(64, 'a')), 401);
  EXPECT_EQ(status("Cookie", std::nullopt), 401);
  EXPECT_EQ(status("Cookie", "other=1; " + cookie_), 200);
  EXPECT_EQ(status("Cookie", "x" + cookie_), 401);
}

TEST_F(ConsoleTest, CallsTheApiInJson) {
  SignIn();
  const Response good =
      Ask("POST", "/console/api/Fleets/ListFleets", R"({"pageSize":7})");
  EXPECT_EQ(good.status, 200) << good.body;
  EXPECT_EQ(Header(good, "Content-Type"), "application/json");
  EXPECT_EQ(Header(good, "Cache-Control"), "no-store");
  const json answer = json::parse(good.body);
  EXPECT_EQ(answer.at("fleets").at(0).at("name"), "fleets/<b>default</b>");
  EXPECT_EQ(answer.at("revision"), "7");
  EXPECT_EQ(answer.at("nextPageToken"), "");
  EXPECT_EQ(fleets_.peer(), "127.0.0.1:5000");

  const Response none =
      Ask("POST", "/console/api/Fleets/GetFleet", R"({"name":"fleets/x"})");
  EXPECT_EQ(none.status, 404);
  EXPECT_EQ(json::parse(none.body).at("code"), "NOT_FOUND");
  EXPECT_EQ(json::parse(none.body).at("message"), "no fleets/x");
}

TEST_F(ConsoleTest, SaysWhatIsNoCall) {
  SignIn();
  for (const char* path :
       {"Fleets/WatchEvents", "Fleets/None", "None/GetFleet", "Fleets", "",
        "Fleets/GetFleet/x", "sallyport.config.v1.Fleets/GetFleet",
        "../Fleets/GetFleet"}) {
    EXPECT_EQ(Ask("POST", absl::StrCat("/console/api/", path), "{}").status,
              404)
        << path;
  }
  for (const char* body : {"", "{", "[]", R"({"nome":1})", R"({"name":{}})"}) {
    EXPECT_EQ(Ask("POST", "/console/api/Fleets/GetFleet", body).status, 400)
        << body;
  }
  EXPECT_EQ(Ask("GET", "/console/api/Fleets/ListFleets").status, 405);
  EXPECT_EQ(Ask("POST", "/console/api/Fleets/ListFleets",
                std::string(kMaxBodyBytes + 1, ' '))
                .status,
            413);
}

TEST_F(ConsoleTest, ATokenThatCountsNoLongerEndsTheSession) {
  SignIn();
  fleets_.Forget();
  EXPECT_EQ(Ask("POST", "/console/api/Fleets/ListFleets", "{}").status, 401);
  EXPECT_EQ(Ask("GET", "/console/session").status, 401);
}

TEST_F(ConsoleTest, WaitsForEvents) {
  SignIn();
  const Response response =
      Ask("POST", "/console/events", R"({"afterRevision":"40"})");
  EXPECT_EQ(response.status, 200) << response.body;
  const json events = json::parse(response.body).at("events");
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events.at(1).at("revision"), "42");
  EXPECT_EQ(Ask("POST", "/console/events", R"({"afterRevision":"1"})").status,
            400);
  for (const char* body : {"{}", R"({"afterRevision":40})", "[]", ""}) {
    EXPECT_EQ(Ask("POST", "/console/events", body).status, 400) << body;
  }
}

}  // namespace
}  // namespace sallyport::console
