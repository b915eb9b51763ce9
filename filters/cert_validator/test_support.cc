#include "filters/cert_validator/test_support.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace sallyport::cert_validator {

using pki::MakeTestCertificate;
using pki::TestCaSpec;
using pki::TestKey;
using pki::TestLeafSpec;

const TestPki& Certificates() {
  static const TestPki& all = *[] {
    const auto root =
        MakeTestCertificate(TestCaSpec("Root CA"), TestKey::P256(), nullptr);
    const auto other_root = MakeTestCertificate(TestCaSpec("Other Root CA"),
                                                TestKey::P256(), nullptr);
    auto short_spec = TestLeafSpec("short");
    short_spec.not_after = pki::TestNow() + absl::Hours(1);
    return new TestPki{
        root,
        other_root,
        MakeTestCertificate(TestLeafSpec("client"), TestKey::P256(), &root),
        MakeTestCertificate(short_spec, TestKey::P256(), &root),
        MakeTestCertificate(TestLeafSpec("partner"), TestKey::P256(), nullptr),
        MakeTestCertificate(TestLeafSpec("stranger"), TestKey::P256(), nullptr),
    };
  }();
  return all;
}

filter::v1::TruststoreValidator InlineConfig(const std::string& pem) {
  filter::v1::TruststoreValidator config;
  config.set_domain("api.example.com");
  auto* truststore = config.add_truststores();
  truststore->set_name("partners");
  truststore->set_version("1");
  truststore->set_inline_pem(pem);
  return config;
}

FakeClock& SharedFakeClock() {
  static auto& clock = *new FakeClock(pki::TestNow());
  clock.Set(pki::TestNow());
  return clock;
}

TempDir::TempDir() {
  const char* base = std::getenv("TEST_TMPDIR");
  path_ = absl::StrCat(base != nullptr ? base : "/tmp", "/sallyport.XXXXXX");
  if (mkdtemp(path_.data()) == nullptr) {
    std::perror("mkdtemp");
    std::abort();
  }
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void WriteInPlace(const std::string& path, const std::string& text) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << text;
  out.close();
  if (!out) {
    std::perror(path.c_str());
    std::abort();
  }
}

void Replace(const std::string& path, const std::string& text) {
  // Beside the folder, so that nothing but the move happens in it.
  const std::string fresh =
      std::filesystem::path(path).parent_path().string() + ".new";
  WriteInPlace(fresh, text);
  std::filesystem::rename(fresh, path);
}

bool WaitFor(const std::function<bool()>& done) {
  const absl::Time deadline = absl::Now() + absl::Seconds(30);
  while (!done()) {
    if (absl::Now() > deadline) return false;
    absl::SleepFor(absl::Milliseconds(5));
  }
  return true;
}

}  // namespace sallyport::cert_validator
