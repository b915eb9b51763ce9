// PathRules: what is asked of a client at which path (MutualTls.paths).
//
// The longest path of the list that covers the request's decides; at one
// length `exact` comes before `prefix`. The difficulty is that a path can be
// written in many ways and that backends disagree about which are the same: the
// proxy must not take for /public what the backend takes for /admin. So:
//
//   * A plain path is read in one way, bar a '/' at its end, which counts and
//     does not. Plain is: nothing percent-encoded, no ';', no empty or dot
//     segments, no segment that ends in '.'.
//   * Any other path is read in every way that known backends read it, and has
//     to meet the rules of each reading: percent-encoded characters that need
//     no encoding decoded or not (nginx, Tomcat; Express); path parameters
//     (";jsessionid=1") cut off or not (Tomcat, Spring; others); dot segments
//     removed (RFC 3986, 5.2.4) or not; empty segments merged before that,
//     after it, or not; dots and blanks at the ends of segments dropped
//     (Windows) or not; a segment after two '/' at the front taken for a host
//     (RFC 3986, 4.2; Node's URL) or not; characters beyond ASCII that
//     normalise to ASCII (ascii_fold.h) replaced by that or not, in each
//     segment. What must be encoded is always decoded, once.
//   * Beside each reading, a rule counts whose path is the same but for the
//     case of ASCII letters (Express, IIS, ASP.NET), or but for extensions
//     of the last segment (Rails, Spring's suffix patterns): /ADMIN,
//     /admin.json and /admin.tar.gz meet the rule of /admin as well as their
//     own.
//   * A path that cannot be read without doubt has to meet every rule of the
//     list: an encoded '/', '\', '?', '#', or control character; '\', '#',
//     control characters, blanks and bytes beyond ASCII as they are; '%'
//     without two digits; what could be decoded twice ("%2561"); what is not
//     UTF-8 when decoded; no '/' at the front ("*", absolute URLs, CONNECT);
//     what is not plain and longer than limits::kMaxUnusualPathBytes or of
//     more than kMaxUnusualPathSegments; what takes more than kMaxPathWork to
//     read; two '/' at the front of what follows a host; more than
//     kMaxExtensions dots in the last segment; more than kMaxFoldedSegments
//     segments with characters that normalise to ASCII, those that do to '/',
//     '\', '%', '?' or '#', and all of them where the list has capital
//     letters; the four characters beyond ASCII that are ASCII letters in
//     another case; and, where the list has paths beyond ASCII, whatever is
//     beyond ASCII, since its case and its composition are not looked at.
//
// Where several rules have to be met, all of their `allow` have to match, a
// certificate is required if one of them requires one, and none is waived
// unless all readings waive it. So whatever the spelling, what is asked is
// never less than what the rules ask at the path that a backend makes of it.

#ifndef SALLYPORT_FILTERS_MTLS_HTTP_PATH_RULES_H_
#define SALLYPORT_FILTERS_MTLS_HTTP_PATH_RULES_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "pki/chain/client_rule.h"
#include "proto/sallyport/filter/v1/config.pb.h"

namespace sallyport::mtls_http {

// Dots in a request's last segment (as far as a path of the list is long).
inline constexpr size_t kMaxExtensions = 16;
// Segments of a path that can be read in several ways.
inline constexpr size_t kMaxUnusualPathSegments = 128;
// Segments of a path that are ASCII in compatibility characters.
inline constexpr size_t kMaxFoldedSegments = 3;
// What reading one path may cost, in bytes that are looked at, about: some 0.1
// ms. Paths that people and programs make take a hundredth.
inline constexpr size_t kMaxPathWork = 65536;

// What a request's path asks for beside the domain's own.
struct PathRequirement {
  // Unspecified: MutualTls.client_certificate decides.
  filter::v1::ClientCertificate client_certificate =
      filter::v1::CLIENT_CERTIFICATE_UNSPECIFIED;
  // All must match, beside MutualTls.allow. They live as long as the PathRules.
  absl::InlinedVector<const pki::ClientRule*, 8> rules;
  // The path could not be read without doubt: this is every rule of the list.
  bool doubtful = false;
};

// Immutable; thread-safe.
class PathRules {
 public:
  // Checks and compiles `paths`. `field` is its name ("paths"). InvalidArgument
  // or ResourceExhausted (limits::kMaxPathRules, kMaxPathRuleBytes): the
  // message begins with the path of the field and says how to mend it.
  // A path of the list is written plain and decoded: '/' at the front and none
  // at the end, no query, no '%', ';', '\', '*', no empty or dot segments.
  static absl::StatusOr<std::unique_ptr<const PathRules>> Create(
      const google::protobuf::RepeatedPtrField<filter::v1::PathRule>& paths,
      absl::string_view field);

  PathRules(const PathRules&) = delete;
  PathRules& operator=(const PathRules&) = delete;

  bool empty() const { return rules_.empty(); }

  // For: what is asked at `path`, the value of :path as it will be sent to the
  // backend; "" when the request has none. The query does not count. No
  // allocation for plain paths, and none at all without rules.
  PathRequirement For(absl::string_view path) const;

 private:
  struct Rule {
    filter::v1::ClientCertificate client_certificate;
    std::shared_ptr<const pki::ClientRule> allow;  // null: none
  };
  static constexpr uint32_t kNone = 0xffffffff;
  // The rules of one path; indices into rules_.
  struct Place {
    std::string path;  // "" for "/"
    uint32_t exact = kNone;
    uint32_t prefix = kNone;
  };
  class Met;

  PathRules() = default;
  void Build();
  PathRequirement Require(const Met& met) const;

  // Adds what one reading of a path meets. `path` is "" or begins with '/'.
  void Read(absl::string_view path, Met& met) const;
  void Find(absl::string_view path, Met& met) const;
  // Read() with and without the '/' at the end of `path`.
  void ReadWithEnd(absl::string_view path, Met& met) const;
  // Adds the rules of `path` itself, not of what it lies below, in any case.
  void FindWhole(absl::string_view path, Met& met) const;
  // False: the path cannot be read without doubt.
  bool ReadInEveryWay(absl::string_view path, Met& met) const;

  std::vector<Rule> rules_;
  // By the path in lower case; several when their case differs.
  absl::flat_hash_map<std::string, absl::InlinedVector<Place, 1>> places_;
  size_t longest_ = 0;         // of the keys of places_
  bool beyond_ascii_ = false;  // one of them is
  bool capitals_ = false;      // a path of the list has some
  PathRequirement everything_;
};

}  // namespace sallyport::mtls_http

#endif  // SALLYPORT_FILTERS_MTLS_HTTP_PATH_RULES_H_
