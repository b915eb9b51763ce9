// Options that several commands share, and how they are checked.
//
// An option's type name is what --help prints after it, and what shell
// completion offers: "FILE" for paths, "a|b" for a choice, anything else for
// text that nothing can complete.

#ifndef SALLYPORT_CLI_OPTIONS_H_
#define SALLYPORT_CLI_OPTIONS_H_

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "pki/truststore/truststore.h"

namespace sallyport::cli {

// Type name of options that take a path.
inline constexpr char kFileType[] = "FILE";

// ParseChainPolicy: the policy called `name`, or nothing.
absl::optional<pki::ChainPolicy> ParseChainPolicy(absl::string_view name);

// The functions below add an option to `app` that sets `*value` when it is
// given. `value` must outlive the parsing; a wrong value throws
// CLI::ValidationError.

CLI::Option* AddPolicyOption(CLI::App& app, pki::ChainPolicy* value);
CLI::Option* AddTimeOption(CLI::App& app, absl::optional<absl::Time>* value,
                           const std::string& description);
CLI::Option* AddNumberOption(CLI::App& app, const std::string& name,
                             size_t* value, size_t min, size_t max,
                             const std::string& description);

// One of a few words.
template <typename T>
CLI::Option* AddChoiceOption(CLI::App& app, const std::string& name, T* value,
                             std::vector<std::pair<std::string, T>> choices,
                             const std::string& description) {
  std::string type_name;
  for (const auto& [word, unused] : choices) {
    if (!type_name.empty()) type_name += '|';
    type_name += word;
  }
  return app
      .add_option_function<std::string>(
          name,
          [name, value, type_name,
           choices = std::move(choices)](const std::string& text) {
            for (const auto& [word, choice] : choices) {
              if (word == text) {
                *value = choice;
                return;
              }
            }
            throw CLI::ValidationError(
                name, "'" + text + "' is not one of " + type_name);
          },
          description)
      ->type_name(type_name);
}

}  // namespace sallyport::cli

#endif  // SALLYPORT_CLI_OPTIONS_H_
