#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "filters/forwarding/forwarding.h"
#include "filters/forwarding/known_headers.h"
#include "proto/sallyport/filter/v1/config.pb.h"
#include "settings/header_name.h"

namespace sallyport::forwarding {
namespace {

using sallyport::filter::v1::Forwarding;

constexpr size_t kBuckets = 64;
constexpr size_t kPrefixMin = 3;

using settings::FoldHeaderCharacter;

std::string Folded(absl::string_view name) {
  std::string folded(name);
  std::transform(folded.begin(), folded.end(), folded.begin(),
                 FoldHeaderCharacter);
  return folded;
}

// Names that share a prefix of kPrefixMin characters share a bucket.
size_t Bucket(absl::string_view name) {
  const unsigned first =
      name.empty() ? 0 : static_cast<uint8_t>(FoldHeaderCharacter(name[0]));
  const unsigned third =
      name.size() < kPrefixMin
          ? 0
          : static_cast<uint8_t>(FoldHeaderCharacter(name[2]));
  return (first * 7 + third) % kBuckets;
}

// Whether `name` begins with `folded`.
bool FoldedStartsWith(absl::string_view name, absl::string_view folded) {
  if (name.size() < folded.size()) return false;
  for (size_t i = 0; i < folded.size(); ++i) {
    if (FoldHeaderCharacter(name[i]) != folded[i]) return false;
  }
  return true;
}

struct Pattern {
  std::string text;  // folded
  bool prefix;       // whatever begins with `text`, and is longer
  Claim claim;
};
// By the first and third character of the name, which every prefix has.
using Buckets = std::array<std::vector<Pattern>, kBuckets>;

// known_headers.h; made once, since every domain needs them.
const Buckets& Known() {
  static const auto& buckets = *[] {
    auto* made = new Buckets;
    const auto add = [made](absl::string_view text, Claim claim) {
      const bool prefix = absl::EndsWith(text, "*");
      if (prefix) text.remove_suffix(1);
      (*made)[Bucket(text)].push_back({Folded(text), prefix, claim});
    };
    for (const KnownHeader& known : kKnownHeaders) {
      add(known.pattern, Claim::kIdentity);
    }
    for (const KnownHeader& known : kHostHeaders) {
      add(known.pattern, Claim::kHost);
    }
    return made;
  }();
  return buckets;
}

constexpr bool PrefixesAreLongEnough() {
  for (const KnownHeader& known : kKnownHeaders) {
    const absl::string_view p = known.pattern;
    if (p.empty()) return false;
    if (p[p.size() - 1] == '*' &&
        (p.size() < kPrefixMin + 1 || p[p.size() - 2] != '-')) {
      return false;
    }
  }
  return true;
}
static_assert(PrefixesAreLongEnough(),
              "a prefix of kKnownHeaders ends in \"-*\" and has three letters");

}  // namespace

HeaderFilter::HeaderFilter(const std::vector<std::string>& extra_names) {
  for (const std::string& name : extra_names) extra_.push_back(Folded(name));
}

Claim HeaderFilter::ClaimOf(absl::string_view name) const {
  // First: what the operator lists goes, whoever sends it.
  for (const std::string& extra : extra_) {
    if (name.size() == extra.size() && FoldedStartsWith(name, extra)) {
      return Claim::kIdentity;
    }
  }
  for (const Pattern& pattern : Known()[Bucket(name)]) {
    if (pattern.prefix ? name.size() > pattern.text.size()
                       : name.size() == pattern.text.size()) {
      if (FoldedStartsWith(name, pattern.text)) return pattern.claim;
    }
  }
  return Claim::kNone;
}

absl::Status ValidateForwarding(const Forwarding& config) {
  for (int i = 0; i < config.remove_headers_size(); ++i) {
    const absl::string_view problem =
        settings::RemovableHeaderProblem(config.remove_headers(i));
    if (!problem.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("forwarding.remove_headers[", i, "] ", problem));
    }
  }
  if (!Forwarding::Alb::Mode_IsValid(config.alb().mode())) {
    return absl::InvalidArgumentError("forwarding.alb.mode is unknown");
  }
  if (!Forwarding::ChainSource_IsValid(config.chain_source())) {
    return absl::InvalidArgumentError("forwarding.chain_source is unknown");
  }
  if (config.has_traefik() && !config.traefik().pem() &&
      !config.traefik().info()) {
    return absl::InvalidArgumentError(
        "forwarding.traefik has neither pem nor info: set one or both");
  }
  if (config.has_trusted_proxy() && !config.has_xfcc()) {
    return absl::InvalidArgumentError(
        "forwarding.trusted_proxy needs forwarding.xfcc: set it, or leave "
        "trusted_proxy out");
  }
  if (config.max_header_bytes() != 0 &&
      config.max_header_bytes() < kMinMaxHeaderBytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "forwarding.max_header_bytes is under ", kMinMaxHeaderBytes,
        " (0 means the default, ", kDefaultMaxHeaderBytes, ")"));
  }
  return absl::OkStatus();
}

}  // namespace sallyport::forwarding
