#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/string_view.h"
#include "base/text.h"
#include "filters/forwarding/forwarding.h"
#include "filters/forwarding/parts.h"
#include "pki/x509/certificate.h"

namespace sallyport::forwarding {
namespace {

constexpr absl::string_view kDerHeader = "cf-client-cert-der-base64";
constexpr absl::string_view kSha256Header = "cf-client-cert-sha256";

}  // namespace

void AddCloudflare(const pki::Certificate& leaf, Parts* parts) {
  parts->push_back({kDerHeader, "", kDerHeader, Drop::kCloudflareCert,
                    absl::Base64Escape(leaf.der())});
  parts->push_back({kSha256Header, "", kSha256Header, Drop::kCloudflareSha256,
                    HexUpper(pki::AsBytes(leaf.fingerprint()))});
}

std::vector<Header> EncodeCloudflare(const pki::Certificate& leaf) {
  Parts parts;
  AddCloudflare(leaf, &parts);
  return Assemble(parts);
}

}  // namespace sallyport::forwarding
