#include "filters/lambda/context_headers.h"

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "filters/shim/buffers.h"
#include "settings/header_name.h"

namespace sallyport::lambda {
namespace {

using shim::Buffer;

constexpr absl::string_view kConnection = "connection";

std::string Folded(absl::string_view name) {
  std::string out;
  for (const char c : name) out.push_back(settings::FoldHeaderCharacter(c));
  return out;
}

// Printable, and as it is after HTTP trimmed it.
bool IsHeaderValue(absl::string_view text) {
  if (text.size() > kMaxContextValueBytes) return false;
  for (const char c : text) {
    if (!absl::ascii_isprint(static_cast<unsigned char>(c))) return false;
  }
  return absl::StripAsciiWhitespace(text) == text;
}

}  // namespace

absl::StatusOr<ContextHeaders> ContextHeaders::Create(
    const google::protobuf::RepeatedPtrField<
        filter::v1::Authorizer::ContextHeader>& config) {
  ContextHeaders out;
  if (config.size() > kMaxContextHeaders) {
    return absl::InvalidArgumentError(
        absl::StrCat("context_headers: are more than ", kMaxContextHeaders));
  }
  for (int i = 0; i < config.size(); ++i) {
    const std::string at = absl::StrCat("context_headers[", i, "]");
    if (config[i].key().empty()) {
      return absl::InvalidArgumentError(absl::StrCat(at, ".key: is missing"));
    }
    const absl::string_view problem =
        settings::RemovableHeaderProblem(config[i].header());
    if (!problem.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(at, ".header: ", problem));
    }
    const std::string header = absl::AsciiStrToLower(config[i].header());
    if (!out.folded_.insert(Folded(header)).second) {
      return absl::InvalidArgumentError(
          absl::StrCat(at, ".header: is there twice (but for case and '-')"));
    }
    out.headers_.emplace_back(config[i].key(), header);
  }
  return out;
}

bool ContextHeaders::IsOurs(absl::string_view name) const {
  return folded_.contains(Folded(name));
}

bool ContextHeaders::RemoveFrom(abi::HttpFilter* stream,
                                abi::HeaderMap map) const {
  if (folded_.empty()) return true;
  const size_t size =
      envoy_dynamic_module_callback_http_get_headers_size(stream, map);
  if (size == 0) return true;
  std::vector<abi::EnvoyHeader> headers(size);
  if (!envoy_dynamic_module_callback_http_get_headers(stream, map,
                                                      headers.data())) {
    return false;
  }
  // Removing one makes the views of the others unsafe.
  std::vector<std::string> names;
  std::vector<std::string> nominated;
  bool nominates = false;
  for (const abi::EnvoyHeader& header : headers) {
    const absl::string_view name(header.key_ptr, header.key_length);
    if (IsOurs(name)) names.emplace_back(name);
    if (name != kConnection) continue;
    // The next hop removes what it names (RFC 9110, 7.6.1): ours too.
    for (const absl::string_view token : absl::StrSplit(
             absl::string_view(header.value_ptr, header.value_length), ',')) {
      const absl::string_view nominee = absl::StripAsciiWhitespace(token);
      if (IsOurs(nominee)) {
        nominates = true;
      } else if (!nominee.empty()) {
        nominated.emplace_back(nominee);
      }
    }
  }
  for (const std::string& name : names) {
    if (!envoy_dynamic_module_callback_http_set_header(
            stream, map, Buffer(name), shim::kRemove)) {
      return false;
    }
  }
  if (!nominates) return true;
  const std::string rest = absl::StrJoin(nominated, ", ");
  return envoy_dynamic_module_callback_http_set_header(
      stream, map, Buffer(kConnection),
      nominated.empty() ? shim::kRemove : Buffer(rest));
}

absl::StatusOr<NameValues> ContextHeaders::Of(
    const AuthorizerAnswer& answer) const {
  NameValues out;
  for (const auto& [key, header] : headers_) {
    std::string value;
    const auto found = answer.context.find(key);
    if (found != answer.context.end()) {
      value = ContextText(*found);
    } else if (key == "principalId") {
      value = answer.principal_id;
    } else if (key == "usageIdentifierKey") {
      value = answer.usage_identifier_key;
    } else {
      continue;
    }
    if (value.empty()) continue;
    if (!IsHeaderValue(value)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "the value for ", header, " is not printable ASCII of at most ",
          kMaxContextValueBytes, " bytes"));
    }
    out.emplace_back(header, std::move(value));
  }
  return out;
}

}  // namespace sallyport::lambda
