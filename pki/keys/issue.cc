#include "pki/keys/issue.h"

#include <arpa/inet.h>
#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/bytestring.h>
#include <openssl/digest.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "pki/keys/private_key_rep.h"
#include "pki/x509/pem.h"

namespace sallyport::pki {
namespace {

constexpr size_t kSerialBytes = 16;
constexpr size_t kMaxRequestBytes = size_t{64} << 10;

absl::Status Bad(absl::string_view what) {
  ERR_clear_error();
  return absl::InvalidArgumentError(what);
}

const uint8_t* Bytes(absl::string_view text) {
  return reinterpret_cast<const uint8_t*>(text.data());
}

bool AddExtension(X509* x509, X509* issuer, const char* name,
                  const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, x509, nullptr, nullptr, 0);
  const bssl::UniquePtr<X509_EXTENSION> extension(
      X509V3_EXT_nconf(nullptr, &context, name, value));
  return extension != nullptr && X509_add_ext(x509, extension.get(), -1) == 1;
}

bool AddName(GENERAL_NAMES* names, int type, int asn1_type,
             absl::string_view value) {
  bssl::UniquePtr<GENERAL_NAME> name(GENERAL_NAME_new());
  bssl::UniquePtr<ASN1_STRING> text(ASN1_STRING_type_new(asn1_type));
  if (name == nullptr || text == nullptr ||
      !ASN1_STRING_set(text.get(), value.data(),
                       static_cast<ossl_ssize_t>(value.size()))) {
    return false;
  }
  GENERAL_NAME_set0_value(name.get(), type, text.release());
  return bssl::PushToStack(names, std::move(name));
}

// False: a name that cannot be one.
bool AddAltNames(const NewCertificate& certificate, X509* x509) {
  const bssl::UniquePtr<GENERAL_NAMES> names(GENERAL_NAMES_new());
  if (names == nullptr) return false;
  const auto is_ia5 = [](absl::string_view text) {
    for (const char c : text) {
      if (c <= 0x20 || c >= 0x7f) return false;
    }
    return !text.empty();
  };
  for (const std::string& dns : certificate.dns_names) {
    if (!is_ia5(dns) || !AddName(names.get(), GEN_DNS, V_ASN1_IA5STRING, dns)) {
      return false;
    }
  }
  for (const std::string& uri : certificate.uris) {
    if (!is_ia5(uri) || !AddName(names.get(), GEN_URI, V_ASN1_IA5STRING, uri)) {
      return false;
    }
  }
  for (const std::string& ip : certificate.ips) {
    char octets[16];
    size_t size = 0;
    if (inet_pton(AF_INET, ip.c_str(), octets) == 1) size = 4;
    if (size == 0 && inet_pton(AF_INET6, ip.c_str(), octets) == 1) size = 16;
    if (size == 0 || !AddName(names.get(), GEN_IPADD, V_ASN1_OCTET_STRING,
                              absl::string_view(octets, size))) {
      return false;
    }
  }
  if (sk_GENERAL_NAME_num(names.get()) == 0) return true;
  // They alone name what has no subject (RFC 5280, 4.2.1.6).
  return X509_add1_ext_i2d(x509, NID_subject_alt_name, names.get(),
                           /*crit=*/certificate.subject.empty() ? 1 : 0,
                           /*flags=*/0) == 1;
}

bssl::UniquePtr<X509> ReadX509(absl::string_view der) {
  const uint8_t* p = Bytes(der);
  return bssl::UniquePtr<X509>(
      d2i_X509(nullptr, &p, static_cast<long>(der.size())));
}

bool SetSerial(X509* x509) {
  uint8_t random[kSerialBytes];
  RAND_bytes(random, sizeof(random));
  // Positive, and never shorter.
  random[0] = static_cast<uint8_t>((random[0] & 0x3f) | 0x40);
  const bssl::UniquePtr<BIGNUM> number(
      BN_bin2bn(random, sizeof(random), nullptr));
  return number != nullptr &&
         BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(x509)) !=
             nullptr;
}

bool AddExtensions(const NewCertificate& certificate, bool rsa, X509* x509,
                   X509* issuer) {
  if (!AddExtension(x509, issuer, "basicConstraints",
                    certificate.ca ? "critical,CA:TRUE,pathlen:0"
                                   : "critical,CA:FALSE") ||
      !AddExtension(x509, issuer, "keyUsage",
                    certificate.ca ? "critical,keyCertSign,cRLSign"
                    : rsa          ? "critical,digitalSignature,keyEncipherment"
                                   : "critical,digitalSignature") ||
      !AddExtension(x509, issuer, "subjectKeyIdentifier", "hash") ||
      !AddExtension(x509, issuer, "authorityKeyIdentifier", "keyid")) {
    return false;
  }
  const char* usages = nullptr;
  if (certificate.server_auth) usages = "serverAuth";
  if (certificate.client_auth) usages = "clientAuth";
  if (certificate.server_auth && certificate.client_auth) {
    usages = "serverAuth,clientAuth";
  }
  return certificate.ca || usages == nullptr ||
         AddExtension(x509, issuer, "extendedKeyUsage", usages);
}

}  // namespace

absl::StatusOr<std::string> Issue(const NewCertificate& certificate,
                                  absl::string_view spki_der,
                                  const PrivateKey& signer,
                                  const Certificate* issuer) {
  if (certificate.not_after < certificate.not_before) {
    return Bad("a certificate cannot end before it begins");
  }
  CBS cbs;
  CBS_init(&cbs, Bytes(spki_der), spki_der.size());
  const bssl::UniquePtr<EVP_PKEY> key(EVP_parse_public_key(&cbs));
  if (key == nullptr || CBS_len(&cbs) != 0) return Bad("is no public key");
  EVP_PKEY* const signing_key = signer.rep().key.get();
  if (issuer == nullptr && EVP_PKEY_cmp(key.get(), signing_key) != 1) {
    return Bad("a self-signed certificate is for its signer's own key");
  }
  if (issuer != nullptr && !signer.BelongsTo(*issuer)) {
    return Bad("the signer's key is not that of the issuer's certificate");
  }
  const bssl::UniquePtr<X509> x509(X509_new());
  bssl::UniquePtr<X509> issuer_x509;
  if (issuer != nullptr) {
    issuer_x509 = ReadX509(issuer->der());
    if (issuer_x509 == nullptr) return Bad("the issuer cannot be read");
  }
  X509* const from = issuer_x509 ? issuer_x509.get() : x509.get();
  if (!X509_set_version(x509.get(), X509_VERSION_3) || !SetSerial(x509.get())) {
    return absl::InternalError("cannot make a certificate");
  }
  X509_NAME* const subject = X509_get_subject_name(x509.get());
  for (const auto& [type, value] : certificate.subject) {
    if (!X509_NAME_add_entry_by_txt(
            subject, type.c_str(), MBSTRING_UTF8, Bytes(value),
            static_cast<ossl_ssize_t>(value.size()), -1, 0)) {
      return Bad(absl::StrCat("the subject's ", Printable(type, 32),
                              " is empty, too long, or no UTF-8"));
    }
  }
  if (!X509_set_issuer_name(x509.get(), X509_get_subject_name(from)) ||
      !ASN1_TIME_set_posix(X509_getm_notBefore(x509.get()),
                           absl::ToUnixSeconds(certificate.not_before)) ||
      !ASN1_TIME_set_posix(X509_getm_notAfter(x509.get()),
                           absl::ToUnixSeconds(certificate.not_after)) ||
      !X509_set_pubkey(x509.get(), key.get())) {
    return Bad("dates or key cannot be in a certificate");
  }
  if (!AddExtensions(certificate, EVP_PKEY_id(key.get()) == EVP_PKEY_RSA,
                     x509.get(), from)) {
    return absl::InternalError("cannot make a certificate's extensions");
  }
  if (!AddAltNames(certificate, x509.get())) {
    return Bad("a subject alternative name cannot be one");
  }
  if (X509_sign(x509.get(), signing_key, EVP_sha256()) <= 0) {
    return absl::InternalError("cannot sign a certificate");
  }
  uint8_t* der = nullptr;
  const int size = i2d_X509(x509.get(), &der);
  if (size <= 0) return absl::InternalError("cannot encode a certificate");
  const bssl::UniquePtr<uint8_t> owned(der);
  return std::string(reinterpret_cast<const char*>(der),
                     static_cast<size_t>(size));
}

absl::StatusOr<std::string> MakeCertificateRequest(const PrivateKey& key) {
  const bssl::UniquePtr<X509_REQ> request(X509_REQ_new());
  EVP_PKEY* const signing_key = key.rep().key.get();
  uint8_t* der = nullptr;
  if (!X509_REQ_set_version(request.get(), X509_REQ_VERSION_1) ||
      !X509_REQ_set_pubkey(request.get(), signing_key) ||
      X509_REQ_sign(request.get(), signing_key, EVP_sha256()) <= 0) {
    return absl::InternalError("cannot make a certificate request");
  }
  const int size = i2d_X509_REQ(request.get(), &der);
  if (size <= 0) {
    return absl::InternalError("cannot encode a certificate request");
  }
  const bssl::UniquePtr<uint8_t> owned(der);
  return WritePem("CERTIFICATE REQUEST",
                  absl::string_view(reinterpret_cast<const char*>(der),
                                    static_cast<size_t>(size)));
}

absl::StatusOr<std::string> ReadCertificateRequest(absl::string_view pem) {
  constexpr absl::string_view kNoRequest =
      "is no certificate request; give PEM with one CERTIFICATE REQUEST";
  std::string der;
  int num_requests = 0;
  bool other = false;
  const PemError error =
      ReadPem(pem, kMaxRequestBytes, [&](const PemBlock& block) {
        // What older programs write.
        if (block.label != "CERTIFICATE REQUEST" &&
            block.label != "NEW CERTIFICATE REQUEST") {
          other = true;
          return false;
        }
        ++num_requests;
        der = std::string(block.data);
        return true;
      });
  if (other) {
    return Bad("has a block of another kind; a private key must not be sent");
  }
  if (!error.ok() || num_requests != 1) return Bad(kNoRequest);
  const uint8_t* p = Bytes(der);
  const bssl::UniquePtr<X509_REQ> request(
      d2i_X509_REQ(nullptr, &p, static_cast<long>(der.size())));
  if (request == nullptr || p != Bytes(der) + der.size()) {
    return Bad(kNoRequest);
  }
  const bssl::UniquePtr<EVP_PKEY> key(X509_REQ_get_pubkey(request.get()));
  if (key == nullptr) return Bad("has no key that can be read");
  const int id = EVP_PKEY_id(key.get());
  const bool strong =
      (id == EVP_PKEY_RSA && EVP_PKEY_bits(key.get()) >= kMinRsaKeyBits &&
       EVP_PKEY_bits(key.get()) <= kMaxRsaKeyBits) ||
      (id == EVP_PKEY_EC &&
       (EVP_PKEY_bits(key.get()) == 256 || EVP_PKEY_bits(key.get()) == 384));
  if (!strong) {
    return Bad(
        "has a key that is not RSA of 2048 to 8192 bits, ECDSA P-256 or ECDSA "
        "P-384");
  }
  if (X509_REQ_verify(request.get(), key.get()) != 1) {
    return Bad("is not signed by its own key");
  }
  bssl::ScopedCBB cbb;
  if (!CBB_init(cbb.get(), 512) ||
      !EVP_marshal_public_key(cbb.get(), key.get())) {
    return absl::InternalError("cannot encode a public key");
  }
  return std::string(reinterpret_cast<const char*>(CBB_data(cbb.get())),
                     CBB_len(cbb.get()));
}

}  // namespace sallyport::pki
