// What a certificate may be used for, by its own extended key usage.

#ifndef SALLYPORT_PKI_X509_PURPOSE_H_
#define SALLYPORT_PKI_X509_PURPOSE_H_

#include "pki/x509/certificate.h"

namespace sallyport::pki {

enum class Purpose { kServerAuth, kClientAuth };

// AllowsPurpose: `certificate` has no extended key usage (RFC 5280, 4.2.1.12),
// or one that names `purpose` or anyExtendedKeyUsage. False when it cannot be
// read (problem()). CAs above it are not looked at.
bool AllowsPurpose(const Certificate& certificate, Purpose purpose);

}  // namespace sallyport::pki

#endif  // SALLYPORT_PKI_X509_PURPOSE_H_
