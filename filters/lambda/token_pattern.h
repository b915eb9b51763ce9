// TokenPattern: the regular expression that a TOKEN authorizer's token has to
// match before its function is called (identityValidationExpression).
//
// Source: API Gateway API Reference, "Authorizer",
// identityValidationExpression.

#ifndef SALLYPORT_FILTERS_LAMBDA_TOKEN_PATTERN_H_
#define SALLYPORT_FILTERS_LAMBDA_TOKEN_PATTERN_H_

#include <cstddef>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sallyport::lambda {

inline constexpr size_t kMaxTokenPatternBytes = 512;
// A longer token matches nothing.
inline constexpr size_t kMaxTokenBytes = 16384;

// Immutable; thread-safe.
class TokenPattern {
 public:
  // Reads an extended regular expression (POSIX) with \d, \w, \s and their
  // opposites outside of brackets, \d, \w and \s within, and '\' before a
  // punctuation character for that character, within brackets too. Refused
  // (InvalidArgument), since they mean another thing elsewhere or cost too
  // much: back references, (?...), lazy and possessive repetition, other
  // escapes, repetitions over 100, more than kMaxTokenPatternBytes.
  static absl::StatusOr<TokenPattern> Read(absl::string_view expression);

  // Whether the whole of `token` matches. No token with a NUL does.
  bool Matches(absl::string_view token) const;

 private:
  struct Compiled;

  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace sallyport::lambda

#endif  // SALLYPORT_FILTERS_LAMBDA_TOKEN_PATTERN_H_
