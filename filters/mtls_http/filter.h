// Filter: one configuration of `sallyport.mtls` and what it does with a
// request.
//
// For each request, in this order:
//   1. every header by which some dialect carries a client certificate, or
//      that names another Host (but a trusted proxy's), is removed, and again
//      in the trailers; if there was one, the route is chosen again, which
//      Envoy chose with it;
//   2. the Host: another one than the domain's gets 421, and so does every one
//      once the domain is withdrawn;
//   3. the verdict: an untrusted client is answered in the domain's rejection
//      style, one without a certificate too where one is required;
//   4. the client rules: 403 for a trusted client that no rule lets in;
//   5. the forwarding headers are added.

#ifndef SALLYPORT_FILTERS_MTLS_HTTP_FILTER_H_
#define SALLYPORT_FILTERS_MTLS_HTTP_FILTER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "filters/abi/abi.h"
#include "filters/cert_validator/checked_chain.h"
#include "filters/cert_validator/decision.h"
#include "filters/cert_validator/refused_handshakes.h"
#include "filters/cert_validator/refused_updates.h"
#include "filters/cert_validator/rule_names.h"
#include "filters/cert_validator/trust_state.h"
#include "filters/cert_validator/trust_watch.h"
#include "filters/cert_validator/withdrawal.h"
#include "filters/forwarding/forwarding.h"
#include "filters/mtls_http/answers.h"
#include "filters/mtls_http/path_rules.h"
#include "filters/mtls_http/resumed.h"
#include "filters/shim/delayed_wake.h"
#include "filters/shim/http_filter.h"
#include "pki/chain/client_rule.h"
#include "pki/chain/verify.h"
#include "proto/sallyport/filter/v1/config.pb.h"

namespace sallyport::mtls_http {

// Counters, with the labels they have. The prefix is the metrics_namespace of
// Envoy's configuration.
//   decisions{domain,verdict,reason}: requests for the domain; verdict is
//     "allowed", "denied", or "passed" (not trusted, style PASS).
//   misdirected{domain}: requests with another Host, or for a domain that is
//     withdrawn.
//   forwarding_truncated{domain}: requests whose forwarding headers did not fit
//     max_header_bytes.
//   inbound_xfcc_refused{domain}: requests of a trusted proxy that were refused
//     because its own x-forwarded-client-cert is malformed or over the budget.
//   resumed{domain}: requests on connections that resumed a session.
//   shadow_differences{domain,active,shadow}: requests that the shadow would
//     have decided differently; the labels are the two reasons.
//   streams_ended{domain,reason}: open streams that were reset because the
//     client lost its trust.
//   extended_key_usage_warnings{domain}: requests of clients that are trusted
//     only because of EKU_WARN.
//   handshakes_refused{domain,reason}: handshakes that the domain's validator
//     refused in the style HANDSHAKE.
//   updates_refused{file,why}: RefusedUpdates, of the whole process.
// The last three, and decisions of trusted clients, come up to shim::kWakeDelay
// late.
inline constexpr absl::string_view kDecisions = "decisions";
inline constexpr absl::string_view kMisdirected = "misdirected";
inline constexpr absl::string_view kForwardingTruncated =
    "forwarding_truncated";
inline constexpr absl::string_view kInboundXfccRefused = "inbound_xfcc_refused";
inline constexpr absl::string_view kResumed = "resumed";
inline constexpr absl::string_view kShadowDifferences = "shadow_differences";
inline constexpr absl::string_view kStreamsEnded = "streams_ended";
inline constexpr absl::string_view kUsageWarnings =
    "extended_key_usage_warnings";
inline constexpr absl::string_view kHandshakesRefused = "handshakes_refused";
inline constexpr absl::string_view kUpdatesRefused = "updates_refused";

// %DYNAMIC_METADATA(sallyport:reason)%: the verdict of this request where the
// filter state does not have it: absent when the client is trusted and the
// handshake said so. `detail` alone for a trusted client with a warning, and
// for a request with another Host. For a request that was denied or came on a
// resumed session (which has no filter state) also `detail`, `depth`,
// `truststore`, `subject`, `issuer`, `serial` and `fingerprint`, as far as they
// are known; for a stream that was reset because its client lost its trust,
// `ended`: "trust_lost".
inline constexpr absl::string_view kMetadata = "sallyport";

// A compiled Forwarding.
struct ForwardingPlan {
  filter::v1::Forwarding config;
  bool forwards = false;
  std::shared_ptr<const pki::ClientRule> trusted_proxy;  // null: none
  // For a client that sent no certificate and needs none.
  forwarding::Forwarded without_certificate;
  forwarding::Forwarded without_certificate_passed_on;
  uint64_t id = 0;  // unique in the process for ever
};

// The filter's name in Envoy's configuration.
inline constexpr char kFilterName[] = "sallyport.mtls";

// The per_route_config_name of a route whose domain is withdrawn
// (MutualTlsRoute in config.proto says what that means); its configuration is
// the domain as a StringValue.
inline constexpr char kWithdrawnRoute[] = "sallyport.withdrawn";

// A route's configuration (MutualTlsRoute). Immutable; thread-safe.
class RouteFilter : public shim::HttpRouteConfig {
 public:
  // InvalidArgument: a message that starts with the field.
  static absl::StatusOr<std::unique_ptr<RouteFilter>> Create(
      const filter::v1::MutualTlsRoute& config);
  // Of a domain that is not served any more, by its name (kWithdrawnRoute).
  static absl::StatusOr<std::unique_ptr<RouteFilter>> Withdrawn(
      absl::string_view domain);

  const char* filter_name() const override { return kFilterName; }

 private:
  friend class Filter;
  RouteFilter() = default;

  filter::v1::ClientCertificate client_certificate_ =
      filter::v1::CLIENT_CERTIFICATE_UNSPECIFIED;
  std::shared_ptr<const pki::ClientRule> allow_;  // null: none
  cert_validator::RuleNames names_;
  std::unique_ptr<const ForwardingPlan> forwarding_;  // null: the domain's
  // remove_headers of it.
  std::unique_ptr<const forwarding::HeaderFilter> claims_;
  // Null: the domain is served.
  std::unique_ptr<const cert_validator::Withdrawal> withdrawal_;
};

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
  const std::shared_ptr<cert_validator::DomainTrust>& trust() const {
    return domain_;
  }
  // Unset: open streams finish.
  const absl::optional<absl::Duration>& end_streams_after() const {
    return end_streams_after_;
  }

  // What is known about the client of a connection.
  struct Identity {
    cert_validator::Decision decision;
    // The chain of a resumed session; null otherwise.
    std::shared_ptr<const ResumedChain> resumed;
    bool without_certificate = false;
  };

  // The client rules that let a request in. They live as long as the Filter,
  // but for the route's, which is held.
  struct Rules {
    absl::InlinedVector<const pki::ClientRule*, 8> all;
    std::shared_ptr<const pki::ClientRule> of_route;  // null: none
  };

  // What became of a request.
  struct Result {
    abi::HeadersStatus status = abi::HeadersStatus::kStopIteration;
    // It goes on because the client is trusted. False when it was answered, or
    // goes on for another reason.
    bool trusted = false;
    Identity identity;
    // With end_streams_after, of a trusted client: which rules let it in; null
    // when there are none.
    std::unique_ptr<const Rules> rules;
  };
  // Decides about the request of `stream`. When it does not go on, the stream
  // may be gone on return.
  Result OnRequestHeaders(abi::HttpFilter* stream, absl::Time now) const;
  // Removes claims from the trailers; false when that cannot be done.
  bool OnRequestTrailers(abi::HttpFilter* stream) const;

  // The decision of OnRequestHeaders() about the same request, again:
  // NOT_ALLOWED for a client that is trusted, and that the rules no longer let
  // in. `resumed` is the Identity's, `rules` the Result's.
  cert_validator::Decision DecideAgain(abi::HttpFilter* stream,
                                       const ResumedChain* resumed,
                                       const Rules* rules,
                                       absl::Time now) const;
  // Adds to Envoy's counters what gathered since the last call: requests of
  // trusted clients, handshakes that the domain's validator refused, and
  // updates of files that were. Called by the main thread shortly after there
  // is something, and when Envoy gives the configuration back.
  void CountGathered() const;

  // Resets the stream, whose client lost its trust. The stream may be gone on
  // return.
  void EndStream(abi::HttpFilter* stream,
                 const cert_validator::Decision& decision) const;

 private:
  // What a request has to meet.
  struct Requirement {
    bool certificate = true;
    // What asks for it beside the domain, for the operator.
    absl::string_view certificate_by;
    Rules rules;
    // The path cannot be read without doubt, so every path rule counts.
    bool doubtful = false;
    const ForwardingPlan* forwarding = nullptr;
  };
  // The forwarding headers of one chain.
  struct Encoded;
  // What the headers said before anything was removed.
  struct Inbound {
    bool is_for_domain = false;  // by the Host
    // What a client that is itself a proxy says of its own clients, as the
    // connection manager saved it.
    std::string saved_xfcc;
    bool has_xfcc = false;
    // Envoy sends the request again, to where an answer pointed. Then the
    // header is the one that went out the first time.
    bool redirected = false;
    std::string sent_xfcc;
  };
  // What is added to a request that goes on.
  struct Addition {
    std::shared_ptr<const Encoded> encoded;  // null: `headers` is a plan's
    const forwarding::Forwarded* headers = nullptr;  // null: nothing
    std::string xfcc;                                // in place of ours
    bool is_incomplete = false;
    // Why it cannot go on; kTrusted: it can.
    pki::Reason refusal = pki::Reason::kTrusted;
    std::string detail;
  };

  Filter(const filter::v1::MutualTls& config,
         std::shared_ptr<cert_validator::DomainTrust> domain);

  absl::Status Read(const filter::v1::MutualTls& config);
  // The part of Read() that is for NOT_ASKED.
  absl::Status ReadNotAsked(const filter::v1::MutualTls& config);
  absl::Status DefineCounters(abi::HttpFilterConfig* envoy_config);
  void GatherCounts(abi::HttpFilterConfig* envoy_config);

  // Whether a request for `authority` belongs to this filter chain.
  bool ServesHost(absl::string_view authority) const;
  // Why it does not, for the operator.
  std::string MisdirectedBy(absl::string_view authority,
                            bool is_withdrawn) const;
  forwarding::Claim ClaimOf(absl::string_view name,
                            const RouteFilter* route) const;
  const ForwardingPlan& PlanOf(const RouteFilter* route) const;
  // False: it may still name some.
  bool RemoveNominations(abi::HttpFilter* stream,
                         const RouteFilter* route) const;
  // False: some may be left. `removed`: whether there were any. `inbound`: if
  // not null, gets what the headers say before. What a trusted proxy says of
  // the Host stays; `identity` is null in trailers, where nothing does.
  bool RemoveClaims(abi::HttpFilter* stream, abi::HeaderMap map,
                    const RouteFilter* route, const Identity* identity,
                    bool* removed, Inbound* inbound) const;
  // Removes them from the request, whose `route` becomes the one that Envoy
  // chooses without them.
  bool CleanRequest(abi::HttpFilter* stream, const RouteFilter*& route,
                    const Identity& identity, Inbound& inbound) const;
  cert_validator::Need NeedOn(const RouteFilter* route) const;
  Identity Identify(abi::HttpFilter* stream, absl::Time now,
                    const RouteFilter* route) const;
  Identity IdentifyWithoutRecord(abi::HttpFilter* stream, absl::Time now,
                                 const RouteFilter* route) const;
  Requirement RequirementFor(abi::HttpFilter* stream,
                             const RouteFilter* route) const;
  // Which rule does not let the client in, for the operator; "" when all do.
  std::string RefusalOf(
      const Rules& rules,
      const std::shared_ptr<const cert_validator::CheckedChain>& checked) const;
  // Encodes once for each chain that this thread remembers.
  std::shared_ptr<const Encoded> Encode(
      const ForwardingPlan& plan,
      const std::shared_ptr<const cert_validator::CheckedChain>& checked,
      pki::Reason reason, bool passed_on) const;
  void ReadInbound(absl::Span<const abi::EnvoyHeader> headers,
                   Inbound& inbound) const;
  Addition AdditionFor(const ForwardingPlan& plan, const Identity& identity,
                       const Inbound& inbound, bool passed_on) const;
  static void JoinInbound(const ForwardingPlan& plan, const Inbound& inbound,
                          Addition& addition);
  // Tells the filters of the module that come after this one; false: they could
  // not be told.
  bool LeaveRecord(abi::HttpFilter* stream, const Identity& identity) const;
  // False: the backend would not be told who calls.
  bool Add(abi::HttpFilter* stream, const Addition& addition) const;
  void Tell(abi::HttpFilter* stream, const Identity& identity,
            pki::Reason reason, absl::string_view verdict) const;
  // That the validator does not have the style HANDSHAKE.
  void WarnOfStyle() const;
  // Answers a client that is not let in, in the domain's style.
  void Reject(abi::HttpFilter* stream, pki::Reason reason,
              bool by_requirement) const;

  const std::shared_ptr<cert_validator::DomainTrust> domain_;
  // Null with NOT_ASKED.
  std::unique_ptr<const cert_validator::DomainTrust::Judge> judge_;
  const forwarding::HeaderFilter claims_;
  bool certificate_asked_ = true;
  bool certificate_required_ = true;
  filter::v1::RejectionStyle rejection_ = filter::v1::FORBIDDEN;
  absl::optional<BadRequestAnswer> bad_request_;
  std::shared_ptr<const pki::ClientRule> allow_;  // null: none
  std::unique_ptr<const PathRules> paths_;
  cert_validator::RuleNames names_;  // of both, and of the trusted proxy
  std::unique_ptr<const ForwardingPlan> forwarding_;
  absl::optional<absl::Duration> end_streams_after_;
  bool strict_handshake_ = false;

  size_t decisions_id_ = 0;
  size_t misdirected_id_ = 0;
  size_t truncated_id_ = 0;
  size_t inbound_refused_id_ = 0;
  size_t resumed_id_ = 0;
  size_t shadow_id_ = 0;
  size_t ended_id_ = 0;
  size_t usage_warnings_id_ = 0;
  size_t handshakes_refused_id_ = 0;
  size_t updates_refused_id_ = 0;

  // A labelled counter of Envoy's costs microseconds: what comes with nearly
  // every request is gathered here.
  abi::HttpFilterConfig* envoy_config_ = nullptr;
  mutable std::atomic<uint64_t> allowed_{0};
  mutable std::atomic<uint64_t> usage_warnings_{0};
  // Before the two below, which ring it. Null when Envoy has no
  // scheduler for it: then nothing is gathered.
  std::unique_ptr<shim::DelayedWake> wake_;
  // So that the validator can tell that nobody counts what it refuses. Null in
  // the style HANDSHAKE, and with NOT_ASKED.
  std::unique_ptr<cert_validator::RefusedHandshakes::OtherStyle> other_style_;
  mutable std::atomic<bool> warned_of_style_{false};
  // Null but in the style HANDSHAKE.
  std::unique_ptr<cert_validator::RefusedHandshakes::Counter>
      refused_handshakes_;
  std::unique_ptr<cert_validator::RefusedUpdates::Counter> refused_updates_;
};

}  // namespace sallyport::mtls_http

#endif  // SALLYPORT_FILTERS_MTLS_HTTP_FILTER_H_
