// One test for each library that the build provides: it compiles, links and
// runs, under every configuration of .bazelrc.

#include <openssl/evp.h>
#include <openssl/pki/verify.h>
#include <openssl/sha2.h>
#include <openssl/ssl.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/container/flat_hash_map.h"
#include "absl/random/random.h"
#include "absl/status/statusor.h"
#include "absl/strings/cord.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/types/span.h"
#include "gmock/gmock.h"
#include "google/protobuf/util/json_util.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "third_party_boringssl/pki/cert_errors.h"
#include "third_party_boringssl/pki/parse_certificate.h"
#include "third_party_boringssl/pki/path_builder.h"
#include "third_party_boringssl/pki/simple_path_builder_delegate.h"
#include "third_party_boringssl/pki/trust_store_in_memory.h"
#include "tools/build/selftest.pb.h"

namespace sallyport {
namespace {

TEST(Toolchain, RunsAbseil) {
  absl::Mutex mu;
  absl::MutexLock lock(&mu);
  absl::flat_hash_map<std::string, absl::Time> times;
  times["now"] = absl::Now();
  const absl::StatusOr<int> failed =
      absl::InvalidArgumentError(absl::StrFormat("%d", 7));
  EXPECT_EQ(failed.status().message(), "7");
  absl::BitGen generator;
  EXPECT_LT(absl::Uniform<uint32_t>(generator, 0, 10), 10u);
  EXPECT_EQ(absl::Cord("cord").size(), 4u);
}

TEST(Toolchain, RunsProtobuf) {
  build::selftest::Selftest message;
  const std::string json =
      R"({"timeout":"2s","anything":{"a":1},"name":"n","counts":{"x":"3"}})";
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(json, &message).ok());
  EXPECT_EQ(message.timeout().seconds(), 2);
  EXPECT_EQ(message.anything().fields().at("a").number_value(), 1);
  EXPECT_EQ(message.name().value(), "n");
  EXPECT_EQ(message.counts().at("x"), 3u);
}

TEST(Toolchain, RunsBoringSsl) {
  const std::string text = "abc";
  std::vector<uint8_t> digest(SHA256_DIGEST_LENGTH);
  SHA256(reinterpret_cast<const uint8_t*>(text.data()), text.size(),
         digest.data());
  EXPECT_EQ(digest[0], 0xba);
  const bssl::UniquePtr<SSL_CTX> context(SSL_CTX_new(TLS_method()));
  EXPECT_NE(context, nullptr);
}

TEST(Toolchain, RunsBoringSslPathBuilder) {
  bssl::TrustStoreInMemory trust_store;
  EXPECT_TRUE(trust_store.IsEmpty());
  bssl::CertErrors errors;
  const uint8_t garbage[] = {0x30, 0x03, 0x02, 0x01, 0x05};
  EXPECT_FALSE(bssl::ParsedCertificate::Create(
      bssl::UniquePtr<CRYPTO_BUFFER>(
          CRYPTO_BUFFER_new(garbage, sizeof(garbage), nullptr)),
      {}, &errors));
  bssl::SimplePathBuilderDelegate delegate(
      2048, bssl::SimplePathBuilderDelegate::DigestPolicy::kStrong);
  EXPECT_FALSE(delegate.IsDeadlineExpired());
}

TEST(Toolchain, CatchesExceptions) {
  EXPECT_THROW((void)std::vector<int>().at(1), std::out_of_range);
}

TEST(Toolchain, RunsJsonAndCommandLine) {
  EXPECT_EQ(nlohmann::json::parse("[1,2]").size(), 2u);
  CLI::App app("selftest");
  bool flag = false;
  app.add_flag("--flag", flag);
  app.parse("--flag");
  EXPECT_TRUE(flag);
  EXPECT_THAT(app.get_name(), ::testing::IsEmpty());
}

}  // namespace
}  // namespace sallyport
