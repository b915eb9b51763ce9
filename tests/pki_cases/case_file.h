// Reading the cases of cases/: README.md describes the files.

#ifndef SALLYPORT_TESTS_PKI_CASES_CASE_FILE_H_
#define SALLYPORT_TESTS_PKI_CASES_CASE_FILE_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "pki/chain/verify.h"
#include "pki/truststore/deny_list.h"
#include "pki/truststore/revocation.h"
#include "pki/truststore/truststore.h"

namespace sallyport::pki_cases {

// One case folder's files.
struct Material {
  std::string case_name;
  std::string description;
  std::string truststore_pem;
  // Contents of the blocks of chain.pem, whatever they hold.
  std::vector<std::string> chain_der;
  // lists.pem and deny.json; "" and null when absent.
  std::string lists_pem;
  std::shared_ptr<const pki::RevocationLists> lists;
  std::shared_ptr<const pki::DenyList> deny;

  // Views of chain_der, as VerifyChain() takes them.
  std::vector<absl::string_view> Chain() const;
};

// One entry of "verify".
struct VerifyCheck {
  std::shared_ptr<const Material> material;
  std::string name;
  absl::Time time;
  pki::VerifyPolicy policy;
  bool uses_lists = false;  // there is a "revocation"
  pki::RevocationRule rule = pki::RevocationRule::kSoftFail;
  pki::RevocationScope scope = pki::RevocationScope::kChain;

  std::string reason;
  std::optional<int> depth;
  std::optional<size_t> path_length;
  std::optional<absl::Time> recheck_at;
  std::optional<bool> extended_key_usage_warning;
  std::optional<size_t> signature_checks_at_most;
  std::optional<size_t> path_iterations_at_most;

  // "folder/check", unique.
  std::string Id() const { return material->case_name + "/" + name; }
  // What VerifyChain() gets; views of `material`.
  pki::RevocationInputs Revocation() const;
};

struct ExpectedWarning {
  size_t index = 0;
  size_t line = 0;
  std::string subject;
  std::string reason;
};

// One entry of "truststore".
struct TruststoreCheck {
  std::shared_ptr<const Material> material;
  std::string name;
  pki::TruststoreLimits limits;

  // Refused: error_reason is not empty, and the rest below is unused.
  std::string error_reason;
  size_t error_index = 0;
  size_t error_line = 0;

  absl::Time time;
  pki::ChainPolicy policy = pki::ChainPolicy::kCompleteChain;
  size_t certificates = 0;
  bool gives_trust = true;
  std::vector<ExpectedWarning> warnings;

  std::string Id() const { return material->case_name + "/" + name; }
};

struct Cases {
  size_t num_folders = 0;
  std::vector<VerifyCheck> verify;
  std::vector<TruststoreCheck> truststore;
};

// Reads every folder of `folder`. A case that cannot be read, or that holds a
// field nobody knows, ends the process with a message that names it.
Cases LoadCases(const std::string& folder);

// The cases of this folder, read once. Paths are those of a Bazel test.
const Cases& AllCases();

// A test name of letters, digits and '_' for "folder/check".
std::string TestName(absl::string_view id);

// So that a failing test says which case it is.
void PrintTo(const VerifyCheck& check, std::ostream* out);
void PrintTo(const TruststoreCheck& check, std::ostream* out);

}  // namespace sallyport::pki_cases

#endif  // SALLYPORT_TESTS_PKI_CASES_CASE_FILE_H_
