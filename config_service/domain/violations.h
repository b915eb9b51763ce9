// What is wrong with a request, all of it at once.

#ifndef SALLYPORT_CONFIG_SERVICE_DOMAIN_VIOLATIONS_H_
#define SALLYPORT_CONFIG_SERVICE_DOMAIN_VIOLATIONS_H_

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "config_service/domain/reason.h"

namespace sallyport::domain {

// One field that is wrong.
struct FieldViolation {
  // Path of the field, as protobuf names it:
  // "mutual_tls.truststores[2].version".
  std::string field;
  Reason reason = Reason::kFieldMalformed;
  // What is wrong and how to mend it, for people; no full stop at the end.
  // Never a secret; text from outside is made printable.
  std::string description;
};

// Error: why a request was refused; what an absl::Status cannot say. It crosses
// functions inside an absl::Status (ToStatus(), ErrorOf()), so that
// absl::StatusOr serves everywhere.
struct Error {
  Reason reason = Reason::kInternal;
  // A sentence for people.
  std::string message;
  // For programs; reason.h says which each reason has. Unique keys, in order.
  std::vector<std::pair<std::string, std::string>> metadata;
  // At most kMaxListedViolations.
  std::vector<FieldViolation> violations;
  // All of them.
  size_t num_violations = 0;
};

// ToStatus: a status with the code of `error.reason` (CodeOf()) and the
// message, that carries `error`. Of field violations the code is what
// Violations decided.
absl::Status ToStatus(const Error& error);

// ErrorOf: what ToStatus() put into `status`; nothing when it has no error of
// ours.
std::optional<Error> ErrorOf(const absl::Status& status);

// MakeError: the status for one reason. `message` is for people.
absl::Status MakeError(
    Reason reason, absl::string_view message,
    std::vector<std::pair<std::string, std::string>> metadata = {});

// Violations: collects. Not thread-safe.
//
//   Violations violations;
//   Validate(domain_name, violations);
//   SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
class Violations {
 public:
  void Add(absl::string_view field, Reason reason,
           absl::string_view description);

  // Adds those of `other`, `prefix` before each field: "domain_name" and
  // "mutual_tls.limits" make "domain_name.mutual_tls.limits".
  void AddAll(absl::string_view prefix, const Violations& other);

  bool empty() const { return num_ == 0; }
  // All, also those that are no longer listed.
  size_t size() const { return num_; }
  // The first kMaxListedViolations.
  const std::vector<FieldViolation>& list() const { return list_; }
  // Whether one of the listed has this field (and reason).
  bool Has(absl::string_view field) const;
  bool Has(absl::string_view field, Reason reason) const;

  // OK when empty. Otherwise the status for all of them: if they have one
  // reason, that one and its code; else FIELDS_INVALID, with the code that all
  // reasons share, or InvalidArgument. The message is that of the first and how
  // many more there are.
  absl::Status ToStatus() const;

 private:
  std::vector<FieldViolation> list_;
  size_t num_ = 0;
  // Whether all have the reason, and the code, of the first.
  bool one_reason_ = true;
  bool one_code_ = true;
};

// Paths of fields: Field("mutual_tls", "limits") is "mutual_tls.limits",
// Element("a.b", 3) is "a.b[3]", Entry("labels", key) is `labels["key"]` with
// the key made printable. With an empty `parent`, Field() is `name`.
std::string Field(absl::string_view parent, absl::string_view name);
std::string Element(absl::string_view list, size_t index);
std::string Entry(absl::string_view map, absl::string_view key);

}  // namespace sallyport::domain

#endif  // SALLYPORT_CONFIG_SERVICE_DOMAIN_VIOLATIONS_H_
