#include "filters/forwarding/test_certificate.h"

#include <openssl/bytestring.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/nid.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/file.h"
#include "pki/x509/certificate.h"
#include "pki/x509/pem.h"

namespace sallyport::forwarding {
namespace {

void Check(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "test certificate: %s\n", what);
  std::abort();
}

const uint8_t* Bytes(absl::string_view text) {
  return reinterpret_cast<const uint8_t*>(text.data());
}

void Add(CBB* out, CBS_ASN1_TAG tag, absl::string_view content) {
  CBB child;
  Check(CBB_add_asn1(out, &child, tag) &&
            CBB_add_bytes(&child, Bytes(content), content.size()) &&
            CBB_flush(out),
        "cannot write an element");
}

void AddOid(CBB* out, const char* text) {
  CBB oid;
  Check(CBB_add_asn1(out, &oid, CBS_ASN1_OBJECT) &&
            CBB_add_asn1_oid_from_text(&oid, text, strlen(text)) &&
            CBB_flush(out),
        "cannot write an OID");
}

void AddName(CBB* out, const std::vector<TestAttribute>& attributes) {
  CBB name;
  Check(CBB_add_asn1(out, &name, CBS_ASN1_SEQUENCE), "name");
  for (size_t i = 0; i < attributes.size();) {
    CBB set;
    Check(CBB_add_asn1(&name, &set, CBS_ASN1_SET), "RDN");
    do {
      const char type[] = {0x55, 0x04, static_cast<char>(attributes[i].type)};
      CBB attribute;
      Check(CBB_add_asn1(&set, &attribute, CBS_ASN1_SEQUENCE), "attribute");
      Add(&attribute, CBS_ASN1_OBJECT,
          attributes[i].oid.empty() ? absl::string_view(type, sizeof(type))
                                    : absl::string_view(attributes[i].oid));
      Add(&attribute, CBS_ASN1_UTF8STRING, attributes[i].value);
      Check(CBB_flush(&set), "RDN");
      ++i;
    } while (i < attributes.size() && attributes[i].same_rdn);
    Check(CBB_flush_asn1_set_of(&set) && CBB_flush(&name), "RDN");
  }
  Check(CBB_flush(out), "name");
}

void AddSignatureAlgorithm(CBB* out) {
  CBB algorithm;
  Check(CBB_add_asn1(out, &algorithm, CBS_ASN1_SEQUENCE), "algorithm");
  AddOid(&algorithm, "1.2.840.10045.4.3.2");  // ecdsa-with-SHA256
  Check(CBB_flush(out), "algorithm");
}

void AddAltNames(CBB* tbs, const TestCertificate& spec) {
  if (spec.dns.empty() && spec.uri.empty() && spec.email.empty() &&
      spec.ip.empty()) {
    return;
  }
  CBB wrapper, extensions, extension, value, names;
  Check(CBB_add_asn1(tbs, &wrapper,
                     CBS_ASN1_CONTEXT_SPECIFIC | CBS_ASN1_CONSTRUCTED | 3) &&
            CBB_add_asn1(&wrapper, &extensions, CBS_ASN1_SEQUENCE) &&
            CBB_add_asn1(&extensions, &extension, CBS_ASN1_SEQUENCE),
        "extensions");
  AddOid(&extension, "2.5.29.17");
  // RFC 5280, 4.2.1.6: critical when there is no other name.
  if (spec.subject.empty()) {
    Check(CBB_add_asn1_bool(&extension, 1), "critical");
  }
  Check(CBB_add_asn1(&extension, &value, CBS_ASN1_OCTETSTRING) &&
            CBB_add_asn1(&value, &names, CBS_ASN1_SEQUENCE),
        "subjectAltName");
  for (const std::string& uri : spec.uri) {
    Add(&names, CBS_ASN1_CONTEXT_SPECIFIC | 6, uri);
  }
  for (const std::string& dns : spec.dns) {
    Add(&names, CBS_ASN1_CONTEXT_SPECIFIC | 2, dns);
  }
  for (const std::string& email : spec.email) {
    Add(&names, CBS_ASN1_CONTEXT_SPECIFIC | 1, email);
  }
  for (const std::string& ip : spec.ip) {
    Add(&names, CBS_ASN1_CONTEXT_SPECIFIC | 7, ip);
  }
  Check(CBB_flush(tbs), "extensions");
}

std::string Take(CBB* cbb) {
  uint8_t* data = nullptr;
  size_t size = 0;
  Check(CBB_finish(cbb, &data, &size), "cannot finish");
  std::string out(reinterpret_cast<const char*>(data), size);
  OPENSSL_free(data);
  return out;
}

EVP_PKEY* Key() {
  static EVP_PKEY* const key = [] {
    const uint8_t scalar[32] = {1, 2, 3, 4, 5, 6, 7, 8};
    bssl::UniquePtr<EC_KEY> ec(
        EC_KEY_derive_from_secret(EC_group_p256(), scalar, sizeof(scalar)));
    EVP_PKEY* made = EVP_PKEY_new();
    Check(ec && made && EVP_PKEY_set1_EC_KEY(made, ec.get()), "key");
    return made;
  }();
  return key;
}

}  // namespace

std::string MakeDer(const TestCertificate& spec) {
  bssl::ScopedCBB body;
  CBB tbs, version, validity;
  Check(
      CBB_init(body.get(), 512) &&
          CBB_add_asn1(body.get(), &tbs, CBS_ASN1_SEQUENCE) &&
          CBB_add_asn1(&tbs, &version,
                       CBS_ASN1_CONTEXT_SPECIFIC | CBS_ASN1_CONSTRUCTED | 0) &&
          CBB_add_asn1_uint64(&version, 2),
      "version");
  Add(&tbs, CBS_ASN1_INTEGER, spec.serial);
  AddSignatureAlgorithm(&tbs);
  AddName(&tbs, spec.issuer);
  Check(CBB_add_asn1(&tbs, &validity, CBS_ASN1_SEQUENCE), "validity");
  // RFC 5280, 4.1.2.5: UTCTime up to 2049.
  for (absl::string_view time : {spec.not_before, spec.not_after}) {
    if (time < "2050") {
      Add(&validity, CBS_ASN1_UTCTIME, time.substr(2));
    } else {
      Add(&validity, CBS_ASN1_GENERALIZEDTIME, time);
    }
  }
  AddName(&tbs, spec.subject);
  Check(EVP_marshal_public_key(&tbs, Key()), "public key");
  AddAltNames(&tbs, spec);
  const std::string tbs_der = Take(body.get());

  bssl::ScopedEVP_MD_CTX context;
  uint8_t signature[80];
  size_t signature_size = sizeof(signature);
  Check(EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr,
                           Key()) &&
            EVP_DigestSign(context.get(), signature, &signature_size,
                           Bytes(tbs_der), tbs_der.size()),
        "signature");

  bssl::ScopedCBB out;
  CBB certificate, bits;
  Check(CBB_init(out.get(), 512) &&
            CBB_add_asn1(out.get(), &certificate, CBS_ASN1_SEQUENCE) &&
            CBB_add_bytes(&certificate, Bytes(tbs_der), tbs_der.size()),
        "certificate");
  AddSignatureAlgorithm(&certificate);
  Check(CBB_add_asn1(&certificate, &bits, CBS_ASN1_BITSTRING) &&
            CBB_add_u8(&bits, 0) &&
            CBB_add_bytes(&bits, signature, signature_size),
        "signature");
  return Take(out.get());
}

std::shared_ptr<const pki::Certificate> Make(const TestCertificate& spec) {
  auto certificate = pki::Certificate::Parse(MakeDer(spec));
  return certificate.ok() ? *std::move(certificate) : nullptr;
}

std::vector<std::shared_ptr<const pki::Certificate>> ReadChain(
    const std::string& path) {
  const absl::StatusOr<std::string> pem = ReadFile(path, size_t{1} << 20);
  Check(pem.ok(), path.c_str());
  std::vector<std::shared_ptr<const pki::Certificate>> chain;
  const pki::PemError error =
      pki::ReadPem(*pem, size_t{1} << 18, [&chain](const pki::PemBlock& block) {
        auto certificate = pki::Certificate::Parse(block.data);
        Check(certificate.ok(), "not a certificate");
        chain.push_back(*std::move(certificate));
        return true;
      });
  Check(error.ok(), path.c_str());
  return chain;
}

}  // namespace sallyport::forwarding
