// Makes certificates while a test runs, for tests that need more of them than
// anyone would commit. For everything else add a case to cases/.

#ifndef SALLYPORT_TESTS_PKI_CASES_CERTIFICATE_FACTORY_H_
#define SALLYPORT_TESTS_PKI_CASES_CERTIFICATE_FACTORY_H_

#include <openssl/evp.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace sallyport::pki_cases {

// A new P-256 key.
bssl::UniquePtr<EVP_PKEY> NewKey();

struct CertificateSpec {
  std::string subject;  // common names
  std::string issuer;
  EVP_PKEY* subject_key = nullptr;
  EVP_PKEY* issuer_key = nullptr;
  uint64_t serial = 1;
  bool is_ca = true;
  // Subject and authority key identifiers.
  bool key_identifiers = true;
  // Bytes of an extension that nobody knows.
  size_t padding = 0;
};

// DER of a certificate that is valid from 2020 to 2045. Ends the process when
// something fails.
std::string MakeCertificate(const CertificateSpec& spec);

}  // namespace sallyport::pki_cases

#endif  // SALLYPORT_TESTS_PKI_CASES_CERTIFICATE_FACTORY_H_
