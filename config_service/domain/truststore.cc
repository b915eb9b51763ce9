#include "config_service/domain/truststore.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/limits.h"
#include "pki/x509/distinguished_name.h"

namespace sallyport::domain {
namespace {

constexpr size_t kMinBucketLength = 3;
constexpr size_t kMaxBucketLength = 63;
constexpr size_t kMaxKeyLength = 1024;
// Warnings that an error about a bundle without trust quotes.
constexpr size_t kQuotedWarnings = 3;

bool IsControl(char c) {
  const auto u = static_cast<unsigned char>(c);
  return u < 0x20 || u == 0x7f;
}

bool IsBucket(absl::string_view bucket) {
  const auto plain = [](char c) {
    return absl::ascii_islower(static_cast<unsigned char>(c)) ||
           absl::ascii_isdigit(static_cast<unsigned char>(c));
  };
  return bucket.size() >= kMinBucketLength &&
         bucket.size() <= kMaxBucketLength && plain(bucket.front()) &&
         plain(bucket.back()) && !absl::StrContains(bucket, "..") &&
         std::all_of(bucket.begin(), bucket.end(),
                     [&](char c) { return plain(c) || c == '.' || c == '-'; });
}

absl::StatusOr<SourceUri> ParseS3(absl::string_view rest) {
  SourceUri out;
  out.kind = SourceUri::Kind::kS3;
  const size_t slash = rest.find('/');
  const absl::string_view bucket = rest.substr(0, slash);
  if (!IsBucket(bucket)) {
    return absl::InvalidArgumentError(
        "has no bucket that S3 could have (3 to 63 of [a-z0-9.-], a letter or "
        "digit first and last); give s3://BUCKET/KEY");
  }
  if (slash == absl::string_view::npos || slash + 1 == rest.size()) {
    return absl::InvalidArgumentError("has no key; give s3://BUCKET/KEY");
  }
  const absl::string_view key = rest.substr(slash + 1);
  if (key.size() > kMaxKeyLength) {
    return absl::InvalidArgumentError(absl::StrCat(
        "has a key of ", key.size(), " bytes; S3 has at most ", kMaxKeyLength));
  }
  out.bucket = std::string(bucket);
  out.key = std::string(key);
  return out;
}

absl::StatusOr<SourceUri> ParseFile(absl::string_view rest) {
  SourceUri out;
  out.kind = SourceUri::Kind::kFile;
  if (rest.empty() || rest.front() != '/') {
    return absl::InvalidArgumentError(
        "names a host or no path; give file:///PATH");
  }
  for (absl::string_view segment : absl::StrSplit(rest.substr(1), '/')) {
    if (segment.empty() || segment == "." || segment == "..") {
      return absl::InvalidArgumentError(
          "has an empty segment, \".\" or \"..\" in its path; write the path "
          "that it stands for");
    }
  }
  out.path = std::string(rest);
  return out;
}

void ValidateSource(const TruststoreSource& source, Violations& violations) {
  if (source.uri.empty()) {
    if (!source.object_version.empty()) {
      violations.Add("source.object_version",
                     Reason::kTruststoreVersionWithoutUri,
                     "is a version without the uri that it is of; set "
                     "source.uri, or leave it out");
    }
    if (source.watch != TruststoreSource::Watch::kOff) {
      violations.Add("source.watch", Reason::kFieldsConflict,
                     "there is nothing to watch; set source.uri, or leave it "
                     "out");
    }
  } else {
    const absl::StatusOr<SourceUri> uri = ParseSourceUri(source.uri);
    if (!uri.ok()) {
      violations.Add("source.uri", Reason::kSourceUriInvalid,
                     uri.status().message());
    } else if (uri->kind == SourceUri::Kind::kFile &&
               !source.object_version.empty()) {
      violations.Add("source.object_version", Reason::kFieldsConflict,
                     "only objects in S3 have versions; leave it out");
    }
    if (source.watch != TruststoreSource::Watch::kOff &&
        !source.object_version.empty()) {
      violations.Add("source.watch", Reason::kFieldsConflict,
                     "one version of an object never changes; leave out "
                     "source.object_version, or do not watch it");
    }
  }
  if (source.object_version.size() > kMaxObjectVersionLength) {
    violations.Add("source.object_version", Reason::kFieldOutOfRange,
                   absl::StrCat("has ", source.object_version.size(),
                                " bytes; at most ", kMaxObjectVersionLength));
  } else if (!std::all_of(source.object_version.begin(),
                          source.object_version.end(),
                          [](char c) { return c > 0x20 && c < 0x7f; })) {
    violations.Add("source.object_version", Reason::kFieldMalformed,
                   "has a character that is not visible ASCII");
  }
  if (source.poll_interval < kMinPollInterval ||
      source.poll_interval > kMaxPollInterval) {
    violations.Add(
        "source.poll_interval", Reason::kFieldOutOfRange,
        absl::StrCat("is ", absl::FormatDuration(source.poll_interval),
                     "; from ", absl::FormatDuration(kMinPollInterval), " to ",
                     absl::FormatDuration(kMaxPollInterval)));
  }
}

Reason ReasonOf(pki::BundleErrorReason reason) {
  switch (reason) {
    case pki::BundleErrorReason::kNone:
      break;
    case pki::BundleErrorReason::kNoCertificate:
      return Reason::kTruststoreEmpty;
    case pki::BundleErrorReason::kNotACertificateBlock:
      return Reason::kTruststoreNotACertificate;
    case pki::BundleErrorReason::kMalformedPem:
      return Reason::kTruststoreMalformedPem;
    case pki::BundleErrorReason::kMalformedCertificate:
      return Reason::kTruststoreMalformedCertificate;
    case pki::BundleErrorReason::kTooLarge:
      return Reason::kTruststoreTooLarge;
    case pki::BundleErrorReason::kTooManyCertificates:
      return Reason::kTruststoreTooManyCertificates;
    case pki::BundleErrorReason::kCertificateTooLarge:
      return Reason::kTruststoreCertificateTooLarge;
    case pki::BundleErrorReason::kGivesNoTrust:
      return Reason::kTruststoreGivesNoTrust;
  }
  return Reason::kInternal;
}

// What tells a subject from others. Names that cannot be normalised are
// compared as they are.
std::string SubjectKey(const pki::Certificate& certificate) {
  return pki::NormalizeName(certificate.subject_der())
      .value_or(absl::StrCat("der:", certificate.subject_der()));
}

}  // namespace

absl::StatusOr<SourceUri> ParseSourceUri(absl::string_view uri) {
  if (uri.size() > kMaxSourceUriLength) {
    return absl::InvalidArgumentError(absl::StrCat(
        "has ", uri.size(), " bytes; at most ", kMaxSourceUriLength));
  }
  if (!pki::IsUtf8(uri) || std::any_of(uri.begin(), uri.end(), IsControl)) {
    return absl::InvalidArgumentError(
        "is not UTF-8 or has a control character");
  }
  if (absl::ConsumePrefix(&uri, "s3://")) return ParseS3(uri);
  if (absl::ConsumePrefix(&uri, "file://")) return ParseFile(uri);
  return absl::InvalidArgumentError(
      "is neither s3://BUCKET/KEY nor file:///PATH");
}

pki::TruststoreLimits Truststore::Limits() const {
  pki::TruststoreLimits limits;
  limits.max_bytes =
      max_bytes == 0 ? kDefaultTruststoreBytes : static_cast<size_t>(max_bytes);
  limits.max_certificates =
      max_certificates == 0 ? kDefaultTruststoreCertificates : max_certificates;
  return limits;
}

bool Truststore::LimitsNeedAdmin() const {
  return max_bytes > kDefaultTruststoreBytes ||
         max_certificates > kDefaultTruststoreCertificates;
}

pki::WarningOptions Truststore::WarningOptions() const {
  pki::WarningOptions options;
  options.pin_leaf = pin_leaf;
  return options;
}

void Validate(const Truststore& truststore, Violations& violations) {
  Validate(truststore.metadata, violations);
  ValidateSource(truststore.source, violations);
  CheckReferences("revocation_lists", truststore.revocation_lists,
                  kMaxRevocationListsOfTruststore, violations);
  if (truststore.revocation_rule == pki::RevocationRule::kHardFail &&
      truststore.revocation_lists.empty()) {
    violations.Add("revocation_rule", Reason::kFieldsConflict,
                   "HARD_FAIL without revocation_lists checks nothing; name a "
                   "list, or leave it out");
  }
  if (truststore.max_bytes > limits::kMaxTruststoreBytes) {
    violations.Add("limits.max_bytes", Reason::kFieldOutOfRange,
                   absl::StrCat("is ", truststore.max_bytes, "; at most ",
                                limits::kMaxTruststoreBytes));
  }
  if (truststore.max_certificates > limits::kMaxTruststoreCertificates) {
    violations.Add(
        "limits.max_certificates", Reason::kFieldOutOfRange,
        absl::StrCat("is ", truststore.max_certificates, "; at most ",
                     limits::kMaxTruststoreCertificates));
  }
}

TruststoreVersion::State StateOf(const TruststoreVersion& version,
                                 const Truststore& truststore) {
  if (version.name.number() == truststore.active_version) {
    return TruststoreVersion::State::kActive;
  }
  return version.was_active ? TruststoreVersion::State::kSuperseded
                            : TruststoreVersion::State::kCandidate;
}

std::shared_ptr<const pki::Truststore> ReadBundle(
    absl::string_view field, absl::string_view pem,
    const pki::TruststoreLimits& limits, Violations& violations) {
  pki::Truststore::ParseResult result = pki::Truststore::Parse(pem, limits);
  if (result.truststore == nullptr) {
    violations.Add(field, ReasonOf(result.error.reason),
                   result.error.ToString());
  }
  return result.truststore;
}

absl::Status CheckGivesTrust(const pki::Truststore& bundle,
                             const Truststore& truststore, absl::Time now) {
  const pki::WarningOptions options = truststore.WarningOptions();
  if (bundle.GivesTrust(truststore.chain_policy, now, options)) {
    return absl::OkStatus();
  }
  std::string message =
      "nothing in the truststore gives trust, so every client would be "
      "refused; mend it, or set `force`";
  size_t quoted = 0;
  for (const pki::Warning& warning :
       bundle.Warnings(truststore.chain_policy, now, options)) {
    if (!pki::RemovesTrust(warning.reason)) continue;
    if (++quoted > kQuotedWarnings) {
      absl::StrAppend(&message, "; ...");
      break;
    }
    absl::StrAppend(&message, quoted == 1 ? ": " : "; ", "certificate ",
                    warning.index, " (", warning.subject,
                    "): ", warning.message);
  }
  return MakeError(Reason::kTruststoreGivesNoTrust, message);
}

absl::Time FirstExpiry(const pki::Truststore& bundle,
                       const Truststore& truststore, absl::Time now) {
  absl::flat_hash_set<size_t> without_trust;
  for (const pki::Warning& warning : bundle.Warnings(
           truststore.chain_policy, now, truststore.WarningOptions())) {
    if (pki::RemovesTrust(warning.reason)) without_trust.insert(warning.index);
  }
  absl::Time first = absl::InfiniteFuture();
  for (const pki::Truststore::Entry& entry : bundle.entries()) {
    if (without_trust.contains(entry.index())) continue;
    const auto& certificate = entry.certificate();
    if (certificate != nullptr) {
      first = std::min(first, certificate->not_after());
    }
  }
  return first;
}

TruststoreDiff Diff(const pki::Truststore& from, const pki::Truststore& to) {
  using Certificates = std::vector<std::shared_ptr<const pki::Certificate>>;
  // What is in `a` and not in `b`, in the order of `a`.
  const auto only_in = [](const pki::Truststore& a, const pki::Truststore& b) {
    Certificates out;
    for (const pki::Truststore::Entry& entry : a.entries()) {
      const auto& certificate = entry.certificate();
      if (certificate != nullptr &&
          b.FindExact(certificate->fingerprint()) == nullptr) {
        out.push_back(certificate);
      }
    }
    return out;
  };
  const Certificates removed = only_in(from, to);
  const Certificates added = only_in(to, from);

  // Positions in `removed` that are not paired yet, by subject.
  absl::flat_hash_map<std::string, std::vector<size_t>> by_subject;
  for (size_t i = 0; i < removed.size(); ++i) {
    by_subject[SubjectKey(*removed[i])].push_back(i);
  }
  std::vector<size_t> pair_of(added.size(), removed.size());
  std::vector<bool> paired(removed.size(), false);
  // Renewals first, so that a new key is never paired with the certificate that
  // another one renews.
  for (const bool same_key : {true, false}) {
    for (size_t i = 0; i < added.size(); ++i) {
      if (pair_of[i] != removed.size()) continue;
      const auto candidates = by_subject.find(SubjectKey(*added[i]));
      if (candidates == by_subject.end()) continue;
      for (const size_t candidate : candidates->second) {
        if (paired[candidate]) continue;
        if (same_key &&
            removed[candidate]->spki_der() != added[i]->spki_der()) {
          continue;
        }
        paired[candidate] = true;
        pair_of[i] = candidate;
        break;
      }
    }
  }

  TruststoreDiff diff;
  for (size_t i = 0; i < added.size(); ++i) {
    if (pair_of[i] == removed.size()) {
      diff.added.push_back(added[i]);
      continue;
    }
    TruststoreDiff::Change change;
    change.before = removed[pair_of[i]];
    change.after = added[i];
    change.same_key = change.before->spki_der() == change.after->spki_der();
    diff.changed.push_back(std::move(change));
  }
  for (size_t i = 0; i < removed.size(); ++i) {
    if (!paired[i]) diff.removed.push_back(removed[i]);
  }
  return diff;
}

}  // namespace sallyport::domain
