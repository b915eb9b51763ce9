#include "config_service/test_invoke/node_call.h"

#include <curl/curl.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "base/text.h"

namespace sallyport::test_invoke {
namespace {

using service::HttpHeader;
using service::NodeAnswer;

// Of all lines that are no body, interim answers and trailers included: libcurl
// keeps what it is given of them, and bounds no trailers.
constexpr size_t kMaxLineBytes = size_t{1} << 20;

struct Taken {
  NodeAnswer* answer = nullptr;
  size_t header_bytes = 0;
  size_t line_bytes = 0;
  const std::function<bool()>* cancelled = nullptr;
};

struct Lines {
  ~Lines() { curl_slist_free_all(list); }
  void Add(const std::string& line) {
    list = curl_slist_append(list, line.c_str());
  }
  curl_slist* list = nullptr;
};

size_t OnHeader(char* data, size_t size, size_t count, void* user) {
  auto& taken = *static_cast<Taken*>(user);
  NodeAnswer& answer = *taken.answer;
  const absl::string_view line(data, size * count);
  taken.line_bytes += line.size();
  if (taken.line_bytes > kMaxLineBytes) {
    answer.headers_truncated = true;
    return 0;  // ends the transfer
  }
  if (absl::StartsWith(line, "HTTP/")) {
    // Another answer begins (after 100).
    const std::vector<absl::string_view> words =
        absl::StrSplit(line, absl::MaxSplits(' ', 2));
    int status = 0;
    if (words.size() < 2 || !absl::SimpleAtoi(words[1], &status)) return 0;
    answer.status = status;
    answer.headers.clear();
    taken.header_bytes = 0;
    return size * count;
  }
  const size_t colon = line.find(':');
  if (colon == absl::string_view::npos) return size * count;
  HttpHeader header;
  header.name = absl::AsciiStrToLower(line.substr(0, colon));
  header.value =
      std::string(absl::StripAsciiWhitespace(line.substr(colon + 1)));
  taken.header_bytes += header.name.size() + header.value.size();
  if (taken.header_bytes > service::kMaxTestAnswerHeaderBytes) {
    answer.headers_truncated = true;
  } else {
    answer.headers.push_back(std::move(header));
  }
  return size * count;
}

size_t OnBody(char* data, size_t size, size_t count, void* user) {
  NodeAnswer& answer = *static_cast<Taken*>(user)->answer;
  const size_t length = size * count;
  const size_t room = service::kMaxTestAnswerBytes - answer.body.size();
  answer.body.append(data, std::min(length, room));
  if (length <= room) return length;
  answer.body_truncated = true;
  return 0;  // ends the transfer
}

int OnProgress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return (*static_cast<Taken*>(user)->cancelled)() ? 1 : 0;
}

curl_blob BlobOf(absl::string_view text) {
  curl_blob blob;
  // Only read.
  blob.data = const_cast<char*>(text.data());  // NOLINT(*-const-cast)
  blob.len = text.size();
  blob.flags = CURL_BLOB_COPY;
  return blob;
}

void InitCurl() {
  static const CURLcode done = curl_global_init(CURL_GLOBAL_DEFAULT);
  (void)done;
}

long Milliseconds(absl::Duration duration) {  // NOLINT(runtime/int)
  return std::max<long>(  // NOLINT(runtime/int): curl's type
      1,
      static_cast<long>(  // NOLINT(runtime/int)
          absl::ToInt64Milliseconds(duration)));
}

void AddHeaders(const service::NodeInvocation& request, Lines& lines) {
  bool has_accept = false;
  bool has_type = false;
  bool has_agent = false;
  for (const HttpHeader& header : request.headers) {
    const std::string name = absl::AsciiStrToLower(header.name);
    has_accept = has_accept || name == "accept";
    has_type = has_type || name == "content-type";
    has_agent = has_agent || name == "user-agent";
    // What has no value is written with ';', or it would be left out.
    lines.Add(header.value.empty()
                  ? absl::StrCat(header.name, ";")
                  : absl::StrCat(header.name, ": ", header.value));
  }
  // What curl would add.
  if (!has_accept) lines.Add("Accept:");
  if (!has_type) lines.Add("Content-Type:");
  if (!has_agent) lines.Add("User-Agent:");
  lines.Add("Expect:");
}

}  // namespace

NodeCallResult CallNode(const NodeCall& call) {
  InitCurl();
  NodeCallResult result;
  NodeAnswer& answer = result.answer;
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(
      curl_easy_init(), curl_easy_cleanup);
  if (curl == nullptr) {
    answer.failure = "no memory";
    return result;
  }
  CURL* const c = curl.get();
  const service::NodeInvocation& request = *call.request;
  Taken taken;
  taken.answer = &answer;
  taken.cancelled = &call.cancelled;
  Lines headers;
  AddHeaders(request, headers);
  Lines connect_to;
  connect_to.Add(absl::StrCat(call.domain, ":443:", call.address));

  curl_easy_setopt(c, CURLOPT_URL,
                   absl::StrCat("https://", call.domain, request.path).c_str());
  curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(c, CURLOPT_CONNECT_TO, connect_to.list);
  curl_easy_setopt(c, CURLOPT_PROXY, "");
  curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "https");
  curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(c, CURLOPT_FRESH_CONNECT, 1L);
  curl_easy_setopt(c, CURLOPT_FORBID_REUSE, 1L);
  curl_easy_setopt(c, CURLOPT_HTTP_VERSION,
                   static_cast<long>(  // NOLINT(runtime/int)
                       CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS,
                   Milliseconds(call.connect_timeout));
  curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, Milliseconds(call.timeout));

  // The one certificate, and no other CA of the system's.
  curl_blob ca = BlobOf(call.node_certificate_pem);
  curl_blob certificate = BlobOf(call.client_certificate_pem);
  curl_blob key = BlobOf(call.client_key_pem->Reveal());
  const std::string pin = absl::StrCat("sha256//", call.node_key_sha256_base64);
  bool set = true;
  const auto must = [&set](CURLcode code) { set = set && code == CURLE_OK; };
  must(curl_easy_setopt(c, CURLOPT_SSLVERSION,
                        static_cast<long>(  // NOLINT(runtime/int)
                            CURL_SSLVERSION_TLSv1_3)));
  must(curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L));
  must(curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L));
  must(curl_easy_setopt(c, CURLOPT_CAPATH, nullptr));
  must(curl_easy_setopt(c, CURLOPT_CAINFO_BLOB, &ca));
  must(curl_easy_setopt(c, CURLOPT_PINNEDPUBLICKEY, pin.c_str()));
  must(curl_easy_setopt(c, CURLOPT_SSLCERTTYPE, "PEM"));
  must(curl_easy_setopt(c, CURLOPT_SSLCERT_BLOB, &certificate));
  must(curl_easy_setopt(c, CURLOPT_SSLKEYTYPE, "PEM"));
  must(curl_easy_setopt(c, CURLOPT_SSLKEY_BLOB, &key));
  must(curl_easy_setopt(c, CURLOPT_SSL_SESSIONID_CACHE, 0L));
  if (!set) {
    answer.failure = "this libcurl cannot verify the node";
    return result;
  }

  const bool has_body = !request.body.empty() || request.method == "POST" ||
                        request.method == "PUT" || request.method == "PATCH";
  if (has_body) {
    curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(c, CURLOPT_POSTFIELDS, request.body.data());
  }
  if (request.method == "HEAD") curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
  curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers.list);
  curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, OnHeader);
  curl_easy_setopt(c, CURLOPT_HEADERDATA, &taken);
  curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, OnBody);
  curl_easy_setopt(c, CURLOPT_WRITEDATA, &taken);
  curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, OnProgress);
  curl_easy_setopt(c, CURLOPT_XFERINFODATA, &taken);
  char why[CURL_ERROR_SIZE] = "";
  curl_easy_setopt(c, CURLOPT_ERRORBUFFER, why);

  const CURLcode code = curl_easy_perform(c);
  curl_off_t before = 0;
  curl_off_t total = 0;
  curl_easy_getinfo(c, CURLINFO_PRETRANSFER_TIME_T, &before);
  curl_easy_getinfo(c, CURLINFO_TOTAL_TIME_T, &total);
  result.sent = before > 0;
  result.another_node = code == CURLE_PEER_FAILED_VERIFICATION ||
                        code == CURLE_SSL_PINNEDPUBKEYNOTMATCH;
  answer.latency = absl::Microseconds(std::max<int64_t>(0, total - before));
  const bool cut_off = code == CURLE_WRITE_ERROR &&
                       (answer.body_truncated || answer.headers_truncated);
  if (code == CURLE_OK || cut_off) return result;
  answer.failure =
      code == CURLE_ABORTED_BY_CALLBACK
          ? "the call was given up"
          : Printable(why[0] != '\0' ? why : curl_easy_strerror(code), 512);
  if (answer.status != 0 && result.sent) {
    // A part of it came.
    answer.failure = absl::StrCat("the answer broke off: ", answer.failure);
  }
  return result;
}

}  // namespace sallyport::test_invoke
