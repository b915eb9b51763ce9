#include "filters/cert_validator/request_record.h"

#include <atomic>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace sallyport::cert_validator {
namespace {

constexpr absl::string_view kMagic = "SPR1";
constexpr size_t kMaxDomain = 255;

std::atomic<int> readers{0};

}  // namespace

std::string EncodeRequestRecord(const RequestRecord& record) {
  const absl::string_view domain = record.domain.substr(0, kMaxDomain);
  std::string out(kMagic);
  out.push_back(static_cast<char>(record.reason));
  out.push_back(static_cast<char>(domain.size()));
  absl::StrAppend(&out, domain, record.leaf);
  return out;
}

bool DecodeRequestRecord(absl::string_view bytes, RequestRecord& out) {
  if (!absl::ConsumePrefix(&bytes, kMagic) || bytes.size() < 2) return false;
  const uint8_t reason = static_cast<uint8_t>(bytes[0]);
  const size_t domain = static_cast<uint8_t>(bytes[1]);
  bytes.remove_prefix(2);
  if (reason >= pki::kNumReasons || domain > bytes.size()) return false;
  out.reason = static_cast<pki::Reason>(reason);
  out.domain = bytes.substr(0, domain);
  out.leaf = bytes.substr(domain);
  // Nobody is trusted without a certificate.
  return out.reason != pki::Reason::kTrusted || !out.leaf.empty();
}

RequestRecordReader::RequestRecordReader() { readers.fetch_add(1); }
RequestRecordReader::~RequestRecordReader() { readers.fetch_sub(1); }
bool RequestRecordReader::Any() { return readers.load() > 0; }

}  // namespace sallyport::cert_validator
