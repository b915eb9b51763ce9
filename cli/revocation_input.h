// What --crl and --deny name: revocation lists and a deny list, read.

#ifndef SALLYPORT_CLI_REVOCATION_INPUT_H_
#define SALLYPORT_CLI_REVOCATION_INPUT_H_

#include <memory>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "pki/chain/verify.h"
#include "pki/truststore/deny_list.h"
#include "pki/truststore/revocation.h"

namespace sallyport::cli {

struct RevocationOptions {
  std::vector<std::string> crls;  // paths of files, PEM or DER
  pki::RevocationRule rule = pki::RevocationRule::kSoftFail;
  pki::RevocationScope scope = pki::RevocationScope::kChain;
  std::string deny;  // path of a file, or ""
};

// AddRevocationOptions: --crl, --crl-rule, --crl-scope and --deny. `options`
// must outlive the parsing.
void AddRevocationOptions(CLI::App& app, RevocationOptions* options);

// CheckRevocationOptions: throws CLI::ValidationError when they contradict each
// other.
void CheckRevocationOptions(const RevocationOptions& options);

// The objects that `inputs` points to.
struct RevocationInput {
  std::shared_ptr<const pki::RevocationLists> lists;
  std::shared_ptr<const pki::DenyList> deny;
  pki::RevocationInputs inputs;
};

// LoadRevocation: reads the files. The message of an error names the file and
// says what is wrong; it holds no contents.
absl::StatusOr<RevocationInput> LoadRevocation(
    const RevocationOptions& options);

// ReadDenyList: `json` is a message DenyList of the module's configuration, by
// the protobuf JSON mapping, without `file`. InvalidArgument and the errors of
// pki::DenyList::Create().
absl::StatusOr<std::shared_ptr<const pki::DenyList>> ReadDenyList(
    absl::string_view json);

}  // namespace sallyport::cli

#endif  // SALLYPORT_CLI_REVOCATION_INPUT_H_
