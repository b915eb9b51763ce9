#include "filters/shim/domain.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace sallyport::shim {
namespace {

// RFC 1035, 2.3.4.
constexpr size_t kMaxDomainLength = 253;
constexpr size_t kMaxLabelLength = 63;

bool IsLabelCharacter(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' ||
         c == '_';
}

absl::Status Bad(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(
      what, "; give a host name such as api.example.com, or *.example.com"));
}

// `authority` without its port; nothing when what follows the colon is no port.
absl::string_view WithoutPort(absl::string_view authority) {
  const size_t colon = authority.rfind(':');
  if (colon == absl::string_view::npos) return authority;
  const absl::string_view port = authority.substr(colon + 1);
  if (!std::all_of(port.begin(), port.end(), [](char c) {
        return absl::ascii_isdigit(static_cast<unsigned char>(c));
      })) {
    return absl::string_view();
  }
  return authority.substr(0, colon);
}

}  // namespace

absl::StatusOr<std::string> ReadDomain(absl::string_view text) {
  if (text.empty()) return Bad("is empty");
  if (text.size() > kMaxDomainLength) {
    return Bad(
        absl::StrCat("is longer than ", kMaxDomainLength, " characters"));
  }
  if (absl::EndsWith(text, ".")) return Bad("ends with a dot");
  absl::string_view name = text;
  absl::ConsumePrefix(&name, "*.");
  for (absl::string_view label : absl::StrSplit(name, '.')) {
    if (label.empty()) return Bad("has an empty label");
    if (label.size() > kMaxLabelLength) {
      return Bad(absl::StrCat("has a label longer than ", kMaxLabelLength,
                              " characters"));
    }
    if (label == "*") return Bad("has '*' elsewhere than as its first label");
    const auto* const bad =
        std::find_if_not(label.begin(), label.end(), IsLabelCharacter);
    if (bad != label.end()) {
      // Without the text itself, which may be a key in the wrong place.
      return Bad(absl::StrCat("character ", bad - text.data() + 1,
                              " is one that no host name has"));
    }
  }
  return absl::AsciiStrToLower(text);
}

bool DomainCovers(absl::string_view domain, absl::string_view authority) {
  if (domain.empty()) return false;
  absl::string_view host = WithoutPort(authority);
  absl::ConsumeSuffix(&host, ".");
  if (host.empty()) return false;
  if (absl::ConsumePrefix(&domain, "*.")) {
    const size_t dot = host.find('.');
    if (dot == absl::string_view::npos || dot == 0) return false;
    const absl::string_view label = host.substr(0, dot);
    if (!std::all_of(label.begin(), label.end(), IsLabelCharacter)) {
      return false;
    }
    host.remove_prefix(dot + 1);
  }
  return absl::EqualsIgnoreCase(host, domain);
}

std::string HostOf(absl::string_view authority) {
  absl::string_view host = WithoutPort(authority);
  absl::ConsumeSuffix(&host, ".");
  return absl::AsciiStrToLower(host);
}

}  // namespace sallyport::shim
