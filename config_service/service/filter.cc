#include "config_service/service/filter.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "config_service/domain/violations.h"
#include "config_service/service/limits.h"

namespace sallyport::service {
namespace {

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n'; }

bool IsFieldCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-' || c == '/';
}

const FilterField* Find(absl::Span<const FilterField> fields,
                        absl::string_view name) {
  for (const FilterField& field : fields) {
    if (field.name == name) return &field;
    if (absl::EndsWith(field.name, ".*")) {
      const absl::string_view map = field.name.substr(0, field.name.size() - 1);
      if (name.size() > map.size() && absl::StartsWith(name, map)) {
        return &field;
      }
    }
  }
  return nullptr;
}

}  // namespace

class Filter::Parser {
 public:
  Parser(absl::string_view text, absl::Span<const FilterField> fields)
      : text_(text), fields_(fields) {}

  absl::StatusOr<std::vector<Term>> Run() {
    std::vector<Term> terms;
    SkipSpace();
    if (AtEnd()) return terms;
    while (true) {
      if (terms.size() == kMaxFilterTerms) {
        return Invalid(
            absl::StrCat("has more than ", kMaxFilterTerms, " terms"));
      }
      SALLYPORT_ASSIGN_OR_RETURN(Term term, ReadTerm());
      terms.push_back(std::move(term));
      SkipSpace();
      if (AtEnd()) return terms;
      if (!absl::StartsWith(Rest(), "AND") || Rest().size() == 3 ||
          !IsSpace(Rest()[3])) {
        return Invalid("expected AND, or the end");
      }
      at_ += 3;
      SkipSpace();
    }
  }

 private:
  bool AtEnd() const { return at_ >= text_.size(); }
  absl::string_view Rest() const { return text_.substr(at_); }
  void SkipSpace() {
    while (!AtEnd() && IsSpace(text_[at_])) ++at_;
  }

  absl::Status Invalid(absl::string_view why) const {
    return domain::MakeError(
        domain::Reason::kFilterInvalid,
        absl::StrCat("the filter cannot be read at position ", at_, ": ", why),
        {{"position", absl::StrCat(at_)}});
  }

  absl::StatusOr<Term> ReadTerm() {
    Term term;
    const size_t start = at_;
    while (!AtEnd() && IsFieldCharacter(text_[at_])) ++at_;
    const absl::string_view name = text_.substr(start, at_ - start);
    const FilterField* field = Find(fields_, name);
    if (field == nullptr) {
      at_ = start;
      return Invalid(absl::StrCat(
          "expected one of the fields ",
          absl::StrJoin(fields_, ", ",
                        [](std::string* out, const FilterField& f) {
                          absl::StrAppend(out, f.name);
                        })));
    }
    term.field = std::string(name);
    SkipSpace();
    SALLYPORT_ASSIGN_OR_RETURN(term.op, ReadOp(*field));
    SkipSpace();
    const size_t value_at = at_;
    SALLYPORT_ASSIGN_OR_RETURN(std::string text, ReadValue());
    switch (field->type) {
      case FilterField::Type::kText:
        term.value = std::move(text);
        return term;
      case FilterField::Type::kNumber: {
        int64_t number = 0;
        if (absl::SimpleAtoi(text, &number)) {
          term.value = number;
          return term;
        }
        at_ = value_at;
        return Invalid("expected a number");
      }
      case FilterField::Type::kTime: {
        absl::Time time;
        std::string error;
        if (absl::ParseTime(absl::RFC3339_full, text, &time, &error)) {
          term.value = time;
          return term;
        }
        at_ = value_at;
        return Invalid("expected a time, \"2026-01-31T12:00:00Z\"");
      }
    }
    return term;
  }

  absl::StatusOr<Op> ReadOp(const FilterField& field) {
    // Longer ones first.
    static constexpr std::pair<absl::string_view, Op> kOps[] = {
        {"!=", Op::kNotEqual}, {"<=", Op::kAtMost}, {">=", Op::kAtLeast},
        {"=", Op::kEqual},     {":", Op::kHas},     {"<", Op::kLess},
        {">", Op::kMore},
    };
    const bool is_text = field.type == FilterField::Type::kText;
    for (const auto& [text, op] : kOps) {
      if (!absl::StartsWith(Rest(), text)) continue;
      const bool orders = op == Op::kLess || op == Op::kAtMost ||
                          op == Op::kMore || op == Op::kAtLeast;
      if (is_text ? orders : op == Op::kHas) {
        return Invalid(
            absl::StrCat(text, " does not apply to ", field.name, "; use ",
                         is_text ? "=, != or :" : "=, !=, <, <=, > or >="));
      }
      at_ += text.size();
      return op;
    }
    return Invalid("expected =, !=, :, <, <=, > or >=");
  }

  absl::StatusOr<std::string> ReadValue() {
    if (AtEnd()) return Invalid("expected a value");
    std::string value;
    if (text_[at_] != '"') {
      while (!AtEnd() && !IsSpace(text_[at_]) && text_[at_] != '"') {
        value += text_[at_++];
      }
      return value;
    }
    ++at_;
    while (!AtEnd() && text_[at_] != '"') {
      if (text_[at_] == '\\') {
        ++at_;
        if (AtEnd() || (text_[at_] != '"' && text_[at_] != '\\')) {
          return Invalid("after \\ expected \" or \\");
        }
      }
      value += text_[at_++];
    }
    if (AtEnd()) return Invalid("expected \" at the end of the value");
    ++at_;
    return value;
  }

  absl::string_view text_;
  absl::Span<const FilterField> fields_;
  size_t at_ = 0;
};

absl::StatusOr<Filter> Filter::Parse(absl::string_view text,
                                     absl::Span<const FilterField> fields) {
  if (text.size() > kMaxFilterBytes) {
    return domain::MakeError(domain::Reason::kFilterInvalid,
                             absl::StrCat("the filter has ", text.size(),
                                          " bytes; at most ", kMaxFilterBytes),
                             {{"position", "0"}});
  }
  Filter filter;
  SALLYPORT_ASSIGN_OR_RETURN(filter.terms_, Parser(text, fields).Run());
  return filter;
}

bool Filter::Matches(
    absl::FunctionRef<FilterValue(absl::string_view field)> value) const {
  return std::all_of(terms_.begin(), terms_.end(), [&](const Term& term) {
    const FilterValue found = value(term.field);
    if (const auto* all = absl::get_if<std::vector<std::string>>(&found)) {
      const std::string* wanted = absl::get_if<std::string>(&term.value);
      if (wanted == nullptr) return false;
      if (term.op == Op::kHas) {
        return std::any_of(all->begin(), all->end(),
                           [&](const std::string& one) {
                             return absl::StrContains(one, *wanted);
                           });
      }
      const bool has =
          std::find(all->begin(), all->end(), *wanted) != all->end();
      return term.op == Op::kEqual ? has : term.op == Op::kNotEqual && !has;
    }
    // A value of another type than was promised matches nothing.
    if (found.index() != term.value.index()) return false;
    switch (term.op) {
      case Op::kEqual:
        return found == term.value;
      case Op::kNotEqual:
        return found != term.value;
      case Op::kHas:
        return absl::StrContains(absl::get<std::string>(found),
                                 absl::get<std::string>(term.value));
      case Op::kLess:
        return found < term.value;
      case Op::kAtMost:
        return found <= term.value;
      case Op::kMore:
        return found > term.value;
      case Op::kAtLeast:
        return found >= term.value;
    }
    return false;
  });
}

}  // namespace sallyport::service
