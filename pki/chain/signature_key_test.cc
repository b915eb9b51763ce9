#include "pki/chain/signature_key.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "openssl/pki/signature_verify_cache.h"
#include "pki/testing/make_certificate.h"
#include "pki/x509/certificate.h"
#include "pki/x509/der.h"
#include "third_party_boringssl/pki/verify_signed_data.h"

namespace sallyport::pki {
namespace {

// Remembers what BoringSSL asks for.
class Asked final : public bssl::SignatureVerifyCache {
 public:
  void Store(const std::string&, Value) override {}
  Value Check(const std::string& key) override {
    keys.push_back(key);
    return Value::kUnknown;
  }
  std::vector<std::string> keys;
};

TEST(SignatureKey, IsWhatBoringSslAsksFor) {
  const std::vector<TestKey> keys = {TestKey::P256(), TestKey::P384(),
                                     TestKey::Rsa(2048)};
  for (const TestKey& key : keys) {
    const TestCertificate ca =
        MakeTestCertificate(TestCaSpec("ca"), key, nullptr);
    const TestCertificate made =
        MakeTestCertificate(TestLeafSpec("leaf"), TestKey::P256(), &ca);
    const auto issuer = *Certificate::Parse(ca.der);
    const auto leaf = *Certificate::Parse(made.der);
    const bssl::ParsedCertificate& parsed = *leaf->parsed();
    Asked asked;
    EXPECT_TRUE(bssl::VerifySignedData(
        *parsed.signature_algorithm(), parsed.tbs_certificate_tlv(),
        parsed.signature_value(), Input(issuer->spki_der()), &asked));
    ASSERT_EQ(asked.keys.size(), 1u);
    EXPECT_EQ(SignatureKey(parsed, issuer->spki_der()), asked.keys[0]);
    // Another key, another name.
    EXPECT_NE(SignatureKey(parsed, leaf->spki_der()), asked.keys[0]);
  }
}

}  // namespace
}  // namespace sallyport::pki
