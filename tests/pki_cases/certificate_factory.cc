#include "tests/pki_cases/certificate_factory.h"

#include <openssl/asn1.h>
#include <openssl/ec_key.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/obj.h>
#include <openssl/sha2.h>
#include <openssl/x509.h>

#include <cstdio>
#include <cstdlib>

namespace sallyport::pki_cases {
namespace {

void Check(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "certificate factory: %s failed\n", what);
  std::abort();
}

bssl::UniquePtr<X509_NAME> Name(const std::string& common_name) {
  bssl::UniquePtr<X509_NAME> name(X509_NAME_new());
  Check(X509_NAME_add_entry_by_NID(
            name.get(), NID_commonName, MBSTRING_UTF8,
            reinterpret_cast<const uint8_t*>(common_name.data()),
            static_cast<ossl_ssize_t>(common_name.size()), -1, 0) == 1,
        "name");
  return name;
}

bssl::UniquePtr<ASN1_OCTET_STRING> Octets(const uint8_t* data, size_t len) {
  bssl::UniquePtr<ASN1_OCTET_STRING> out(ASN1_OCTET_STRING_new());
  Check(ASN1_STRING_set(out.get(), data, static_cast<ossl_ssize_t>(len)) == 1,
        "octet string");
  return out;
}

bssl::UniquePtr<ASN1_OCTET_STRING> KeyIdentifier(EVP_PKEY* key) {
  uint8_t* spki = nullptr;
  const int len = i2d_PUBKEY(key, &spki);
  Check(len > 0, "public key");
  uint8_t digest[SHA256_DIGEST_LENGTH];
  SHA256(spki, static_cast<size_t>(len), digest);
  OPENSSL_free(spki);
  return Octets(digest, 20);
}

}  // namespace

bssl::UniquePtr<EVP_PKEY> NewKey() {
  bssl::UniquePtr<EC_KEY> ec(EC_KEY_new_by_curve_name(NID_X9_62_prime256v1));
  bssl::UniquePtr<EVP_PKEY> key(EVP_PKEY_new());
  Check(EC_KEY_generate_key(ec.get()) == 1 &&
            EVP_PKEY_set1_EC_KEY(key.get(), ec.get()) == 1,
        "key");
  return key;
}

std::string MakeCertificate(const CertificateSpec& spec) {
  bssl::UniquePtr<X509> x509(X509_new());
  Check(X509_set_version(x509.get(), X509_VERSION_3) == 1, "version");
  Check(ASN1_INTEGER_set_uint64(X509_get_serialNumber(x509.get()),
                                spec.serial) == 1,
        "serial");
  Check(X509_set_subject_name(x509.get(), Name(spec.subject).get()) == 1 &&
            X509_set_issuer_name(x509.get(), Name(spec.issuer).get()) == 1,
        "names");
  constexpr int64_t k2020 = 1577836800;
  constexpr int64_t k2045 = 2366841600;
  Check(
      ASN1_TIME_set_posix(X509_getm_notBefore(x509.get()), k2020) != nullptr &&
          ASN1_TIME_set_posix(X509_getm_notAfter(x509.get()), k2045) != nullptr,
      "validity");
  Check(X509_set_pubkey(x509.get(), spec.subject_key) == 1, "public key");
  if (spec.is_ca) {
    bssl::UniquePtr<BASIC_CONSTRAINTS> constraints(BASIC_CONSTRAINTS_new());
    constraints->ca = ASN1_BOOLEAN_TRUE;
    Check(X509_add1_ext_i2d(x509.get(), NID_basic_constraints,
                            constraints.get(), /*crit=*/1, 0) == 1,
          "basic constraints");
  }
  if (spec.key_identifiers) {
    Check(X509_add1_ext_i2d(x509.get(), NID_subject_key_identifier,
                            KeyIdentifier(spec.subject_key).get(), 0, 0) == 1,
          "subject key identifier");
    bssl::UniquePtr<AUTHORITY_KEYID> authority(AUTHORITY_KEYID_new());
    authority->keyid = KeyIdentifier(spec.issuer_key).release();
    Check(X509_add1_ext_i2d(x509.get(), NID_authority_key_identifier,
                            authority.get(), 0, 0) == 1,
          "authority key identifier");
  }
  if (spec.padding > 0) {
    const std::string zeros(spec.padding, '\0');
    bssl::UniquePtr<ASN1_OBJECT> oid(
        OBJ_txt2obj("1.3.6.1.4.1.55555.1.2", /*dont_search_names=*/1));
    bssl::UniquePtr<X509_EXTENSION> extension(X509_EXTENSION_create_by_OBJ(
        nullptr, oid.get(), /*crit=*/0,
        Octets(reinterpret_cast<const uint8_t*>(zeros.data()), zeros.size())
            .get()));
    Check(X509_add_ext(x509.get(), extension.get(), -1) == 1, "padding");
  }
  Check(X509_sign(x509.get(), spec.issuer_key, EVP_sha256()) > 0, "signing");
  uint8_t* der = nullptr;
  const int len = i2d_X509(x509.get(), &der);
  Check(len > 0, "encoding");
  std::string out(reinterpret_cast<const char*>(der), static_cast<size_t>(len));
  OPENSSL_free(der);
  return out;
}

}  // namespace sallyport::pki_cases
