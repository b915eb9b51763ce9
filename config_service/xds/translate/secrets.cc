// What carriers bring: the registry's entries, and certificates with their
// keys.

#include "config_service/xds/translate/secrets.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "config_service/filter_messages/to_filter.h"
#include "config_service/xds/translate/pack.h"
#include "config_service/xds/translate/translate.h"
#include "envoy/extensions/transport_sockets/tls/cert_validator/dynamic_modules/v3/dynamic_modules.pb.h"
#include "envoy/extensions/transport_sockets/tls/v3/secret.pb.h"
#include "proto/sallyport/filter/v1/config.pb.h"

namespace sallyport::xds {
namespace {

namespace v1 = ::sallyport::filter::v1;
using filter_messages::ToFilter;
namespace tls = ::envoy::extensions::transport_sockets::tls::v3;
using ::envoy::extensions::transport_sockets::tls::cert_validator::
    dynamic_modules::v3::DynamicModuleCertValidatorConfig;

void SetContent(const Pieces& pieces, const pki::Sha256Digest& sha256,
                v1::Content& out) {
  for (const auto& piece : pieces) out.add_pieces(*piece);
  out.set_sha256(std::string(pki::AsBytes(sha256)));
}

}  // namespace

Translated TranslateCertificate(absl::string_view name,
                                absl::string_view chain_pem,
                                const Secret& private_key_pem) {
  tls::Secret secret;
  secret.set_name(std::string(name));
  tls::TlsCertificate& certificate = *secret.mutable_tls_certificate();
  certificate.mutable_certificate_chain()->set_inline_bytes(
      std::string(chain_pem));
  certificate.mutable_private_key()->set_inline_bytes(
      std::string(private_key_pem.Reveal()));
  Translated translated = MakeTranslated(ResourceType::kSecret, name, secret);
  WipeString(*certificate.mutable_private_key()->mutable_inline_bytes());
  return translated;
}

Translated TranslateEntry(absl::string_view name,
                          const v1::RegistryEntry& entry) {
  DynamicModuleCertValidatorConfig validator;
  *validator.mutable_dynamic_module_config() = Module();
  validator.set_validator_name(kRegistryValidator);
  *validator.mutable_validator_config() = PackForModule(entry);
  tls::Secret secret;
  secret.set_name(std::string(name));
  auto& custom =
      *secret.mutable_validation_context()->mutable_custom_validator_config();
  custom.set_name("envoy.tls.cert_validator.dynamic_modules");
  *custom.mutable_typed_config() = Pack(validator);
  return MakeTranslated(ResourceType::kSecret, name, secret);
}

std::vector<Translated> TranslateTruststore(
    const domain::Truststore& truststore,
    absl::Span<const TruststoreContent> contents,
    absl::Span<const int64_t> pinned) {
  v1::RegistryEntry rules;
  v1::RegistryTruststore& common = *rules.mutable_truststore();
  common.set_name(truststore.name.id());
  const pki::TruststoreLimits limits = truststore.Limits();
  common.mutable_limits()->set_max_bytes(limits.max_bytes);
  common.mutable_limits()->set_max_certificates(
      static_cast<uint32_t>(limits.max_certificates));
  common.set_chain_policy(ToFilter(truststore.chain_policy));
  common.set_extended_key_usage(ToFilter(truststore.extended_key_usage));
  common.set_pin_leaf(truststore.pin_leaf);
  std::vector<ResourceKey> references;
  for (const domain::RevocationListName& list : truststore.revocation_lists) {
    common.add_revocation_lists(list.id());
    references.push_back({ResourceType::kSecret, RevocationListSecret(list)});
  }
  if (!truststore.revocation_lists.empty()) {
    common.set_revocation_rule(ToFilter(truststore.revocation_rule));
    common.set_revocation_scope(ToFilter(truststore.revocation_scope));
  }

  std::vector<Translated> out;
  for (const TruststoreContent& content : contents) {
    const bool is_active = content.version == truststore.active_version;
    const bool is_shadow = content.version == truststore.shadow_version;
    const bool is_pinned = std::find(pinned.begin(), pinned.end(),
                                     content.version) != pinned.end();
    v1::RegistryEntry entry = rules;
    v1::RegistryTruststore& one = *entry.mutable_truststore();
    one.set_version(absl::StrCat(content.version));
    SetContent(content.pem, content.sha256, *one.mutable_pem());
    if (is_shadow || is_pinned) {
      const std::string name = TruststoreSecret(
          domain::TruststoreVersionName(truststore.name, content.version));
      out.push_back(TranslateEntry(name, entry));
      out.back().references = references;
    }
    if (!is_active) continue;
    one.set_active(true);
    std::vector<ResourceKey> active_references = references;
    if (truststore.shadow_version != 0 && !is_shadow) {
      for (const TruststoreContent& shadow : contents) {
        if (shadow.version != truststore.shadow_version) continue;
        one.mutable_shadow()->set_version(absl::StrCat(shadow.version));
        one.mutable_shadow()->set_sha256(
            std::string(pki::AsBytes(shadow.sha256)));
        active_references.push_back(
            {ResourceType::kSecret,
             TruststoreSecret(domain::TruststoreVersionName(truststore.name,
                                                            shadow.version))});
      }
    }
    out.push_back(TranslateEntry(TruststoreSecret(truststore.name), entry));
    out.back().references = std::move(active_references);
  }
  return out;
}

Translated TranslateRevocationList(const domain::RevocationList& list,
                                   const Pieces& content) {
  v1::RegistryEntry entry;
  entry.mutable_revocation_lists()->set_name(list.name.id());
  SetContent(content, list.sha256,
             *entry.mutable_revocation_lists()->mutable_content());
  return TranslateEntry(RevocationListSecret(list.name), entry);
}

Translated TranslateCertificateList(
    const domain::CertificateListName& name,
    absl::Span<const domain::CertificateListEntry> entries) {
  v1::RegistryEntry entry;
  entry.mutable_certificate_list()->set_name(name.id());
  v1::DenyList& list = *entry.mutable_certificate_list()->mutable_entries();
  for (const domain::CertificateListEntry& one : entries) {
    switch (one.kind) {
      case domain::CertificateListEntry::Kind::kCertificateSha256:
        list.add_certificate_sha256(one.sha256);
        break;
      case domain::CertificateListEntry::Kind::kSpkiSha256:
        list.add_spki_sha256(one.sha256);
        break;
      case domain::CertificateListEntry::Kind::kIssuerAndSerial: {
        auto& pair = *list.add_issuer_and_serial();
        pair.set_issuer(one.issuer);
        pair.set_serial(one.serial);
        break;
      }
    }
  }
  return TranslateEntry(CertificateListSecret(name), entry);
}

Translated TranslateServerCertificate(const domain::ServerCertificateName& name,
                                      absl::string_view chain_pem,
                                      const Secret& private_key_pem) {
  return TranslateCertificate(ServerCertificateSecret(name), chain_pem,
                              private_key_pem);
}

Translated TranslateServerCertificate(
    const domain::ServerCertificateVersionName& name,
    absl::string_view chain_pem, const Secret& private_key_pem) {
  return TranslateCertificate(ServerCertificateSecret(name), chain_pem,
                              private_key_pem);
}

Translated TranslateClientCertificate(const domain::ClientCertificateName& name,
                                      absl::string_view chain_pem,
                                      const Secret& private_key_pem) {
  return TranslateCertificate(ClientCertificateSecret(name), chain_pem,
                              private_key_pem);
}

Translated TranslateCarrierCertificate(absl::string_view chain_pem,
                                       const Secret& private_key_pem) {
  return TranslateCertificate(kCarrierSecret, chain_pem, private_key_pem);
}

Translated TranslateBackendTrust(const domain::TruststoreName& name,
                                 const Pieces& pem) {
  return TranslateTrustedCas(BackendTrustSecret(name), pem);
}

Translated TranslateTrustedCas(absl::string_view name, const Pieces& pem) {
  tls::Secret secret;
  secret.set_name(std::string(name));
  std::string all;
  for (const auto& piece : pem) all += *piece;
  secret.mutable_validation_context()->mutable_trusted_ca()->set_inline_bytes(
      std::move(all));
  return MakeTranslated(ResourceType::kSecret, secret.name(), secret);
}

}  // namespace sallyport::xds
