// Filter: one configuration of `sallyport.mtls` and what it does with a
// request.
//
// For each request, in this order:
//   1. every header by which some dialect carries a client certificate is
//      removed (and again in the trailers);
//   2. the Host: another one than the domain's gets 421;
//   3. the verdict: an untrusted client gets 403;
//   4. the forwarding headers are added.

#ifndef SALLYPORT_FILTERS_MTLS_HTTP_FILTER_H_
#define SALLYPORT_FILTERS_MTLS_HTTP_FILTER_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "filters/abi/abi.h"
#include "filters/cert_validator/checked_chain.h"
#include "filters/cert_validator/trust_state.h"
#include "filters/forwarding/forwarding.h"
#include "pki/chain/verify.h"
#include "proto/sallyport/filter/v1/config.pb.h"

namespace sallyport::mtls_http {

// Counters, with the labels they have. The prefix is the metrics_namespace of
// Envoy's configuration.
//   decisions{domain,verdict,reason}: requests for the domain; verdict is
//     "allowed" or "denied".
//   misdirected{domain}: requests with another Host.
//   forwarding_truncated{domain}: requests whose forwarding headers did not fit
//     max_header_bytes.
inline constexpr absl::string_view kDecisions = "decisions";
inline constexpr absl::string_view kMisdirected = "misdirected";
inline constexpr absl::string_view kForwardingTruncated =
    "forwarding_truncated";

// %DYNAMIC_METADATA(sallyport:reason)%: the verdict of this request, which is
// newer than the handshake's in the filter state; "detail" when it was denied.
inline constexpr absl::string_view kMetadata = "sallyport";

// AnswerForbidden: the 403 of API Gateway, or PERMISSION_DENIED for a gRPC
// request. `reason` goes into the response-code details,
// "sallyport_denied{EXPIRED}", and nowhere else.
void AnswerForbidden(abi::HttpFilter* stream, absl::string_view reason);

// Immutable; thread-safe.
class Filter {
 public:
  // Checks `config` and defines the counters on `envoy_config`.
  // InvalidArgument: a message that starts with the field and says how to mend
  // it. Internal: Envoy did not define a counter.
  static absl::StatusOr<std::shared_ptr<const Filter>> Create(
      const filter::v1::MutualTls& config, abi::HttpFilterConfig* envoy_config);

  Filter(const Filter&) = delete;

  const std::string& domain() const { return domain_->domain(); }

  // Decides about the request of `stream`: kContinue, or kStopIteration when an
  // answer was sent.
  abi::HeadersStatus OnRequestHeaders(abi::HttpFilter* stream,
                                      absl::Time now) const;
  // Removes claims from the trailers; false when that cannot be done.
  bool OnRequestTrailers(abi::HttpFilter* stream) const;

 private:
  // What is known about the client of a request.
  struct Decision {
    bool allowed = false;
    pki::Reason reason = pki::Reason::kConfigurationMissing;
    // For the operator; printable.
    std::string detail;
    // The chain, when it was looked at; null when the handshake's verdict
    // sufficed or there is no chain.
    std::shared_ptr<const cert_validator::CheckedChain> checked;
  };

  explicit Filter(const filter::v1::MutualTls& config,
                  std::shared_ptr<cert_validator::DomainTrust> domain);

  // The forwarding headers of one chain.
  struct Encoded {
    std::shared_ptr<const cert_validator::CheckedChain> checked;
    forwarding::Forwarded forwarded;
  };

  // Whether a request for `authority` belongs to this filter chain.
  bool ServesHost(absl::string_view authority) const;
  // False: it may still name some.
  bool RemoveNominations(abi::HttpFilter* stream) const;
  // False: some may be left.
  bool RemoveClaims(abi::HttpFilter* stream, abi::HeaderMap map) const;
  Decision Decide(abi::HttpFilter* stream, absl::Time now) const;
  Decision DecideWithoutRecord(abi::HttpFilter* stream) const;
  // Encodes once for each chain that this thread remembers.
  std::shared_ptr<const Encoded> Encode(
      const std::shared_ptr<const cert_validator::CheckedChain>& checked) const;
  // False: the backend would not be told who calls.
  bool Forward(abi::HttpFilter* stream, const Decision& decision) const;
  void AnswerMisdirected(abi::HttpFilter* stream) const;

  const uint64_t id_;  // unique in the process for ever
  const filter::v1::MutualTls config_;
  const std::shared_ptr<cert_validator::DomainTrust> domain_;
  const forwarding::HeaderFilter claims_;
  const bool forwards_;
  size_t decisions_id_ = 0;
  size_t misdirected_id_ = 0;
  size_t truncated_id_ = 0;
};

}  // namespace sallyport::mtls_http

#endif  // SALLYPORT_FILTERS_MTLS_HTTP_FILTER_H_
