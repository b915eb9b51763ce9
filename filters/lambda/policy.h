// Policy: the IAM policy that an authorizer answers with, and what it says of a
// request.
//
// Source: API Gateway Developer Guide, "Output from an API Gateway Lambda
// authorizer" and "API Gateway resource policies: IAM evaluation"; IAM User
// Guide, "IAM JSON policy elements" and "Policy evaluation logic".
//
// What is understood: Version; Statement, one or a list; in each Sid, Effect
// (Allow, Deny), Action or NotAction, Resource or NotResource, each a string or
// a list of strings, with the wildcards '*' (any characters, none too) and '?'
// (one). Actions are compared in any case, resources exactly. The first five
// colons divide an ARN; a wildcard stays within its part, and the last part is
// all of the rest; a resource with fewer colons ("*") has a last part sooner. A
// policy with anything else (Condition, Principal, policy variables "${...}",
// an unknown member) is refused whole rather than read in part.

#ifndef SALLYPORT_FILTERS_LAMBDA_POLICY_H_
#define SALLYPORT_FILTERS_LAMBDA_POLICY_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json_fwd.hpp"

namespace sallyport::lambda {

inline constexpr size_t kMaxPolicyStatements = 1000;
// Actions and resources of a whole policy.
inline constexpr size_t kMaxPolicyPatterns = 2000;
inline constexpr size_t kMaxPatternBytes = 2048;

enum class PolicyDecision {
  // No statement is about it.
  kImplicitDeny,
  kExplicitDeny,
  kAllow,
};

// Immutable; thread-safe.
class Policy {
 public:
  // InvalidArgument: no policy, or one with something that is not understood;
  // the message says where and what, with nothing of its values.
  // ResourceExhausted: over the limits above.
  static absl::StatusOr<Policy> Read(const nlohmann::json& document);

  // What it says of `action` ("execute-api:Invoke") on `resource` (an ARN). An
  // explicit deny wins over whatever allows, wherever it stands; what nothing
  // allows is denied. The work is bounded by the lengths of the patterns times
  // that of the ARN.
  PolicyDecision Evaluate(absl::string_view action,
                          absl::string_view resource) const;

  // What it takes in memory, about.
  size_t bytes() const { return bytes_; }

 private:
  struct Patterns {
    std::vector<std::string> any_of;
    bool negated = false;  // NotAction, NotResource
  };
  struct Statement {
    bool allows = false;
    Patterns actions;
    Patterns resources;
  };

  static absl::StatusOr<Patterns> ReadPatterns(const nlohmann::json& statement,
                                               const std::string& where,
                                               const char* name,
                                               const char* negated_name);
  static absl::StatusOr<Statement> ReadStatement(const nlohmann::json& value,
                                                 const std::string& where);

  std::vector<Statement> statements_;
  size_t bytes_ = 0;
};

// MatchesPattern: whether the whole of `text` is what `pattern` stands for.
// Takes at most pattern times text steps.
bool MatchesPattern(absl::string_view pattern, absl::string_view text);

// MatchesResource: the same for ARNs, as described above.
bool MatchesResource(absl::string_view pattern, absl::string_view arn);

}  // namespace sallyport::lambda

#endif  // SALLYPORT_FILTERS_LAMBDA_POLICY_H_
