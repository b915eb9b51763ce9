// cpp-httplib with the OpenSSL that Debian's library was compiled against.
// Include this rather than <httplib.h>.
//
// Its header includes OpenSSL's. In a target that depends on BoringSSL, also
// through others (pki/ does), the compiler would find BoringSSL's in their
// place, whose types are other types: so an HTTP server is a target that does
// without.

#ifndef SALLYPORT_THIRD_PARTY_HTTPLIB_HTTPLIB_H_
#define SALLYPORT_THIRD_PARTY_HTTPLIB_HTTPLIB_H_

#include <openssl/opensslv.h>

#if defined(BORINGSSL_PREFIX) || defined(OPENSSL_IS_BORINGSSL)
#error \
    "This target depends on BoringSSL, so it cannot use cpp-httplib: split it."
#endif

#include <httplib.h>  // IWYU pragma: export

#endif  // SALLYPORT_THIRD_PARTY_HTTPLIB_HTTPLIB_H_
