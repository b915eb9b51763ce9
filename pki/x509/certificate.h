// Certificate: one X.509 certificate, parsed once, never changed.
//
// Two questions are kept apart. Is it a certificate at all (the outer
// SEQUENCE, version, serial, names, validity and key can be read)? If not,
// Certificate::Parse() fails. Does it obey the rules of X.509 and DER (RFC
// 5280, X.690) so that it can take part in a chain? If not, problem() says
// why, and such a certificate never gives trust and is never trusted.
//
// Signatures are not checked here (pki/chain does).

#ifndef SALLYPORT_PKI_X509_CERTIFICATE_H_
#define SALLYPORT_PKI_X509_CERTIFICATE_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

// BORINGSSL_PREFIX comes with the dependency on BoringSSL.
namespace bssl {
inline namespace BORINGSSL_PREFIX {
class ParsedCertificate;
}  // namespace BORINGSSL_PREFIX
}  // namespace bssl

namespace sallyport::pki {

using Sha256Digest = std::array<uint8_t, 32>;

// SHA-256 of `bytes`.
Sha256Digest Sha256(absl::string_view bytes);

// The digest's 32 bytes as a view; valid as long as `digest`.
inline absl::string_view AsBytes(const Sha256Digest& digest) {
  return absl::string_view(reinterpret_cast<const char*>(digest.data()),
                           digest.size());
}

enum class KeyType {
  kRsa,
  kEcP256,
  kEcP384,
  kEcOther,  // P-521, P-224, a curve that is not supported at all
  kEd25519,
  kOther,  // anything else, and keys that do not parse
};

struct PublicKeyInfo {
  KeyType type = KeyType::kOther;
  // Modulus or field size in bits; 0 when the key does not parse.
  int bits = 0;
};

// How a certificate was signed, as far as our rules care.
enum class SignatureStrength {
  kStrong,       // RSA PKCS#1, RSA-PSS or ECDSA with SHA-256, SHA-384, SHA-512
  kSha1,         // the same with SHA-1
  kUnsupported,  // MD5, Ed25519, DSA, unknown
};

// The subject alternative names (RFC 5280, 4.2.1.6) that identify a client,
// in the order of the certificate. The bytes are the certificate's own: IA5
// text for dns, uri and email, which may hold any byte when the certificate
// was made to deceive. Escape before printing.
struct SubjectAltNames {
  std::vector<std::string> dns;
  std::vector<std::string> uri;
  std::vector<std::string> email;
  std::vector<std::string> ip;  // text form: 192.0.2.1, 2001:db8::1
};

class Certificate {
 public:
  // Reads one DER certificate. InvalidArgument: not a certificate (trailing
  // bytes included), with a message that says which part and never echoes
  // contents. ResourceExhausted: over limits::kMaxCertificateBytes.
  static absl::StatusOr<std::shared_ptr<const Certificate>> Parse(
      absl::string_view der);

  Certificate(const Certificate&) = delete;
  Certificate& operator=(const Certificate&) = delete;
  ~Certificate();

  // Views live as long as this object.
  absl::string_view der() const { return der_; }
  absl::string_view subject_der() const { return subject_der_; }
  absl::string_view issuer_der() const { return issuer_der_; }
  absl::string_view spki_der() const { return spki_der_; }

  // SHA-256 of der(), computed once at parsing.
  const Sha256Digest& fingerprint() const { return fingerprint_; }

  // Names as text: RFC 4514 order and escapes, with the attribute names of
  // RFC 2253 and of OpenSSL and Envoy (emailAddress, serialNumber, ...), bytes
  // outside printable ASCII as \XX; attributes without a name as
  // 1.2.3=#hex. Always printable ASCII. "" for an empty name.
  std::string Subject() const;
  std::string Issuer() const;

  // Subject() as the library prints it, for the test that both ways agree.
  std::string SubjectByLibraryForTest() const;

  // The value of the first common name, UTF-8; "" when there is none or it is
  // not text. May hold any character: escape before printing.
  std::string CommonName() const;

  // Serial number, upper-case hex, two digits a byte, without the leading zero
  // byte that DER adds ("03A5B1"; zero is "00"). A negative one starts with
  // '-'.
  std::string SerialHex() const;

  // Both ends count as valid (RFC 5280, 4.1.2.5).
  absl::Time not_before() const { return not_before_; }
  absl::Time not_after() const { return not_after_; }

  // 1, 2 or 3.
  int version() const { return version_; }

  PublicKeyInfo public_key() const { return public_key_; }
  SignatureStrength signature_strength() const { return signature_strength_; }
  // For people: "ECDSA with SHA-256", "MD5 with RSA", "1.2.3.4".
  std::string SignatureAlgorithmName() const;

  // Subject and issuer are the same name (after RFC 5280 normalisation). That
  // it is *signed* with its own key is for IsSelfSigned() to say.
  bool self_issued() const { return self_issued_; }

  // Self-issued and signed with its own key (one signature check at the first
  // call, remembered). Thread-safe. Any algorithm BoringSSL can check counts.
  bool IsSelfSigned() const;

  // Basic constraints say CA, and key usage, if present, allows signing
  // certificates. False for X.509 v1.
  bool is_ca() const { return is_ca_; }

  SubjectAltNames AltNames() const;

  // PEM, 64 columns, LF, with a final newline.
  std::string Pem() const;

  // Why it cannot take part in any chain (duplicate or malformed extension,
  // unknown critical extension, a field against DER, ...), for people; "" when
  // nothing is wrong with its form.
  const std::string& problem() const { return problem_; }

  // The kind of problem(), for programs.
  enum class Problem {
    kNone,
    kMalformed,                 // against the rules of X.509
    kUnknownCriticalExtension,  // well-formed, and nobody here can honour it
  };
  Problem problem_kind() const { return problem_kind_; }

  // BoringSSL's view; null exactly when the form is broken (problem() then is
  // not empty; an unknown critical extension alone leaves it non-null). Only
  // pki/ uses this.
  const std::shared_ptr<const bssl::ParsedCertificate>& parsed() const {
    return parsed_;
  }

 private:
  struct Buffer;
  Certificate();

  std::unique_ptr<Buffer> buffer_;
  absl::string_view der_;
  absl::string_view subject_der_;
  absl::string_view issuer_der_;
  absl::string_view spki_der_;
  absl::string_view serial_;
  absl::string_view signature_algorithm_der_;
  Sha256Digest fingerprint_;
  absl::Time not_before_;
  absl::Time not_after_;
  int version_ = 0;
  PublicKeyInfo public_key_;
  SignatureStrength signature_strength_ = SignatureStrength::kUnsupported;
  bool self_issued_ = false;
  bool is_ca_ = false;
  std::string problem_;
  Problem problem_kind_ = Problem::kNone;
  std::shared_ptr<const bssl::ParsedCertificate> parsed_;
  // 0 not computed, 1 no, 2 yes.
  mutable std::atomic<int> self_signed_{0};
};

}  // namespace sallyport::pki

#endif  // SALLYPORT_PKI_X509_CERTIFICATE_H_
