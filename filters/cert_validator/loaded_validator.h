// A validator in Envoy's hands, for tests of what works beside it.

#ifndef SALLYPORT_FILTERS_CERT_VALIDATOR_LOADED_VALIDATOR_H_
#define SALLYPORT_FILTERS_CERT_VALIDATOR_LOADED_VALIDATOR_H_

#include <string>

#include "filters/abi/abi.h"
#include "filters/cert_validator/test_support.h"
#include "filters/cert_validator/trust_state.h"
#include "filters/shim/fake_envoy.h"
#include "gtest/gtest.h"
#include "proto/sallyport/filter/v1/config.pb.h"

namespace sallyport::cert_validator {

class LoadedValidator {
 public:
  // One for `domain` that trusts `pem`.
  LoadedValidator(const std::string& pem, const std::string& domain)
      : LoadedValidator([&] {
          filter::v1::TruststoreValidator config = InlineConfig(pem);
          config.set_domain(domain);
          return config;
        }()) {}
  explicit LoadedValidator(const filter::v1::TruststoreValidator& config)
      : domain_(config.domain()) {
    const std::string bytes = config.SerializeAsString();
    validator_ = envoy_dynamic_module_on_cert_validator_config_new(
        nullptr, shim::Envoy("sallyport.truststore"), shim::Envoy(bytes));
    EXPECT_NE(validator_, nullptr);
  }
  ~LoadedValidator() {
    envoy_dynamic_module_on_cert_validator_config_destroy(validator_);
  }
  LoadedValidator(const LoadedValidator&) = delete;

  // A full handshake of a client that sends `der` alone, as where a filter of
  // the domain is loaded. It succeeds.
  void Handshake(shim::FakeConnection& connection,
                 const std::string& der) const {
    const DomainTrust::Judge judge(DomainTrust::For(domain_));
    EXPECT_EQ(Verify(connection, der), abi::ValidationStatus::kSuccessful);
  }
  // The same with the filters that are loaded; says how it ended.
  abi::ValidationStatus Verify(shim::FakeConnection& connection,
                               const std::string& der) const {
    shim::FakeHandshake handshake(&connection);
    abi::EnvoyBuffer certificate = shim::Envoy(der);
    return envoy_dynamic_module_on_cert_validator_do_verify_cert_chain(
               handshake.call(), validator_, &certificate, 1,
               shim::Envoy(domain_), true)
        .status;
  }

 private:
  const std::string domain_;
  const void* validator_ = nullptr;
};

}  // namespace sallyport::cert_validator

#endif  // SALLYPORT_FILTERS_CERT_VALIDATOR_LOADED_VALIDATOR_H_
