// How backends are told who the client is. The fields are those of Forwarding
// in proto/sallyport/filter/v1/config.proto, which says what they mean.

#ifndef SALLYPORT_CONFIG_SERVICE_DOMAIN_FORWARDING_H_
#define SALLYPORT_CONFIG_SERVICE_DOMAIN_FORWARDING_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "config_service/domain/client_rule.h"
#include "config_service/domain/violations.h"

namespace sallyport::domain {

struct Forwarding {
  struct Xfcc {
    bool subject = false;
    bool cert = false;
    bool chain = false;
    bool uri = false;
    bool dns = false;
  };
  struct Rfc9440 {
    bool chain = false;
  };
  struct Alb {
    enum class Mode { kVerify, kPassthrough };
    Mode mode = Mode::kVerify;
  };
  struct IngressNginx {
    bool cert = false;
  };
  struct Traefik {
    bool pem = false;
    bool info = false;
  };
  enum class ChainSource { kSent, kVerified };

  std::optional<Xfcc> xfcc;
  std::optional<Rfc9440> rfc9440;
  std::optional<Alb> alb;
  std::optional<IngressNginx> ingress_nginx;
  std::optional<Traefik> traefik;
  bool cloudflare = false;
  bool api_gateway = false;
  ChainSource chain_source = ChainSource::kSent;
  bool truststore = false;
  bool verdict = false;
  std::vector<std::string> remove_headers;
  uint32_t max_header_bytes = 0;  // 0: the module's default
  std::optional<ClientRule> trusted_proxy;
};

// What the module would refuse: FORWARDING_INVALID, and CLIENT_RULE_INVALID
// for trusted_proxy.
void CheckForwarding(absl::string_view field, const Forwarding& forwarding,
                     Violations& violations);

}  // namespace sallyport::domain

#endif  // SALLYPORT_CONFIG_SERVICE_DOMAIN_FORWARDING_H_
