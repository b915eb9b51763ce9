// Makes the certificates of one benchmark run.
//
//   make_fixtures FOLDER LEAVES CHAIN[,CHAIN]... SIZE...
//
// A chain is called KEY_N: all its keys are KEY (`ecdsa`: P-256; `rsa`:
// RSA-2048), and N (2 or more) certificates are sent by the client: its own and
// N - 1 intermediates. The root, which is not sent, is above those. In FOLDER
// afterwards:
//   server.pem, server.key      for bench.test, self-signed, P-256
//   server_both.pem             the two in one file
// for each CHAIN:
//   CHAIN_client.key            of all its client certificates
//   CHAIN_leaf.pem              LEAVES client certificates, one issuer
//   CHAIN_leaf_issuers.pem      that issuer and those above it, without the
//   root CHAIN_leaf_sha256.txt       hex SHA-256 of the first client
//   certificate CHAIN_stranger.pem          (ecdsa only) as many under a root
//   that no
//                               truststore has
//   CHAIN_stranger_issuers.pem  (ecdsa only) their issuers
// for each SIZE, CAs with names of about 90 bytes, all but one ECDSA P-256:
//   truststore_SIZE.pem         the clients' roots are in the middle (of a
//                               truststore of 1: the ecdsa one)
//   complete_SIZE.pem           the same with the intermediate of ecdsa_2 in
//                               place of another (SIZE of 3 and more)
//   other_SIZE.pem              the same with others in place of the clients'
//                               roots

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
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

enum class Kind { kEcdsa, kRsa };

TestKey MakeKey(Kind kind) {
  return kind == Kind::kRsa ? TestKey::Rsa(2048) : TestKey::P256();
}

// Names of 75 to 105 bytes that differ early and in length, as those of real
// CAs do: validators that compare names are not made to look worse by names
// that are alike to their last bytes.
TestCertificate MakeRoot(absl::Time now, int number, Kind kind) {
  const uint32_t mixed = static_cast<uint32_t>(number) * 2654435761u;
  TestCertificateSpec spec = Spec(now, /*ca=*/true);
  spec.subject = {{"C", "DE"},
                  {"O", absl::StrFormat("%08X Company%s", mixed,
                                        std::string(mixed >> 27, 'y'))},
                  {"CN", absl::StrFormat("Partner %06d Root CA", number)}};
  spec.serial = static_cast<uint64_t>(number) + 1;
  return MakeTestCertificate(spec, MakeKey(kind), nullptr);
}

// The intermediates between `root` and the client's certificate, the topmost
// first.
std::vector<TestCertificate> MakeIntermediates(absl::Time now, int count,
                                               Kind kind,
                                               const TestCertificate& root) {
  std::vector<TestCertificate> out;
  for (int i = 0; i < count; ++i) {
    TestCertificateSpec spec = Spec(now, /*ca=*/true);
    spec.subject = {
        {"C", "DE"},
        {"O", "Example Partner Company with Limited Liability"},
        {"CN", i + 1 == count ? std::string("Partner Issuing CA")
                              : absl::StrCat("Partner Policy CA ", i + 1)}};
    spec.path_length = count - 1 - i;
    out.push_back(
        MakeTestCertificate(spec, MakeKey(kind), i == 0 ? &root : &out.back()));
  }
  return out;
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

struct Chain {
  std::string name;
  Kind kind;
  int length;  // certificates that the client sends
};

bool ReadChains(const std::string& text, std::vector<Chain>* out) {
  for (const absl::string_view name : absl::StrSplit(text, ',')) {
    const std::vector<std::string> parts = absl::StrSplit(name, '_');
    Chain chain{std::string(name), Kind::kEcdsa, 0};
    if (parts.size() != 2 || !absl::SimpleAtoi(parts[1], &chain.length) ||
        chain.length < 2 || chain.length > 9) {
      return false;
    }
    if (parts[0] == "rsa") {
      chain.kind = Kind::kRsa;
    } else if (parts[0] != "ecdsa") {
      return false;
    }
    out->push_back(chain);
  }
  return !out->empty();
}

// Writes CHAIN_KIND.pem and CHAIN_KIND_issuers.pem; returns the first client
// certificate and the intermediates.
std::pair<TestCertificate, std::vector<TestCertificate>> WriteClients(
    const std::string& prefix, absl::Time now, const Chain& chain, int count,
    const TestKey& key, const TestCertificate& root) {
  std::vector<TestCertificate> issuers =
      MakeIntermediates(now, chain.length - 1, chain.kind, root);
  const auto leaves = MakeLeaves(now, count, key, issuers.back());
  Write(prefix + ".pem", Joined(leaves));
  std::string sent;
  for (size_t i = issuers.size(); i > 0; --i) sent += issuers[i - 1].pem;
  Write(prefix + "_issuers.pem", sent);
  return {leaves.front(), std::move(issuers)};
}

// The first `size` of `others`, with `instead` in place of those in the middle.
std::string Bundle(const std::vector<std::string>& others, int size,
                   const std::vector<std::string>& instead) {
  const int count = std::min(size, static_cast<int>(instead.size()));
  const int begin = std::max(0, size / 2 - count / 2);
  std::string out;
  for (int i = 0; i < size; ++i) {
    const bool other = i < begin || i >= begin + count;
    out += other ? others[static_cast<size_t>(i)]
                 : instead[static_cast<size_t>(i - begin)];
  }
  return out;
}

int Main(int argc, char** argv) {
  int num_leaves = 0;
  std::vector<Chain> chains;
  std::vector<int> sizes;
  bool good = argc >= 4 && absl::SimpleAtoi(argv[2], &num_leaves) &&
              ReadChains(argv[3], &chains);
  for (int i = 4; good && i < argc; ++i) {
    good = absl::SimpleAtoi(argv[i], &sizes.emplace_back());
  }
  for (const int size : sizes) good = good && size >= 1 && size <= 1000000;
  if (!good || num_leaves < 1 || num_leaves > 1000000) {
    std::cerr
        << "usage: make_fixtures FOLDER LEAVES CHAIN[,CHAIN]... SIZE...\n";
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
  Write(folder + "server_both.pem", server.pem + server.key.Pem());

  const TestCertificate ecdsa_root = MakeRoot(now, 0, Kind::kEcdsa);
  const TestCertificate rsa_root = MakeRoot(now, 999998, Kind::kRsa);
  const TestCertificate unknown_root = MakeRoot(now, 999999, Kind::kEcdsa);
  std::string issuing;  // of ecdsa_2
  for (const Chain& chain : chains) {
    const std::string prefix = folder + chain.name;
    const bool rsa = chain.kind == Kind::kRsa;
    const TestKey key = MakeKey(chain.kind);
    Write(prefix + "_client.key", key.Pem());
    const auto made = WriteClients(prefix + "_leaf", now, chain, num_leaves,
                                   key, rsa ? rsa_root : ecdsa_root);
    Write(prefix + "_leaf_sha256.txt",
          HexLower(pki::AsBytes(pki::Sha256(made.first.der))) + "\n");
    if (chain.name == "ecdsa_2") issuing = made.second.front().pem;
    if (!rsa) {
      WriteClients(prefix + "_stranger", now, chain, num_leaves, key,
                   unknown_root);
    }
  }

  const int largest =
      sizes.empty() ? 0 : *std::max_element(sizes.begin(), sizes.end());
  std::vector<std::string> others;
  others.reserve(static_cast<size_t>(largest));
  for (int i = 0; i < largest; ++i) {
    others.push_back(MakeRoot(now, i + 1, Kind::kEcdsa).pem);
  }
  for (const int size : sizes) {
    Write(absl::StrCat(folder, "truststore_", size, ".pem"),
          Bundle(others, size, {ecdsa_root.pem, rsa_root.pem}));
    if (size >= 3 && !issuing.empty()) {
      Write(absl::StrCat(folder, "complete_", size, ".pem"),
            Bundle(others, size, {issuing, ecdsa_root.pem, rsa_root.pem}));
    }
    Write(absl::StrCat(folder, "other_", size, ".pem"),
          Bundle(others, size, {}));
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
