// CHECK for fuzz targets: says what was broken, then aborts.

#ifndef SALLYPORT_TESTS_FUZZ_FUZZ_CHECK_H_
#define SALLYPORT_TESTS_FUZZ_FUZZ_CHECK_H_

#include <cstdio>
#include <cstdlib>
#include <string>

#include "absl/strings/string_view.h"

namespace sallyport::fuzz {

inline void Require(bool holds, const std::string& what) {
  if (holds) return;
  std::fprintf(stderr, "invariant broken: %s\n", what.c_str());
  std::abort();
}

inline void RequirePrintable(absl::string_view text, const std::string& what) {
  for (const unsigned char c : text) {
    Require(c >= 0x20 && c <= 0x7e, what + " is not printable ASCII");
  }
}

}  // namespace sallyport::fuzz

#endif  // SALLYPORT_TESTS_FUZZ_FUZZ_CHECK_H_
