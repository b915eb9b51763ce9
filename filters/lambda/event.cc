#include "filters/lambda/event.h"

#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "filters/lambda/json.h"

namespace sallyport::lambda {
namespace {

using Object = nlohmann::ordered_json;

constexpr absl::string_view kCookie = "cookie";

std::string First(const std::vector<std::string>& values) {
  return values.empty() ? "" : values.front();
}

// The last value of each name; null without any, as in REST APIs.
Object Single(const NameValues& pairs) {
  if (pairs.empty()) return nullptr;
  Object out = Object::object();
  for (const auto& [name, value] : pairs) out[name] = value;
  return out;
}

Object Multi(const NameValues& pairs) {
  if (pairs.empty()) return nullptr;
  Object out = Object::object();
  for (const auto& [name, value] : pairs) out[name].push_back(value);
  return out;
}

// The values of each name, with commas between.
Object Joined(const NameValues& pairs) {
  Object out = Object::object();
  for (const auto& [name, value] : pairs) {
    const auto found = out.find(name);
    if (found == out.end()) {
      out[name] = value;
    } else {
      *found = absl::StrCat(found->get<std::string>(), ",", value);
    }
  }
  return out;
}

NameValues WithoutCookies(const NameValues& headers) {
  NameValues out;
  for (const auto& header : headers) {
    if (header.first != kCookie) out.push_back(header);
  }
  return out;
}

std::vector<std::string> Cookies(const RequestParts& request) {
  std::vector<std::string> out;
  for (const std::string& value : request.Header(kCookie)) {
    for (const absl::string_view cookie : absl::StrSplit(value, ';')) {
      const absl::string_view text = absl::StripAsciiWhitespace(cookie);
      if (!text.empty()) out.emplace_back(text);
    }
  }
  return out;
}

NameValues PathParameters(const RequestParts& request, const ApiStage& api) {
  const auto path = WithoutBasePath(request.path, api.base_path);
  if (!path.has_value()) return {};
  return MatchResource(api.resource, *path).value_or(NameValues{});
}

NameValues StageVariables(const ApiStage& api) {
  return {api.stage_variables.begin(), api.stage_variables.end()};
}

// "12/Mar/2020:19:03:58 +0000".
std::string LogTime(absl::Time time) {
  return absl::FormatTime("%d/%b/%Y:%H:%M:%S +0000", time, absl::UTCTimeZone());
}

std::string DomainPrefix(const RequestParts& request) {
  return request.host.substr(0, request.host.find('.'));
}

void AddVerdict(const RequestParts& request, Object& context) {
  if (!request.verdict.empty()) {
    context["sallyport"] = {{"verdict", request.verdict}};
  }
}

Object Context10(const RequestParts& request, const ApiStage& api) {
  Object identity = {{"apiKey", nullptr},
                     {"sourceIp", request.source_ip},
                     {"userAgent", First(request.Header("user-agent"))}};
  if (!request.client_cert.is_null()) {
    identity["clientCert"] = request.client_cert;
  }
  Object context = {{"accountId", api.account_id},
                    {"apiId", api.api_id},
                    {"domainName", request.host},
                    {"domainPrefix", DomainPrefix(request)},
                    {"extendedRequestId", request.request_id},
                    {"httpMethod", request.method},
                    {"identity", identity},
                    {"path", request.path},
                    {"protocol", request.protocol},
                    {"requestId", request.request_id},
                    {"requestTime", LogTime(request.time)},
                    {"requestTimeEpoch", absl::ToUnixMillis(request.time)},
                    {"resourceId", api.resource},
                    {"resourcePath", api.resource},
                    {"stage", api.stage}};
  AddVerdict(request, context);
  return context;
}

Object Context20(const RequestParts& request, const ApiStage& api) {
  Object context = {{"accountId", api.account_id},
                    {"apiId", api.api_id},
                    {"domainName", request.host},
                    {"domainPrefix", DomainPrefix(request)},
                    {"http",
                     {{"method", request.method},
                      {"path", request.path},
                      {"protocol", request.protocol},
                      {"sourceIp", request.source_ip},
                      {"userAgent", First(request.Header("user-agent"))}}},
                    {"requestId", request.request_id},
                    {"routeKey", api.route_key},
                    {"stage", api.stage},
                    {"time", LogTime(request.time)},
                    {"timeEpoch", absl::ToUnixMillis(request.time)}};
  if (!request.client_cert.is_null()) {
    context["authentication"] = {{"clientCert", request.client_cert}};
  }
  AddVerdict(request, context);
  return context;
}

// What events of format 1.0 have in common, for authorizers and integrations.
void AddParts10(const RequestParts& request, const ApiStage& api,
                Object& event) {
  const NameValues query = request.QueryParameters();
  event["resource"] = api.resource;
  event["path"] = request.path;
  event["httpMethod"] = request.method;
  event["headers"] = Single(request.headers);
  event["multiValueHeaders"] = Multi(request.headers);
  event["queryStringParameters"] = Single(query);
  event["multiValueQueryStringParameters"] = Multi(query);
  event["pathParameters"] = Single(PathParameters(request, api));
  event["stageVariables"] = Single(StageVariables(api));
  event["requestContext"] = Context10(request, api);
}

// The same for 2.0, where what is empty is left out.
void AddParts20(const RequestParts& request, const ApiStage& api,
                Object& event) {
  event["rawPath"] = request.path;
  event["rawQueryString"] = request.query;
  const std::vector<std::string> cookies = Cookies(request);
  if (!cookies.empty()) event["cookies"] = cookies;
  event["headers"] = Joined(WithoutCookies(request.headers));
  const NameValues query = request.QueryParameters();
  if (!query.empty()) event["queryStringParameters"] = Joined(query);
  event["requestContext"] = Context20(request, api);
  const NameValues path = PathParameters(request, api);
  if (!path.empty()) event["pathParameters"] = Single(path);
  if (!api.stage_variables.empty()) {
    event["stageVariables"] = Single(StageVariables(api));
  }
}

}  // namespace

std::string TokenEvent(absl::string_view token, absl::string_view arn) {
  return WriteJson(Object{{"type", "TOKEN"},
                          {"authorizationToken", std::string(token)},
                          {"methodArn", std::string(arn)}});
}

std::string RequestEvent(const RequestParts& request, const ApiStage& api,
                         const AuthorizerSubject& subject) {
  Object event = {{"type", "REQUEST"}, {"methodArn", subject.arn}};
  AddParts10(request, api, event);
  return WriteJson(event);
}

std::string HttpApiEvent10(const RequestParts& request, const ApiStage& api,
                           const AuthorizerSubject& subject) {
  const std::string identity = absl::StrJoin(subject.identity, ",");
  Object event = {{"version", "1.0"},
                  {"type", "REQUEST"},
                  {"methodArn", subject.arn},
                  {"identitySource", identity},
                  {"authorizationToken", identity}};
  AddParts10(request, api, event);
  return WriteJson(event);
}

std::string HttpApiEvent20(const RequestParts& request, const ApiStage& api,
                           const AuthorizerSubject& subject) {
  Object event = {{"version", "2.0"},
                  {"type", "REQUEST"},
                  {"routeArn", subject.arn},
                  {"identitySource", subject.identity},
                  {"routeKey", api.route_key}};
  AddParts20(request, api, event);
  return WriteJson(event);
}

std::string ProxyEvent10(const RequestParts& request, const ApiStage& api,
                         const nlohmann::json& authorizer,
                         const EventBody& body) {
  Object event = {{"version", "1.0"}};
  AddParts10(request, api, event);
  if (!authorizer.is_null()) event["requestContext"]["authorizer"] = authorizer;
  event["body"] = body.present ? Object(body.text) : Object(nullptr);
  event["isBase64Encoded"] = body.is_base64;
  return WriteJson(event);
}

std::string ProxyEvent20(const RequestParts& request, const ApiStage& api,
                         const nlohmann::json& authorizer,
                         const EventBody& body) {
  Object event = {{"version", "2.0"}, {"routeKey", api.route_key}};
  AddParts20(request, api, event);
  if (!authorizer.is_null()) event["requestContext"]["authorizer"] = authorizer;
  if (body.present) event["body"] = body.text;
  event["isBase64Encoded"] = body.is_base64;
  return WriteJson(event);
}

}  // namespace sallyport::lambda
