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
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/text.h"
#include "filters/forwarding/append_xfcc.h"
#include "filters/forwarding/dialect_readers.h"
#include "filters/forwarding/forwarding.h"
#include "filters/forwarding/test_certificate.h"
#include "filters/forwarding/xfcc_reader.h"
#include "pki/chain/verify.h"
#include "pki/x509/certificate.h"
#include "pki/x509/name.h"

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
  pki::Reason verdict = pki::Reason::kTrusted;
  bool passed_on = false;
  std::string truststore;
};

Input ReadInput(absl::string_view data) {
  Input input;
  input.spec.subject.clear();
  while (data.size() >= 2) {
    const int kind = static_cast<uint8_t>(data[0]) % 20;
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
      case 11:
        input.config.mutable_ingress_nginx()->set_cert(byte(0) & 1);
        break;
      case 12:
        input.config.mutable_traefik()->set_pem(byte(0) & 1);
        input.config.mutable_traefik()->set_info(byte(0) & 2);
        break;
      case 13:
        input.config.mutable_cloudflare();
        break;
      case 14:
        input.config.mutable_api_gateway();
        break;
      case 15:
        input.config.set_chain_source(Forwarding::VERIFIED);
        break;
      case 16:
        input.verdict = static_cast<pki::Reason>(byte(0) % pki::kNumReasons);
        input.passed_on = byte(1) & 1;
        input.config.set_verdict(byte(1) & 2);
        break;
      case 17:
        input.config.set_truststore(true);
        input.truststore = content;
        break;
      case 18:
        input.spec.email.push_back(content);
        break;
      case 19:
        input.spec.ip.push_back(content);
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

// What Traefik's fields should say of a name.
std::vector<std::string> TraefikName(absl::string_view der, bool issuer) {
  static constexpr struct {
    const char* type;
    const char* name;
  } kTypes[] = {{"0.9.2342.19200300.100.1.25", "DC"},
                {"2.5.4.6", "C"},
                {"2.5.4.8", "ST"},
                {"2.5.4.7", "L"},
                {"2.5.4.10", "O"},
                {"2.5.4.11", "OU"},
                {"2.5.4.5", "SN"},
                {"2.5.4.3", "CN"}};
  std::vector<std::string> out;
  for (const auto& type : kTypes) {
    const absl::string_view name = type.name;
    if (issuer && name == "OU") continue;
    std::vector<std::string> values;
    for (const pki::NameAttribute& attribute : pki::NameAttributes(der)) {
      if (attribute.type == type.type) values.push_back(attribute.value);
    }
    if ((name == "SN" || name == "CN") && values.size() > 1) {
      values = {values.back()};
    }
    for (const std::string& value : values) {
      if (!value.empty()) out.push_back(absl::StrCat(name, "=", value));
    }
  }
  return out;
}

void CheckTraefikInfo(const std::string& value, const pki::Certificate& leaf,
                      const std::set<std::string>& dropped) {
  std::vector<TraefikFields> certificates;
  SALLYPORT_FUZZ_CHECK(ReadTraefikInfo(value, &certificates));
  SALLYPORT_FUZZ_CHECK(certificates.size() == 1);
  std::vector<std::pair<std::string, std::vector<std::string>>> expected;
  const auto add = [&](absl::string_view key, std::vector<std::string> values) {
    const std::string label =
        absl::StrCat("x-forwarded-tls-client-cert-info/",
                     key == "NB" || key == "NA" ? "SerialNumber" : key);
    if (!values.empty() && dropped.count(label) == 0) {
      expected.emplace_back(std::string(key), std::move(values));
    }
  };
  add("Subject", TraefikName(leaf.subject_der(), false));
  add("Issuer", TraefikName(leaf.issuer_der(), true));
  if (leaf.SerialHex().size() <= 512) add("SerialNumber", {"?"});
  add("NB", {absl::StrCat(absl::ToUnixSeconds(leaf.not_before()))});
  add("NA", {absl::StrCat(absl::ToUnixSeconds(leaf.not_after()))});
  const pki::SubjectAltNames names = leaf.AltNames();
  std::vector<std::string> sans;
  for (const auto* list : {&names.dns, &names.email, &names.ip, &names.uri}) {
    sans.insert(sans.end(), list->begin(), list->end());
  }
  // A list of one empty name is no list.
  if (sans == std::vector<std::string>{""}) sans.clear();
  add("SAN", sans);
  SALLYPORT_FUZZ_CHECK(certificates[0].size() == expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    SALLYPORT_FUZZ_CHECK(certificates[0][i].first == expected[i].first);
    if (expected[i].first == "SerialNumber") {
      SALLYPORT_FUZZ_CHECK(!certificates[0][i].second.empty());
      continue;
    }
    SALLYPORT_FUZZ_CHECK(ReadTraefikList(certificates[0][i].second) ==
                         expected[i].second);
  }
}

void CheckJson(const std::string& value, const pki::Certificate& leaf) {
  std::string json;
  SALLYPORT_FUZZ_CHECK(absl::Base64Unescape(value, &json));
  std::map<std::string, std::string> members;
  SALLYPORT_FUZZ_CHECK(ReadClientCertJson(json, &members));
  SALLYPORT_FUZZ_CHECK(members.size() == 6);
  SALLYPORT_FUZZ_CHECK(members["clientCertPem"] == leaf.Pem());
  SALLYPORT_FUZZ_CHECK(members["subjectDN"] == leaf.Subject());
  SALLYPORT_FUZZ_CHECK(members["issuerDN"] == leaf.Issuer());
  SALLYPORT_FUZZ_CHECK(absl::AsciiStrToUpper(absl::StrReplaceAll(
                           members["serialNumber"], {{":", ""}})) ==
                       leaf.SerialHex());
}

// The name with a final blank as HTTP keeps it.
std::string WholeName(std::string name) {
  if (absl::EndsWith(name, "\\ ")) name.replace(name.size() - 1, 1, "20");
  return name;
}

bool MaySayItIsUntrusted(absl::string_view name, const Forwarding& config) {
  return absl::StartsWith(name, "ssl-client-") ||
         name == "x-sallyport-verdict" || name == "x-sallyport-forwarding" ||
         (name == "x-amzn-mtls-clientcert" &&
          config.alb().mode() == Forwarding::Alb::PASSTHROUGH);
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
    input.config.mutable_traefik()->set_info(true);
    input.config.mutable_api_gateway();
  }
  if (leaf == nullptr) return;
  if (!ValidateForwarding(input.config).ok()) {
    input.config.clear_max_header_bytes();
    if (input.config.has_traefik()) {
      input.config.mutable_traefik()->set_pem(true);
    }
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
  const std::vector<CertificatePtr> path = {leaf, *kIssuer, *kRoot};
  const bool trusted = input.verdict == pki::Reason::kTrusted;
  if (trusted && input.config.chain_source() == Forwarding::VERIFIED) {
    expected = {leaf, *kIssuer};
  }

  Client client;
  client.sent = sent;
  client.path = path;
  client.truststore = input.truststore;
  client.verdict = input.verdict;
  client.passed_on = input.passed_on;
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
    SALLYPORT_FUZZ_CHECK(trusted ||
                         MaySayItIsUntrusted(header.name, input.config));
    for (char c : value) SALLYPORT_FUZZ_CHECK(c >= 0x20 && c <= 0x7e);
    SALLYPORT_FUZZ_CHECK(value.empty() ||
                         (value.front() != ' ' && value.back() != ' '));
    if (header.name == "x-forwarded-client-cert") {
      CheckXfcc(input.config.xfcc(), value, expected, dropped);
      // After any inbound value, ours is still read as what it is.
      std::string combined;
      if (AppendXfcc(input.header_name, forwarded, size_t{1} << 20,
                     &combined) == InboundXfcc::kKept) {
        std::vector<XfccElement> ours, elements;
        SALLYPORT_FUZZ_CHECK(
            ReadXfcc(value, XfccReading::kBackslashPairs, &ours));
        for (const XfccReading reading : {XfccReading::kBackslashPairs,
                                          XfccReading::kQuoteAfterBackslash}) {
          SALLYPORT_FUZZ_CHECK(
              ReadXfcc(combined, reading, &elements, XfccEquals::kAllowed));
          SALLYPORT_FUZZ_CHECK(elements.size() > 1);
          SALLYPORT_FUZZ_CHECK(elements.back() == ours[0]);
        }
      }
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
      if (expected.size() > 1 &&
          dropped.count("x-amzn-mtls-clientcert/Chain") == 0) {
        pem += (*kIssuer)->Pem();
      }
      SALLYPORT_FUZZ_CHECK(PemOf(value) == pem);
    } else if (header.name == "x-amzn-mtls-clientcert-serial-number") {
      SALLYPORT_FUZZ_CHECK(value == leaf->SerialHex());
    } else if (header.name == "ssl-client-verify") {
      SALLYPORT_FUZZ_CHECK((value == "SUCCESS") == trusted);
    } else if (header.name == "ssl-client-subject-dn") {
      SALLYPORT_FUZZ_CHECK(value == WholeName(leaf->Subject()));
    } else if (header.name == "ssl-client-issuer-dn") {
      SALLYPORT_FUZZ_CHECK(value == WholeName(leaf->Issuer()));
    } else if (header.name == "ssl-client-cert") {
      SALLYPORT_FUZZ_CHECK(PemOf(value) == leaf->Pem());
    } else if (header.name == "x-forwarded-tls-client-cert") {
      std::string certificates = absl::Base64Escape(leaf->der());
      if (expected.size() > 1 &&
          dropped.count("x-forwarded-tls-client-cert/Chain") == 0) {
        absl::StrAppend(&certificates, ",",
                        absl::Base64Escape((*kIssuer)->der()));
      }
      SALLYPORT_FUZZ_CHECK(value == certificates);
    } else if (header.name == "x-forwarded-tls-client-cert-info") {
      CheckTraefikInfo(value, *leaf, dropped);
    } else if (header.name == "cf-client-cert-der-base64") {
      SALLYPORT_FUZZ_CHECK(value == absl::Base64Escape(leaf->der()));
    } else if (header.name == "cf-client-cert-sha256") {
      SALLYPORT_FUZZ_CHECK(value.size() == 64);
    } else if (header.name == "x-sallyport-client-cert") {
      CheckJson(value, *leaf);
    } else if (header.name == "x-sallyport-truststore") {
      SALLYPORT_FUZZ_CHECK(value == input.truststore);
    } else if (header.name == "x-sallyport-verdict") {
      SALLYPORT_FUZZ_CHECK(value == pki::ReasonName(input.verdict));
    } else if (header.name == "x-sallyport-forwarding") {
      SALLYPORT_FUZZ_CHECK(value == "truncated");
      note = true;
    }
  }
  SALLYPORT_FUZZ_CHECK(note == forwarded.truncated);
  SALLYPORT_FUZZ_CHECK(bytes == forwarded.bytes);
  SALLYPORT_FUZZ_CHECK(trusted || names.count("x-sallyport-verdict") == 1);
  SALLYPORT_FUZZ_CHECK(!input.config.has_ingress_nginx() ||
                       names.count("ssl-client-verify") == 1);
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
