#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
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

constexpr absl::string_view kVerifyHeader = "ssl-client-verify";
constexpr absl::string_view kSubjectHeader = "ssl-client-subject-dn";
constexpr absl::string_view kIssuerHeader = "ssl-client-issuer-dn";
constexpr absl::string_view kCertHeader = "ssl-client-cert";

std::string Verify(Reason verdict) {
  switch (verdict) {
    case Reason::kTrusted:
      return "SUCCESS";
    case Reason::kNoCertificate:
      return "NONE";
    default:
      return absl::StrCat("FAILED:", pki::ReasonName(verdict));
  }
}

}  // namespace

void AddIngressNginx(const Forwarding::IngressNginx& config, Reason verdict,
                     const Certificate* leaf, Parts* parts) {
  const auto add = [parts](absl::string_view header, Drop drop,
                           std::string text) {
    parts->push_back({header, "", header, drop, std::move(text)});
  };
  add(kVerifyHeader, Drop::kNever, Verify(verdict));
  if (leaf == nullptr) return;
  // nginx does not pass on a header with an empty value.
  std::string subject = WholeValueName(leaf->Subject());
  if (!subject.empty()) {
    add(kSubjectHeader, Drop::kNginxSubject, std::move(subject));
  }
  std::string issuer = WholeValueName(leaf->Issuer());
  if (!issuer.empty()) {
    add(kIssuerHeader, Drop::kNginxIssuer, std::move(issuer));
  }
  if (config.cert()) {
    add(kCertHeader, Drop::kNginxCert, UrlEncodedPem(*leaf, ""));
  }
}

std::vector<Header> EncodeIngressNginx(const Forwarding::IngressNginx& config,
                                       Reason verdict,
                                       const Certificate* leaf) {
  Parts parts;
  AddIngressNginx(config, verdict, leaf, &parts);
  return Assemble(parts);
}

}  // namespace sallyport::forwarding
