// What all resources have.

#ifndef SALLYPORT_CONFIG_SERVICE_DOMAIN_COMMON_H_
#define SALLYPORT_CONFIG_SERVICE_DOMAIN_COMMON_H_

#include <cstdint>
#include <map>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "config_service/domain/violations.h"
#include "pki/truststore/truststore.h"
#include "pki/x509/certificate.h"

namespace sallyport::domain {

// Etag: opaque to clients; equal for equal stored forms. Empty: the caller did
// not give one.
class Etag {
 public:
  Etag() = default;
  explicit Etag(std::string text) : text_(std::move(text)) {}
  // That of a resource whose stored form is `stored`: half its SHA-256 in
  // hexadecimal, in quotes.
  static Etag Of(absl::string_view stored);

  bool empty() const { return text_.empty(); }
  const std::string& text() const { return text_; }

  friend bool operator==(const Etag& a, const Etag& b) {
    return a.text_ == b.text_;
  }
  friend bool operator!=(const Etag& a, const Etag& b) { return !(a == b); }
  friend std::ostream& operator<<(std::ostream& out, const Etag& etag) {
    return out << etag.text_;
  }

 private:
  std::string text_;
};

// CheckEtag: OK when `given` is empty or `current`; ETAG_MISMATCH otherwise.
// `resource` is its name.
absl::Status CheckEtag(const Etag& given, const Etag& current,
                       absl::string_view resource);

using Labels = std::map<std::string, std::string>;

struct Metadata {
  std::string description;
  Labels labels;
  // Set by the service. `etag` and `revision` are not part of the stored form.
  absl::Time create_time = absl::InfinitePast();
  absl::Time update_time = absl::InfinitePast();
  Etag etag;
  int64_t revision = 0;
};

// Description and labels: at most kMaxDescriptionLength characters of UTF-8
// without controls (but line breaks and tabs); labels as CheckLabels().
void Validate(const Metadata& metadata, Violations& violations);
// Text of at most `max_characters`, as a description.
void CheckText(absl::string_view field, absl::string_view text,
               size_t max_characters, Violations& violations);
// At most kMaxLabels; keys of [a-z0-9._/-], a letter or digit first and last;
// values of printable UTF-8.
void CheckLabels(absl::string_view field, const Labels& labels,
                 Violations& violations);

// Something that the service found out about a resource.
struct Condition {
  enum class Status { kTrue, kFalse, kUnknown };
  std::string type;
  Status status = Status::kUnknown;
  std::string reason;   // UPPER_CASE
  std::string message;  // for people
  int64_t observed_revision = 0;
  absl::Time transition_time = absl::InfinitePast();
};

// SetCondition: puts `condition` in the place of the one of its type, or adds
// it (in the order of types). Its transition time becomes `now` when the status
// is another than before, else stays. Returns whether anything but
// observed_revision changed.
bool SetCondition(Condition condition, absl::Time now,
                  std::vector<Condition>& conditions);
const Condition* FindCondition(const std::vector<Condition>& conditions,
                               absl::string_view type);

// A warning about a resource; those of certificates come from pki.
struct Warning {
  std::string reason;   // UPPER_CASE
  std::string message;  // for people
  std::string subject;  // RFC 4514; empty: about no certificate
  size_t index = 0;     // block, from 1
  size_t line = 0;      // from 1
  std::string field;    // of the resource; empty: about none
  bool removes_trust = false;
};
Warning FromPki(const pki::Warning& warning);

// ReferenceList: whether the names in a list are at most `max` and distinct;
// TOO_MANY_ENTRIES at the list, DUPLICATE_ENTRY at each repeated element.
template <typename Name>
void CheckReferences(absl::string_view field, const std::vector<Name>& names,
                     size_t max, Violations& violations) {
  if (names.size() > max) {
    violations.Add(
        field, Reason::kTooManyEntries,
        absl::StrCat("has ", names.size(), " entries; at most ", max));
    return;
  }
  for (size_t i = 0; i < names.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (names[i] != names[j]) continue;
      violations.Add(Element(field, i), Reason::kDuplicateEntry,
                     absl::StrCat("is ", Element(field, j),
                                  " again; leave one of them out"));
      break;
    }
  }
}

}  // namespace sallyport::domain

#endif  // SALLYPORT_CONFIG_SERVICE_DOMAIN_COMMON_H_
