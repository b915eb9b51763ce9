#include "pki/keys/private_key.h"

#include <openssl/bn.h>
#include <openssl/bytestring.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/rsa.h>

#include <cstdint>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "pki/keys/private_key_rep.h"
#include "pki/x509/pem.h"

namespace sallyport::pki {
namespace {

constexpr size_t kMaxKeyBytes = size_t{64} << 10;
constexpr absl::string_view kPkcs8 = "PRIVATE KEY";
constexpr absl::string_view kPkcs1 = "RSA PRIVATE KEY";
constexpr absl::string_view kSec1 = "EC PRIVATE KEY";
constexpr absl::string_view kEncrypted = "ENCRYPTED PRIVATE KEY";
constexpr absl::string_view kParameters = "EC PARAMETERS";

PrivateKey::ReadResult Problem(PrivateKeyProblem problem,
                               absl::string_view message) {
  PrivateKey::ReadResult result;
  result.problem = problem;
  result.message = std::string(message);
  return result;
}

// The key of one block; null when it cannot be read.
bssl::UniquePtr<EVP_PKEY> Decode(absl::string_view label,
                                 absl::string_view der) {
  CBS cbs;
  CBS_init(&cbs, reinterpret_cast<const uint8_t*>(der.data()), der.size());
  bssl::UniquePtr<EVP_PKEY> key;
  if (label == kPkcs8) {
    key.reset(EVP_parse_private_key(&cbs));
  } else if (label == kPkcs1) {
    const bssl::UniquePtr<RSA> rsa(RSA_parse_private_key(&cbs));
    key.reset(EVP_PKEY_new());
    if (rsa == nullptr || !EVP_PKEY_set1_RSA(key.get(), rsa.get())) {
      key.reset();
    }
  } else {
    const bssl::UniquePtr<EC_KEY> ec(EC_KEY_parse_private_key(&cbs, nullptr));
    key.reset(EVP_PKEY_new());
    if (ec == nullptr || !EVP_PKEY_set1_EC_KEY(key.get(), ec.get())) {
      key.reset();
    }
  }
  if (CBS_len(&cbs) != 0) key.reset();
  ERR_clear_error();
  return key;
}

// Whether public and private half fit.
bool IsConsistent(const EVP_PKEY* key) {
  const RSA* rsa = EVP_PKEY_get0_RSA(key);
  const EC_KEY* ec = EVP_PKEY_get0_EC_KEY(key);
  const bool good = rsa != nullptr  ? RSA_check_key(rsa) == 1
                    : ec != nullptr ? EC_KEY_check_key(ec) == 1
                                    : true;
  ERR_clear_error();
  return good;
}

PublicKeyInfo Describe(const EVP_PKEY* key) {
  PublicKeyInfo info;
  info.bits = EVP_PKEY_bits(key);
  if (EVP_PKEY_id(key) == EVP_PKEY_RSA) {
    info.type = KeyType::kRsa;
  } else if (const EC_KEY* ec = EVP_PKEY_get0_EC_KEY(key); ec != nullptr) {
    const int curve = EC_GROUP_get_curve_name(EC_KEY_get0_group(ec));
    info.type = curve == NID_X9_62_prime256v1 ? KeyType::kEcP256
                : curve == NID_secp384r1      ? KeyType::kEcP384
                                              : KeyType::kEcOther;
  } else if (EVP_PKEY_id(key) == EVP_PKEY_ED25519) {
    info.type = KeyType::kEd25519;
  }
  return info;
}

// Why a key of this kind is not taken; "" when it is.
std::string WhyUnsupported(const PublicKeyInfo& info) {
  switch (info.type) {
    case KeyType::kEcP256:
    case KeyType::kEcP384:
      return "";
    case KeyType::kRsa:
      if (info.bits >= kMinRsaKeyBits && info.bits <= kMaxRsaKeyBits) return "";
      return absl::StrCat("is an RSA key of ", info.bits, " bits; give one of ",
                          kMinRsaKeyBits, " to ", kMaxRsaKeyBits);
    default:
      return "is of a kind that is not supported; give RSA, ECDSA P-256 or "
             "ECDSA P-384";
  }
}

void Require(bool ok) {
  // Only running out of memory or of randomness gets here.
  if (!ok) std::abort();
}

}  // namespace

PrivateKey::PrivateKey() = default;
PrivateKey::~PrivateKey() = default;

std::unique_ptr<PrivateKey> PrivateKey::Wrap(std::unique_ptr<Rep> rep) {
  std::unique_ptr<PrivateKey> key(new PrivateKey());
  key->rep_ = std::move(rep);
  key->public_key_ = Describe(key->rep_->key.get());
  bssl::ScopedCBB cbb;
  Require(CBB_init(cbb.get(), 512) &&
          EVP_marshal_public_key(cbb.get(), key->rep_->key.get()) == 1);
  key->spki_der_.assign(reinterpret_cast<const char*>(CBB_data(cbb.get())),
                        CBB_len(cbb.get()));
  return key;
}

PrivateKey::ReadResult PrivateKey::FromPem(const Secret& pem) {
  ReadResult result;
  int num_keys = 0;
  auto rep = std::make_unique<Rep>();
  const PemError error =
      ReadPem(pem.Reveal(), kMaxKeyBytes, [&](const PemBlock& block) {
        if (block.label == kParameters) return true;
        if (block.label == kEncrypted) {
          result = Problem(PrivateKeyProblem::kEncrypted,
                           "is encrypted; decrypt it first (openssl pkey)");
          return false;
        }
        if (block.label != kPkcs8 && block.label != kPkcs1 &&
            block.label != kSec1) {
          result = Problem(
              PrivateKeyProblem::kMalformed,
              absl::StrCat("has a block ", Printable(block.label, 64),
                           " (line ", block.line,
                           "); give the private key alone, as PRIVATE KEY, RSA "
                           "PRIVATE KEY or EC PRIVATE KEY"));
          return false;
        }
        if (++num_keys > 1) {
          result = Problem(PrivateKeyProblem::kMalformed,
                           "has more than one key; give the certificate's own");
          return false;
        }
        rep->key = Decode(block.label, block.data);
        return true;
      });
  if (result.problem != PrivateKeyProblem::kNone) return result;
  if (error.reason == PemError::Reason::kEncrypted) {
    return Problem(PrivateKeyProblem::kEncrypted,
                   "is encrypted; decrypt it first (openssl pkey)");
  }
  if (!error.ok()) {
    return Problem(PrivateKeyProblem::kMalformed,
                   absl::StrCat("cannot be read as PEM (line ", error.line,
                                "): ", error.message));
  }
  if (num_keys == 0) {
    return Problem(PrivateKeyProblem::kMalformed,
                   "has no private key; give PEM with PRIVATE KEY, RSA PRIVATE "
                   "KEY or EC PRIVATE KEY");
  }
  if (rep->key == nullptr) {
    return Problem(PrivateKeyProblem::kMalformed,
                   "holds no key that can be read: it is damaged, or of a kind "
                   "that is not supported");
  }
  const std::string unsupported = WhyUnsupported(Describe(rep->key.get()));
  if (!unsupported.empty()) {
    return Problem(PrivateKeyProblem::kUnsupported, unsupported);
  }
  if (!IsConsistent(rep->key.get())) {
    return Problem(
        PrivateKeyProblem::kMalformed,
        "holds a key whose parts do not fit together; it is damaged");
  }
  result.key = Wrap(std::move(rep));
  return result;
}

std::unique_ptr<const PrivateKey> PrivateKey::Generate(Kind kind) {
  auto rep = std::make_unique<Rep>();
  rep->key.reset(EVP_PKEY_new());
  if (kind == Kind::kRsa2048 || kind == Kind::kRsa3072) {
    const bssl::UniquePtr<RSA> rsa(RSA_new());
    const bssl::UniquePtr<BIGNUM> e(BN_new());
    Require(rsa != nullptr && e != nullptr && BN_set_word(e.get(), RSA_F4) &&
            RSA_generate_key_ex(rsa.get(), kind == Kind::kRsa2048 ? 2048 : 3072,
                                e.get(), nullptr) == 1 &&
            EVP_PKEY_set1_RSA(rep->key.get(), rsa.get()) == 1);
  } else {
    const bssl::UniquePtr<EC_KEY> ec(EC_KEY_new_by_curve_name(
        kind == Kind::kEcP256 ? NID_X9_62_prime256v1 : NID_secp384r1));
    Require(ec != nullptr && EC_KEY_generate_key(ec.get()) == 1 &&
            EVP_PKEY_set1_EC_KEY(rep->key.get(), ec.get()) == 1);
  }
  return Wrap(std::move(rep));
}

bool PrivateKey::BelongsTo(const Certificate& certificate) const {
  CBS cbs;
  const absl::string_view der = certificate.spki_der();
  CBS_init(&cbs, reinterpret_cast<const uint8_t*>(der.data()), der.size());
  const bssl::UniquePtr<EVP_PKEY> other(EVP_parse_public_key(&cbs));
  const bool equal =
      other != nullptr && EVP_PKEY_cmp(rep_->key.get(), other.get()) == 1;
  ERR_clear_error();
  return equal;
}

Secret PrivateKey::Pem() const {
  bssl::ScopedCBB cbb;
  uint8_t* der = nullptr;
  size_t size = 0;
  Require(CBB_init(cbb.get(), 2048) &&
          EVP_marshal_private_key(cbb.get(), rep_->key.get()) == 1 &&
          CBB_finish(cbb.get(), &der, &size) == 1);
  Secret pem(WritePem(
      kPkcs8, absl::string_view(reinterpret_cast<const char*>(der), size)));
  // OPENSSL_free() overwrites what it frees.
  OPENSSL_free(der);
  return pem;
}

}  // namespace sallyport::pki
