#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "filters/forwarding/forwarding.h"
#include "filters/forwarding/parts.h"
#include "pki/x509/certificate.h"
#include "proto/sallyport/filter/v1/config.pb.h"

namespace sallyport::forwarding {
namespace {

using ::sallyport::filter::v1::Forwarding;
using ::sallyport::pki::Certificate;

constexpr absl::string_view kClientCertHeader = "client-cert";
constexpr absl::string_view kClientCertChainHeader = "client-cert-chain";

std::string ByteSequence(const Certificate& certificate) {
  return absl::StrCat(":", absl::Base64Escape(certificate.der()), ":");
}

}  // namespace

void AddRfc9440(const Forwarding::Rfc9440& config, Chain chain, Parts* parts) {
  parts->push_back({kClientCertHeader, "", kClientCertHeader,
                    Drop::kRfc9440Leaf, ByteSequence(*chain[0])});
  if (!config.chain() || chain.size() == 1) return;
  std::string list;
  for (const auto& certificate : chain.subspan(1)) {
    absl::StrAppend(&list, list.empty() ? "" : ", ",
                    ByteSequence(*certificate));
  }
  parts->push_back({kClientCertChainHeader, "", kClientCertChainHeader,
                    Drop::kRfc9440Chain, std::move(list)});
}

std::vector<Header> EncodeRfc9440(const Forwarding::Rfc9440& config,
                                  Chain sent) {
  Parts parts;
  AddRfc9440(config, WithoutRoot(sent), &parts);
  return Assemble(parts);
}

}  // namespace sallyport::forwarding
