#include "filters/mtls_http/filter.h"

#include <array>
#include <atomic>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/types/span.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "filters/cert_validator/connection_record.h"
#include "filters/cert_validator/decision.h"
#include "filters/cert_validator/recent_map.h"
#include "filters/shim/buffers.h"
#include "filters/shim/domain.h"
#include "filters/shim/log.h"

namespace sallyport::mtls_http {
namespace {

namespace v1 = ::sallyport::filter::v1;
using cert_validator::DomainTrust;
using pki::Reason;
using shim::Buffer;
using shim::View;

// Encoded headers that each thread remembers.
constexpr size_t kMaxRememberedForwarded = 512;
constexpr size_t kMaxRememberedForwardedBytes = size_t{16} << 20;

std::atomic<uint64_t> next_id{1};

constexpr uint32_t kForbidden = 403;
constexpr uint32_t kMisdirectedRequest = 421;
constexpr absl::string_view kForbiddenBody = R"({"message":"Forbidden"})";
constexpr absl::string_view kMisdirectedBody =
    R"({"message":"Misdirected Request"})";
constexpr absl::string_view kMisdirectedDetails = "sallyport_misdirected";
constexpr absl::string_view kJson = "application/json";
// Codes of gRPC: UNKNOWN (what 421 stands for) and PERMISSION_DENIED.
constexpr absl::string_view kGrpcUnknown = "2";
constexpr absl::string_view kGrpcPermissionDenied = "7";

// The value of a request header; dead after the first change to the stream.
absl::string_view GetHeader(abi::HttpFilter* stream, absl::string_view name) {
  abi::EnvoyBuffer value{nullptr, 0};
  if (!envoy_dynamic_module_callback_http_get_header(
          stream, abi::HeaderMap::kRequest, Buffer(name), &value, 0, nullptr)) {
    return absl::string_view();
  }
  return View(value);
}

// Envoy's own rule (Grpc::Common::hasGrpcContentType), by which it turns a
// local reply into a gRPC status.
bool IsGrpc(abi::HttpFilter* stream) {
  constexpr absl::string_view kGrpc = "application/grpc";
  const absl::string_view type = GetHeader(stream, "content-type");
  return absl::StartsWith(type, kGrpc) &&
         (type.size() == kGrpc.size() || type[kGrpc.size()] == '+');
}

abi::ModuleHeader Header(absl::string_view name, absl::string_view value) {
  return {name.data(), name.size(), value.data(), value.size()};
}

// Envoy makes the answer to a gRPC request one of HTTP 200 with `message` as
// grpc-message. It takes the grpc-status from our headers, and 0 (that is OK)
// when there is none.
void AnswerGrpc(abi::HttpFilter* stream, uint32_t status_code,
                absl::string_view grpc_status, absl::string_view message,
                absl::string_view details) {
  abi::ModuleHeader status = Header("grpc-status", grpc_status);
  envoy_dynamic_module_callback_http_send_response(
      stream, status_code, &status, 1, Buffer(message), Buffer(details));
}

void Count(abi::HttpFilter* stream, size_t id,
           absl::Span<const absl::string_view> labels, uint64_t n = 1) {
  absl::InlinedVector<abi::ModuleBuffer, 4> values;
  for (const absl::string_view label : labels) values.push_back(Buffer(label));
  envoy_dynamic_module_callback_http_filter_increment_counter(
      stream, id, values.data(), values.size(), n);
}

absl::Status Define(abi::HttpFilterConfig* config, absl::string_view name,
                    absl::Span<const absl::string_view> labels, size_t& id) {
  std::vector<abi::ModuleBuffer> names;
  for (const absl::string_view label : labels) names.push_back(Buffer(label));
  const abi::MetricsResult result =
      envoy_dynamic_module_callback_http_filter_config_define_counter(
          config, Buffer(name), names.data(), names.size(), &id);
  if (result == abi::MetricsResult::kSuccess) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("Envoy did not define the counter ",
                                          name, " (result ",
                                          static_cast<uint32_t>(result), ")"));
}

void SetMetadata(abi::HttpFilter* stream, absl::string_view key,
                 absl::string_view value) {
  envoy_dynamic_module_callback_http_set_dynamic_metadata_string(
      stream, Buffer(kMetadata), Buffer(key), Buffer(value));
}

}  // namespace

Filter::Filter(const v1::MutualTls& config, std::shared_ptr<DomainTrust> domain)
    : id_(next_id.fetch_add(1)),
      config_(config),
      domain_(std::move(domain)),
      claims_(
          std::vector<std::string>(config.forwarding().remove_headers().begin(),
                                   config.forwarding().remove_headers().end())),
      forwards_(forwarding::ForwardsAnything(config.forwarding())) {}

absl::StatusOr<std::shared_ptr<const Filter>> Filter::Create(
    const v1::MutualTls& config, abi::HttpFilterConfig* envoy_config) {
  const absl::StatusOr<std::string> domain = shim::ReadDomain(config.domain());
  if (!domain.ok()) {
    return absl::Status(domain.status().code(),
                        absl::StrCat("domain: ", domain.status().message()));
  }
  switch (config.client_certificate()) {
    case v1::CLIENT_CERTIFICATE_UNSPECIFIED:
    case v1::REQUIRED:
    case v1::OPTIONAL:
      break;
    default:
      return absl::InvalidArgumentError(
          "client_certificate: is nothing that this version knows; REQUIRED or "
          "OPTIONAL");
  }
  SALLYPORT_RETURN_IF_ERROR(
      forwarding::ValidateForwarding(config.forwarding()));
  std::shared_ptr<Filter> filter(new Filter(config, DomainTrust::For(*domain)));
  SALLYPORT_RETURN_IF_ERROR(Define(envoy_config, kDecisions,
                                   {"domain", "verdict", "reason"},
                                   filter->decisions_id_));
  SALLYPORT_RETURN_IF_ERROR(
      Define(envoy_config, kMisdirected, {"domain"}, filter->misdirected_id_));
  SALLYPORT_RETURN_IF_ERROR(Define(envoy_config, kForwardingTruncated,
                                   {"domain"}, filter->truncated_id_));
  return std::shared_ptr<const Filter>(std::move(filter));
}

bool Filter::RemoveClaims(abi::HttpFilter* stream, abi::HeaderMap map) const {
  const size_t size =
      envoy_dynamic_module_callback_http_get_headers_size(stream, map);
  if (size == 0) return true;
  absl::InlinedVector<abi::EnvoyHeader, 32> headers(size);
  if (!envoy_dynamic_module_callback_http_get_headers(stream, map,
                                                      headers.data())) {
    return false;
  }
  // Removing one makes the views of the others unsafe: copy the names first.
  absl::InlinedVector<std::string, 4> names;
  for (const abi::EnvoyHeader& header : headers) {
    const absl::string_view name(header.key_ptr, header.key_length);
    if (claims_.Matches(name)) names.emplace_back(name);
  }
  for (const std::string& name : names) {
    if (!envoy_dynamic_module_callback_http_set_header(
            stream, map, Buffer(name), shim::kRemove)) {
      return false;
    }
  }
  return map != abi::HeaderMap::kRequest || RemoveNominations(stream);
}

// Envoy lets `connection` through when the request asks for an upgrade, and
// the next hop removes every header that it names (RFC 9110, 7.6.1): ours too,
// if the client names them.
bool Filter::RemoveNominations(abi::HttpFilter* stream) const {
  constexpr absl::string_view kConnection = "connection";
  std::vector<std::string> kept;
  bool changed = false;
  abi::EnvoyBuffer value{nullptr, 0};
  size_t count = 0;
  for (size_t i = 0; envoy_dynamic_module_callback_http_get_header(
           stream, abi::HeaderMap::kRequest, Buffer(kConnection), &value, i,
           &count);
       ++i) {
    for (const absl::string_view token : absl::StrSplit(View(value), ',')) {
      const absl::string_view name = absl::StripAsciiWhitespace(token);
      if (claims_.Matches(name)) {
        changed = true;
      } else if (!name.empty()) {
        kept.emplace_back(name);
      }
    }
  }
  if (!changed) return true;
  const std::string rest = absl::StrJoin(kept, ", ");
  return envoy_dynamic_module_callback_http_set_header(
      stream, abi::HeaderMap::kRequest, Buffer(kConnection),
      kept.empty() ? shim::kRemove : Buffer(rest));
}

bool Filter::ServesHost(absl::string_view authority) const {
  if (!shim::DomainCovers(domain(), authority)) return false;
  // A domain of its own, with a trust of its own, is more specific than a
  // wildcard: its requests do not come in by ours.
  return domain().front() != '*' ||
         !DomainTrust::IsServed(shim::HostOf(authority));
}

Filter::Decision Filter::DecideWithoutRecord(abi::HttpFilter* stream) const {
  Decision decision;
  if (domain_->current_id() == 0) {
    decision.detail = "no truststore is bound to the domain";
    return decision;
  }
  bool presented = false;
  if (!envoy_dynamic_module_callback_http_filter_get_attribute_bool(
          stream, abi::Attribute::kConnectionMtls, &presented)) {
    decision.detail = "it is not known whether the client sent a certificate";
    return decision;
  }
  if (presented) {
    decision.detail =
        "the session was resumed (or another validator checked it), so there "
        "is no verdict for this connection";
    return decision;
  }
  decision.reason = Reason::kNoCertificate;
  decision.detail = "the client sent no certificate";
  decision.allowed = config_.client_certificate() == v1::OPTIONAL;
  return decision;
}

Filter::Decision Filter::Decide(abi::HttpFilter* stream, absl::Time now) const {
  abi::EnvoyBuffer bytes{nullptr, 0};
  if (!envoy_dynamic_module_callback_http_get_filter_state_bytes(
          stream, Buffer(cert_validator::kConnectionKey), &bytes)) {
    return DecideWithoutRecord(stream);
  }
  auto decided =
      cert_validator::Decide(*domain_, View(bytes), now,
                             forwards_ ? cert_validator::Need::kChain
                                       : cert_validator::Need::kVerdict);
  Decision decision;
  decision.allowed = decided.trusted();
  decision.reason = decided.reason;
  decision.detail = std::move(decided.detail);
  decision.checked = std::move(decided.checked);
  return decision;
}

abi::HeadersStatus Filter::OnRequestHeaders(abi::HttpFilter* stream,
                                            absl::Time now) const {
  if (!RemoveClaims(stream, abi::HeaderMap::kRequest)) {
    shim::Log(shim::LogLevel::kError,
              absl::StrCat("request for ", domain(),
                           ": refused, its headers cannot be read"));
    AnswerForbidden(stream, "INTERNAL_ERROR");
    return abi::HeadersStatus::kStopIteration;
  }

  if (!ServesHost(GetHeader(stream, ":authority"))) {
    if (shim::LogEnabled(shim::LogLevel::kDebug)) {
      shim::Log(
          shim::LogLevel::kDebug,
          absl::StrCat("request for ", domain(), ": misdirected, Host \"",
                       Printable(GetHeader(stream, ":authority"), 260), "\""));
    }
    AnswerMisdirected(stream);
    return abi::HeadersStatus::kStopIteration;
  }

  const Decision decision = Decide(stream, now);
  const absl::string_view reason = pki::ReasonName(decision.reason);
  Count(stream, decisions_id_,
        {domain(), decision.allowed ? "allowed" : "denied", reason});
  if (shim::LogEnabled(shim::LogLevel::kDebug)) {
    const bool named =
        decision.checked != nullptr && decision.checked->has_client_certificate;
    shim::Log(
        shim::LogLevel::kDebug,
        absl::StrCat(
            "request for ", domain(), ": ",
            decision.allowed ? "allowed" : "denied", ", ", reason,
            decision.detail.empty() ? "" : ", ", Printable(decision.detail),
            named ? ", client \"" : "",
            named ? Printable(decision.checked->sent.front()->Subject(), 256)
                  : "",
            named ? "\"" : "", ", path \"",
            Printable(GetHeader(stream, ":path"), 256), "\""));
  }
  SetMetadata(stream, "reason", reason);
  if (!decision.allowed) {
    SetMetadata(stream, "detail", Printable(decision.detail));
    AnswerForbidden(stream, reason);
    return abi::HeadersStatus::kStopIteration;
  }
  if (!Forward(stream, decision)) {
    shim::Log(shim::LogLevel::kError,
              absl::StrCat("request for ", domain(),
                           ": refused, its headers cannot be written"));
    AnswerForbidden(stream, "INTERNAL_ERROR");
    return abi::HeadersStatus::kStopIteration;
  }
  return abi::HeadersStatus::kContinue;
}

bool Filter::OnRequestTrailers(abi::HttpFilter* stream) const {
  return RemoveClaims(stream, abi::HeaderMap::kRequestTrailers);
}

std::shared_ptr<const Filter::Encoded> Filter::Encode(
    const std::shared_ptr<const cert_validator::CheckedChain>& checked) const {
  using Key = std::pair<uint64_t, const cert_validator::CheckedChain*>;
  static thread_local cert_validator::RecentMap<Key, Encoded> memory(
      kMaxRememberedForwarded, kMaxRememberedForwardedBytes);
  const Key key{id_, checked.get()};
  if (auto found = memory.Find(key)) return found;
  auto encoded = std::make_shared<Encoded>();
  // Held, so that no other chain can have its address while the entry lives.
  encoded->checked = checked;
  forwarding::Client client;
  client.sent = checked->sent;
  client.path = checked->verdict.path;
  client.verdict = checked->verdict.reason;
  encoded->forwarded = forwarding::Encode(config_.forwarding(), client);
  size_t bytes = 1024;
  for (const auto& certificate : checked->sent) {
    bytes += 4 * certificate->der().size();
  }
  for (const forwarding::Header& header : encoded->forwarded.headers) {
    bytes += header.name.size() + header.value.size() + 64;
  }
  memory.Put(key, encoded, bytes);
  return encoded;
}

bool Filter::Forward(abi::HttpFilter* stream, const Decision& decision) const {
  if (!forwards_ || decision.checked == nullptr ||
      !decision.checked->has_client_certificate) {
    return true;
  }
  const std::shared_ptr<const Encoded> encoded = Encode(decision.checked);
  const forwarding::Forwarded& forwarded = encoded->forwarded;
  for (const forwarding::Header& header : forwarded.headers) {
    if (!envoy_dynamic_module_callback_http_set_header(
            stream, abi::HeaderMap::kRequest, Buffer(header.name),
            Buffer(header.value))) {
      return false;
    }
  }
  if (forwarded.truncated) Count(stream, truncated_id_, {domain()});
  return true;
}

void AnswerForbidden(abi::HttpFilter* stream, absl::string_view reason) {
  const std::string details = absl::StrCat("sallyport_denied{", reason, "}");
  if (IsGrpc(stream)) {
    AnswerGrpc(stream, kForbidden, kGrpcPermissionDenied, "Forbidden", details);
    return;
  }
  std::array<abi::ModuleHeader, 2> headers = {
      Header("content-type", kJson),
      Header("x-amzn-errortype", "ForbiddenException")};
  envoy_dynamic_module_callback_http_send_response(
      stream, kForbidden, headers.data(), headers.size(),
      Buffer(kForbiddenBody), Buffer(details));
}

void Filter::AnswerMisdirected(abi::HttpFilter* stream) const {
  Count(stream, misdirected_id_, {domain()});
  if (IsGrpc(stream)) {
    AnswerGrpc(stream, kMisdirectedRequest, kGrpcUnknown, "Misdirected Request",
               kMisdirectedDetails);
    return;
  }
  abi::ModuleHeader type = Header("content-type", kJson);
  envoy_dynamic_module_callback_http_send_response(
      stream, kMisdirectedRequest, &type, 1, Buffer(kMisdirectedBody),
      Buffer(kMisdirectedDetails));
}

}  // namespace sallyport::mtls_http
