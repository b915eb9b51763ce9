// A client's chain as people keep it: a PEM file, the client's certificate
// first, often with its private key and other text in it.

#ifndef SALLYPORT_CLI_CHAIN_FILE_H_
#define SALLYPORT_CLI_CHAIN_FILE_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace sallyport::cli {

struct ChainFile {
  // DER, in the order of the file. All of them: limits are for VerifyChain().
  std::vector<std::string> certificates;

  // A block that is not a certificate. It is passed over without being
  // decoded.
  struct SkippedBlock {
    size_t line = 0;    // of its BEGIN, from 1
    std::string label;  // printable: "PRIVATE KEY"
  };
  // The first kMaxSkippedBlocks of them, and how many there are.
  static constexpr size_t kMaxSkippedBlocks = 5;
  std::vector<SkippedBlock> skipped;
  size_t num_skipped = 0;

  // What is wrong with a damaged certificate block, with its number among the
  // certificates and its line; "" when nothing is. Holds no contents.
  std::string damage;

  // Nothing in the text looks like PEM.
  bool not_pem() const {
    return certificates.empty() && num_skipped == 0 && damage.empty();
  }
};

// ReadChainPem: reads the text of a chain file. Linear time.
ChainFile ReadChainPem(absl::string_view pem);

}  // namespace sallyport::cli

#endif  // SALLYPORT_CLI_CHAIN_FILE_H_
