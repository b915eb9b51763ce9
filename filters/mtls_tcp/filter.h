// Filter: one configuration of `sallyport.mtls_tcp`; Connection: what it does
// with one TCP connection.
//
// For each connection, in this order:
//   1. nothing goes on before the TLS handshake is done: no filter after this
//      one begins, so tcp_proxy does not connect to the backend;
//   2. the verdict: the connection of an untrusted client is closed;
//   3. the client's identity goes into dynamic metadata and filter state, and
//      into a PROXY protocol header where that is asked for;
//   4. the filters after this one begin;
//   5. while it is open, a change of trust is seen within a second, and before
//      the next data from the client.

#ifndef SALLYPORT_FILTERS_MTLS_TCP_FILTER_H_
#define SALLYPORT_FILTERS_MTLS_TCP_FILTER_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "filters/abi/abi.h"
#include "filters/cert_validator/decision.h"
#include "filters/cert_validator/rule_names.h"
#include "filters/cert_validator/trust_state.h"
#include "filters/cert_validator/trust_watch.h"
#include "pki/chain/client_rule.h"
#include "pki/chain/verify.h"
#include "proto/sallyport/filter/v1/config.pb.h"

namespace sallyport::mtls_tcp {

// Counters. Envoy's network filters have no labels, so the domain and the
// reason are in the name: `mtls_tcp.DOMAIN.` and
//   allowed.TRUSTED, allowed.NO_CERTIFICATE: connections let in;
//   denied.REASON: connections closed before anything went on (every reason
//     but TRUSTED, and INTERNAL_ERROR);
//   resumed: those of denied.CONFIGURATION_MISSING that resumed a session;
//   lost: connections that were let in and lost their trust, counted when it
//     is lost;
//   proxy_protocol_truncated: headers without the certificate, which was too
//     large.
// The prefix is the metrics_namespace of Envoy's configuration.
inline constexpr absl::string_view kCounters = "mtls_tcp";

// %DYNAMIC_METADATA(sallyport:KEY)%. reason and detail are the verdict in force
// now; subject, issuer, serial, fingerprint, uri, dns and truststore (the one
// that vouched) are there when the client's certificate can be read. Printable
// ASCII. Names of `uri` and `dns` are joined by commas; in a name a comma is
// \x2c and a backslash \x5c.
inline constexpr absl::string_view kMetadata = "sallyport";

// Keys of the connection's filter state, beside those of connection_record.h:
// the same texts as in the metadata, when the connection begins.
inline constexpr absl::string_view kUriKey = "sallyport.uri";
inline constexpr absl::string_view kDnsKey = "sallyport.dns";
// The value of PP2_TYPE_SSL, for the carrier FILTER_STATE.
inline constexpr absl::string_view kProxyProtocolSslKey =
    "sallyport.proxy_protocol_ssl";

// Bytes of all names of one kind in `uri` or `dns`; cut after that, "..." marks
// it.
inline constexpr size_t kMaxNamesBytes = 4096;

// Closes the connection of `envoy`. `why` goes into
// %CONNECTION_TERMINATION_DETAILS%; the client sees the connection end.
void Close(abi::NetworkFilter* envoy, absl::string_view why);

// Immutable; thread-safe.
class Filter {
 public:
  // Checks `config` and defines the counters on `envoy_config`.
  // InvalidArgument: a message that starts with the field and says how to mend
  // it. Internal: Envoy did not define a counter.
  static absl::StatusOr<std::shared_ptr<const Filter>> Create(
      const filter::v1::MutualTlsTcp& config,
      abi::NetworkFilterConfig* envoy_config);

  Filter(const Filter&) = delete;

  const std::string& domain() const { return domain_->domain(); }

 private:
  friend class Connection;

  Filter(const filter::v1::MutualTlsTcp& config,
         std::shared_ptr<cert_validator::DomainTrust> domain,
         absl::optional<absl::Duration> end_after);

  absl::Status DefineCounters(abi::NetworkFilterConfig* envoy_config);

  const std::shared_ptr<cert_validator::DomainTrust> domain_;
  const cert_validator::DomainTrust::Judge judge_;
  const bool certificate_is_optional_;
  const bool finishes_;
  const bool sends_certificate_;
  const bool writes_header_;
  const bool leaves_ssl_value_;
  // Unset: the connection is closed at once.
  const absl::optional<absl::Duration> end_after_;
  // Null: every trusted client is allowed.
  std::shared_ptr<const pki::ClientRule> allow_;
  cert_validator::RuleNames rule_names_;

  // Ids of counters; 0 for none.
  size_t allowed_trusted_ = 0;
  size_t allowed_no_certificate_ = 0;
  std::array<size_t, pki::kNumReasons> denied_{};
  size_t denied_internal_error_ = 0;
  size_t resumed_ = 0;
  size_t lost_ = 0;
  size_t truncated_ = 0;

  // So that one line in the log says what every connection would.
  mutable std::atomic<bool> reported_misconfiguration_{false};
};

// One connection, on its worker.
//
// Callbacks into Envoy can close the connection, and Envoy then calls
// OnEvent() before they return: each method looks at the state again after
// them.
class Connection {
 public:
  Connection(std::shared_ptr<const Filter> filter, abi::NetworkFilter* envoy);
  ~Connection();
  Connection(const Connection&) = delete;

  abi::NetworkStatus OnNewConnection();
  abi::NetworkStatus OnRead(absl::Time now);
  abi::NetworkStatus OnWrite() const;
  void OnEvent(abi::ConnectionEvent event, absl::Time now);
  void OnScheduled(absl::Time now);
  // Something of ours went wrong: closes it.
  void Fail();

 private:
  enum class State {
    kWaiting,  // for the handshake
    kOpen,
    kEnding,  // trust is lost; open until end_at_
    kClosed,
  };

  // What is known about the client.
  struct Judgement {
    bool allowed = false;
    bool resumed = false;
    // Its reason is TRUSTED for a client that is allowed, too, or
    // NO_CERTIFICATE for one that needs none.
    cert_validator::Decision decision;
  };

  Judgement Judge(absl::Time now) const;
  Judgement JudgeWithoutRecord() const;
  // Judges the connection when its handshake is done; lets it in or closes it.
  void Begin(absl::Time now);
  // Leaves the identity where access logs and RBAC find it.
  void Tell(const Judgement& judgement);
  // The PROXY protocol. What is wrong with the configuration, or "". A filter
  // after this one may have closed the connection when it returns.
  absl::string_view SendHeader(const cert_validator::Decision& decision);
  // Whether tcp_proxy was reached.
  bool ProxyHasBegun() const;
  // Closes it, because its backend would not be told who calls.
  void RefuseConfiguration(absl::string_view problem);
  // Judges again what is open.
  void JudgeAgain(absl::Time now);
  // Waits for the next change, or for the end.
  void Watch(const cert_validator::Decision& decision, absl::Time now);
  void CloseWith(absl::string_view why);
  void Count(size_t id) const;
  void Log(absl::string_view what, const Judgement& judgement) const;

  const std::shared_ptr<const Filter> filter_;
  abi::NetworkFilter* const envoy_;
  State state_ = State::kWaiting;
  // tcp_proxy had switched reading off; it has to be off again when it begins.
  bool reads_were_off_ = false;

  // The decision is good while the domain's changes() are seen_, from
  // judged_at_ until recheck_at_.
  uint64_t seen_ = 0;
  absl::Time judged_at_ = absl::InfinitePast();
  absl::Time recheck_at_ = absl::InfiniteFuture();
  absl::Time end_at_ = absl::InfiniteFuture();

  // Both are null when nothing is watched: the client has no certificate, or
  // `finish` is set. The watch uses the scheduler and ends before it.
  abi::NetworkFilterScheduler* scheduler_ = nullptr;
  std::unique_ptr<cert_validator::TrustWatch> watch_;
};

}  // namespace sallyport::mtls_tcp

#endif  // SALLYPORT_FILTERS_MTLS_TCP_FILTER_H_
