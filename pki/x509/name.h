// The attributes of a distinguished name (X.501), one by one.
// Certificate::Subject() and Issuer() are the same as one text.

#ifndef SALLYPORT_PKI_X509_NAME_H_
#define SALLYPORT_PKI_X509_NAME_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace sallyport::pki {

struct NameAttribute {
  // Object identifier in dots: "2.5.4.3" is the common name.
  std::string type;
  // UTF-8, whatever string type the certificate has it in. May hold any
  // character, NUL too: escape before printing.
  std::string value;
};

// NameAttributes: the attributes of `der` (Certificate::subject_der() or
// issuer_der()) that are text, in the order of the DER, those of an RDN with
// several one after the other. Empty when `der` is not a name.
std::vector<NameAttribute> NameAttributes(absl::string_view der);

}  // namespace sallyport::pki

#endif  // SALLYPORT_PKI_X509_NAME_H_
