#include "config_service/domain/violations.h"

#include <algorithm>

#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "config_service/domain/limits.h"

namespace sallyport::domain {
namespace {

constexpr absl::string_view kPayload = "sallyport.dev/domain.Error";

// An error as a status carries it: each value as its length, ':' and its bytes.
void Write(absl::string_view value, std::string& out) {
  absl::StrAppend(&out, value.size(), ":", value);
}

void Write(size_t value, std::string& out) {
  Write(absl::string_view(absl::StrCat(value)), out);
}

class Reader {
 public:
  explicit Reader(absl::string_view text) : text_(text) {}

  bool ok() const { return ok_; }
  bool at_end() const { return text_.empty(); }

  std::string Text() {
    const size_t colon = text_.find(':');
    size_t size = 0;
    if (colon == absl::string_view::npos ||
        !absl::SimpleAtoi(text_.substr(0, colon), &size) ||
        size > text_.size() - colon - 1) {
      ok_ = false;
      text_ = "";
      return "";
    }
    std::string value(text_.substr(colon + 1, size));
    text_.remove_prefix(colon + 1 + size);
    return value;
  }

  size_t Number() {
    size_t value = 0;
    if (!absl::SimpleAtoi(Text(), &value)) ok_ = false;
    return ok_ ? value : 0;
  }

  Reason ReadReason() {
    const std::optional<Reason> reason =
        ReasonFromNumber(static_cast<int>(Number()));
    if (!reason.has_value()) ok_ = false;
    return reason.value_or(Reason::kInternal);
  }

 private:
  absl::string_view text_;
  bool ok_ = true;
};

std::string Encode(const Error& error) {
  std::string out;
  Write(static_cast<size_t>(error.reason), out);
  Write(error.metadata.size(), out);
  for (const auto& [key, value] : error.metadata) {
    Write(key, out);
    Write(value, out);
  }
  Write(error.num_violations, out);
  Write(error.violations.size(), out);
  for (const FieldViolation& violation : error.violations) {
    Write(violation.field, out);
    Write(static_cast<size_t>(violation.reason), out);
    Write(violation.description, out);
  }
  return out;
}

absl::Status WithPayload(absl::StatusCode code, const Error& error) {
  absl::Status status(code, error.message);
  status.SetPayload(kPayload, absl::Cord(Encode(error)));
  return status;
}

}  // namespace

absl::Status ToStatus(const Error& error) {
  return WithPayload(CodeOf(error.reason), error);
}

std::optional<Error> ErrorOf(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(kPayload);
  if (!payload.has_value()) return std::nullopt;
  const std::string text(*payload);
  Reader reader(text);
  Error error;
  error.message = std::string(status.message());
  error.reason = reader.ReadReason();
  for (size_t n = reader.Number(); n > 0 && reader.ok(); --n) {
    std::string key = reader.Text();
    error.metadata.emplace_back(std::move(key), reader.Text());
  }
  error.num_violations = reader.Number();
  for (size_t n = reader.Number(); n > 0 && reader.ok(); --n) {
    FieldViolation violation;
    violation.field = reader.Text();
    violation.reason = reader.ReadReason();
    violation.description = reader.Text();
    error.violations.push_back(std::move(violation));
  }
  if (!reader.ok() || !reader.at_end()) return std::nullopt;
  return error;
}

absl::Status MakeError(
    Reason reason, absl::string_view message,
    std::vector<std::pair<std::string, std::string>> metadata) {
  Error error;
  error.reason = reason;
  error.message = std::string(message);
  error.metadata = std::move(metadata);
  return ToStatus(error);
}

void Violations::Add(absl::string_view field, Reason reason,
                     absl::string_view description) {
  if (num_ > 0) {
    const Reason first = list_.front().reason;
    one_reason_ = one_reason_ && reason == first;
    one_code_ = one_code_ && CodeOf(reason) == CodeOf(first);
  }
  ++num_;
  if (list_.size() >= kMaxListedViolations) return;
  list_.push_back({std::string(field), reason, std::string(description)});
}

void Violations::AddAll(absl::string_view prefix, const Violations& other) {
  for (const FieldViolation& violation : other.list_) {
    Add(Field(prefix, violation.field), violation.reason,
        violation.description);
  }
  // What `other` no longer lists.
  num_ += other.num_ - other.list_.size();
  one_reason_ = one_reason_ && other.one_reason_;
  one_code_ = one_code_ && other.one_code_;
}

bool Violations::Has(absl::string_view field) const {
  return std::any_of(list_.begin(), list_.end(),
                     [&](const FieldViolation& v) { return v.field == field; });
}

bool Violations::Has(absl::string_view field, Reason reason) const {
  return std::any_of(list_.begin(), list_.end(), [&](const FieldViolation& v) {
    return v.field == field && v.reason == reason;
  });
}

absl::Status Violations::ToStatus() const {
  if (num_ == 0) return absl::OkStatus();
  const FieldViolation& first = list_.front();
  Error error;
  error.reason = one_reason_ ? first.reason : Reason::kFieldsInvalid;
  error.message = absl::StrCat(first.field, ": ", first.description);
  if (num_ > 1) {
    absl::StrAppend(
        &error.message, "; and ", num_ - 1,
        num_ == 2 ? " more field is wrong" : " more fields are wrong");
  }
  error.metadata.emplace_back("field_violations", absl::StrCat(num_));
  error.violations = list_;
  error.num_violations = num_;
  return WithPayload(
      one_code_ ? CodeOf(first.reason) : absl::StatusCode::kInvalidArgument,
      error);
}

std::string Field(absl::string_view parent, absl::string_view name) {
  if (parent.empty()) return std::string(name);
  if (name.empty()) return std::string(parent);
  return absl::StrCat(parent, name.front() == '[' ? "" : ".", name);
}

std::string Element(absl::string_view list, size_t index) {
  return absl::StrCat(list, "[", index, "]");
}

std::string Entry(absl::string_view map, absl::string_view key) {
  return absl::StrCat(map, "[\"", Printable(key, 64), "\"]");
}

}  // namespace sallyport::domain
