// The hooks of the certificate validators `sallyport.truststore` and
// `sallyport.registry`.

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "filters/abi/abi.h"
#include "filters/cert_validator/connection_record.h"
#include "filters/cert_validator/registry.h"
#include "filters/cert_validator/validator.h"
#include "filters/shim/barrier.h"
#include "filters/shim/buffers.h"
#include "filters/shim/clock.h"
#include "filters/shim/config.h"
#include "filters/shim/log.h"
#include "proto/sallyport/filter/v1/config.pb.h"

namespace sallyport::cert_validator {
namespace {

using shim::View;

constexpr absl::string_view kName = "sallyport.truststore";
constexpr absl::string_view kRegistryName = "sallyport.registry";

// RFC 8446, 6.2.
constexpr uint8_t kAlertBadCertificate = 42;
constexpr uint8_t kAlertUnsupportedCertificate = 43;
constexpr uint8_t kAlertCertificateRevoked = 44;
constexpr uint8_t kAlertCertificateExpired = 45;
constexpr uint8_t kAlertUnknownCa = 48;
constexpr uint8_t kAlertAccessDenied = 49;
constexpr uint8_t kAlertInternalError = 80;

// What the style HANDSHAKE tells the client's TLS library. The same as OpenSSL
// and BoringSSL send for these (SSL_alert_from_verify_result), where they have
// the case.
uint8_t AlertFor(pki::Reason reason) {
  switch (reason) {
    case pki::Reason::kExpired:
    case pki::Reason::kNotYetValid:  // "expired or is not currently valid"
      return kAlertCertificateExpired;
    case pki::Reason::kRevoked:
      return kAlertCertificateRevoked;
    case pki::Reason::kUntrustedIssuer:
    case pki::Reason::kIncompleteChain:
    case pki::Reason::kChainTooLong:
      return kAlertUnknownCa;
    case pki::Reason::kUnsupportedAlgorithm:
    case pki::Reason::kWeakKey:
    case pki::Reason::kNotForClientAuth:
      return kAlertUnsupportedCertificate;
    case pki::Reason::kNotAllowed:
      return kAlertAccessDenied;
    case pki::Reason::kMalformed:
    case pki::Reason::kBadSignature:
    case pki::Reason::kConstraintViolation:
    case pki::Reason::kLimitExceeded:
    case pki::Reason::kNoCertificate:
      return kAlertBadCertificate;
    case pki::Reason::kTrusted:
    case pki::Reason::kConfigurationMissing:
      break;
  }
  return kAlertInternalError;
}

// What Envoy holds, destroyed in config_destroy: a validator, or an entry of
// the registry.
struct Handle {
  std::shared_ptr<Validator> validator;
  std::unique_ptr<Registry::Entry> entry;
};

const Handle* FromEnvoy(const void* validator) {
  return static_cast<const Handle*>(validator);
}

constexpr abi::ValidationResult Refused(uint8_t alert) {
  return {abi::ValidationStatus::kFailed, abi::ClientValidation::kFailed, alert,
          true};
}

shim::HookSite config_new_site("cert_validator_config_new");
shim::HookSite config_destroy_site("cert_validator_config_destroy");
shim::HookSite verify_site("cert_validator_do_verify_cert_chain");
shim::HookSite digest_site("cert_validator_update_digest");

// What the entry that was refused is, for people. A name that looks like none
// is left out: it may be a key that someone put into the wrong place.
std::string EntryLabel(const filter::v1::RegistryEntry& config) {
  constexpr size_t kMaxLabelled = 63;
  const auto label = [](absl::string_view kind, absl::string_view name) {
    const bool plain =
        !name.empty() && name.size() <= kMaxLabelled &&
        std::all_of(name.begin(), name.end(), [](char c) {
          return absl::ascii_islower(static_cast<unsigned char>(c)) ||
                 absl::ascii_isdigit(static_cast<unsigned char>(c)) ||
                 absl::StrContains("*./-@_", c);
        });
    return plain ? absl::StrCat(kind, " ", name) : std::string(kind);
  };
  switch (config.entry_case()) {
    case filter::v1::RegistryEntry::kTruststore:
      return label("truststore", absl::StrCat(config.truststore().name(), "@",
                                              config.truststore().version()));
    case filter::v1::RegistryEntry::kRevocationLists:
      return label("revocation lists", config.revocation_lists().name());
    case filter::v1::RegistryEntry::kCertificateList:
      return label("certificate list", config.certificate_list().name());
    case filter::v1::RegistryEntry::kBinding:
      return label("binding of", config.binding().domain());
    default:
      return "entry";
  }
}

absl::StatusOr<std::shared_ptr<Validator>> LoadValidator(
    absl::string_view name, absl::string_view bytes) {
  filter::v1::TruststoreValidator config;
  SALLYPORT_RETURN_IF_ERROR(
      shim::ReadNamedConfig("validator_name", name, kName, bytes, config));
  return Validator::Create(config, shim::ModuleClock().Now());
}

const void* EntryNew(absl::string_view bytes) {
  filter::v1::RegistryEntry config;
  const absl::Status read = shim::ReadConfig(bytes, config);
  auto entry = read.ok()
                   ? Registry::Global().Load(config)
                   : absl::StatusOr<std::unique_ptr<Registry::Entry>>(read);
  if (!entry.ok()) {
    shim::LogRefused(absl::StrCat(kRegistryName, ": ", EntryLabel(config)),
                     entry.status());
    return nullptr;
  }
  return new Handle{nullptr, *std::move(entry)};
}

const void* ConfigNew(absl::string_view name, absl::string_view bytes) {
  if (name == kRegistryName) return EntryNew(bytes);
  absl::StatusOr<std::shared_ptr<Validator>> validator =
      LoadValidator(name, bytes);
  if (!validator.ok()) {
    shim::LogRefused(absl::StrCat(kName, ": configuration"),
                     validator.status());
    return nullptr;
  }
  if ((*validator)->from_registry()) {
    shim::Log(shim::LogLevel::kDebug,
              absl::StrCat(kName, ": domain ", (*validator)->domain(),
                           " has its trust from the registry"));
    return new Handle{*std::move(validator), nullptr};
  }
  const std::shared_ptr<const TrustState> state = (*validator)->state();
  std::string trusts = DescribeTrust(state->active());
  if (state->shadow().has_value()) {
    absl::StrAppend(&trusts, "; shadow: ", DescribeTrust(*state->shadow()));
  }
  shim::Log(
      shim::LogLevel::kInfo,
      absl::StrCat(kName, ": domain ", state->domain(), " trusts ", trusts));
  return new Handle{*std::move(validator), nullptr};
}

void Fail(abi::CertValidatorCall* call, absl::string_view text) {
  if (call == nullptr) return;
  envoy_dynamic_module_callback_cert_validator_set_error_details(
      call, shim::Buffer(absl::StrCat("sallyport: ", text)));
}

abi::ValidationResult Verify(abi::CertValidatorCall* call, const Handle* handle,
                             const abi::EnvoyBuffer* certificates,
                             size_t num_certificates, bool is_server) {
  if (call == nullptr || handle == nullptr) {
    return Refused(kAlertInternalError);
  }
  if (handle->validator == nullptr) {
    Fail(call, "sallyport.registry serves no connection");
    return Refused(kAlertInternalError);
  }
  if (!is_server) {
    Fail(call, "this validator is for listeners, it does not judge servers");
    return Refused(kAlertInternalError);
  }
  if (certificates == nullptr || num_certificates == 0) {
    Fail(call, "no certificate");
    return Refused(kAlertBadCertificate);
  }
  std::vector<absl::string_view> chain;
  chain.reserve(num_certificates);
  for (size_t i = 0; i < num_certificates; ++i) {
    chain.push_back(View(certificates[i]));
  }
  const Validator::Outcome outcome =
      handle->validator->Verify(chain, shim::ModuleClock().Now());
  const bool told =
      !outcome.record.empty() &&
      envoy_dynamic_module_callback_cert_validator_set_filter_state(
          call, shim::Buffer(kConnectionKey), shim::Buffer(outcome.record));
  for (const auto& [key, value] : outcome.filter_state) {
    if (value.empty()) continue;
    envoy_dynamic_module_callback_cert_validator_set_filter_state(
        call, shim::Buffer(key), shim::Buffer(value));
  }
  if (!told) {
    // The HTTP filter would have nothing to judge by.
    Fail(call, "the verdict could not be left in the filter state");
    return Refused(kAlertInternalError);
  }
  if (outcome.refuse_handshake) {
    handle->validator->CountRefusal(outcome.reason);
    Fail(call, outcome.text);
    return Refused(AlertFor(outcome.reason));
  }
  // The handshake goes on either way: an untrusted client gets its answer as an
  // HTTP response.
  return {abi::ValidationStatus::kSuccessful,
          outcome.trusted ? abi::ClientValidation::kValidated
                          : abi::ClientValidation::kNotValidated,
          0, false};
}

}  // namespace
}  // namespace sallyport::cert_validator

namespace sp = sallyport::cert_validator;
namespace shim = sallyport::shim;
namespace sabi = sallyport::abi;

extern "C" {

const void* envoy_dynamic_module_on_cert_validator_config_new(
    sabi::CertValidatorConfig* /*envoy_config*/, sabi::EnvoyBuffer name,
    sabi::EnvoyBuffer config) {
  return shim::Guarded<const void*>(sp::config_new_site, nullptr, [&] {
    return sp::ConfigNew(shim::View(name), shim::View(config));
  });
}

void envoy_dynamic_module_on_cert_validator_config_destroy(
    const void* validator) {
  shim::GuardedVoid(sp::config_destroy_site,
                    [&] { delete sp::FromEnvoy(validator); });
}

sabi::ValidationResult
envoy_dynamic_module_on_cert_validator_do_verify_cert_chain(
    sabi::CertValidatorCall* call, const void* validator,
    sabi::EnvoyBuffer* certificates, size_t num_certificates,
    sabi::EnvoyBuffer /*host_name*/, bool is_server) {
  return shim::Guarded(
      sp::verify_site, sp::Refused(sp::kAlertInternalError), [&] {
        return sp::Verify(call, sp::FromEnvoy(validator), certificates,
                          num_certificates, is_server);
      });
}

int envoy_dynamic_module_on_cert_validator_get_ssl_verify_mode(
    const void* /*validator*/, bool /*handshaker_provides_certificates*/) {
  // Whether a client must come with a certificate is for
  // require_client_certificate to say. Never 0: the hook would not be
  // installed.
  return sabi::kVerifyPeer;
}

void envoy_dynamic_module_on_cert_validator_update_digest(
    const void* validator, sabi::ModuleBuffer* out_digest) {
  if (out_digest == nullptr) return;
  *out_digest = shim::Buffer("");
  shim::GuardedVoid(sp::digest_site, [&] {
    if (validator == nullptr) return;
    const sp::Handle& handle = *sp::FromEnvoy(validator);
    *out_digest =
        shim::Buffer(handle.validator != nullptr ? handle.validator->digest()
                                                 : sp::kRegistryName);
  });
}

}  // extern "C"
