// Signature Version 4: how requests to AWS's APIs are signed. Source: AWS IAM
// User Guide, "AWS Signature Version 4 for API requests"; for S3 the "Amazon S3
// API Reference, Authenticating Requests".

#ifndef SALLYPORT_SIGV4_SIGV4_H_
#define SALLYPORT_SIGV4_SIGV4_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/secret.h"

namespace sallyport::sigv4 {

inline constexpr absl::string_view kAlgorithm = "AWS4-HMAC-SHA256";
// The payload's digest where the payload is not signed.
inline constexpr absl::string_view kUnsignedPayload = "UNSIGNED-PAYLOAD";

struct Credentials {
  std::string access_key_id;
  Secret secret_access_key;
  std::string session_token;  // empty: none
};

// What is signed.
struct Request {
  std::string method;  // upper case
  // Percent-encoded, as sent; "" is "/".
  std::string path;
  // Not encoded. In any order; names may come twice.
  std::vector<std::pair<std::string, std::string>> query;
  // Those that are signed, "host" among them; names in any case.
  std::vector<std::pair<std::string, std::string>> headers;
  // SHA-256 of the payload, lower-case hexadecimal, or kUnsignedPayload.
  std::string payload_sha256;
};

// The credential scope: "20150830/us-east-1/s3/aws4_request".
struct Scope {
  std::string date;  // YYYYMMDD, UTC
  std::string region;
  std::string service;

  std::string ToString() const;
};

// Every byte but [A-Za-z0-9-._~] as %XX; '/' stays when `keep_slash`.
std::string UriEncode(absl::string_view text, bool keep_slash);

// "20150830T123600Z": the form of x-amz-date, and its first eight characters.
std::string AmzDate(absl::Time time);

// Of a payload, as Request::payload_sha256 has it.
std::string PayloadSha256(absl::string_view payload);

// "host;x-amz-date": names of the signed headers, in order.
std::string SignedHeaders(const Request& request);

// The canonical request. Each segment of the path is encoded once more for
// every service but S3.
std::string CanonicalRequest(const Request& request, absl::string_view service);

// The signature, lower-case hexadecimal. `amz_date` is AmzDate() of the time of
// the request, which the scope's date begins.
std::string Sign(const Secret& secret_access_key, absl::string_view amz_date,
                 const Scope& scope, absl::string_view canonical_request);

// Adds "x-amz-date" (and "x-amz-security-token", for S3
// "x-amz-content-sha256") to the headers of `request`, and returns the value of
// "authorization".
std::string Authorize(const Credentials& credentials, absl::string_view region,
                      absl::string_view service, absl::Time now,
                      Request& request);

}  // namespace sallyport::sigv4

#endif  // SALLYPORT_SIGV4_SIGV4_H_
