// What the encoders of the dialects have in common. Only this folder uses it.

#ifndef SALLYPORT_FILTERS_FORWARDING_PARTS_H_
#define SALLYPORT_FILTERS_FORWARDING_PARTS_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "filters/forwarding/forwarding.h"
#include "pki/x509/certificate.h"
#include "proto/sallyport/filter/v1/config.pb.h"

namespace sallyport::forwarding {

// What the budget takes first, lowest first: the order in forwarding.h.
enum class Drop {
  // Chains.
  kXfccChain,
  kRfc9440Chain,
  kAlbChain,
  kTraefikChain,
  // Certificates.
  kXfccCert,
  kAlbLeaf,
  kAlbPassthroughLeaf,
  kNginxCert,
  kTraefikLeaf,
  kCloudflareCert,
  kApiGateway,
  kRfc9440Leaf,
  // Subject alternative names.
  kXfccDns,
  kXfccUri,
  kTraefikSan,
  // Names.
  kAlbIssuer,
  kAlbSubject,
  kNginxIssuer,
  kNginxSubject,
  kTraefikIssuer,
  kTraefikSubject,
  kXfccSubject,
  // The rest.
  kAlbValidity,
  kAlbSerial,
  kTraefikNumbers,
  kCloudflareSha256,
  kTruststore,
  kXfccHash,
  kNever,
};

// A part of a header's value that is there or not there as a whole. Parts of
// one header stand side by side, joined by the header's separator.
struct Part {
  absl::string_view header;
  absl::string_view separator;
  absl::string_view label;  // as in Forwarded::dropped
  Drop drop;
  std::string text;
};

using Parts = std::vector<Part>;

// The headers that `parts` are, in their order.
std::vector<Header> Assemble(const Parts& parts);

// The dialects. `chain` is not empty and has no root at its end.
void AddXfcc(const sallyport::filter::v1::Forwarding::Xfcc& config, Chain chain,
             Parts* parts);
void AddRfc9440(const sallyport::filter::v1::Forwarding::Rfc9440& config,
                Chain chain, Parts* parts);
void AddAlb(const sallyport::filter::v1::Forwarding::Alb& config, Chain chain,
            Parts* parts);
// `leaf` is null when the client sent none, or one that cannot be read.
void AddIngressNginx(
    const sallyport::filter::v1::Forwarding::IngressNginx& config,
    pki::Reason verdict, const pki::Certificate* leaf, Parts* parts);
void AddTraefik(const sallyport::filter::v1::Forwarding::Traefik& config,
                Chain chain, Parts* parts);
void AddCloudflare(const pki::Certificate& leaf, Parts* parts);
void AddApiGateway(const pki::Certificate& leaf, Parts* parts);

// Text.

// Letters, digits and "-_.~" (RFC 3986, 2.3).
bool IsUnreserved(char c);

// "%2F" for '/'.
void AppendPercent(char c, std::string* out);

// PEM, percent-encoded but for the unreserved characters and those of `safe`.
std::string UrlEncodedPem(const pki::Certificate& certificate,
                          absl::string_view safe);
std::string UrlEncodedPem(Chain chain, absl::string_view safe);

// RFC 2253 text as a whole header value. Only its last character can be a
// blank (an escaped one); HTTP would trim that, so it is written \20.
std::string WholeValueName(std::string name);

// `chain` without the root at its end, however often it is there.
Chain WithoutRoot(Chain chain);

}  // namespace sallyport::forwarding

#endif  // SALLYPORT_FILTERS_FORWARDING_PARTS_H_
