#include "config_service/aws/signature.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "config_service/aws/errors.h"
#include "config_service/aws/limits.h"
#include "pki/crypto/crypto.h"
#include "pki/crypto/hmac.h"
#include "sigv4/sigv4.h"

namespace sallyport::aws {
namespace {

constexpr int kForbidden = 403;
constexpr absl::string_view kTerminator = "aws4_request";
constexpr absl::string_view kAmzPrefix = "x-amz-";
constexpr absl::string_view kAmzDate = "x-amz-date";
constexpr absl::string_view kAmzContent = "x-amz-content-sha256";
constexpr absl::string_view kAmzToken = "x-amz-security-token";
constexpr absl::string_view kAuthorization = "authorization";
constexpr size_t kScopeParts = 5;
constexpr size_t kDateLength = 8;
constexpr size_t kHexDigestLength = 64;

absl::Status Incomplete(absl::string_view why) {
  return MakeError(kForbidden, "IncompleteSignatureException", why);
}
absl::Status Invalid(absl::string_view why) {
  return MakeError(kForbidden, "InvalidSignatureException", why);
}

// Values of the header, in order.
std::vector<absl::string_view> ValuesOf(const HttpRequest& request,
                                        absl::string_view name) {
  std::vector<absl::string_view> out;
  for (const auto& [key, value] : request.headers) {
    if (absl::EqualsIgnoreCase(key, name)) out.push_back(value);
  }
  return out;
}

bool HasParameter(const Target& target, absl::string_view name) {
  return std::any_of(target.query.begin(), target.query.end(),
                     [&](const auto& parameter) {
                       return absl::EqualsIgnoreCase(parameter.first, name);
                     });
}

bool IsHexDigest(absl::string_view text) {
  return text.size() == kHexDigestLength &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

// The value of the Authorization header, read.
struct Claim {
  std::string access_key_id;
  sigv4::Scope scope;
  std::vector<std::string> signed_headers;
  std::string signature;
};

absl::StatusOr<Claim> ReadClaim(absl::string_view value) {
  const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(
      absl::StripAsciiWhitespace(value), absl::MaxSplits(' ', 1));
  if (parts.first != sigv4::kAlgorithm) {
    return Incomplete(
        absl::StrCat("the Authorization header does not begin "
                     "with ",
                     sigv4::kAlgorithm, ", which is the only way to sign"));
  }
  Claim out;
  std::string credential;
  std::string headers;
  for (absl::string_view field : absl::StrSplit(parts.second, ',')) {
    field = absl::StripAsciiWhitespace(field);
    std::string* to = nullptr;
    if (absl::ConsumePrefix(&field, "Credential=")) {
      to = &credential;
    } else if (absl::ConsumePrefix(&field, "SignedHeaders=")) {
      to = &headers;
    } else if (absl::ConsumePrefix(&field, "Signature=")) {
      to = &out.signature;
    }
    if (to == nullptr || !to->empty()) {
      return Incomplete(
          "the Authorization header needs Credential, SignedHeaders and "
          "Signature, once each, and nothing else");
    }
    *to = std::string(field);
  }
  const std::vector<std::string> scope = absl::StrSplit(credential, '/');
  if (scope.size() != kScopeParts || scope[4] != kTerminator) {
    return Incomplete(
        "Credential is not KEYID/YYYYMMDD/REGION/SERVICE/aws4_request");
  }
  out.access_key_id = scope[0];
  out.scope = {scope[1], scope[2], scope[3]};
  out.signed_headers = absl::StrSplit(headers, ';', absl::SkipEmpty());
  if (out.signed_headers.empty()) return Incomplete("SignedHeaders is empty");
  if (out.signed_headers.size() > kMaxSignedHeaders) {
    return Incomplete(
        absl::StrCat("SignedHeaders names more than ", kMaxSignedHeaders));
  }
  if (!IsHexDigest(out.signature)) {
    return Incomplete("Signature is not 64 hexadecimal digits");
  }
  return out;
}

absl::Status RefuseOtherWays(const HttpRequest& request, const Target& target) {
  for (absl::string_view name :
       {"X-Amz-Signature", "X-Amz-Algorithm", "X-Amz-Credential"}) {
    if (HasParameter(target, name)) {
      return Incomplete(
          "requests that are signed in their URL are not accepted; sign with "
          "an Authorization header");
    }
  }
  if (!ValuesOf(request, kAmzToken).empty() ||
      HasParameter(target, kAmzToken)) {
    return MakeError(kForbidden, "UnrecognizedClientException",
                     "session tokens are not accepted: there is nobody who "
                     "gives them out; use an access key of this service "
                     "(sallyportctl access-key create)");
  }
  return absl::OkStatus();
}

// The one value of a header that must be there once.
absl::StatusOr<std::string> OneValue(const HttpRequest& request,
                                     absl::string_view name) {
  const std::vector<absl::string_view> values = ValuesOf(request, name);
  if (values.size() != 1 || values.front().empty()) {
    return Incomplete(
        absl::StrCat("the header ", name, " must be there, once"));
  }
  return std::string(values.front());
}

absl::Status CheckTime(absl::string_view amz_date, const sigv4::Scope& scope,
                       absl::Time now) {
  absl::Time time;
  std::string problem;
  if (!absl::ParseTime("%E4Y%m%dT%H%M%SZ", amz_date, &time, &problem) ||
      sigv4::AmzDate(time) != amz_date) {
    return Incomplete("x-amz-date is not YYYYMMDD'T'HHMMSS'Z'");
  }
  if (amz_date.substr(0, kDateLength) != scope.date) {
    return Invalid(
        "the date in Credential is not the one that x-amz-date begins with");
  }
  if (time < now - kMaxClockSkew) {
    return Invalid(
        absl::StrCat("Signature expired: ", amz_date, " is now earlier than ",
                     sigv4::AmzDate(now - kMaxClockSkew), "; set the clock"));
  }
  if (time > now + kMaxClockSkew) {
    return Invalid(absl::StrCat(
        "Signature not yet current: ", amz_date, " is still later than ",
        sigv4::AmzDate(now + kMaxClockSkew), "; set the clock"));
  }
  return absl::OkStatus();
}

// That the header of the payload's digest, where there is one, is the
// payload's.
absl::Status CheckContent(const HttpRequest& request,
                          absl::string_view payload_sha256) {
  for (absl::string_view value : ValuesOf(request, kAmzContent)) {
    if (value == payload_sha256) continue;
    if (!IsHexDigest(value)) {
      return Invalid(
          "x-amz-content-sha256 is not the SHA-256 of the body; payloads that "
          "are not signed, or signed in pieces, are not accepted");
    }
    return Invalid("x-amz-content-sha256 does not match the body");
  }
  return absl::OkStatus();
}

// The request as it was signed; errors where something is not signed that must
// be, or said to be and is not there.
absl::StatusOr<sigv4::Request> SignedPart(const HttpRequest& request,
                                          const Target& target,
                                          const Claim& claim) {
  sigv4::Request out;
  out.method = request.method;
  out.path = target.path;
  out.query = target.query;
  out.payload_sha256 = sigv4::PayloadSha256(request.body);
  std::set<std::string> names;
  for (const std::string& name : claim.signed_headers) {
    if (name != absl::AsciiStrToLower(name) || !names.insert(name).second) {
      return Incomplete(
          "SignedHeaders is not a list of different names in "
          "lower case");
    }
    const std::vector<absl::string_view> values = ValuesOf(request, name);
    if (values.empty()) {
      return Incomplete(absl::StrCat("SignedHeaders names ",
                                     Printable(name, 100),
                                     ", which the request does not have"));
    }
    for (absl::string_view value : values) {
      out.headers.emplace_back(name, std::string(value));
    }
  }
  if (names.count("host") == 0) {
    return Incomplete("the header Host is not signed");
  }
  for (const auto& [key, value] : request.headers) {
    const std::string name = absl::AsciiStrToLower(key);
    if (absl::StartsWith(name, kAmzPrefix) && names.count(name) == 0) {
      return Incomplete(
          absl::StrCat("the header ", Printable(name, 100), " is not signed"));
    }
  }
  return out;
}

}  // namespace

bool IsSigned(const HttpRequest& request, const Target& target) {
  return !ValuesOf(request, kAuthorization).empty() ||
         !ValuesOf(request, kAmzToken).empty() ||
         HasParameter(target, "X-Amz-Signature") ||
         HasParameter(target, "X-Amz-Credential");
}

absl::StatusOr<Signer> VerifySignature(const HttpRequest& request,
                                       const Target& target,
                                       absl::string_view signing_name,
                                       absl::Time now, const FindKey& find) {
  SALLYPORT_RETURN_IF_ERROR(RefuseOtherWays(request, target));
  const std::vector<absl::string_view> authorization =
      ValuesOf(request, kAuthorization);
  if (authorization.empty()) {
    return MakeError(kForbidden, "MissingAuthenticationTokenException",
                     "Missing Authentication Token: the request is not signed");
  }
  if (authorization.size() > 1) {
    return Incomplete("there are several Authorization headers");
  }
  SALLYPORT_ASSIGN_OR_RETURN(const Claim claim,
                             ReadClaim(authorization.front()));
  // One of each, so that what is signed is what is acted upon.
  SALLYPORT_RETURN_IF_ERROR(OneValue(request, "host").status());
  SALLYPORT_ASSIGN_OR_RETURN(const std::string amz_date,
                             OneValue(request, kAmzDate));
  SALLYPORT_RETURN_IF_ERROR(CheckTime(amz_date, claim.scope, now));
  SALLYPORT_ASSIGN_OR_RETURN(const sigv4::Request signed_part,
                             SignedPart(request, target, claim));
  SALLYPORT_RETURN_IF_ERROR(CheckContent(request, signed_part.payload_sha256));
  SALLYPORT_ASSIGN_OR_RETURN(
      const std::optional<service::AccessKeys::Known> known,
      find(claim.access_key_id));
  if (!known.has_value()) {
    return MakeError(kForbidden, "UnrecognizedClientException",
                     "The security token included in the request is invalid: "
                     "no access key has this id (sallyportctl access-key "
                     "create makes one)");
  }
  const std::string expected =
      sigv4::Sign(known->secret, amz_date, claim.scope,
                  sigv4::CanonicalRequest(signed_part, claim.scope.service));
  if (!pki::SecretsEqual(expected, claim.signature)) {
    return Invalid(
        "The request signature we calculated does not match the signature you "
        "provided. Check the secret access key, and that nothing between "
        "changes the request (Host and path above all).");
  }
  // Only who holds the key learns more.
  if (claim.scope.service != signing_name) {
    return Invalid(
        absl::StrCat("Credential should be scoped to correct service: '",
                     signing_name, "'."));
  }
  Signer out;
  out.principal = known->principal;
  out.role = known->role;
  out.access_key_id = claim.access_key_id;
  return out;
}

}  // namespace sallyport::aws
