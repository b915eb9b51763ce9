#include "filters/cert_validator/connection_record.h"

#include <cstring>
#include <limits>

namespace sallyport::cert_validator {
namespace {

constexpr absl::string_view kMagic = "SPC3";
constexpr size_t kMaxText = 65535;
constexpr size_t kMaxCertificates = 255;
constexpr uint8_t kNoShadow = 255;
constexpr uint8_t kNoDepth = 255;
constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

template <typename Number>
void PutNumber(std::string& out, Number value) {
  for (int shift = 8 * (sizeof(Number) - 1); shift >= 0; shift -= 8) {
    out.push_back(
        static_cast<char>((static_cast<uint64_t>(value) >> shift) & 0xff));
  }
}

void PutText(std::string& out, absl::string_view text) {
  text = text.substr(0, kMaxText);
  PutNumber<uint16_t>(out, static_cast<uint16_t>(text.size()));
  out.append(text.data(), text.size());
}

int64_t TimeToNanos(absl::Time time) {
  if (time == absl::InfiniteFuture()) return kNever;
  return absl::ToUnixNanos(time);
}

absl::Time TimeFromNanos(int64_t nanos) {
  if (nanos == kNever) return absl::InfiniteFuture();
  return absl::FromUnixNanos(nanos);
}

// Reads from the front of a view; after a failure everything fails.
class Reader {
 public:
  explicit Reader(absl::string_view bytes) : rest_(bytes) {}

  template <typename Number>
  Number TakeNumber() {
    const absl::string_view bytes = Take(sizeof(Number));
    uint64_t value = 0;
    for (const char c : bytes) {
      value = (value << 8) | static_cast<unsigned char>(c);
    }
    return static_cast<Number>(value);
  }
  absl::string_view Take(size_t n) {
    if (n > rest_.size()) {
      ok_ = false;
      rest_ = absl::string_view();
      return absl::string_view();
    }
    const absl::string_view out = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return out;
  }
  absl::string_view TakeText() { return Take(TakeNumber<uint16_t>()); }
  void TakeDigest(pki::Sha256Digest& out) {
    const absl::string_view bytes = Take(out.size());
    if (bytes.size() == out.size()) {
      std::memcpy(out.data(), bytes.data(), out.size());
    }
  }
  bool ok() const { return ok_; }
  bool done() const { return ok_ && rest_.empty(); }

 private:
  absl::string_view rest_;
  bool ok_ = true;
};

bool ReadHead(Reader& in, RecordHead& out) {
  if (in.Take(kMagic.size()) != kMagic) return false;
  const uint8_t reason = in.TakeNumber<uint8_t>();
  if (reason >= pki::kNumReasons) return false;
  out.reason = static_cast<pki::Reason>(reason);
  const uint8_t shadow = in.TakeNumber<uint8_t>();
  if (shadow != kNoShadow && shadow >= pki::kNumReasons) return false;
  out.shadow = absl::nullopt;
  if (shadow != kNoShadow) out.shadow = static_cast<pki::Reason>(shadow);
  const uint8_t depth = in.TakeNumber<uint8_t>();
  out.depth = depth == kNoDepth ? -1 : depth;
  out.state_id = in.TakeNumber<uint64_t>();
  out.lineage = in.TakeNumber<uint64_t>();
  out.verified_at = TimeFromNanos(in.TakeNumber<int64_t>());
  out.recheck_at = TimeFromNanos(in.TakeNumber<int64_t>());
  in.TakeDigest(out.chain_digest);
  out.domain = in.TakeText();
  out.detail = in.TakeText();
  return in.ok() && (out.state_id != 0 ||
                     out.reason == pki::Reason::kConfigurationMissing);
}

}  // namespace

pki::Sha256Digest ChainDigest(absl::Span<const absl::string_view> chain) {
  std::string all;
  size_t size = 0;
  for (const absl::string_view der : chain) size += 8 + der.size();
  all.reserve(size);
  for (const absl::string_view der : chain) {
    PutNumber<uint64_t>(all, der.size());
    all.append(der.data(), der.size());
  }
  return pki::Sha256(all);
}

std::string EncodeRecord(const ConnectionRecord& record) {
  if (record.chain.size() > kMaxCertificates) return "";
  std::string out;
  size_t size = 256;
  for (const absl::string_view der : record.chain) {
    if (der.size() > std::numeric_limits<uint32_t>::max()) return "";
    size += 4 + der.size();
  }
  out.reserve(size);
  out.append(kMagic.data(), kMagic.size());
  PutNumber<uint8_t>(out, static_cast<uint8_t>(record.reason));
  PutNumber<uint8_t>(out, record.shadow.has_value()
                              ? static_cast<uint8_t>(*record.shadow)
                              : kNoShadow);
  PutNumber<uint8_t>(out, record.depth >= 0 && record.depth < kNoDepth
                              ? static_cast<uint8_t>(record.depth)
                              : kNoDepth);
  PutNumber<uint64_t>(out, record.state_id);
  PutNumber<uint64_t>(out, record.lineage);
  PutNumber<int64_t>(out, TimeToNanos(record.verified_at));
  PutNumber<int64_t>(out, TimeToNanos(record.recheck_at));
  out.append(pki::AsBytes(record.chain_digest).data(),
             record.chain_digest.size());
  PutText(out, record.domain);
  PutText(out, record.detail);
  PutNumber<uint8_t>(out, record.cut_short ? 1 : 0);
  PutNumber<uint8_t>(out, static_cast<uint8_t>(record.chain.size()));
  for (const absl::string_view der : record.chain) {
    PutNumber<uint32_t>(out, static_cast<uint32_t>(der.size()));
    out.append(der.data(), der.size());
  }
  return out;
}

bool DecodeRecord(absl::string_view bytes, ConnectionRecord& out) {
  Reader in(bytes);
  if (!ReadHead(in, out)) return false;
  const uint8_t cut_short = in.TakeNumber<uint8_t>();
  if (cut_short > 1) return false;
  out.cut_short = cut_short == 1;
  const size_t count = in.TakeNumber<uint8_t>();
  out.chain.clear();
  for (size_t i = 0; i < count && in.ok(); ++i) {
    out.chain.push_back(in.Take(in.TakeNumber<uint32_t>()));
  }
  return in.done() && !out.chain.empty();
}

bool DecodeHead(absl::string_view bytes, RecordHead& out) {
  Reader in(bytes);
  return ReadHead(in, out);
}

}  // namespace sallyport::cert_validator
