// Readers of the dialects, written from their documentation and sharing
// nothing with the encoders: what a backend would understand.

#ifndef SALLYPORT_FILTERS_FORWARDING_DIALECT_READERS_H_
#define SALLYPORT_FILTERS_FORWARDING_DIALECT_READERS_H_

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace sallyport::forwarding {

// Percent-decoding (RFC 3986, 2.1); '+' stays, as nginx's and AWS's readers
// need it.
std::string PercentDecoded(absl::string_view text);

// x-forwarded-tls-client-cert-info: the certificates, each with its fields in
// order. Values are without quotes; nothing in them is decoded beyond the
// header's own escaping.
using TraefikFields = std::vector<std::pair<std::string, std::string>>;
bool ReadTraefikInfo(absl::string_view value,
                     std::vector<TraefikFields>* certificates);

// A list of Traefik's: KEY=VALUE of a name (or values alone for a SAN), by
// splitting at ',' and the first '='; values percent-decoded.
std::vector<std::string> ReadTraefikList(absl::string_view list);

// The members of a `clientCert` object, those of validity as
// "validity.notBefore". False when it is no JSON object of strings.
bool ReadClientCertJson(const std::string& json,
                        std::map<std::string, std::string>* members);

}  // namespace sallyport::forwarding

#endif  // SALLYPORT_FILTERS_FORWARDING_DIALECT_READERS_H_
