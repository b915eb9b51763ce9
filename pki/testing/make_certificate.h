// Certificates for tests, made on the spot.

#ifndef SALLYPORT_PKI_TESTING_MAKE_CERTIFICATE_H_
#define SALLYPORT_PKI_TESTING_MAKE_CERTIFICATE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"

namespace sallyport::pki {

// A private key and its public half. Copies share the key.
class TestKey {
 public:
  static TestKey P256();
  static TestKey P384();
  static TestKey P521();
  static TestKey Rsa(int bits);
  static TestKey Ed25519();
  // A public key of that size for which nobody has the private one: it can be
  // in a certificate and sign nothing. Made at once, whatever the size.
  static TestKey RsaPublicOnly(int bits, uint64_t exponent = 65537);

  struct Rep;
  const std::shared_ptr<Rep>& rep() const { return rep_; }
  // PKCS#8, unencrypted.
  std::string Pem() const;

 private:
  std::shared_ptr<Rep> rep_;
};

// The instant that tests take for now, and around which validity lies.
inline absl::Time TestNow() { return absl::FromUnixSeconds(1790000000); }

enum class TestDigest { kSha256, kSha384, kSha1 };

// What a certificate holds. The defaults make a valid v3 leaf.
struct TestCertificateSpec {
  // Attributes in order: {"CN", "x"}, {"O", "y"}.
  std::vector<std::pair<std::string, std::string>> subject;
  std::string subject_der;  // the whole Name, in place of `subject`
  int version = 3;
  uint64_t serial = 1;
  std::string serial_hex;  // in place of `serial`; "-" before it
  absl::Time not_before = TestNow() - absl::Hours(24);
  absl::Time not_after = TestNow() + absl::Hours(24 * 365);
  bool ca = false;
  int path_length = -1;            // -1: none
  bool basic_constraints = true;   // leave the extension out when false
  std::string key_usage;           // OpenSSL text: "critical,keyCertSign"
  std::string extended_key_usage;  // "clientAuth"
  // "DNS:a,URI:spiffe://b", or what TestAltNames() makes.
  std::string alt_names;
  std::string name_constraints;  // "permitted;DNS:x"
  bool key_identifiers = true;
  // More extensions: {OID or name, value in OpenSSL's text form}.
  std::vector<std::pair<std::string, std::string>> extensions;
  TestDigest digest = TestDigest::kSha256;
};

// One subject alternative name by its tag (RFC 5280, 4.2.1.6), any bytes.
struct TestAltName {
  enum Kind : uint8_t {
    kEmail = 0x81,
    kDns = 0x82,
    kUri = 0x86,
    kIp = 0x87,
    kRegisteredId = 0x88,
  };
  Kind kind;
  std::string bytes;
};

// TestCertificateSpec::alt_names of exactly these names.
std::string TestAltNames(const std::vector<TestAltName>& names);

// The DER element of a tag and its contents, for names made by hand.
std::string TestDer(uint8_t tag, const std::string& contents);

// A certificate with its key.
struct TestCertificate {
  std::string der;
  std::string pem;
  TestKey key;
  TestCertificateSpec spec;
};

// A spec with the subject CN=`name`; for a CA if `ca`.
TestCertificateSpec TestLeafSpec(const std::string& name);
TestCertificateSpec TestCaSpec(const std::string& name);

// Signs; aborts when it cannot. `issuer` null makes it self-signed.
TestCertificate MakeTestCertificate(const TestCertificateSpec& spec,
                                    const TestKey& key,
                                    const TestCertificate* issuer);

// `der` with the other form of its ECDSA signature, by `issuer`'s key: (r, n -
// s) for (r, s). As valid as before.
std::string FlipEcdsaSignature(const std::string& der, const TestKey& issuer);

// A self-signed one; nothing when BoringSSL does not read `spec.subject_der`.
std::optional<TestCertificate> TryMakeTestCertificate(
    const TestCertificateSpec& spec, const TestKey& key);

// An extension of a revocation list or of one of its entries.
struct TestExtension {
  std::string oid;    // "2.5.29.28"
  std::string value;  // DER
  bool critical = false;
};

// What a revocation list holds. The defaults make a valid empty v2 list.
struct TestRevocationListSpec {
  struct Entry {
    std::string serial;  // contents of the INTEGER
    absl::Time revoked_at = TestNow() - absl::Hours(2);
    std::vector<TestExtension> extensions;
  };
  int version = 2;
  absl::Time this_update = TestNow() - absl::Hours(1);
  absl::Time next_update = TestNow() + absl::Hours(24);  // InfiniteFuture: none
  std::vector<Entry> entries;
  std::vector<TestExtension> extensions;
  TestDigest digest = TestDigest::kSha256;
};

struct TestRevocationList {
  std::string der;
  std::string pem;
};

// The contents of the INTEGER `number`, as certificates' serial numbers are
// written.
std::string TestSerial(uint64_t number);

// A list of `signer`'s name, signed by its key.
TestRevocationList MakeTestRevocationList(const TestRevocationListSpec& spec,
                                          const TestCertificate& signer);

}  // namespace sallyport::pki

#endif  // SALLYPORT_PKI_TESTING_MAKE_CERTIFICATE_H_
