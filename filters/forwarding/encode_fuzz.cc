// Certificates with arbitrary bytes through every encoder.
//
// The input is a list of items, each a kind byte, a length byte and that many
// bytes. Invariants: whatever is written is a header that every hop passes on
// and that a backend reads back as what was put in, within the budget.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "base/text.h"
#include "filters/forwarding/forwarding.h"
#include "filters/forwarding/test_certificate.h"
#include "filters/forwarding/xfcc_reader.h"
#include "pki/x509/certificate.h"

namespace sallyport::forwarding {
namespace {

using ::sallyport::filter::v1::Forwarding;
using CertificatePtr = std::shared_ptr<const pki::Certificate>;

#define SALLYPORT_FUZZ_CHECK(condition)                                    \
  do {                                                                     \
    if (!(condition)) {                                                    \
      std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                        \
    }                                                                      \
  } while (false)

struct Input {
  Forwarding config;
  TestCertificate spec;
  std::string der;          // a certificate as it is, instead of `spec`
  std::string header_name;  // for HeaderFilter
  bool issuer_sent = false;
  bool root_sent = false;
};

Input ReadInput(absl::string_view data) {
  Input input;
  input.spec.subject.clear();
  while (data.size() >= 2) {
    const int kind = static_cast<uint8_t>(data[0]) % 11;
    const size_t size =
        std::min<size_t>(static_cast<uint8_t>(data[1]), data.size() - 2);
    const std::string content(data.substr(2, size));
    data.remove_prefix(2 + size);
    const auto byte = [&content](size_t i) {
      return i < content.size() ? static_cast<uint8_t>(content[i]) : 0;
    };
    switch (kind) {
      case 0: {
        Forwarding::Xfcc* xfcc = input.config.mutable_xfcc();
        xfcc->set_subject(byte(0) & 1);
        xfcc->set_cert(byte(0) & 2);
        xfcc->set_chain(byte(0) & 4);
        xfcc->set_uri(byte(0) & 8);
        xfcc->set_dns(byte(0) & 16);
        break;
      }
      case 1:
        input.config.mutable_rfc9440()->set_chain(byte(0) & 1);
        break;
      case 2:
        input.config.mutable_alb()->set_mode(
            static_cast<Forwarding::Alb::Mode>(byte(0) % 3));
        break;
      case 3:
        input.config.set_max_header_bytes(byte(0) + 256 * byte(1));
        break;
      case 4:
        input.issuer_sent = byte(0) & 1;
        input.root_sent = byte(0) & 2;
        break;
      case 5:
        // Common name, surname, country, ..., and types without a name.
        input.spec.subject.push_back({byte(0) & 63,
                                      content.empty() ? "" : content.substr(1),
                                      (byte(0) & 64) != 0});
        break;
      case 6:
        input.spec.issuer.push_back({3, content});
        break;
      case 7:
        input.spec.dns.push_back(content);
        break;
      case 8:
        input.spec.uri.push_back(content);
        break;
      case 9:
        input.spec.serial = content;
        break;
      case 10:
        input.header_name = content;
        break;
    }
  }
  return input;
}

// What stands for `name` in an XFCC value, without its outer quotes.
std::string ExpectedName(absl::string_view name) {
  std::string out;
  for (char c : name) {
    if (c == '"') {
      out += "\\\"";
    } else if (c == '\\' || c == 0x7f || static_cast<signed char>(c) < 0x20) {
      absl::StrAppend(&out, "%", HexUpper(absl::string_view(&c, 1)));
    } else {
      out.push_back(c);
    }
  }
  return out;
}

std::string PemOf(absl::string_view url_encoded) {
  return absl::StrReplaceAll(
      url_encoded,
      {{"%20", " "}, {"%0A", "\n"}, {"%2B", "+"}, {"%2F", "/"}, {"%3D", "="}});
}

void CheckXfcc(const Forwarding::Xfcc& config, const std::string& value,
               const std::vector<CertificatePtr>& sent,
               const std::set<std::string>& dropped) {
  std::vector<XfccElement> elements, same;
  SALLYPORT_FUZZ_CHECK(
      ReadXfcc(value, XfccReading::kBackslashPairs, &elements));
  SALLYPORT_FUZZ_CHECK(
      ReadXfcc(value, XfccReading::kQuoteAfterBackslash, &same));
  SALLYPORT_FUZZ_CHECK(elements == same);
  SALLYPORT_FUZZ_CHECK(elements.size() == 1);

  const pki::Certificate& leaf = *sent[0];
  XfccElement expected;
  const auto add = [&](absl::string_view key, std::string text) {
    if (dropped.count(absl::StrCat("x-forwarded-client-cert/", key)) == 0) {
      expected.emplace_back(std::string(key), std::move(text));
    }
  };
  add("Hash", HexLower(pki::AsBytes(leaf.fingerprint())));
  if (config.cert()) add("Cert", leaf.Pem());
  if (config.chain()) {
    std::string chain;
    for (const CertificatePtr& certificate : sent) chain += certificate->Pem();
    add("Chain", chain);
  }
  if (config.subject()) {
    std::string subject = leaf.Subject();
    if (absl::EndsWith(subject, "\\\\")) {
      subject.replace(subject.size() - 2, 2, "\\5C");
    }
    add("Subject", subject);
  }
  const pki::SubjectAltNames names = leaf.AltNames();
  if (config.uri()) {
    for (const std::string& uri : names.uri) add("URI", ExpectedName(uri));
    if (names.uri.empty()) add("URI", "");
  }
  if (config.dns()) {
    for (const std::string& dns : names.dns) add("DNS", ExpectedName(dns));
  }
  for (XfccField& field : elements[0]) {
    if (field.first == "Cert" || field.first == "Chain") {
      field.second = PemOf(field.second);
    }
  }
  SALLYPORT_FUZZ_CHECK(elements[0] == expected);
}

void CheckChain(const std::string& value,
                const std::vector<CertificatePtr>& sent) {
  const std::vector<std::string> items = absl::StrSplit(value, ", ");
  SALLYPORT_FUZZ_CHECK(items.size() + 1 == sent.size());
  for (size_t i = 0; i < items.size(); ++i) {
    SALLYPORT_FUZZ_CHECK(
        items[i] ==
        absl::StrCat(":", absl::Base64Escape(sent[i + 1]->der()), ":"));
  }
}

void Run(absl::string_view data) {
  Input input = ReadInput(data);

  static const HeaderFilter* const filter = new HeaderFilter({"x-extra"});
  SALLYPORT_FUZZ_CHECK(
      filter->Matches(input.header_name) ==
      filter->Matches(absl::StrReplaceAll(input.header_name, {{"_", "-"}})));

  // Either made from the items, or the input itself.
  CertificatePtr leaf = Make(input.spec);
  auto raw = pki::Certificate::Parse(data);
  if (raw.ok()) {
    leaf = *std::move(raw);
    *input.config.mutable_xfcc() = Forwarding::Xfcc();
    input.config.mutable_xfcc()->set_subject(true);
    input.config.mutable_xfcc()->set_uri(true);
    input.config.mutable_xfcc()->set_dns(true);
    input.config.mutable_alb();
  }
  if (leaf == nullptr) return;
  if (!ValidateForwarding(input.config).ok()) {
    input.config.clear_max_header_bytes();
  }

  TestCertificate issuer;
  issuer.subject = {{3, "Issuing"}};
  issuer.issuer = {{3, "Root"}};
  TestCertificate root = issuer;
  root.subject = root.issuer;
  static const CertificatePtr* const kIssuer = new CertificatePtr(Make(issuer));
  static const CertificatePtr* const kRoot = new CertificatePtr(Make(root));
  std::vector<CertificatePtr> expected = {leaf};
  if (input.issuer_sent) expected.push_back(*kIssuer);
  std::vector<CertificatePtr> sent = expected;
  if (input.root_sent) sent.push_back(*kRoot);

  Client client;
  client.sent = sent;
  client.verdict = pki::Reason::kTrusted;
  const Forwarded forwarded = Encode(input.config, client);

  const std::set<std::string> dropped(forwarded.dropped.begin(),
                                      forwarded.dropped.end());
  SALLYPORT_FUZZ_CHECK(dropped.size() == forwarded.dropped.size());
  // Only the budget makes anything go missing.
  SALLYPORT_FUZZ_CHECK(forwarded.truncated == !dropped.empty());
  size_t bytes = 0;
  bool note = false;
  std::set<std::string> names;
  for (const Header& header : forwarded.headers) {
    const std::string& value = header.value;
    bytes += header.name.size() + value.size();
    SALLYPORT_FUZZ_CHECK(names.insert(header.name).second);
    SALLYPORT_FUZZ_CHECK(filter->Matches(header.name));
    for (char c : value) SALLYPORT_FUZZ_CHECK(c >= 0x20 && c <= 0x7e);
    SALLYPORT_FUZZ_CHECK(value.empty() ||
                         (value.front() != ' ' && value.back() != ' '));
    if (header.name == "x-forwarded-client-cert") {
      CheckXfcc(input.config.xfcc(), value, expected, dropped);
    } else if (header.name == "client-cert") {
      SALLYPORT_FUZZ_CHECK(
          value == absl::StrCat(":", absl::Base64Escape(leaf->der()), ":"));
    } else if (header.name == "client-cert-chain") {
      SALLYPORT_FUZZ_CHECK(names.count("client-cert") == 1);
      CheckChain(value, expected);
    } else if (header.name == "x-amzn-mtls-clientcert-leaf") {
      SALLYPORT_FUZZ_CHECK(PemOf(value) == leaf->Pem());
    } else if (header.name == "x-amzn-mtls-clientcert") {
      std::string pem = leaf->Pem();
      if (input.issuer_sent &&
          dropped.count("x-amzn-mtls-clientcert/Chain") == 0) {
        pem += (*kIssuer)->Pem();
      }
      SALLYPORT_FUZZ_CHECK(PemOf(value) == pem);
    } else if (header.name == "x-amzn-mtls-clientcert-serial-number") {
      SALLYPORT_FUZZ_CHECK(value == leaf->SerialHex());
    } else if (header.name == "x-sallyport-forwarding") {
      SALLYPORT_FUZZ_CHECK(value == "truncated");
      note = true;
    }
  }
  SALLYPORT_FUZZ_CHECK(note == forwarded.truncated);
  const size_t budget = input.config.max_header_bytes() == 0
                            ? kDefaultMaxHeaderBytes
                            : input.config.max_header_bytes();
  SALLYPORT_FUZZ_CHECK(bytes <= budget);
}

}  // namespace
}  // namespace sallyport::forwarding

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sallyport::forwarding::Run(
      absl::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
