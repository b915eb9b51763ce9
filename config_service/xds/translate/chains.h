// Filter chains of domains, default endpoints and test invocations.

#ifndef SALLYPORT_CONFIG_SERVICE_XDS_TRANSLATE_CHAINS_H_
#define SALLYPORT_CONFIG_SERVICE_XDS_TRANSLATE_CHAINS_H_

#include <string>

#include "config_service/domain/domain_name.h"
#include "config_service/xds/translate/translate.h"
#include "proto/sallyport/filter/v1/config.pb.h"

namespace sallyport::xds {

// A filter chain that serves `host` with HTTP.
struct ChainSpec {
  std::string name;    // of the chain and of its routes
  std::string domain;  // as the module knows it
  std::string certificate_secret;
  domain::SecurityPolicy security_policy = domain::SecurityPolicy::kTls12;
  // Null: nobody is asked for a certificate.
  const domain::MutualTls* mutual_tls = nullptr;
  bool require_certificate = false;
  // If not empty, the one certificate (self-signed, PEM) that gets in; the rest
  // is refused in TLS. In place of `mutual_tls`; nothing is resumed.
  std::string only_client_pem;
  filter::v1::MutualTls filter;
};

Translated TranslateChain(const ChainSpec& spec);

}  // namespace sallyport::xds

#endif  // SALLYPORT_CONFIG_SERVICE_XDS_TRANSLATE_CHAINS_H_
