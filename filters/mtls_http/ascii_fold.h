// What characters beyond ASCII become ASCII when a text is normalised: letters
// of full width, ligatures, "ß", characters that show nothing.

#ifndef SALLYPORT_FILTERS_MTLS_HTTP_ASCII_FOLD_H_
#define SALLYPORT_FILTERS_MTLS_HTTP_ASCII_FOLD_H_

#include <string>

#include "absl/strings/string_view.h"

namespace sallyport::mtls_http {

// `text`, which is UTF-8, with every character beyond ASCII whose NFKC_Casefold
// (Unicode 14.0, 3.13) is ASCII replaced by that; some vanish. The others and
// ASCII itself stay as they are. Whatever a backend does of it, compatibility
// normalisation, case folding or dropping what shows nothing, makes no more of
// a text ASCII. Thread-safe.
std::string FoldToAscii(absl::string_view text);

}  // namespace sallyport::mtls_http

#endif  // SALLYPORT_FILTERS_MTLS_HTTP_ASCII_FOLD_H_
