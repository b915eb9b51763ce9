#include "config_service/console/console.h"

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "config_service/console/assets.h"
#include "config_service/console/limits.h"
#include "nlohmann/json.hpp"

namespace sallyport::console {
namespace {

using nlohmann::json;

constexpr absl::string_view kRoot = "/console";
constexpr absl::string_view kPages = "/console/";
constexpr absl::string_view kSession = "/console/session";
constexpr absl::string_view kApi = "/console/api/";
constexpr absl::string_view kEvents = "/console/events";
constexpr absl::string_view kIndex = "index.html";

// Only a page of ours can send it: a page of another origin has to ask first
// (Fetch standard, CORS preflight), and is not answered.
constexpr absl::string_view kMarkHeader = "x-sallyport-console";
constexpr absl::string_view kProofHeader = "x-sallyport-proof";
constexpr absl::string_view kCookie = "sallyport-console";
// A cookie of this prefix cannot be set by a page of a subdomain, or without
// TLS (RFC 6265bis, 4.1.3).
constexpr absl::string_view kHttpsCookie = "__Host-sallyport-console";

constexpr char kJson[] = "application/json";
constexpr char kPolicy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; "
    "trusted-types 'none'";

// Also on what is refused.
void AddHeaders(Headers& headers) {
  headers.emplace_back("Content-Security-Policy", kPolicy);
  headers.emplace_back("X-Content-Type-Options", "nosniff");
  headers.emplace_back("X-Frame-Options", "DENY");
  headers.emplace_back("Referrer-Policy", "no-referrer");
  headers.emplace_back("Cross-Origin-Opener-Policy", "same-origin");
  headers.emplace_back("Cross-Origin-Resource-Policy", "same-origin");
}

Response JsonAnswer(int status, std::string body) {
  Response out;
  out.status = status;
  out.headers = {{"Content-Type", kJson}, {"Cache-Control", "no-store"}};
  out.body = std::move(body);
  return out;
}

Response Refuse(int status, absl::string_view code, absl::string_view message) {
  return JsonAnswer(status, ErrorAnswer(status, code, message).json);
}

Response MethodNotAllowed(absl::string_view allowed) {
  Response out =
      Refuse(405, "UNIMPLEMENTED", "this is asked for in another way");
  out.headers.emplace_back("Allow", std::string(allowed));
  return out;
}

// The value of the only such header; nothing: there is none, or several.
std::optional<std::string> Header(const Headers& headers,
                                  absl::string_view name) {
  const std::string* found = nullptr;
  for (const auto& [key, value] : headers) {
    if (!absl::EqualsIgnoreCase(key, name)) continue;
    if (found != nullptr) return std::nullopt;
    found = &value;
  }
  if (found == nullptr) return std::nullopt;
  return *found;
}

bool HasHeader(const Headers& headers, absl::string_view name) {
  return absl::c_any_of(headers, [name](const auto& header) {
    return absl::EqualsIgnoreCase(header.first, name);
  });
}

std::string CookieOf(const Headers& headers, absl::string_view name) {
  const std::string all = Header(headers, "cookie").value_or("");
  for (absl::string_view pair : absl::StrSplit(all, ';')) {
    pair = absl::StripAsciiWhitespace(pair);
    if (absl::ConsumePrefix(&pair, name) && absl::ConsumePrefix(&pair, "=")) {
      return std::string(pair);
    }
  }
  return "";
}

// The fields of a JSON object; nothing: it is none.
std::optional<json> ObjectOf(const std::string& body) {
  json out = json::parse(body, nullptr, /*allow_exceptions=*/false);
  if (!out.is_object()) return std::nullopt;
  return out;
}

std::string TextIn(const json& object, const char* field) {
  const auto it = object.find(field);
  if (it == object.end() || !it->is_string()) return "";
  return it->get<std::string>();
}

bool IsToken(absl::string_view text) {
  return text.size() <= kMaxTokenBytes && absl::c_all_of(text, [](char c) {
           return absl::ascii_isgraph(static_cast<unsigned char>(c));
         });
}

}  // namespace

struct Console::Call {
  const Request& request;
  std::string path;    // without the query
  std::string origin;  // of our own page
  bool is_https = false;
  std::string cookie;

  std::string CookieName() const {
    return std::string(is_https ? kHttpsCookie : kCookie);
  }
  std::string SetCookie(absl::string_view value) const {
    return absl::StrCat(
        CookieName(), "=", value, "; Path=/; HttpOnly; SameSite=Strict",
        is_https ? "; Secure" : "", value.empty() ? "; Max-Age=0" : "");
  }
  CallOrigin OriginOf(const Sessions::Identity& identity) const {
    return {identity.authorization, request.peer};
  }
};

Console::Console(ConsoleOptions options, const Clock* clock)
    : options_(std::move(options)),
      sessions_(clock),
      bridge_(options_.channel, options_.introduce) {}

bool Console::IsFor(absl::string_view method, absl::string_view target) {
  const absl::string_view path = target.substr(0, target.find('?'));
  return path == kRoot || absl::StartsWith(path, kPages) ||
         (path == "/" && (method == "GET" || method == "HEAD"));
}

Response Console::Handle(const Request& request) {
  Response out;
  const std::optional<std::string> origin =
      options_.origins.Find(Header(request.headers, "host").value_or(""));
  if (!origin.has_value()) {
    out = Refuse(421, "PERMISSION_DENIED",
                 "the console is not served under this name; name it with "
                 "--console-origins");
  } else {
    Call call{request, request.target.substr(0, request.target.find('?')),
              *origin, absl::StartsWith(*origin, "https:"), ""};
    call.cookie = CookieOf(request.headers, call.CookieName());
    out = Answer(call);
  }
  AddHeaders(out.headers);
  return out;
}

Response Console::Answer(const Call& call) {
  const bool is_session = call.path == kSession;
  const bool is_api = absl::StartsWith(call.path, kApi);
  const bool is_events = call.path == kEvents;
  if (!is_session && !is_api && !is_events) return AnswerPage(call);

  const Headers& headers = call.request.headers;
  const bool is_ours =
      HasHeader(headers, kMarkHeader) &&
      (!HasHeader(headers, "origin") ||
       Header(headers, "origin") == call.origin) &&
      (!HasHeader(headers, "sec-fetch-site") ||
       Header(headers, "sec-fetch-site") == std::string("same-origin"));
  if (!is_ours) {
    return Refuse(403, "PERMISSION_DENIED",
                  "the request does not come from a page of the console");
  }
  if (call.request.method == "POST") {
    const std::string type =
        absl::AsciiStrToLower(Header(headers, "content-type").value_or(""));
    if (type != kJson) {
      return Refuse(415, "INVALID_ARGUMENT", "the content is not JSON");
    }
    if (call.request.body.size() > kMaxBodyBytes) {
      return Refuse(413, "RESOURCE_EXHAUSTED", "the request is too large");
    }
  }
  if (is_session) return AnswerSession(call);
  if (call.request.method != "POST") return MethodNotAllowed("POST");
  return is_api ? AnswerApi(call) : AnswerEvents(call);
}

Response Console::AnswerPage(const Call& call) const {
  if (call.request.method != "GET" && call.request.method != "HEAD") {
    return MethodNotAllowed("GET, HEAD");
  }
  Response out;
  if (call.path == kRoot || call.path == "/") {
    out.status = 302;
    out.headers = {{"Location", std::string(kPages)},
                   {"Cache-Control", "no-cache"}};
    return out;
  }
  const absl::string_view name =
      absl::StripPrefix(absl::string_view(call.path), kPages);
  const Asset* const asset = FindAsset(name.empty() ? kIndex : name);
  if (asset == nullptr) {
    return Refuse(404, "NOT_FOUND", "the console has no such page");
  }
  out.headers = {{"Content-Type", std::string(asset->type)},
                 {"Cache-Control", "no-cache"},
                 {"ETag", std::string(asset->etag)}};
  if (Header(call.request.headers, "if-none-match") ==
      std::string(asset->etag)) {
    out.status = 304;
    return out;
  }
  out.body = std::string(asset->content);
  return out;
}

absl::StatusOr<Sessions::Identity> Console::Find(const Call& call,
                                                 Sessions::Use use) {
  return sessions_.Find(call.cookie,
                        Header(call.request.headers, kProofHeader).value_or(""),
                        use);
}

Response Console::AnswerSession(const Call& call) {
  if (call.request.method == "POST") return SignIn(call);
  if (call.request.method == "DELETE") {
    const auto identity = Find(call, Sessions::Use::kAsk);
    if (identity.ok()) sessions_.End(call.cookie);
    Response out = JsonAnswer(200, "{}");
    out.headers.emplace_back("Set-Cookie", call.SetCookie(""));
    return out;
  }
  if (call.request.method != "GET") {
    return MethodNotAllowed("GET, POST, DELETE");
  }
  const auto identity = Find(call, Sessions::Use::kLook);
  if (!identity.ok()) {
    const bool without =
        options_.identify(nullptr, call.request.peer).ok() && !call.is_https;
    return JsonAnswer(401, json({{"code", "UNAUTHENTICATED"},
                                 {"message", "nobody has signed in"},
                                 {"signInWithoutToken", without}})
                               .dump());
  }
  return JsonAnswer(
      200, json({{"principal", identity->principal}, {"role", identity->role}})
               .dump());
}

Response Console::SignIn(const Call& call) {
  const std::optional<json> fields = ObjectOf(call.request.body);
  if (!fields.has_value()) {
    return Refuse(400, "INVALID_ARGUMENT", "the request is no JSON object");
  }
  const std::string token = TextIn(*fields, "token");
  if (!IsToken(token) || (token.empty() && call.is_https)) {
    return Refuse(401, "UNAUTHENTICATED", "the token is not one that counts");
  }
  Sessions::Identity identity;
  if (!token.empty()) identity.authorization = absl::StrCat("Bearer ", token);
  // A call like any other: guesses are counted, logged and limited where the
  // API's are.
  const CallAnswer tried = bridge_.Call(call.OriginOf(identity), "Fleets",
                                        "ListFleets", R"({"pageSize":1})");
  if (tried.status != 200) return JsonAnswer(tried.status, tried.json);
  const absl::StatusOr<Identity> known = options_.identify(
      token.empty() ? nullptr : &identity.authorization, call.request.peer);
  if (!known.ok()) {
    return Refuse(401, "UNAUTHENTICATED", "the token is not one that counts");
  }
  identity.principal = known->principal;
  identity.role = known->role;
  const auto secrets = sessions_.Begin(identity);
  if (!secrets.ok()) {
    return Refuse(429, "RESOURCE_EXHAUSTED", secrets.status().message());
  }
  if (!call.cookie.empty()) sessions_.End(call.cookie);
  Response out = JsonAnswer(200, json({{"principal", identity.principal},
                                       {"role", identity.role},
                                       {"proof", secrets->proof}})
                                     .dump());
  out.headers.emplace_back("Set-Cookie", call.SetCookie(secrets->cookie));
  return out;
}

Response Console::FromApi(const Call& call, CallAnswer answer) {
  if (answer.status == 401) sessions_.End(call.cookie);
  return JsonAnswer(answer.status, std::move(answer.json));
}

Response Console::AnswerApi(const Call& call) {
  const auto identity = Find(call, Sessions::Use::kAsk);
  if (!identity.ok()) {
    return Refuse(401, "UNAUTHENTICATED", identity.status().message());
  }
  const std::vector<absl::string_view> parts = absl::StrSplit(
      absl::StripPrefix(absl::string_view(call.path), kApi), '/');
  if (parts.size() != 2) {
    return Refuse(404, "NOT_FOUND", "that is no method of the API");
  }
  return FromApi(call, bridge_.Call(call.OriginOf(*identity), parts[0],
                                    parts[1], call.request.body));
}

Response Console::AnswerEvents(const Call& call) {
  const auto identity = Find(call, Sessions::Use::kLook);
  if (!identity.ok()) {
    return Refuse(401, "UNAUTHENTICATED", identity.status().message());
  }
  const std::optional<json> fields = ObjectOf(call.request.body);
  int64_t after = 0;
  // 64-bit numbers are strings in the JSON of Protocol Buffers.
  if (!fields.has_value() ||
      !absl::SimpleAtoi(TextIn(*fields, "afterRevision"), &after)) {
    return Refuse(400, "INVALID_ARGUMENT",
                  "afterRevision is no number in a string");
  }
  {
    const absl::MutexLock lock(&mu_);
    int& own = waits_[identity->principal];
    if (num_waits_ >= kMaxWaits || own >= kMaxWaitsOfPrincipal) {
      if (own == 0) waits_.erase(identity->principal);
      return Refuse(429, "RESOURCE_EXHAUSTED",
                    "too many pages wait for news; look again later");
    }
    ++own;
    ++num_waits_;
  }
  const absl::Cleanup end = [&] {
    const absl::MutexLock lock(&mu_);
    --num_waits_;
    const auto it = waits_.find(identity->principal);
    if (--it->second == 0) waits_.erase(it);
  };
  return FromApi(call, bridge_.WaitForEvents(call.OriginOf(*identity), after));
}

}  // namespace sallyport::console
