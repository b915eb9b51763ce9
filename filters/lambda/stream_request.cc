#include "filters/lambda/stream_request.h"

#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "filters/cert_validator/request_record.h"
#include "filters/forwarding/forwarding.h"
#include "filters/shim/buffers.h"
#include "filters/shim/domain.h"
#include "pki/x509/certificate.h"

namespace sallyport::lambda {
namespace {

using cert_validator::RequestRecord;
using shim::Buffer;
using shim::View;

constexpr size_t kMaxName = 128;
constexpr size_t kMaxStageVariables = 100;

absl::Status Wrong(absl::string_view field, absl::string_view name,
                   absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(field, ".", name, ": ", what));
}

std::string AttributeOf(abi::HttpFilter* stream, abi::Attribute attribute) {
  abi::EnvoyBuffer value{nullptr, 0};
  if (!envoy_dynamic_module_callback_http_filter_get_attribute_string(
          stream, attribute, &value)) {
    return "";
  }
  return std::string(View(value));
}

// "192.0.2.7" of "192.0.2.7:40000", "2001:db8::1" of "[2001:db8::1]:40000".
std::string WithoutPort(absl::string_view address) {
  if (absl::ConsumePrefix(&address, "[")) {
    return std::string(address.substr(0, address.find(']')));
  }
  return std::string(address.substr(0, address.rfind(':')));
}

absl::Status ReadHeaders(abi::HttpFilter* stream, RequestParts& parts) {
  const size_t size = envoy_dynamic_module_callback_http_get_headers_size(
      stream, abi::HeaderMap::kRequest);
  std::vector<abi::EnvoyHeader> headers(size);
  if (size == 0 || !envoy_dynamic_module_callback_http_get_headers(
                       stream, abi::HeaderMap::kRequest, headers.data())) {
    return absl::InternalError("the request's headers cannot be read");
  }
  for (const abi::EnvoyHeader& header : headers) {
    const absl::string_view name(header.key_ptr, header.key_length);
    const absl::string_view value(header.value_ptr, header.value_length);
    if (name == ":method") {
      parts.method = std::string(value);
    } else if (name == ":path") {
      SplitTarget(value, &parts.path, &parts.query);
    } else if (name == ":authority") {
      parts.host = shim::HostOf(value);
      parts.headers.emplace_back("host", std::string(value));
    } else if (!absl::StartsWith(name, ":")) {
      if (name == "x-request-id") parts.request_id = std::string(value);
      parts.headers.emplace_back(std::string(name), std::string(value));
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::string FilterState(abi::HttpFilter* stream, absl::string_view key) {
  abi::EnvoyBuffer value{nullptr, 0};
  if (!envoy_dynamic_module_callback_http_get_filter_state_bytes(
          stream, Buffer(key), &value)) {
    return "";
  }
  return std::string(View(value));
}

absl::StatusOr<StreamRequest> ReadRequest(abi::HttpFilter* stream,
                                          absl::string_view domain,
                                          absl::Time now) {
  const std::string bytes = FilterState(stream, cert_validator::kRequestKey);
  RequestRecord record;
  if (!cert_validator::DecodeRequestRecord(bytes, record)) {
    return absl::FailedPreconditionError(
        "no sallyport.mtls let the request in; put one before this filter");
  }
  if (record.domain != domain) {
    return absl::FailedPreconditionError(
        "the sallyport.mtls before this filter is of another domain");
  }
  StreamRequest request;
  request.client_key = absl::StrCat(pki::ReasonName(record.reason), " ");
  if (!record.leaf.empty()) {
    const pki::Sha256Digest digest = pki::Sha256(record.leaf);
    absl::StrAppend(&request.client_key, pki::AsBytes(digest));
  }
  RequestParts& parts = request.parts;
  parts.time = now;
  if (record.reason == pki::Reason::kTrusted) {
    SALLYPORT_ASSIGN_OR_RETURN(
        const std::shared_ptr<const pki::Certificate> leaf,
        pki::Certificate::Parse(record.leaf));
    parts.client_cert =
        nlohmann::ordered_json::parse(forwarding::ClientCertJson(*leaf));
  } else if (record.reason != pki::Reason::kNoCertificate) {
    parts.verdict = std::string(pki::ReasonName(record.reason));
  }
  SALLYPORT_RETURN_IF_ERROR(ReadHeaders(stream, parts));
  parts.source_ip =
      WithoutPort(AttributeOf(stream, abi::Attribute::kSourceAddress));
  parts.protocol = AttributeOf(stream, abi::Attribute::kRequestProtocol);
  return request;
}

absl::StatusOr<ApiStage> ReadApi(const filter::v1::ApiStage& config,
                                 absl::string_view field) {
  ApiStage api;
  for (const auto& [name, value, out, allowed] :
       {std::tuple<absl::string_view, absl::string_view, std::string*,
                   absl::string_view>{"account_id", config.account_id(),
                                      &api.account_id, "-"},
        {"region", config.region(), &api.region, "-"},
        {"api_id", config.api_id(), &api.api_id, "-_"},
        {"stage", config.stage(), &api.stage, "-_$"}}) {
    if (value.empty()) continue;
    for (const char c : value) {
      if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) &&
          !absl::StrContains(allowed, c)) {
        return Wrong(field, name,
                     absl::StrCat("has something but letters, digits and \"",
                                  allowed, "\""));
      }
    }
    if (value.size() > kMaxName) {
      return Wrong(field, name,
                   absl::StrCat("has more than ", kMaxName, " characters"));
    }
    *out = std::string(value);
  }
  if (api.api_id.empty()) return Wrong(field, "api_id", "is missing");
  if (!config.resource().empty()) api.resource = config.resource();
  const absl::Status good = CheckResource(api.resource);
  if (!good.ok()) return Wrong(field, "resource", good.message());
  api.base_path = config.base_path();
  if (!api.base_path.empty()) {
    const auto plain = PlainPath(api.base_path);
    if (!plain.ok() || *plain != api.base_path ||
        absl::EndsWith(api.base_path, "/")) {
      return Wrong(field, "base_path",
                   "is no plain path that begins with '/' and does not end "
                   "with it, or \"\"");
    }
  }
  if (!config.route_key().empty()) api.route_key = config.route_key();
  if (config.stage_variables_size() > static_cast<int>(kMaxStageVariables)) {
    return Wrong(field, "stage_variables",
                 absl::StrCat("has more than ", kMaxStageVariables));
  }
  api.stage_variables.insert(config.stage_variables().begin(),
                             config.stage_variables().end());
  return api;
}

absl::Status CheckName(absl::string_view name) {
  bool good = !name.empty() && name.size() <= kMaxName;
  for (const char c : name) {
    good = good && (absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
                    c == '.' || c == '_' || c == '-');
  }
  if (good) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "name: is not 1 to ", kMaxName, " letters, digits, '.', '_' and '-'"));
}

void Count(abi::HttpFilter* stream, size_t id,
           absl::Span<const absl::string_view> labels) {
  std::vector<abi::ModuleBuffer> values;
  for (const absl::string_view label : labels) values.push_back(Buffer(label));
  envoy_dynamic_module_callback_http_filter_increment_counter(
      stream, id, values.data(), values.size(), 1);
}

void SetMetadata(abi::HttpFilter* stream, absl::string_view ns,
                 absl::string_view key, absl::string_view value) {
  envoy_dynamic_module_callback_http_set_dynamic_metadata_string(
      stream, Buffer(ns), Buffer(key), Buffer(value));
}

bool IsWorthALine(uint64_t count) {
  while (count >= 10 && count % 10 == 0) count /= 10;
  return count == 1;
}

}  // namespace sallyport::lambda
