// PrivateKey: a private key of the kinds that servers and clients of ours use.

#ifndef SALLYPORT_PKI_KEYS_PRIVATE_KEY_H_
#define SALLYPORT_PKI_KEYS_PRIVATE_KEY_H_

#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "base/secret.h"
#include "pki/x509/certificate.h"

namespace sallyport::pki {

// RSA keys: the sizes that are read.
constexpr int kMinRsaKeyBits = 2048;
constexpr int kMaxRsaKeyBits = 8192;

enum class PrivateKeyProblem {
  kNone,
  kMalformed,    // no PEM, not one key, or a key that cannot be read
  kEncrypted,    // needs a password
  kUnsupported,  // another kind, curve or size
};

// Immutable; thread-safe. Prints nowhere; the key is overwritten when the
// object is destroyed.
class PrivateKey {
 public:
  // Exactly one of the two is set: a key, or a problem with a message that says
  // what is wrong and how to mend it, and holds nothing of the input.
  struct ReadResult {
    std::unique_ptr<const PrivateKey> key;
    PrivateKeyProblem problem = PrivateKeyProblem::kNone;
    std::string message;
  };

  // Reads a PEM text with one private key: `PRIVATE KEY` (PKCS #8, RFC 5958),
  // `RSA PRIVATE KEY` (PKCS #1) or `EC PRIVATE KEY` (SEC 1), before which `EC
  // PARAMETERS` may stand. RSA of kMinRsaKeyBits to kMaxRsaKeyBits, ECDSA P-256
  // and P-384. Checks that the key is consistent with itself.
  static ReadResult FromPem(const Secret& pem);

  enum class Kind { kRsa2048, kRsa3072, kEcP256, kEcP384 };
  // A new key. Never null; ends the process if there is no randomness. RSA
  // takes a tenth of a second or more.
  static std::unique_ptr<const PrivateKey> Generate(Kind kind);

  PrivateKey(const PrivateKey&) = delete;
  PrivateKey& operator=(const PrivateKey&) = delete;
  ~PrivateKey();

  // The public half, SubjectPublicKeyInfo in DER.
  const std::string& spki_der() const { return spki_der_; }
  PublicKeyInfo public_key() const { return public_key_; }
  // Whether `certificate` is for this key. RSA keys whose parameters are
  // written in other ways than ours compare equal too.
  bool BelongsTo(const Certificate& certificate) const;

  // PKCS #8, PEM.
  Secret Pem() const;

  struct Rep;
  // For pki/keys.
  const Rep& rep() const { return *rep_; }

 private:
  PrivateKey();
  static std::unique_ptr<PrivateKey> Wrap(std::unique_ptr<Rep> rep);

  std::unique_ptr<Rep> rep_;
  std::string spki_der_;
  PublicKeyInfo public_key_;
};

}  // namespace sallyport::pki

#endif  // SALLYPORT_PKI_KEYS_PRIVATE_KEY_H_
