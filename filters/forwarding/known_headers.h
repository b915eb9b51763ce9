// The tables of headers that a client must never send: what backends believe
// about a client's certificate, and about the Host that a request is for.

#ifndef SALLYPORT_FILTERS_FORWARDING_KNOWN_HEADERS_H_
#define SALLYPORT_FILTERS_FORWARDING_KNOWN_HEADERS_H_

#include "absl/strings/string_view.h"

namespace sallyport::forwarding {

struct KnownHeader {
  // A name in lower case, or a prefix with "-*" at its end: any name that
  // goes on after the dash.
  absl::string_view pattern;
  // Who writes or reads it.
  absl::string_view origin;
};

// Every dialect. testdata/known_headers.golden lists it for people to review
// a change of it; the documentation has the same table.
inline constexpr KnownHeader kKnownHeaders[] = {
    // Standards, and what proxies write of themselves.
    {"client-cert", "RFC 9440"},
    {"client-cert-*", "RFC 9440 (Client-Cert-Chain); Google Cloud variables"},
    {"x-forwarded-client-cert", "Envoy, Istio, Cloud Foundry"},
    {"x-forwarded-client-cert-*", "Envoy, Istio, Cloud Foundry"},
    {"x-amzn-mtls-*", "AWS Application Load Balancer"},
    {"cloudfront-viewer-cert-*", "AWS CloudFront"},
    {"ssl-client-*", "ingress-nginx; Apache, Tomcat, Keycloak variables"},
    {"x-forwarded-tls-client-cert", "Traefik"},
    {"x-forwarded-tls-client-cert-*", "Traefik (-Info)"},
    {"cf-client-cert-*", "Cloudflare"},
    {"cf-cert-*", "Cloudflare (TLS client auth headers)"},
    {"x-client-cert", "Google Cloud, Puppet, Kong"},
    {"x-client-cert-*", "Google Cloud, Kong"},
    {"client-certificate", "Azure Application Gateway"},
    {"client-certificate-*", "Azure Application Gateway"},
    {"x-client-certificate", "Azure Application Gateway"},
    {"x-client-certificate-*", "Azure Application Gateway"},
    {"x-arr-clientcert", "Azure App Service, API Management"},
    {"wl-proxy-client-cert", "Oracle WebLogic plug-ins"},
    {"$wscc", "IBM WebSphere and Open Liberty"},
    {"$wsru", "IBM WebSphere and Open Liberty (remote user)"},
    {"$wsat", "IBM WebSphere and Open Liberty (authentication type)"},
    {"sslclientcert", "F5 BIG-IP"},
    {"sslclientcertb64", "F5 BIG-IP"},
    {"sslclientcertissuer", "F5 BIG-IP"},
    {"sslclientcertsn", "F5 BIG-IP"},
    {"sslclientcertstatus", "F5 BIG-IP"},
    {"sslclientcertsubject", "F5 BIG-IP"},
    {"cert-chain", "Keycloak behind Apache or HAProxy"},
    {"cert-chain-*", "Keycloak behind Apache or HAProxy"},
    // What applications and administrators expect, by the manuals of HAProxy,
    // nginx, Apache, Pound, OpenShift, Puppet, KES, Janssen and DataWave.
    {"ssl-client", "nginx, Apache"},
    {"ssl-cert", "nginx, Apache"},
    {"x-ssl", "HAProxy, OpenShift"},
    {"x-ssl-client", "HAProxy, nginx, Apache, OpenShift"},
    {"x-ssl-client-*", "HAProxy, nginx, Apache, OpenShift"},
    {"tls-client-cert", "nginx, Apache"},
    {"tls-client-cert-*", "nginx, Apache"},
    {"x-tls-client", "KES"},
    {"x-clientcertificate", "nginx, Apache"},
    {"x-client-subject", "nginx, Apache"},
    {"x-client-subject-*", "nginx, Apache"},
    {"x-forwarded-client-certificate", "nginx, Apache"},
    {"x-ssl-clientcert", "DataWave, Windows services"},
    {"x-ssl-clientcert-*", "DataWave"},
    {"x-ssl-cert", "nginx"},
    {"x-ssl-cert-*", "nginx"},
    {"x-ssl-certificate", "Pound"},
    {"x-ssl-issuer", "HAProxy, OpenShift, Pound"},
    {"x-ssl-issuer-*", "HAProxy"},
    {"x-ssl-subject", "Pound, Puppet"},
    {"x-ssl-subject-*", "HAProxy"},
    {"x-ssl-serial", "Pound, NetScaler"},
    {"x-ssl-notbefore", "Pound, NetScaler"},
    {"x-ssl-notafter", "Pound, NetScaler"},
    {"x-ssl-verify", "nginx"},
    {"x-ssl-verified", "nginx"},
    {"x-client-dn", "Puppet, nginx"},
    {"x-client-cn", "nginx"},
    {"x-client-verify", "Puppet, nginx"},
    {"x-client-verified", "nginx"},
    {"x-clientcert", "Janssen, Gluu, DSF"},
    {"x-clientcert-*", "Janssen, Gluu, DSF"},
    {"x-tls-client-*", "KES (X-Tls-Client-Cert)"},
    {"x-forwarded-ssl-client-*", "early Traefik, Apache"},
    // What further products read, by their manuals and their programs.
    {"x-forwarded-clientcert", "Alibaba Cloud load balancers"},
    {"x-forwarded-clientcert-*", "Alibaba Cloud load balancers"},
    {"x-forwarded-for-client-cert", "HashiCorp Vault, OpenBao"},
    {"proxy-auth-cert", "Jetty, GlassFish, Sun Java System proxies"},
    {"x-wso2-client-certificate", "WSO2 API Manager"},
    {"x-wso2-mutual-auth-cert", "WSO2 products"},
    {"x-client-ssl-*", "Curity, Kyma"},
    {"x-ssl-user-dn", "nginx, Django"},
    {"x-ssl-authenticated", "nginx, Django"},
    {"x-cert", "applications"},
    {"x-cert-*", "applications"},
    {"x-mtls-*", "applications"},
    // Ours.
    {"x-sallyport-*", "Sallyport"},
};

// By which backends and frameworks let a request say another Host than its
// own. A proxy that is trusted to speak for others may send them. No prefixes.
inline constexpr KnownHeader kHostHeaders[] = {
    {"forwarded", "RFC 7239 (host, for, by, proto)"},
    {"x-forwarded-host", "most proxies and frameworks"},
    {"x-forwarded-server", "Apache"},
    {"x-forwarded-hostname", "applications"},
    {"x-original-host", "Azure Application Gateway and Front Door"},
    {"x-envoy-original-host", "Envoy"},
    {"disguised-host", "Azure App Service"},
    {"x-host", "frameworks"},
    {"x-host-override", "frameworks"},
    {"x-http-host", "frameworks"},
    {"x-http-host-override", "frameworks"},
    {"x-real-host", "nginx"},
    {"x-rewrite-host", "frameworks"},
    {"x-backend-host", "frameworks"},
};

}  // namespace sallyport::forwarding

#endif  // SALLYPORT_FILTERS_FORWARDING_KNOWN_HEADERS_H_
