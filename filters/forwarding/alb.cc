#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "filters/forwarding/forwarding.h"
#include "filters/forwarding/parts.h"
#include "pki/x509/certificate.h"
#include "proto/sallyport/filter/v1/config.pb.h"

namespace sallyport::forwarding {
namespace {

using ::sallyport::filter::v1::Forwarding;
using ::sallyport::pki::Certificate;

constexpr absl::string_view kAlbHeader = "x-amzn-mtls-clientcert";
constexpr absl::string_view kAlbSerialHeader =
    "x-amzn-mtls-clientcert-serial-number";
constexpr absl::string_view kAlbIssuerHeader = "x-amzn-mtls-clientcert-issuer";
constexpr absl::string_view kAlbSubjectHeader =
    "x-amzn-mtls-clientcert-subject";
constexpr absl::string_view kAlbValidityHeader =
    "x-amzn-mtls-clientcert-validity";
constexpr absl::string_view kAlbLeafHeader = "x-amzn-mtls-clientcert-leaf";

std::string AlbTime(absl::Time time) {
  return absl::FormatTime("%E4Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone());
}

}  // namespace

void AddAlb(const Forwarding::Alb& config, Chain chain, Parts* parts) {
  constexpr absl::string_view kSafe = "+=/";
  const Certificate& leaf = *chain[0];
  const auto add = [parts](absl::string_view header, absl::string_view label,
                           Drop drop, std::string text) {
    parts->push_back({header, "", label, drop, std::move(text)});
  };
  if (config.mode() == Forwarding::Alb::PASSTHROUGH) {
    add(kAlbHeader, kAlbHeader, Drop::kAlbPassthroughLeaf,
        UrlEncodedPem(leaf, kSafe));
    if (chain.size() > 1) {
      add(kAlbHeader, "x-amzn-mtls-clientcert/Chain", Drop::kAlbChain,
          UrlEncodedPem(chain.subspan(1), kSafe));
    }
    return;
  }
  add(kAlbSerialHeader, kAlbSerialHeader, Drop::kAlbSerial, leaf.SerialHex());
  add(kAlbIssuerHeader, kAlbIssuerHeader, Drop::kAlbIssuer,
      WholeValueName(leaf.Issuer()));
  add(kAlbSubjectHeader, kAlbSubjectHeader, Drop::kAlbSubject,
      WholeValueName(leaf.Subject()));
  add(kAlbValidityHeader, kAlbValidityHeader, Drop::kAlbValidity,
      absl::StrCat("NotBefore=", AlbTime(leaf.not_before()),
                   ";NotAfter=", AlbTime(leaf.not_after())));
  add(kAlbLeafHeader, kAlbLeafHeader, Drop::kAlbLeaf,
      UrlEncodedPem(leaf, kSafe));
}

std::vector<Header> EncodeAlb(const Forwarding::Alb& config, Chain sent) {
  Parts parts;
  AddAlb(config, WithoutRoot(sent), &parts);
  return Assemble(parts);
}

}  // namespace sallyport::forwarding
