#include "filters/lambda/policy.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "nlohmann/json.hpp"

namespace sallyport::lambda {
namespace {

using nlohmann::json;

// Of an ARN: arn:partition:service:region:account:resource.
constexpr int kArnColons = 5;
constexpr size_t kMaxName = 40;

absl::Status Wrong(absl::string_view where, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(where, " ", what));
}

}  // namespace

bool MatchesPattern(absl::string_view pattern, absl::string_view text) {
  size_t p = 0;
  size_t t = 0;
  // Where to go on when what follows the last '*' does not fit.
  size_t star = absl::string_view::npos;
  size_t star_text = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_text = t;
    } else if (p < pattern.size() &&
               (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != absl::string_view::npos) {
      p = star + 1;
      t = ++star_text;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool MatchesResource(absl::string_view pattern, absl::string_view arn) {
  for (int i = 0; i < kArnColons; ++i) {
    const size_t pattern_end = pattern.find(':');
    if (pattern_end == absl::string_view::npos) break;
    const size_t arn_end = arn.find(':');
    if (arn_end == absl::string_view::npos) return false;
    if (!MatchesPattern(pattern.substr(0, pattern_end),
                        arn.substr(0, arn_end))) {
      return false;
    }
    pattern.remove_prefix(pattern_end + 1);
    arn.remove_prefix(arn_end + 1);
  }
  return MatchesPattern(pattern, arn);
}

absl::StatusOr<Policy::Patterns> Policy::ReadPatterns(
    const json& statement, const std::string& where, const char* name,
    const char* negated_name) {
  Patterns patterns;
  const auto plain = statement.find(name);
  const auto negated = statement.find(negated_name);
  if ((plain == statement.end()) == (negated == statement.end())) {
    return Wrong(where,
                 absl::StrCat("needs one of ", name, " and ", negated_name));
  }
  patterns.negated = plain == statement.end();
  const json& value = patterns.negated ? *negated : *plain;
  const std::string field =
      absl::StrCat(where, ".", patterns.negated ? negated_name : name);
  const auto add = [&](const json& text) -> absl::Status {
    if (!text.is_string()) return Wrong(field, "holds something but strings");
    std::string pattern = text.get<std::string>();
    if (pattern.empty()) return Wrong(field, "is empty");
    if (pattern.size() > kMaxPatternBytes) {
      return absl::ResourceExhaustedError(absl::StrCat(
          field, " has more than ", kMaxPatternBytes, " characters"));
    }
    if (absl::StrContains(pattern, "${")) {
      return Wrong(field, "has a policy variable, which is not supported");
    }
    patterns.any_of.push_back(std::move(pattern));
    return absl::OkStatus();
  };
  if (value.is_array()) {
    for (const json& text : value) SALLYPORT_RETURN_IF_ERROR(add(text));
    if (value.empty()) return Wrong(field, "is empty");
  } else {
    SALLYPORT_RETURN_IF_ERROR(add(value));
  }
  return patterns;
}

absl::StatusOr<Policy::Statement> Policy::ReadStatement(
    const json& value, const std::string& where) {
  if (!value.is_object()) return Wrong(where, "is no object");
  for (const auto& [name, unused] : value.items()) {
    (void)unused;
    if (name != "Sid" && name != "Effect" && name != "Action" &&
        name != "NotAction" && name != "Resource" && name != "NotResource") {
      return Wrong(where, absl::StrCat("has ", Printable(name, kMaxName),
                                       ", which is not supported"));
    }
  }
  Statement statement;
  const auto effect = value.find("Effect");
  if (effect == value.end()) return Wrong(where, "has no Effect");
  if (*effect == "Allow") {
    statement.allows = true;
  } else if (*effect != "Deny") {
    return Wrong(where, "has an Effect but Allow and Deny");
  }
  SALLYPORT_ASSIGN_OR_RETURN(statement.actions,
                             ReadPatterns(value, where, "Action", "NotAction"));
  for (std::string& action : statement.actions.any_of) {
    action = absl::AsciiStrToLower(action);
  }
  SALLYPORT_ASSIGN_OR_RETURN(
      statement.resources,
      ReadPatterns(value, where, "Resource", "NotResource"));
  return statement;
}

absl::StatusOr<Policy> Policy::Read(const json& document) {
  if (!document.is_object()) return Wrong("policyDocument", "is no object");
  for (const auto& [name, unused] : document.items()) {
    (void)unused;
    if (name != "Version" && name != "Id" && name != "Statement") {
      return Wrong("policyDocument",
                   absl::StrCat("has ", Printable(name, kMaxName),
                                ", which is not supported"));
    }
  }
  const auto version = document.find("Version");
  if (version != document.end() && *version != "2012-10-17" &&
      *version != "2008-10-17") {
    return Wrong("policyDocument.Version", "is not 2012-10-17");
  }
  const auto found = document.find("Statement");
  if (found == document.end())
    return Wrong("policyDocument", "has no Statement");
  Policy policy;
  size_t patterns = 0;
  const auto add = [&](const json& value,
                       const std::string& where) -> absl::Status {
    SALLYPORT_ASSIGN_OR_RETURN(Statement statement,
                               ReadStatement(value, where));
    for (const Patterns* list : {&statement.actions, &statement.resources}) {
      patterns += list->any_of.size();
      for (const std::string& text : list->any_of) {
        policy.bytes_ += sizeof(std::string) + text.size();
      }
    }
    if (patterns > kMaxPolicyPatterns) {
      return absl::ResourceExhaustedError(
          absl::StrCat("policyDocument has more than ", kMaxPolicyPatterns,
                       " actions and resources"));
    }
    policy.bytes_ += sizeof(Statement);
    policy.statements_.push_back(std::move(statement));
    return absl::OkStatus();
  };
  if (!found->is_array()) {
    SALLYPORT_RETURN_IF_ERROR(add(*found, "policyDocument.Statement"));
    return policy;
  }
  if (found->size() > kMaxPolicyStatements) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "policyDocument has more than ", kMaxPolicyStatements, " statements"));
  }
  for (size_t i = 0; i < found->size(); ++i) {
    SALLYPORT_RETURN_IF_ERROR(
        add((*found)[i], absl::StrCat("policyDocument.Statement[", i, "]")));
  }
  return policy;
}

PolicyDecision Policy::Evaluate(absl::string_view action,
                                absl::string_view resource) const {
  const std::string lower = absl::AsciiStrToLower(action);
  PolicyDecision decision = PolicyDecision::kImplicitDeny;
  for (const Statement& statement : statements_) {
    if (statement.allows && decision == PolicyDecision::kAllow) continue;
    bool of_action = false;
    for (const std::string& pattern : statement.actions.any_of) {
      of_action = of_action || MatchesPattern(pattern, lower);
    }
    if (of_action == statement.actions.negated) continue;
    bool of_resource = false;
    for (const std::string& pattern : statement.resources.any_of) {
      of_resource = of_resource || MatchesResource(pattern, resource);
    }
    if (of_resource == statement.resources.negated) continue;
    if (!statement.allows) return PolicyDecision::kExplicitDeny;
    decision = PolicyDecision::kAllow;
  }
  return decision;
}

}  // namespace sallyport::lambda
