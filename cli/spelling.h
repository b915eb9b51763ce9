// What the module's configuration calls the choices of an option.

#ifndef SALLYPORT_CLI_SPELLING_H_
#define SALLYPORT_CLI_SPELLING_H_

#include <string>

#include "CLI/CLI.hpp"
#include "absl/strings/ascii.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace sallyport::cli {

// Has `option`, one of AddChoiceOption(), take the configuration's spelling
// too: ANY_ANCHOR for any-anchor, and with `prefix` "EKU_" EKU_WARN for warn.
inline CLI::Option* TakeConfigurationSpelling(CLI::Option* option,
                                              absl::string_view prefix = "") {
  return option->transform(
      [prefix = std::string(prefix)](const std::string& text) {
        absl::string_view word = text;
        if (absl::AsciiStrToUpper(word) != word ||
            !absl::ConsumePrefix(&word, prefix)) {
          return text;
        }
        return absl::StrReplaceAll(absl::AsciiStrToLower(word), {{"_", "-"}});
      },
      "", "");
}

}  // namespace sallyport::cli

#endif  // SALLYPORT_CLI_SPELLING_H_
