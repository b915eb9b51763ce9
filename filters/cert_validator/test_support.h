// What the tests of the filters share: certificates, truststores, files.

#ifndef SALLYPORT_FILTERS_CERT_VALIDATOR_TEST_SUPPORT_H_
#define SALLYPORT_FILTERS_CERT_VALIDATOR_TEST_SUPPORT_H_

#include <functional>
#include <string>

#include "base/clock.h"
#include "pki/testing/make_certificate.h"
#include "proto/sallyport/filter/v1/config.pb.h"

namespace sallyport::cert_validator {

// Made once in a test program.
struct TestPki {
  pki::TestCertificate root;
  pki::TestCertificate other_root;
  pki::TestCertificate client;        // of root; valid for a year
  pki::TestCertificate short_client;  // of root; expires in an hour
  pki::TestCertificate partner;       // self-signed
  pki::TestCertificate stranger;      // self-signed
};
const TestPki& Certificates();

// A configuration for api.example.com that trusts `pem`.
filter::v1::TruststoreValidator InlineConfig(const std::string& pem);

// A clock at pki::TestNow(), for SetModuleClockForTest(). One for the program
// and never destroyed: the module's threads may be asking it.
FakeClock& SharedFakeClock();

// A folder of its own for one test, under TEST_TMPDIR.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const {
    return path_ + "/" + name;
  }

 private:
  std::string path_;
};

// Writes a file in place.
void WriteInPlace(const std::string& path, const std::string& text);
// Writes it beside and moves it there.
void Replace(const std::string& path, const std::string& text);

// Waits until `done` says so; false after half a minute.
bool WaitFor(const std::function<bool()>& done);

}  // namespace sallyport::cert_validator

#endif  // SALLYPORT_FILTERS_CERT_VALIDATOR_TEST_SUPPORT_H_
