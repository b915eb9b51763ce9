#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/string_view.h"
#include "filters/forwarding/forwarding.h"
#include "filters/forwarding/parts.h"
#include "pki/chain/verify.h"
#include "pki/x509/certificate.h"
#include "proto/sallyport/filter/v1/config.pb.h"

namespace sallyport::forwarding {
namespace {

using ::sallyport::filter::v1::Forwarding;
using ::sallyport::pki::Certificate;
using ::sallyport::pki::Reason;

constexpr size_t kNoteBytes = kNoteHeader.size() + kNoteTruncated.size();

// Printable ASCII without a blank at either end: what every hop passes on as
// it is (RFC 9110, 5.5, without obs-text and tabs).
bool IsPlainFieldValue(absl::string_view value) {
  if (value.empty()) return true;
  if (value.front() == ' ' || value.back() == ' ') return false;
  return std::all_of(value.begin(), value.end(),
                     [](char c) { return c >= 0x20 && c <= 0x7e; });
}

// NAME or NAME@VERSION, as the configuration allows them.
bool IsTruststoreName(absl::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
           absl::string_view("._/-@").find(c) != absl::string_view::npos;
  });
}

// Names and values of what Assemble() would make.
size_t AssembledBytes(const Parts& parts) {
  size_t bytes = 0;
  absl::string_view header;
  for (const Part& part : parts) {
    bytes += part.text.size() + (part.header == header ? part.separator.size()
                                                       : part.header.size());
    header = part.header;
  }
  return bytes;
}

// The chain to forward. A refused client's path is only what was tried.
Chain ForwardedChain(const Forwarding& config, const Client& client) {
  if (client.trusted() && config.chain_source() == Forwarding::VERIFIED &&
      !client.path.empty() && client.path[0]->der() == client.sent[0]->der()) {
    return WithoutRoot(client.path);
  }
  return WithoutRoot(client.sent);
}

// What only a client that was verified may have said of it. `chain` is not
// empty.
void AddTrusted(const Forwarding& config, const Client& client, Chain chain,
                Parts* parts) {
  const Certificate& leaf = *chain[0];
  if (config.has_xfcc()) AddXfcc(config.xfcc(), chain, parts);
  if (config.has_rfc9440()) AddRfc9440(config.rfc9440(), chain, parts);
  if (config.has_alb()) AddAlb(config.alb(), chain, parts);
  if (config.has_traefik()) AddTraefik(config.traefik(), chain, parts);
  if (config.has_cloudflare()) AddCloudflare(leaf, parts);
  if (config.has_api_gateway()) AddApiGateway(leaf, parts);
  if (config.truststore() && IsTruststoreName(client.truststore)) {
    parts->push_back({kTruststoreHeader, "", kTruststoreHeader,
                      Drop::kTruststore, std::string(client.truststore)});
  }
}

Parts AllParts(const Forwarding& config, const Client& client) {
  Parts parts;
  const bool sent =
      !client.sent.empty() && client.verdict != Reason::kNoCertificate;
  // Nobody is vouched for without a certificate.
  if (client.trusted() && !sent) return parts;
  const Chain chain = sent ? ForwardedChain(config, client) : Chain();
  if (client.trusted()) {
    AddTrusted(config, client, chain, &parts);
  } else if (sent && config.alb().mode() == Forwarding::Alb::PASSTHROUGH) {
    AddAlb(config.alb(), chain, &parts);
  }
  if (config.has_ingress_nginx()) {
    AddIngressNginx(config.ingress_nginx(), client.verdict,
                    sent ? chain[0].get() : nullptr, &parts);
  }
  if (config.verdict() || client.passed_on || !client.trusted()) {
    parts.push_back({kVerdictHeader, "", kVerdictHeader, Drop::kNever,
                     std::string(pki::ReasonName(client.verdict))});
  }
  return parts;
}

}  // namespace

bool ForwardsAnything(const Forwarding& config) {
  return config.has_xfcc() || config.has_rfc9440() || config.has_alb() ||
         config.has_ingress_nginx() || config.has_traefik() ||
         config.has_cloudflare() || config.has_api_gateway() ||
         config.truststore() || config.verdict();
}

size_t MaxHeaderBytes(const Forwarding& config) {
  return config.max_header_bytes() == 0 ? kDefaultMaxHeaderBytes
                                        : config.max_header_bytes();
}

Forwarded Encode(const Forwarding& config, const Client& client) {
  Forwarded result;
  Parts parts = AllParts(config, client);

  // The encoders leave nothing that a header cannot carry; should a name ever
  // break its promise, its part is missing rather than the request.
  for (auto part = parts.begin(); part != parts.end();) {
    if (IsPlainFieldValue(part->text)) {
      ++part;
    } else {
      result.dropped.emplace_back(part->label);
      part = parts.erase(part);
    }
  }

  const size_t budget = MaxHeaderBytes(config);
  while (true) {
    // The note may yet be needed when AppendXfcc() leaves something out.
    const size_t note =
        result.truncated || config.has_trusted_proxy() ? kNoteBytes : 0;
    result.bytes = AssembledBytes(parts);
    if (result.bytes + note <= budget) break;
    const auto first = std::min_element(
        parts.begin(), parts.end(),
        [](const Part& a, const Part& b) { return a.drop < b.drop; });
    // What is never left out fits the least budget.
    if (first == parts.end() || first->drop == Drop::kNever) break;
    result.dropped.emplace_back(first->label);
    result.truncated = true;
    parts.erase(first);
  }

  result.headers = Assemble(parts);
  if (result.truncated) {
    result.headers.push_back(
        {std::string(kNoteHeader), std::string(kNoteTruncated)});
    result.bytes += kNoteBytes;
  }
  return result;
}

}  // namespace sallyport::forwarding
