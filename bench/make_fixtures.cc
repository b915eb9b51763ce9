// Makes the certificates of one benchmark run.
//
//   make_fixtures FOLDER LEAVES SIZE...
//
// All keys are ECDSA P-256. In FOLDER afterwards:
//   server.pem, server.key      for bench.test, self-signed
//   client.key                  of all client certificates
//   leaves.pem                  LEAVES client certificates, one issuer
//   intermediate.pem            that issuer
//   stranger.pem                client certificates, same issuer name and
//                               count, under a root that no truststore has
//   stranger_intermediate.pem   their issuer
//   truststore_SIZE.pem         SIZE root CAs with names of about 90 bytes; the
//                               client's root is in the middle
//   complete_SIZE.pem           the same with one root replaced by the
//                               intermediate (SIZE of 2 and more)
//   leaf_sha256.txt             hex SHA-256 of the first client certificate

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/text.h"
#include "pki/testing/make_certificate.h"
#include "pki/x509/certificate.h"

namespace sallyport::bench {
namespace {

using pki::MakeTestCertificate;
using pki::TestCertificate;
using pki::TestCertificateSpec;
using pki::TestKey;

void Write(const std::string& path, const std::string& text) {
  std::ofstream out(path, std::ios::binary);
  out << text;
  out.close();
  if (!out) {
    std::cerr << "make_fixtures: cannot write " << path << "\n";
    std::exit(1);
  }
}

TestCertificateSpec Spec(absl::Time now, bool ca) {
  TestCertificateSpec spec;
  spec.ca = ca;
  spec.not_before = now - absl::Hours(24);
  spec.not_after = now + absl::Hours(24 * 3650);
  spec.key_usage =
      ca ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature";
  return spec;
}

// Names of 75 to 105 bytes that differ early and in length, as those of real
// CAs do: validators that compare names are not made to look worse by names
// that are alike to their last bytes.
TestCertificate MakeRoot(absl::Time now, int number) {
  const uint32_t mixed = static_cast<uint32_t>(number) * 2654435761u;
  TestCertificateSpec spec = Spec(now, /*ca=*/true);
  spec.subject = {{"C", "DE"},
                  {"O", absl::StrFormat("%08X Company%s", mixed,
                                        std::string(mixed >> 27, 'y'))},
                  {"CN", absl::StrFormat("Partner %06d Root CA", number)}};
  spec.serial = static_cast<uint64_t>(number) + 1;
  return MakeTestCertificate(spec, TestKey::P256(), nullptr);
}

TestCertificate MakeIntermediate(absl::Time now, const TestCertificate& root) {
  TestCertificateSpec spec = Spec(now, /*ca=*/true);
  spec.subject = {{"C", "DE"},
                  {"O", "Example Partner Company with Limited Liability"},
                  {"CN", "Partner Issuing CA"}};
  spec.path_length = 0;
  return MakeTestCertificate(spec, TestKey::P256(), &root);
}

std::vector<TestCertificate> MakeLeaves(absl::Time now, int count,
                                        const TestKey& key,
                                        const TestCertificate& issuer) {
  std::vector<TestCertificate> leaves;
  for (int i = 0; i < count; ++i) {
    TestCertificateSpec spec = Spec(now, /*ca=*/false);
    spec.subject = {{"O", "Example Partner"},
                    {"CN", absl::StrFormat("client-%06d", i)}};
    spec.serial = static_cast<uint64_t>(i) + 1;
    spec.extended_key_usage = "clientAuth";
    spec.alt_names = absl::StrFormat("DNS:client-%06d.example.com", i);
    leaves.push_back(MakeTestCertificate(spec, key, &issuer));
  }
  return leaves;
}

std::string Joined(const std::vector<TestCertificate>& certificates) {
  std::string pem;
  for (const TestCertificate& certificate : certificates) {
    pem += certificate.pem;
  }
  return pem;
}

int Main(int argc, char** argv) {
  int num_leaves = 0;
  std::vector<int> sizes;
  bool good = argc >= 3 && absl::SimpleAtoi(argv[2], &num_leaves);
  for (int i = 3; good && i < argc; ++i) {
    good = absl::SimpleAtoi(argv[i], &sizes.emplace_back());
  }
  for (const int size : sizes) good = good && size >= 1 && size <= 1000000;
  if (!good || num_leaves < 1 || num_leaves > 1000000) {
    std::cerr << "usage: make_fixtures FOLDER LEAVES SIZE...\n";
    return 2;
  }
  const std::string folder = absl::StrCat(argv[1], "/");
  const absl::Time now = absl::Now();

  TestCertificateSpec server_spec = Spec(now, /*ca=*/false);
  server_spec.subject = {{"CN", "bench.test"}};
  server_spec.alt_names = "DNS:bench.test,DNS:*.bench.test";
  const TestCertificate server =
      MakeTestCertificate(server_spec, TestKey::P256(), nullptr);
  Write(folder + "server.pem", server.pem);
  Write(folder + "server.key", server.key.Pem());

  const TestKey key = TestKey::P256();
  Write(folder + "client.key", key.Pem());
  const TestCertificate root = MakeRoot(now, 0);
  const TestCertificate intermediate = MakeIntermediate(now, root);
  const auto leaves = MakeLeaves(now, num_leaves, key, intermediate);
  Write(folder + "intermediate.pem", intermediate.pem);
  Write(folder + "leaves.pem", Joined(leaves));
  Write(folder + "leaf_sha256.txt",
        HexLower(pki::AsBytes(pki::Sha256(leaves.front().der))) + "\n");

  const TestCertificate other_root = MakeRoot(now, 999999);
  const TestCertificate other = MakeIntermediate(now, other_root);
  Write(folder + "stranger_intermediate.pem", other.pem);
  Write(folder + "stranger.pem",
        Joined(MakeLeaves(now, num_leaves, key, other)));

  std::vector<std::string> others;
  for (const int size : sizes) {
    while (others.size() + 1 < static_cast<size_t>(size)) {
      others.push_back(MakeRoot(now, static_cast<int>(others.size()) + 1).pem);
    }
    const int middle = size / 2;
    std::string plain, complete;
    for (int i = 0; i < size; ++i) {
      const std::string& pem =
          i == middle ? root.pem
                      : others[static_cast<size_t>(i < middle ? i : i - 1)];
      plain += pem;
      complete += i == 0 ? intermediate.pem : pem;
    }
    Write(absl::StrCat(folder, "truststore_", size, ".pem"), plain);
    if (size > 1) {
      Write(absl::StrCat(folder, "complete_", size, ".pem"), complete);
    }
  }
  return 0;
}

}  // namespace
}  // namespace sallyport::bench

int main(int argc, char** argv) {
  try {
    return sallyport::bench::Main(argc, argv);
  } catch (const std::exception& e) {
    std::cerr << "make_fixtures: " << e.what() << "\n";
    return 1;
  }
}
