#include "sigv4/sigv4.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/text.h"
#include "pki/crypto/crypto.h"
#include "pki/crypto/hmac.h"

namespace sallyport::sigv4 {
namespace {

constexpr absl::string_view kS3 = "s3";
constexpr absl::string_view kTerminator = "aws4_request";

// Without spaces at the ends, and with one in place of several.
std::string Folded(absl::string_view value) {
  std::vector<absl::string_view> words =
      absl::StrSplit(value, absl::ByAnyChar(" \t"), absl::SkipEmpty());
  return absl::StrJoin(words, " ");
}

// By name in lower case; of headers that come twice the values, in order.
std::map<std::string, std::string> Headers(const Request& request) {
  std::map<std::string, std::string> headers;
  for (const auto& [name, value] : request.headers) {
    const std::string key = absl::AsciiStrToLower(name);
    const auto [at, is_new] = headers.emplace(key, Folded(value));
    if (!is_new) absl::StrAppend(&at->second, ",", Folded(value));
  }
  return headers;
}

}  // namespace

std::string PayloadSha256(absl::string_view payload) {
  pki::Sha256Hasher hasher;
  hasher.Update(payload);
  const std::array<uint8_t, 32> digest = hasher.Finish();
  return HexLower(absl::string_view(
      reinterpret_cast<const char*>(digest.data()), digest.size()));
}

std::string Scope::ToString() const {
  return absl::StrCat(date, "/", region, "/", service, "/", kTerminator);
}

std::string UriEncode(absl::string_view text, bool keep_slash) {
  std::string encoded;
  for (const char c : text) {
    if (absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' ||
        c == '.' || c == '_' || c == '~' || (c == '/' && keep_slash)) {
      encoded.push_back(c);
    } else {
      absl::StrAppend(&encoded, "%", HexUpper(absl::string_view(&c, 1)));
    }
  }
  return encoded;
}

std::string AmzDate(absl::Time time) {
  return absl::FormatTime("%Y%m%dT%H%M%SZ", time, absl::UTCTimeZone());
}

std::string SignedHeaders(const Request& request) {
  return absl::StrJoin(Headers(request), ";",
                       [](std::string* out, const auto& header) {
                         absl::StrAppend(out, header.first);
                       });
}

std::string CanonicalRequest(const Request& request,
                             absl::string_view service) {
  const std::string path = request.path.empty() ? "/"
                           : service == kS3
                               ? request.path
                               : UriEncode(request.path, /*keep_slash=*/true);
  std::vector<std::pair<std::string, std::string>> query;
  query.reserve(request.query.size());
  for (const auto& [name, value] : request.query) {
    query.emplace_back(UriEncode(name, false), UriEncode(value, false));
  }
  std::sort(query.begin(), query.end());
  std::string headers;
  for (const auto& [name, value] : Headers(request)) {
    absl::StrAppend(&headers, name, ":", value, "\n");
  }
  return absl::StrCat(request.method, "\n", path, "\n",
                      absl::StrJoin(query, "&", absl::PairFormatter("=")), "\n",
                      headers, "\n", SignedHeaders(request), "\n",
                      request.payload_sha256);
}

std::string Sign(const Secret& secret_access_key, absl::string_view amz_date,
                 const Scope& scope, absl::string_view canonical_request) {
  std::string start = absl::StrCat("AWS4", secret_access_key.Reveal());
  Secret key(std::move(start));
  for (const absl::string_view part :
       {absl::string_view(scope.date), absl::string_view(scope.region),
        absl::string_view(scope.service), kTerminator}) {
    key = pki::HmacSha256(key.Reveal(), part);
  }
  const std::string to_sign =
      absl::StrCat(kAlgorithm, "\n", amz_date, "\n", scope.ToString(), "\n",
                   PayloadSha256(canonical_request));
  return HexLower(pki::HmacSha256(key.Reveal(), to_sign).Reveal());
}

std::string Authorize(const Credentials& credentials, absl::string_view region,
                      absl::string_view service, absl::Time now,
                      Request& request) {
  const std::string date = AmzDate(now);
  request.headers.emplace_back("x-amz-date", date);
  if (service == kS3) {
    request.headers.emplace_back("x-amz-content-sha256",
                                 request.payload_sha256);
  }
  if (!credentials.session_token.empty()) {
    request.headers.emplace_back("x-amz-security-token",
                                 credentials.session_token);
  }
  const Scope scope{date.substr(0, 8), std::string(region),
                    std::string(service)};
  return absl::StrCat(kAlgorithm, " Credential=", credentials.access_key_id,
                      "/", scope.ToString(),
                      ", SignedHeaders=", SignedHeaders(request),
                      ", Signature=",
                      Sign(credentials.secret_access_key, date, scope,
                           CanonicalRequest(request, service)));
}

}  // namespace sallyport::sigv4
