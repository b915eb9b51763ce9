#include "cli/options.h"

#include <cstdint>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "cli/rfc3339.h"
#include "cli/spelling.h"

namespace sallyport::cli {

absl::optional<pki::ChainPolicy> ParseChainPolicy(absl::string_view name) {
  for (const pki::ChainPolicy policy :
       {pki::ChainPolicy::kCompleteChain, pki::ChainPolicy::kAnyAnchor}) {
    if (name == pki::ChainPolicyName(policy)) return policy;
  }
  return absl::nullopt;
}

CLI::Option* AddPolicyOption(CLI::App& app, pki::ChainPolicy* value) {
  return TakeConfigurationSpelling(AddChoiceOption<pki::ChainPolicy>(
      app, "--policy", value,
      {{"complete-chain", pki::ChainPolicy::kCompleteChain},
       {"any-anchor", pki::ChainPolicy::kAnyAnchor}},
      "complete-chain: every CA up to a self-signed root must be in the "
      "truststore;\n"
      "any-anchor: any CA in it ends a chain. Default: complete-chain"));
}

CLI::Option* AddTimeOption(CLI::App& app, absl::optional<absl::Time>* value,
                           const std::string& description) {
  return app
      .add_option_function<std::string>(
          "--time",
          [value](const std::string& text) {
            *value = ParseRfc3339(text);
            if (!value->has_value()) {
              throw CLI::ValidationError(
                  "--time", "'" + text +
                                "' is not an RFC 3339 date and time, such as "
                                "2026-01-31T12:00:00Z");
            }
          },
          description)
      ->type_name("RFC3339");
}

CLI::Option* AddNumberOption(CLI::App& app, const std::string& name,
                             size_t* value, size_t min, size_t max,
                             const std::string& description) {
  return app
      .add_option_function<std::string>(
          name,
          [name, value, min, max](const std::string& text) {
            uint64_t number = 0;
            if (!absl::SimpleAtoi(text, &number) || number < min ||
                number > max) {
              throw CLI::ValidationError(
                  name, absl::StrCat("'", text, "' is not a number from ", min,
                                     " to ", max));
            }
            *value = number;
          },
          description)
      ->type_name("N");
}

}  // namespace sallyport::cli
