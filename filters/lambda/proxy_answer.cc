#include "filters/lambda/proxy_answer.h"

#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "filters/lambda/json.h"

namespace sallyport::lambda {
namespace {

using nlohmann::json;

constexpr absl::string_view kContentType = "content-type";
constexpr int kMinStatus = 200;
constexpr int kMaxStatus = 599;

absl::Status Wrong(absl::string_view what) {
  return absl::InvalidArgumentError(what);
}

// RFC 9110, 5.6.2.
bool IsToken(absl::string_view name) {
  for (const char c : name) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) &&
        !absl::StrContains("!#$%&'*+-.^_`|~", c)) {
      return false;
    }
  }
  return !name.empty();
}

// What is ours, or Envoy's, to say.
bool IsDropped(absl::string_view name) {
  return name == "connection" || name == "content-length" ||
         name == "keep-alive" || name == "proxy-connection" || name == "te" ||
         name == "trailer" || name == "transfer-encoding" || name == "upgrade";
}

bool IsValue(absl::string_view text) {
  for (const char c : text) {
    const unsigned char byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && byte != '\t') || byte == 0x7f) return false;
  }
  return true;
}

class Headers {
 public:
  absl::Status Add(absl::string_view name, const json& value) {
    if (!value.is_string() && !value.is_number() && !value.is_boolean()) {
      return Wrong("a header is no string, number or boolean");
    }
    if (!IsToken(name)) return Wrong("a header has a name that is none");
    const std::string text =
        value.is_string() ? value.get<std::string>() : WriteJson(value);
    if (!IsValue(text)) return Wrong("a header has a control character");
    bytes_ += name.size() + text.size();
    if (headers_.size() >= kMaxProxyHeaders || bytes_ > kMaxProxyHeaderBytes) {
      return absl::ResourceExhaustedError(
          absl::StrCat("the headers are more than ", kMaxProxyHeaders, ", or ",
                       kMaxProxyHeaderBytes, " bytes"));
    }
    std::string lower = absl::AsciiStrToLower(name);
    if (!IsDropped(lower)) {
      headers_.emplace_back(std::move(lower),
                            std::string(absl::StripAsciiWhitespace(text)));
    }
    return absl::OkStatus();
  }

  bool Has(absl::string_view name) const {
    for (const auto& [key, value] : headers_) {
      (void)value;
      if (absl::EqualsIgnoreCase(key, name)) return true;
    }
    return false;
  }

  NameValues Take() { return std::move(headers_); }

 private:
  NameValues headers_;
  size_t bytes_ = 0;
};

// A member that may be missing or null; null: it is.
const json* Member(const json& answer, const char* name) {
  const auto found = answer.find(name);
  return found == answer.end() || found->is_null() ? nullptr : &*found;
}

absl::Status ReadStatus(const json& value, int* status) {
  if (value.is_number_integer()) {
    const int64_t number = value.get<int64_t>();
    *status = number < kMinStatus || number > kMaxStatus
                  ? 0
                  : static_cast<int>(number);
  } else if (!value.is_string() ||
             !absl::SimpleAtoi(value.get<std::string>(), status)) {
    *status = 0;
  }
  if (*status >= kMinStatus && *status <= kMaxStatus) return absl::OkStatus();
  return Wrong("statusCode is none");
}

absl::Status ReadHeaders(const json& answer, PayloadFormat format,
                         Headers& headers) {
  if (format == PayloadFormat::k10) {
    if (const json* multi = Member(answer, "multiValueHeaders")) {
      if (!multi->is_object()) return Wrong("multiValueHeaders is no object");
      for (const auto& [name, values] : multi->items()) {
        if (!values.is_array()) return Wrong("multiValueHeaders has no list");
        for (const json& value : values) {
          SALLYPORT_RETURN_IF_ERROR(headers.Add(name, value));
        }
      }
    }
  }
  if (const json* single = Member(answer, "headers")) {
    if (!single->is_object()) return Wrong("headers is no object");
    // Of a name in both, the list counts.
    std::vector<std::pair<std::string, const json*>> more;
    for (const auto& [name, value] : single->items()) {
      if (!headers.Has(name)) more.emplace_back(name, &value);
    }
    for (const auto& [name, value] : more) {
      SALLYPORT_RETURN_IF_ERROR(headers.Add(name, *value));
    }
  }
  if (format == PayloadFormat::k20) {
    if (const json* cookies = Member(answer, "cookies")) {
      if (!cookies->is_array()) return Wrong("cookies is no list");
      for (const json& cookie : *cookies) {
        SALLYPORT_RETURN_IF_ERROR(headers.Add("set-cookie", cookie));
      }
    }
  }
  return absl::OkStatus();
}

absl::Status ReadBody(const json& answer, std::string* out) {
  const json* const body = Member(answer, "body");
  const json* const base64 = Member(answer, "isBase64Encoded");
  if (base64 != nullptr && !base64->is_boolean()) {
    return Wrong("isBase64Encoded is no boolean");
  }
  if (body == nullptr) return absl::OkStatus();
  if (!body->is_string()) return Wrong("body is no string");
  *out = body->get<std::string>();
  if (base64 != nullptr && base64->get<bool>()) {
    std::string decoded;
    if (!absl::Base64Unescape(*out, &decoded)) {
      return Wrong("body is not base64, and isBase64Encoded is true");
    }
    *out = std::move(decoded);
  }
  if (out->size() > kMaxProxyBodyBytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat("body has more than ", kMaxProxyBodyBytes, " bytes"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ProxyAnswer> ReadProxyAnswer(PayloadFormat format,
                                            absl::string_view body) {
  if (body.size() > kMaxProxyAnswerBytes) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "the answer has more than ", kMaxProxyAnswerBytes, " bytes"));
  }
  SALLYPORT_ASSIGN_OR_RETURN(const json value, ReadJson(body));
  ProxyAnswer answer;
  const bool has_status =
      value.is_object() && Member(value, "statusCode") != nullptr;
  if (format == PayloadFormat::k20 && !has_status) {
    answer.headers = {{std::string(kContentType), "application/json"}};
    answer.body =
        value.is_string() ? value.get<std::string>() : WriteJson(value);
    return answer;
  }
  if (!value.is_object()) return Wrong("the answer is no object");
  if (!has_status) return Wrong("statusCode is missing");
  SALLYPORT_RETURN_IF_ERROR(ReadStatus(value["statusCode"], &answer.status));
  Headers headers;
  SALLYPORT_RETURN_IF_ERROR(ReadHeaders(value, format, headers));
  SALLYPORT_RETURN_IF_ERROR(ReadBody(value, &answer.body));
  if (!headers.Has(kContentType) && !answer.body.empty()) {
    SALLYPORT_RETURN_IF_ERROR(
        headers.Add(kContentType, format == PayloadFormat::k10
                                      ? "application/json"
                                      : "text/plain;charset=UTF-8"));
  }
  answer.headers = headers.Take();
  return answer;
}

}  // namespace sallyport::lambda
