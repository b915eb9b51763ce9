#include <curl/curl.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "config_service/objects/readers.h"
#include "sigv4/sigv4.h"

namespace sallyport::objects {
namespace {

// SHA-256 of no bytes: what a GET sends.
constexpr absl::string_view kNoPayload =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
// Of an answer that is an error.
constexpr size_t kMaxErrorBytes = size_t{16} << 10;
constexpr absl::Duration kMaxBackoff = absl::Seconds(10);

// Where an object is asked for.
struct Place {
  bool tls = true;
  std::string authority;  // host, and ":PORT" where it is not the default
  std::string path;       // percent-encoded
};

// The parts of S3Options::endpoint; authority "" when it is none.
Place ParseEndpoint(absl::string_view endpoint) {
  Place place;
  if (absl::ConsumePrefix(&endpoint, "http://")) {
    place.tls = false;
  } else if (!absl::ConsumePrefix(&endpoint, "https://")) {
    return Place();
  }
  absl::ConsumeSuffix(&endpoint, "/");
  const bool good =
      !endpoint.empty() && endpoint.size() <= 300 &&
      std::all_of(endpoint.begin(), endpoint.end(), [](char c) {
        return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
               absl::StrContains(".-:[]", absl::string_view(&c, 1));
      });
  if (good) place.authority = absl::AsciiStrToLower(endpoint);
  return place;
}

bool IsAddress(absl::string_view authority) {
  if (absl::StartsWith(authority, "[")) return true;
  const absl::string_view host = authority.substr(0, authority.find(':'));
  return std::all_of(host.begin(), host.end(), [](char c) {
    return absl::ascii_isdigit(static_cast<unsigned char>(c)) || c == '.';
  });
}

Place PlaceOf(const S3Options& options, const domain::SourceUri& uri) {
  Place place;
  if (options.endpoint.empty()) {
    place.authority = absl::StrCat("s3.", options.region,
                                   absl::StartsWith(options.region, "cn-")
                                       ? ".amazonaws.com.cn"
                                       : ".amazonaws.com");
  } else {
    place = ParseEndpoint(options.endpoint);
  }
  const std::string key = sigv4::UriEncode(uri.key, /*keep_slash=*/true);
  if (options.path_style || IsAddress(place.authority) ||
      absl::StrContains(uri.bucket, ".")) {
    place.path = absl::StrCat("/", uri.bucket, "/", key);
  } else {
    place.authority = absl::StrCat(uri.bucket, ".", place.authority);
    place.path = absl::StrCat("/", key);
  }
  return place;
}

struct Answer {
  long status = 0;  // NOLINT(runtime/int): curl's type
  std::string body;
  std::string etag;
  std::string version;
  std::string region;
  size_t limit = 0;
  bool too_large = false;
};

size_t OnHeader(char* data, size_t size, size_t count, void* user) {
  auto& answer = *static_cast<Answer*>(user);
  const absl::string_view line(data, size * count);
  if (absl::StartsWith(line, "HTTP/")) {
    // Another answer begins (after 100).
    const std::vector<absl::string_view> words =
        absl::StrSplit(line, absl::MaxSplits(' ', 2));
    int status = 0;
    if (words.size() < 2 || !absl::SimpleAtoi(words[1], &status)) return 0;
    answer.status = status;
    answer.etag.clear();
    answer.version.clear();
    return size * count;
  }
  const std::pair<absl::string_view, absl::string_view> header =
      absl::StrSplit(line, absl::MaxSplits(':', 1));
  const std::string name = absl::AsciiStrToLower(header.first);
  const absl::string_view value = absl::StripAsciiWhitespace(header.second);
  if (name == "etag") answer.etag = Printable(value, 200);
  if (name == "x-amz-version-id") answer.version = Printable(value, 1024);
  if (name == "x-amz-bucket-region") answer.region = Printable(value, 64);
  uint64_t length = 0;
  if (name == "content-length" && answer.status == 200 &&
      absl::SimpleAtoi(value, &length) && length > answer.limit) {
    answer.too_large = true;
    return 0;  // ends the transfer
  }
  return size * count;
}

size_t OnBody(char* data, size_t size, size_t count, void* user) {
  auto& answer = *static_cast<Answer*>(user);
  const size_t length = size * count;
  if (answer.status != 200) {
    answer.body.append(
        data, std::min(length, kMaxErrorBytes - std::min(kMaxErrorBytes,
                                                         answer.body.size())));
    return length;
  }
  if (length > answer.limit - answer.body.size()) {
    answer.too_large = true;
    return 0;
  }
  answer.body.append(data, length);
  return length;
}

// Called about once a second, also when nothing comes. Not 0: ends the
// transfer.
int OnProgress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return *static_cast<const std::atomic<bool>*>(user) ? 1 : 0;
}

struct Headers {
  ~Headers() { curl_slist_free_all(list); }
  void Add(const std::string& line) {
    list = curl_slist_append(list, line.c_str());
  }
  curl_slist* list = nullptr;
};

void InitCurl() {
  static const CURLcode done = curl_global_init(CURL_GLOBAL_DEFAULT);
  (void)done;
}

// One attempt. Unavailable: try again.
absl::StatusOr<Answer> Get(const S3Options& options, const Place& place,
                           const ReadRequest& request, absl::Time now,
                           absl::Duration timeout,
                           const std::atomic<bool>& cancelled) {
  InitCurl();
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(
      curl_easy_init(), curl_easy_cleanup);
  if (curl == nullptr) return absl::ResourceExhaustedError("no memory");
  sigv4::Request signed_request;
  signed_request.method = "GET";
  signed_request.path = place.path;
  signed_request.headers = {{"host", place.authority}};
  signed_request.payload_sha256 = std::string(kNoPayload);
  std::string url = absl::StrCat(place.tls ? "https://" : "http://",
                                 place.authority, place.path);
  if (!request.version.empty()) {
    signed_request.query = {{"versionId", request.version}};
    absl::StrAppend(&url, "?versionId=",
                    sigv4::UriEncode(request.version, /*keep_slash=*/false));
  }
  Headers headers;
  if (!options.access_key_id.empty()) {
    sigv4::Credentials credentials;
    credentials.access_key_id = options.access_key_id;
    credentials.secret_access_key = options.secret_access_key.Clone();
    credentials.session_token = std::string(options.session_token.Reveal());
    const std::string authorization = sigv4::Authorize(
        credentials, options.region, "s3", now, signed_request);
    WipeString(credentials.session_token);
    headers.Add(absl::StrCat("authorization: ", authorization));
  }
  for (const auto& [name, value] : signed_request.headers) {
    headers.Add(absl::StrCat(name, ": ", value));
  }
  if (!request.known_etag.empty()) {
    headers.Add(absl::StrCat("if-none-match: ", request.known_etag));
  }
  Answer answer;
  answer.limit = request.max_bytes;
  CURL* const c = curl.get();
  curl_easy_setopt(c, CURLOPT_URL, url.c_str());
  curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers.list);
  curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, place.tls ? "https" : "http");
  curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS,
                   static_cast<long>(  // NOLINT(runtime/int)
                       absl::ToInt64Milliseconds(options.connect_timeout)));
  curl_easy_setopt(
      c, CURLOPT_TIMEOUT_MS,
      static_cast<long>(  // NOLINT(runtime/int)
          std::max<int64_t>(1, absl::ToInt64Milliseconds(timeout))));
  curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT,
                   static_cast<long>(  // NOLINT(runtime/int)
                       options.slowest_bytes_per_second));
  curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME,
                   static_cast<long>(  // NOLINT(runtime/int)
                       absl::ToInt64Seconds(options.slow_for)));
  curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, &OnProgress);
  curl_easy_setopt(c, CURLOPT_XFERINFODATA, &cancelled);
  curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, &OnHeader);
  curl_easy_setopt(c, CURLOPT_HEADERDATA, &answer);
  curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, &OnBody);
  curl_easy_setopt(c, CURLOPT_WRITEDATA, &answer);
  const CURLcode code = curl_easy_perform(c);
  if (answer.too_large) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the object is larger than the limit of ",
                     request.max_bytes, " bytes"));
  }
  if (code != CURLE_OK) {
    return absl::UnavailableError(absl::StrCat("S3 at ", place.authority, ": ",
                                               curl_easy_strerror(code)));
  }
  return answer;
}

// What an answer other than 200 and 304 means.
absl::Status ErrorOf(const S3Options& options, const Answer& answer) {
  const std::string code = S3ErrorCode(answer.body);
  const auto said = [&](absl::string_view what) {
    return absl::StrCat(what, " (S3 answers ", answer.status,
                        code.empty() ? "" : " ", code, ")");
  };
  if (code == "NoSuchBucket") {
    return absl::NotFoundError(said("there is no such bucket"));
  }
  if (code == "NoSuchVersion") {
    return absl::NotFoundError(said("the object has no such version"));
  }
  if (code == "PermanentRedirect" || answer.status == 301 ||
      answer.status == 307 || code == "AuthorizationHeaderMalformed") {
    return absl::FailedPreconditionError(said(absl::StrCat(
        "the bucket is in another region",
        answer.region.empty() ? "" : absl::StrCat(", ", answer.region),
        "; the service is configured for ", options.region)));
  }
  if (code == "InvalidAccessKeyId" || code == "SignatureDoesNotMatch" ||
      code == "ExpiredToken" || code == "InvalidToken") {
    return absl::FailedPreconditionError(
        said("the service's S3 credentials are not valid"));
  }
  if (code == "RequestTimeTooSkewed") {
    return absl::FailedPreconditionError(said("the service's clock is wrong"));
  }
  if (answer.status == 403) {
    return absl::PermissionDeniedError(
        said(options.access_key_id.empty()
                 ? "access is denied, and the service has no S3 credentials"
                 : "access is denied; the service needs s3:GetObject, and "
                   "s3:GetObjectVersion for a version (without s3:ListBucket a "
                   "missing object looks like this too)"));
  }
  if (answer.status == 404) {
    return absl::NotFoundError(said("there is no such object"));
  }
  if (answer.status == 405) {
    return absl::NotFoundError(said("that version is a delete marker"));
  }
  if (answer.status == 400) {
    return absl::InvalidArgumentError(
        said("S3 does not take the request; is the version right?"));
  }
  return absl::UnavailableError(said("S3 did not give the object"));
}

}  // namespace

std::string S3ErrorCode(absl::string_view body) {
  constexpr absl::string_view kOpen = "<Code>";
  const size_t begin = body.find(kOpen);
  if (begin == absl::string_view::npos) return "";
  body.remove_prefix(begin + kOpen.size());
  const size_t end = body.find('<');
  if (end == absl::string_view::npos || end > 100) return "";
  return Printable(body.substr(0, end));
}

absl::Status CheckS3Options(const S3Options& options) {
  if (!options.endpoint.empty() &&
      ParseEndpoint(options.endpoint).authority.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the S3 endpoint \"", Printable(options.endpoint, 200),
        "\" is no https://HOST or https://HOST:PORT (or http://)"));
  }
  for (const char c : options.region) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '-') {
      return absl::InvalidArgumentError(
          "the S3 region is not of [a-z0-9-], such as eu-central-1");
    }
  }
  if (options.access_key_id.empty() != options.secret_access_key.empty()) {
    return absl::InvalidArgumentError(
        "of the S3 credentials, one of access key id and secret access key is "
        "missing");
  }
  if (options.attempts < 1 || options.attempts > 10) {
    return absl::InvalidArgumentError("attempts at S3: 1 to 10");
  }
  return absl::OkStatus();
}

absl::StatusOr<Object> ReadS3Object(const S3Options& options,
                                    const Clock& clock,
                                    const domain::SourceUri& uri,
                                    const ReadRequest& request,
                                    const std::atomic<bool>& cancelled) {
  if (options.region.empty()) {
    return absl::FailedPreconditionError(
        "the service has no S3 region; set AWS_REGION where it runs");
  }
  const Place place = PlaceOf(options, uri);
  // The machine's time, whatever `clock` says.
  const absl::Time deadline = absl::Now() + options.timeout;
  absl::Duration wait = options.backoff;
  for (int attempt = 1;; ++attempt) {
    const absl::StatusOr<Answer> answer =
        Get(options, place, request, clock.Now(), deadline - absl::Now(),
            cancelled);
    if (cancelled) return absl::CancelledError("the service stops");
    absl::Status error = answer.status();
    if (answer.ok()) {
      if (answer->status == 200 || answer->status == 304) {
        Object object;
        object.unchanged = answer->status == 304;
        object.content = object.unchanged ? "" : answer->body;
        object.etag = object.unchanged ? request.known_etag : answer->etag;
        object.version = answer->version;
        return object;
      }
      error = ErrorOf(options, *answer);
    }
    if (!absl::IsUnavailable(error) || attempt == options.attempts ||
        absl::Now() + wait >= deadline) {
      return error;
    }
    absl::SleepFor(wait);
    wait = std::min(2 * wait, kMaxBackoff);
  }
}

}  // namespace sallyport::objects
