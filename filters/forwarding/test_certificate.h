// Certificates with whatever bytes a test wants in them, also those that
// OpenSSL's text forms (pki/testing) cannot express.

#ifndef SALLYPORT_FILTERS_FORWARDING_TEST_CERTIFICATE_H_
#define SALLYPORT_FILTERS_FORWARDING_TEST_CERTIFICATE_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "pki/x509/certificate.h"

namespace sallyport::forwarding {

// One attribute of a name: the last byte of its id-at OID (3 is the common
// name), its value (written as UTF8String), and whether it stands in the same
// RDN as the one before.
struct TestAttribute {
  int type = 3;
  std::string value;
  bool same_rdn = false;
  // Contents of the OID, in place of `type` when not empty.
  std::string oid = "";
};

struct TestCertificate {
  std::vector<TestAttribute> subject = {{3, "client-1", false}};
  std::vector<TestAttribute> issuer = {{3, "Root CA", false}};
  // Contents of the INTEGER.
  std::string serial = {'\x03', '\xa5', '\xb1'};
  // GeneralizedTime.
  std::string not_before = "20230921015017Z";
  std::string not_after = "20240920015017Z";
  // The certificate has a subjectAltName extension if one of these is there.
  std::vector<std::string> dns;
  std::vector<std::string> uri;
  std::vector<std::string> email;
  std::vector<std::string> ip;  // 4 or 16 octets each
};

// DER, signed with a fixed P-256 key.
std::string MakeDer(const TestCertificate& spec);

// Null when it cannot be read.
std::shared_ptr<const pki::Certificate> Make(const TestCertificate& spec);

// The certificates of a PEM file; ends the process when it cannot be read.
std::vector<std::shared_ptr<const pki::Certificate>> ReadChain(
    const std::string& path);

}  // namespace sallyport::forwarding

#endif  // SALLYPORT_FILTERS_FORWARDING_TEST_CERTIFICATE_H_
