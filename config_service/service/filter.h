// Filter: the subset of AIP-160 that list methods understand.
//
//   name : "partner" AND create_time >= "2026-01-01T00:00:00Z"
//
// Terms `field operator value`, joined by AND. Operators: = != for all, : (has
// this part) for text, < <= > >= for numbers and times. A value is quoted, with
// \" and \\ inside, or a word without spaces. Times are RFC 3339.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVICE_FILTER_H_
#define SALLYPORT_CONFIG_SERVICE_SERVICE_FILTER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "absl/types/variant.h"

namespace sallyport::service {

// A field that a list can be filtered by. A name that ends in ".*" stands for
// every key of a map ("labels.*").
struct FilterField {
  enum class Type { kText, kNumber, kTime };
  absl::string_view name;
  Type type = Type::kText;
};

// Several texts: a field that has them. A term holds if it holds for one of
// them; != if = does for none.
using FilterValue =
    absl::variant<std::string, int64_t, absl::Time, std::vector<std::string>>;

class Filter {
 public:
  // Of nothing: matches everything.
  Filter() = default;

  // FILTER_INVALID with what is wrong, where ("position" in the metadata, from
  // 0), and which fields there are.
  static absl::StatusOr<Filter> Parse(absl::string_view text,
                                      absl::Span<const FilterField> fields);

  bool empty() const { return terms_.empty(); }

  // Whether all terms hold. `value` gives the value of a field of the type that
  // Parse() was told; a time that is not set is InfinitePast.
  bool Matches(
      absl::FunctionRef<FilterValue(absl::string_view field)> value) const;

 private:
  enum class Op { kEqual, kNotEqual, kHas, kLess, kAtMost, kMore, kAtLeast };
  struct Term {
    std::string field;
    Op op = Op::kEqual;
    FilterValue value;
  };
  class Parser;

  std::vector<Term> terms_;
};

}  // namespace sallyport::service

#endif  // SALLYPORT_CONFIG_SERVICE_SERVICE_FILTER_H_
