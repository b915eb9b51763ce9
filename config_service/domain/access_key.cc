#include "config_service/domain/access_key.h"

#include "absl/status/status.h"

namespace sallyport::domain {

void Validate(const AccessKey& key, Violations& violations) {
  if (key.owner.empty()) {
    violations.Add("owner", Reason::kFieldRequired,
                   "is empty; say whose key it is");
    return;
  }
  const absl::Status status = CheckId(IdRule::kNode, key.owner);
  if (!status.ok()) {
    violations.Add("owner", Reason::kFieldMalformed, status.message());
  }
}

std::string AccessKeyId(absl::string_view random) {
  constexpr absl::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  std::string out = "AKIA";
  for (const char c : random) {
    out += kAlphabet[static_cast<unsigned char>(c) % kAlphabet.size()];
  }
  return out;
}

}  // namespace sallyport::domain
