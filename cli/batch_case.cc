#include "cli/batch_case.h"

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cli/options.h"
#include "cli/rfc3339.h"

namespace sallyport::cli {
namespace {

constexpr size_t kMaxNesting = 64;
// A larger one is a mistake, and would be echoed.
constexpr size_t kMaxIdBytes = size_t{64} << 10;

// Receives the parser's events for one line.
class CaseReader {
 public:
  using number_integer_t = Json::number_integer_t;
  using number_unsigned_t = Json::number_unsigned_t;
  using number_float_t = Json::number_float_t;
  using string_t = Json::string_t;
  using binary_t = Json::binary_t;

  explicit CaseReader(BatchCaseResult& result) : result_(result) {}

  bool null() { return Scalar(nullptr); }
  bool boolean(bool value) { return Scalar(value); }
  bool number_integer(number_integer_t value) { return Scalar(value); }
  bool number_unsigned(number_unsigned_t value) { return Scalar(value); }
  bool number_float(number_float_t value, const string_t& /*text*/) {
    return Scalar(value);
  }
  bool string(string_t& value) {
    if (nesting_ != 1) return nesting_ != 0 || NotAnObject();
    BatchCase& c = result_.value;
    if (member_ == "id") {
      if (value.size() > kMaxIdBytes) return Complain("id is too long");
      c.id = std::move(value);
    } else if (member_ == "truststore_pem") {
      has_truststore_ = true;
      c.truststore_pem = std::move(value);
    } else if (member_ == "chain_pem") {
      c.chain_pem = std::move(value);
    } else if (member_ == "time") {
      c.time = ParseRfc3339(value);
      if (!c.time.has_value()) {
        return Complain(
            "time is not an RFC 3339 date and time, such as "
            "2026-01-31T12:00:00Z");
      }
    } else if (member_ == "policy") {
      c.policy = ParseChainPolicy(value);
      if (!c.policy.has_value()) {
        return Complain("policy is neither complete-chain nor any-anchor");
      }
    }
    return true;
  }
  bool binary(binary_t& /*value*/) { return true; }
  bool start_object(size_t /*elements*/) { return Open(); }
  bool start_array(size_t /*elements*/) {
    return nesting_ == 0 ? NotAnObject() : Open();
  }
  bool end_object() {
    --nesting_;
    return true;
  }
  bool end_array() { return end_object(); }
  bool key(string_t& name) {
    if (nesting_ == 1) member_ = std::move(name);
    return true;
  }
  bool parse_error(size_t position, const std::string& /*last_token*/,
                   const nlohmann::detail::exception& /*error*/) {
    fatal_ = absl::StrCat("the line is not JSON: mistake at byte ", position);
    return false;
  }

  // To be called when the parser is done.
  void Finish() {
    if (!fatal_.empty()) {
      result_.value.id = nullptr;
      result_.error = fatal_;
    } else if (result_.error.empty() && !has_truststore_) {
      result_.error = "truststore_pem is missing";
    }
  }

 private:
  // A value that is not a string, array or object.
  template <typename T>
  bool Scalar(T value) {
    if (nesting_ == 0) return NotAnObject();
    if (nesting_ > 1) return true;
    if (member_ == "id") {
      result_.value.id = value;
      return true;
    }
    return std::is_same<T, std::nullptr_t>::value || WrongType();
  }

  bool Open() {
    if (nesting_ == 1 && (member_ == "id" || IsStringMember())) WrongType();
    if (++nesting_ <= kMaxNesting) return true;
    fatal_ = "the line is nested too deeply";
    return false;
  }

  bool IsStringMember() const {
    return member_ == "truststore_pem" || member_ == "chain_pem" ||
           member_ == "time" || member_ == "policy";
  }

  // null stands for a member that is left out.
  bool WrongType() {
    if (member_ == "id") return Complain("id is not a string or a number");
    return !IsStringMember() ||
           Complain(absl::StrCat(member_, " is not a string"));
  }

  // The line goes on, so that its id is known; the first complaint counts.
  bool Complain(std::string error) {
    if (result_.error.empty()) result_.error = std::move(error);
    return true;
  }

  bool NotAnObject() {
    fatal_ = "the line is not a JSON object";
    return false;
  }

  BatchCaseResult& result_;
  std::string member_;
  std::string fatal_;
  size_t nesting_ = 0;
  bool has_truststore_ = false;
};

}  // namespace

BatchCaseResult ParseBatchCase(absl::string_view line) {
  BatchCaseResult result;
  CaseReader reader(result);
  Json::sax_parse(line.data(), line.data() + line.size(), &reader);
  reader.Finish();
  return result;
}

}  // namespace sallyport::cli
