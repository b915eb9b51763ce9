#include "config_service/domain/backend_policy.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/text.h"

namespace sallyport::domain {
namespace {

enum class Kind { kOrdinary, kLoopback, kLinkLocal, kMetadata };

using Bytes = std::array<uint8_t, 16>;

// Metadata services that are not at a link-local address: Alibaba Cloud, Azure
// (WireServer), Oracle Cloud (classic).
constexpr uint32_t kMetadata4[] = {0x646464C8, 0xA83F8110, 0xC00000C0};
// AWS (fd00:ec2::254), Google Cloud (fd20:ce::254).
constexpr Bytes kMetadata6[] = {
    {0xFD, 0x00, 0x0E, 0xC2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54},
    {0xFD, 0x20, 0x00, 0xCE, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54},
};
// RFC 6761 has "localhost"; the others are in every Debian's /etc/hosts, and
// what Google's machines call theirs.
constexpr absl::string_view kLoopbackNames[] = {"localhost", "ip6-localhost",
                                                "ip6-loopback"};
constexpr absl::string_view kMetadataNames[] = {"metadata.google.internal",
                                                "metadata"};

Kind KindOf4(uint32_t address) {
  switch (address >> 24) {
    case 0:
    case 127:
      return Kind::kLoopback;
    default:
      break;
  }
  if (address >> 16 == 0xA9FE) return Kind::kLinkLocal;
  return std::find(std::begin(kMetadata4), std::end(kMetadata4), address) !=
                 std::end(kMetadata4)
             ? Kind::kMetadata
             : Kind::kOrdinary;
}

uint32_t Read4(const Bytes& bytes, size_t at) {
  uint32_t value = 0;
  for (size_t i = at; i < at + 4; ++i) value = value << 8 | bytes[i];
  return value;
}

Kind KindOf6(const Bytes& bytes) {
  const auto begins_with = [&](absl::string_view prefix) {
    return std::memcmp(bytes.data(), prefix.data(), prefix.size()) == 0;
  };
  constexpr absl::string_view kZeros("\0\0\0\0\0\0\0\0\0\0\0\0", 12);
  constexpr absl::string_view kMapped("\0\0\0\0\0\0\0\0\0\0\xFF\xFF", 12);
  constexpr absl::string_view kNat64("\0\x64\xFF\x9B\0\0\0\0\0\0\0\0", 12);
  constexpr absl::string_view k6To4("\x20\x02", 2);
  if (begins_with(kZeros)) {
    const uint32_t last = Read4(bytes, 12);
    return last <= 1 ? Kind::kLoopback : KindOf4(last);
  }
  if (begins_with(kMapped) || begins_with(kNat64)) {
    return KindOf4(Read4(bytes, 12));
  }
  if (begins_with(k6To4)) return KindOf4(Read4(bytes, 2));
  if (bytes[0] == 0xFE && (bytes[1] & 0xC0) == 0x80) return Kind::kLinkLocal;
  return std::find(std::begin(kMetadata6), std::end(kMetadata6), bytes) !=
                 std::end(kMetadata6)
             ? Kind::kMetadata
             : Kind::kOrdinary;
}

bool Contains(const absl::string_view* begin, const absl::string_view* end,
              absl::string_view name) {
  return std::find(begin, end, name) != end;
}

Kind KindOfName(const std::string& name) {
  if (Contains(std::begin(kLoopbackNames), std::end(kLoopbackNames), name) ||
      absl::EndsWith(name, ".localhost") ||
      absl::StartsWith(name, "localhost.")) {
    return Kind::kLoopback;
  }
  return Contains(std::begin(kMetadataNames), std::end(kMetadataNames), name)
             ? Kind::kMetadata
             : Kind::kOrdinary;
}

// Whether readers of addresses may take it for an IPv4 address: its last part
// is a number, as in "127.1" and "0x7f000001".
bool EndsInNumber(absl::string_view host) {
  const absl::string_view last = host.substr(host.rfind('.') + 1);
  if (last.empty()) return false;
  if (absl::StartsWith(last, "0x")) return true;
  return std::all_of(last.begin(), last.end(), [](char c) {
    return absl::ascii_isdigit(static_cast<unsigned char>(c));
  });
}

constexpr char kHowToAllow[] =
    "; the installation's --backend-addresses says what is allowed";

}  // namespace

absl::StatusOr<BackendPolicy> ParseBackendPolicy(absl::string_view text) {
  BackendPolicy out;
  for (absl::string_view word :
       absl::StrSplit(text, ',', absl::SkipWhitespace())) {
    word = absl::StripAsciiWhitespace(word);
    if (word == "loopback") {
      out.loopback = true;
    } else if (word == "link-local") {
      out.link_local = true;
    } else {
      return absl::InvalidArgumentError(absl::StrCat(
          "\"", Printable(word, 64), "\" is neither loopback nor link-local"));
    }
  }
  return out;
}

std::string RefusedBackend(absl::string_view host,
                           const BackendPolicy& policy) {
  const std::string name = absl::AsciiStrToLower(absl::StripSuffix(host, "."));
  Kind kind = Kind::kOrdinary;
  in_addr address4;
  Bytes address6;
  if (inet_pton(AF_INET, name.c_str(), &address4) == 1) {
    kind = KindOf4(ntohl(address4.s_addr));
  } else if (inet_pton(AF_INET6, name.c_str(), address6.data()) == 1) {
    kind = KindOf6(address6);
  } else if (EndsInNumber(name)) {
    return "names a host that ends in a number and is no IPv4 address; write "
           "an address as four numbers from 0 to 255";
  } else {
    kind = KindOfName(name);
  }
  switch (kind) {
    case Kind::kOrdinary:
      return "";
    case Kind::kLoopback:
      if (policy.loopback) return "";
      return absl::StrCat(
          "names a loopback address, where the nodes' own "
          "programs listen",
          kHowToAllow);
    case Kind::kLinkLocal:
      if (policy.link_local) return "";
      return absl::StrCat(
          "names a link-local address, where clouds give "
          "machines their credentials",
          kHowToAllow);
    case Kind::kMetadata:
      if (policy.link_local) return "";
      return absl::StrCat("names a cloud's metadata service", kHowToAllow);
  }
  return "";
}

}  // namespace sallyport::domain
