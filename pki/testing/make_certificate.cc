#include "pki/testing/make_certificate.h"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/bytestring.h>
#include <openssl/curve25519.h>
#include <openssl/digest.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <cstdlib>
#include <map>

#include "base/text.h"
#include "pki/x509/pem.h"

namespace sallyport::pki {

struct TestKey::Rep {
  bssl::UniquePtr<EVP_PKEY> key;
};

namespace {

void Check(bool ok, const char* what) {
  if (!ok) {
    std::fprintf(stderr, "make_certificate: %s failed\n", what);
    std::abort();
  }
}

bssl::UniquePtr<EVP_PKEY> MakeEc(int nid) {
  bssl::UniquePtr<EC_KEY> ec(EC_KEY_new_by_curve_name(nid));
  Check(ec != nullptr && EC_KEY_generate_key(ec.get()), "EC key");
  bssl::UniquePtr<EVP_PKEY> key(EVP_PKEY_new());
  Check(EVP_PKEY_set1_EC_KEY(key.get(), ec.get()), "EC key");
  return key;
}

const EVP_MD* Digest(TestDigest digest) {
  switch (digest) {
    case TestDigest::kSha256:
      return EVP_sha256();
    case TestDigest::kSha384:
      return EVP_sha384();
    case TestDigest::kSha1:
      return EVP_sha1();
  }
  return nullptr;
}

void AddExtension(X509* x509, X509V3_CTX* context, const std::string& name,
                  const std::string& value) {
  bssl::UniquePtr<X509_EXTENSION> extension(
      X509V3_EXT_nconf(nullptr, context, name.c_str(), value.c_str()));
  Check(extension != nullptr && X509_add_ext(x509, extension.get(), -1),
        name.c_str());
}

bssl::UniquePtr<X509_NAME> ReadName(const std::string& der) {
  const auto* p = reinterpret_cast<const uint8_t*>(der.data());
  const uint8_t* const end = p + der.size();
  bssl::UniquePtr<X509_NAME> name(
      d2i_X509_NAME(nullptr, &p, static_cast<long>(der.size())));
  if (p != end) name.reset();
  return name;
}

}  // namespace

TestKey TestKey::P256() {
  TestKey key;
  key.rep_ = std::make_shared<Rep>();
  key.rep_->key = MakeEc(NID_X9_62_prime256v1);
  return key;
}

TestKey TestKey::P384() {
  TestKey key;
  key.rep_ = std::make_shared<Rep>();
  key.rep_->key = MakeEc(NID_secp384r1);
  return key;
}

TestKey TestKey::P521() {
  TestKey key;
  key.rep_ = std::make_shared<Rep>();
  key.rep_->key = MakeEc(NID_secp521r1);
  return key;
}

TestKey TestKey::Rsa(int bits) {
  // RSA keys are slow to make; one for each size serves a whole process.
  static auto* const kKeys = new std::map<int, TestKey>();
  auto found = kKeys->find(bits);
  if (found != kKeys->end()) return found->second;
  bssl::UniquePtr<RSA> rsa(RSA_new());
  bssl::UniquePtr<BIGNUM> e(BN_new());
  Check(BN_set_word(e.get(), RSA_F4) &&
            RSA_generate_key_ex(rsa.get(), bits, e.get(), nullptr),
        "RSA key");
  TestKey key;
  key.rep_ = std::make_shared<Rep>();
  key.rep_->key.reset(EVP_PKEY_new());
  Check(EVP_PKEY_set1_RSA(key.rep_->key.get(), rsa.get()), "RSA key");
  kKeys->emplace(bits, key);
  return key;
}

TestKey TestKey::RsaPublicOnly(int bits, uint64_t exponent) {
  bssl::UniquePtr<BIGNUM> n(BN_new());
  bssl::UniquePtr<BIGNUM> e(BN_new());
  Check(BN_rand(n.get(), bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD) &&
            BN_set_u64(e.get(), exponent),
        "RSA key");
  bssl::UniquePtr<RSA> rsa(RSA_new_public_key(n.get(), e.get()));
  TestKey key;
  key.rep_ = std::make_shared<Rep>();
  key.rep_->key.reset(EVP_PKEY_new());
  Check(rsa != nullptr && EVP_PKEY_set1_RSA(key.rep_->key.get(), rsa.get()),
        "RSA key");
  return key;
}

TestKey TestKey::Ed25519() {
  uint8_t seed[32];
  RAND_bytes(seed, sizeof(seed));
  TestKey key;
  key.rep_ = std::make_shared<Rep>();
  key.rep_->key.reset(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr,
                                                   seed, sizeof(seed)));
  Check(key.rep_->key != nullptr, "Ed25519 key");
  return key;
}

std::string TestKey::Pem() const {
  bssl::UniquePtr<BIO> bio(BIO_new(BIO_s_mem()));
  Check(PEM_write_bio_PrivateKey(bio.get(), rep_->key.get(), nullptr, nullptr,
                                 0, nullptr, nullptr),
        "PEM");
  const uint8_t* data = nullptr;
  size_t len = 0;
  BIO_mem_contents(bio.get(), &data, &len);
  return std::string(reinterpret_cast<const char*>(data), len);
}

std::string TestDer(uint8_t tag, const std::string& contents) {
  std::string out(1, static_cast<char>(tag));
  const size_t size = contents.size();
  Check(size <= 0xffffffff, "length");
  if (size >= 0x80) {
    int octets = 1;
    while (octets < 4 && size >> (8 * octets) != 0) ++octets;
    out += static_cast<char>(0x80 | octets);
    for (int i = octets - 1; i > 0; --i) {
      out += static_cast<char>((size >> (8 * i)) & 0xff);
    }
  }
  out += static_cast<char>(size & 0xff);
  return out + contents;
}

std::string TestAltNames(const std::vector<TestAltName>& names) {
  std::string contents;
  for (const TestAltName& name : names) {
    contents += TestDer(name.kind, name.bytes);
  }
  return "DER:" + HexLower(TestDer(0x30, contents));
}

TestCertificateSpec TestLeafSpec(const std::string& name) {
  TestCertificateSpec spec;
  spec.subject = {{"CN", name}};
  return spec;
}

TestCertificateSpec TestCaSpec(const std::string& name) {
  TestCertificateSpec spec = TestLeafSpec(name);
  spec.ca = true;
  return spec;
}

TestCertificate MakeTestCertificate(const TestCertificateSpec& spec,
                                    const TestKey& key,
                                    const TestCertificate* issuer) {
  bssl::UniquePtr<X509> x509(X509_new());
  Check(X509_set_version(x509.get(), spec.version - 1), "version");
  bssl::UniquePtr<BIGNUM> number(BN_new());
  BIGNUM* number_ptr = number.get();
  Check((spec.serial_hex.empty()
             ? BN_set_u64(number_ptr, spec.serial)
             : BN_hex2bn(&number_ptr, spec.serial_hex.c_str()) > 0) &&
            BN_to_ASN1_INTEGER(number.get(),
                               X509_get_serialNumber(x509.get())) != nullptr,
        "serial");
  X509_NAME* subject = X509_get_subject_name(x509.get());
  for (const auto& [type, value] : spec.subject) {
    Check(X509_NAME_add_entry_by_txt(
              subject, type.c_str(), MBSTRING_UTF8,
              reinterpret_cast<const uint8_t*>(value.data()),
              static_cast<int>(value.size()), -1, 0),
          "subject");
  }
  if (!spec.subject_der.empty()) {
    const bssl::UniquePtr<X509_NAME> name = ReadName(spec.subject_der);
    Check(name != nullptr && X509_set_subject_name(x509.get(), name.get()),
          "subject");
  }
  bssl::UniquePtr<X509> issuer_x509;
  if (issuer != nullptr) {
    const auto* p = reinterpret_cast<const uint8_t*>(issuer->der.data());
    issuer_x509.reset(
        d2i_X509(nullptr, &p, static_cast<long>(issuer->der.size())));
    Check(issuer_x509 != nullptr, "issuer");
  }
  X509* const signer = issuer_x509 ? issuer_x509.get() : x509.get();
  Check(X509_set_issuer_name(x509.get(), X509_get_subject_name(signer)),
        "issuer");
  Check(ASN1_TIME_set_posix(X509_getm_notBefore(x509.get()),
                            absl::ToUnixSeconds(spec.not_before)) &&
            ASN1_TIME_set_posix(X509_getm_notAfter(x509.get()),
                                absl::ToUnixSeconds(spec.not_after)),
        "validity");
  EVP_PKEY* const own_key = key.rep()->key.get();
  Check(X509_set_pubkey(x509.get(), own_key), "key");
  if (spec.version == 3) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, signer, x509.get(), nullptr, nullptr, 0);
    if (spec.basic_constraints) {
      std::string value = spec.ca ? "critical,CA:TRUE" : "critical,CA:FALSE";
      if (spec.path_length >= 0) {
        value += ",pathlen:" + std::to_string(spec.path_length);
      }
      AddExtension(x509.get(), &context, "basicConstraints", value);
    }
    if (spec.key_identifiers) {
      AddExtension(x509.get(), &context, "subjectKeyIdentifier", "hash");
      AddExtension(x509.get(), &context, "authorityKeyIdentifier", "keyid");
    }
    const std::pair<const char*, const std::string*> texts[] = {
        {"keyUsage", &spec.key_usage},
        {"extendedKeyUsage", &spec.extended_key_usage},
        {"subjectAltName", &spec.alt_names},
        {"nameConstraints", &spec.name_constraints},
    };
    for (const auto& [name, value] : texts) {
      if (!value->empty()) AddExtension(x509.get(), &context, name, *value);
    }
    for (const auto& [name, value] : spec.extensions) {
      AddExtension(x509.get(), &context, name, value);
    }
  }
  EVP_PKEY* const signing_key =
      issuer == nullptr ? own_key : issuer->key.rep()->key.get();
  const EVP_MD* digest = EVP_PKEY_id(signing_key) == EVP_PKEY_ED25519
                             ? nullptr
                             : Digest(spec.digest);
  Check(X509_sign(x509.get(), signing_key, digest) > 0, "signing");
  uint8_t* der = nullptr;
  const int len = i2d_X509(x509.get(), &der);
  Check(len > 0, "encoding");
  bssl::UniquePtr<uint8_t> owned(der);
  TestCertificate out;
  out.der.assign(reinterpret_cast<const char*>(der), static_cast<size_t>(len));
  out.pem = WritePem("CERTIFICATE", out.der);
  out.key = key;
  out.spec = spec;
  return out;
}

std::optional<TestCertificate> TryMakeTestCertificate(
    const TestCertificateSpec& spec, const TestKey& key) {
  if (ReadName(spec.subject_der) == nullptr) return std::nullopt;
  return MakeTestCertificate(spec, key, nullptr);
}

std::string FlipEcdsaSignature(const std::string& der, const TestKey& issuer) {
  CBS input(
      bssl::Span(reinterpret_cast<const uint8_t*>(der.data()), der.size()));
  CBS certificate;
  CBS tbs;
  CBS algorithm;
  CBS bits;
  uint8_t unused_bits = 0;
  Check(CBS_get_asn1(&input, &certificate, CBS_ASN1_SEQUENCE) &&
            CBS_get_asn1_element(&certificate, &tbs, CBS_ASN1_SEQUENCE) &&
            CBS_get_asn1_element(&certificate, &algorithm, CBS_ASN1_SEQUENCE) &&
            CBS_get_asn1(&certificate, &bits, CBS_ASN1_BITSTRING) &&
            CBS_get_u8(&bits, &unused_bits),
        "certificate");
  const bssl::UniquePtr<ECDSA_SIG> signature(
      ECDSA_SIG_from_bytes(CBS_data(&bits), CBS_len(&bits)));
  Check(signature != nullptr, "ECDSA signature");
  const EC_KEY* key = EVP_PKEY_get0_EC_KEY(issuer.rep()->key.get());
  Check(key != nullptr, "EC key");
  bssl::UniquePtr<BIGNUM> r(BN_dup(ECDSA_SIG_get0_r(signature.get())));
  bssl::UniquePtr<BIGNUM> s(BN_new());
  Check(BN_sub(s.get(), EC_GROUP_get0_order(EC_KEY_get0_group(key)),
               ECDSA_SIG_get0_s(signature.get())),
        "n - s");
  Check(ECDSA_SIG_set0(signature.get(), r.release(), s.release()),
        "(r, n - s)");
  bssl::ScopedCBB cbb;
  CBB sequence;
  CBB bit_string;
  uint8_t* flipped = nullptr;
  size_t length = 0;
  Check(
      CBB_init(cbb.get(), der.size() + 16) &&
          CBB_add_asn1(cbb.get(), &sequence, CBS_ASN1_SEQUENCE) &&
          CBB_add_bytes(&sequence, CBS_data(&tbs), CBS_len(&tbs)) &&
          CBB_add_bytes(&sequence, CBS_data(&algorithm), CBS_len(&algorithm)) &&
          CBB_add_asn1(&sequence, &bit_string, CBS_ASN1_BITSTRING) &&
          CBB_add_u8(&bit_string, 0) &&
          ECDSA_SIG_marshal(&bit_string, signature.get()) &&
          CBB_finish(cbb.get(), &flipped, &length),
      "certificate with another signature");
  const bssl::UniquePtr<uint8_t> owned(flipped);
  return std::string(reinterpret_cast<const char*>(flipped), length);
}

namespace {

std::string TimeDer(absl::Time time) {
  const bool utc = absl::ToCivilYear(time, absl::UTCTimeZone()).year() < 2050;
  return TestDer(utc ? CBS_ASN1_UTCTIME : CBS_ASN1_GENERALIZEDTIME,
                 absl::FormatTime(utc ? "%y%m%d%H%M%SZ" : "%Y%m%d%H%M%SZ", time,
                                  absl::UTCTimeZone()));
}

std::string OidDer(const std::string& dotted) {
  bssl::ScopedCBB cbb;
  Check(CBB_init(cbb.get(), 16) &&
            CBB_add_asn1_oid_from_text(cbb.get(), dotted.data(), dotted.size()),
        dotted.c_str());
  return TestDer(CBS_ASN1_OBJECT,
                 std::string(reinterpret_cast<const char*>(CBB_data(cbb.get())),
                             CBB_len(cbb.get())));
}

std::string ExtensionsDer(const std::vector<TestExtension>& extensions) {
  std::string all;
  for (const TestExtension& extension : extensions) {
    std::string one = OidDer(extension.oid);
    if (extension.critical) one += TestDer(CBS_ASN1_BOOLEAN, "\xff");
    one += TestDer(CBS_ASN1_OCTETSTRING, extension.value);
    all += TestDer(0x30, one);
  }
  return TestDer(0x30, all);
}

std::string AlgorithmDer(const EVP_PKEY* key, TestDigest digest) {
  if (EVP_PKEY_id(key) == EVP_PKEY_RSA) {
    const char* oid = digest == TestDigest::kSha256   ? "1.2.840.113549.1.1.11"
                      : digest == TestDigest::kSha384 ? "1.2.840.113549.1.1.12"
                                                      : "1.2.840.113549.1.1.5";
    return TestDer(0x30, OidDer(oid) + TestDer(CBS_ASN1_NULL, ""));
  }
  const char* oid = digest == TestDigest::kSha256   ? "1.2.840.10045.4.3.2"
                    : digest == TestDigest::kSha384 ? "1.2.840.10045.4.3.3"
                                                    : "1.2.840.10045.4.1";
  return TestDer(0x30, OidDer(oid));
}

}  // namespace

std::string TestSerial(uint64_t number) {
  std::string out;
  do {
    out.insert(out.begin(), static_cast<char>(number & 0xff));
    number >>= 8;
  } while (number != 0);
  if ((static_cast<unsigned char>(out[0]) & 0x80) != 0) out.insert(0, 1, '\0');
  return out;
}

TestRevocationList MakeTestRevocationList(const TestRevocationListSpec& spec,
                                          const TestCertificate& signer) {
  const auto* p = reinterpret_cast<const uint8_t*>(signer.der.data());
  bssl::UniquePtr<X509> x509(
      d2i_X509(nullptr, &p, static_cast<long>(signer.der.size())));
  Check(x509 != nullptr, "signer");
  uint8_t* name = nullptr;
  const int name_len = i2d_X509_NAME(X509_get_subject_name(x509.get()), &name);
  Check(name_len > 0, "issuer");
  bssl::UniquePtr<uint8_t> owned_name(name);

  EVP_PKEY* const key = signer.key.rep()->key.get();
  const std::string algorithm = AlgorithmDer(key, spec.digest);
  std::string tbs;
  if (spec.version == 2) tbs += TestDer(CBS_ASN1_INTEGER, "\x01");
  tbs += algorithm;
  tbs.append(reinterpret_cast<const char*>(name),
             static_cast<size_t>(name_len));
  tbs += TimeDer(spec.this_update);
  if (spec.next_update != absl::InfiniteFuture()) {
    tbs += TimeDer(spec.next_update);
  }
  std::string entries;
  for (const TestRevocationListSpec::Entry& entry : spec.entries) {
    entries += TestDer(
        0x30, TestDer(CBS_ASN1_INTEGER, entry.serial) +
                  TimeDer(entry.revoked_at) +
                  (entry.extensions.empty() ? std::string()
                                            : ExtensionsDer(entry.extensions)));
  }
  if (!entries.empty()) tbs += TestDer(0x30, entries);
  if (!spec.extensions.empty()) {
    tbs += TestDer(0xa0, ExtensionsDer(spec.extensions));
  }
  tbs = TestDer(0x30, tbs);

  bssl::ScopedEVP_MD_CTX context;
  size_t size = 0;
  const auto* data = reinterpret_cast<const uint8_t*>(tbs.data());
  Check(
      EVP_DigestSignInit(context.get(), nullptr, Digest(spec.digest), nullptr,
                         key) == 1 &&
          EVP_DigestSign(context.get(), nullptr, &size, data, tbs.size()) == 1,
      "signing");
  std::string signature(size, '\0');
  Check(EVP_DigestSign(context.get(), reinterpret_cast<uint8_t*>(&signature[0]),
                       &size, data, tbs.size()) == 1,
        "signing");
  signature.resize(size);
  TestRevocationList out;
  out.der = TestDer(
      0x30, tbs + algorithm +
                TestDer(CBS_ASN1_BITSTRING, std::string(1, '\0') + signature));
  out.pem = WritePem("X509 CRL", out.der);
  return out;
}

}  // namespace sallyport::pki
