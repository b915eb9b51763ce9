#include "filters/mtls_tcp/filter.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "filters/cert_validator/connection_record.h"
#include "filters/cert_validator/read_client_rule.h"
#include "filters/mtls_tcp/proxy_header.h"
#include "filters/shim/buffers.h"
#include "filters/shim/domain.h"
#include "filters/shim/log.h"
#include "pki/x509/certificate.h"

namespace sallyport::mtls_tcp {
namespace {

namespace v1 = ::sallyport::filter::v1;
using cert_validator::Decision;
using cert_validator::DomainTrust;
using cert_validator::Need;
using cert_validator::TrustWatch;
using pki::Reason;
using shim::Buffer;
using shim::View;

constexpr absl::string_view kInternalError = "INTERNAL_ERROR";
// What a watch wakes the filter with; there is one kind only.
constexpr uint64_t kLookAgain = 1;

absl::Status At(absl::string_view field, absl::string_view problem) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", problem));
}

absl::StatusOr<absl::optional<absl::Duration>> ReadEndAfter(
    const v1::MutualTlsTcp& config) {
  if (!config.has_end_after()) return absl::optional<absl::Duration>();
  const absl::Duration end_after =
      absl::Seconds(config.end_after().seconds()) +
      absl::Nanoseconds(config.end_after().nanos());
  if (config.finish()) {
    return At("finish",
              "is set beside end_after; a connection either goes on or ends: "
              "leave one of them out");
  }
  if (end_after < absl::ZeroDuration() ||
      end_after > cert_validator::kMaxEndAfter) {
    return At("end_after", "must be between 0s and 86400s (a day)");
  }
  return absl::optional<absl::Duration>(end_after);
}

// As Printable(), with commas and backslashes escaped too.
std::string EscapeName(absl::string_view name) {
  std::string out;
  for (const char c : name) {
    if (out.size() >= cert_validator::kMaxLeafText) return out + "...";
    if (absl::ascii_isprint(static_cast<unsigned char>(c)) && c != ',' &&
        c != '\\') {
      out.push_back(c);
    } else {
      absl::StrAppend(&out, "\\x", HexLower(absl::string_view(&c, 1)));
    }
  }
  return out;
}

std::string JoinNames(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) {
    absl::StrAppend(&out, out.empty() ? "" : ",", EscapeName(name));
    if (out.size() > kMaxNamesBytes) {
      out.resize(kMaxNamesBytes);
      return out + "...";
    }
  }
  return out;
}

void SetMetadata(abi::NetworkFilter* envoy, absl::string_view key,
                 absl::string_view value) {
  envoy_dynamic_module_callback_network_set_dynamic_metadata_string(
      envoy, Buffer(kMetadata), Buffer(key), Buffer(value));
}

// False: there is none. The view is dead after the next change.
bool GetFilterState(abi::NetworkFilter* envoy, absl::string_view key,
                    absl::string_view& value) {
  abi::EnvoyBuffer bytes{nullptr, 0};
  if (!envoy_dynamic_module_callback_network_get_filter_state_bytes(
          envoy, Buffer(key), &bytes)) {
    return false;
  }
  value = View(bytes);
  return true;
}

// Sets what is not there yet: a key can be set only once.
void SetFilterState(abi::NetworkFilter* envoy, absl::string_view key,
                    absl::string_view value) {
  absl::string_view present;
  if (value.empty() || GetFilterState(envoy, key, present)) return;
  envoy_dynamic_module_callback_network_set_filter_state_bytes(
      envoy, Buffer(key), Buffer(value));
}

// The client's own certificate; null when it is not known.
const pki::Certificate* ClientCertificateOf(const Decision& decision) {
  return decision.checked != nullptr ? decision.checked->leaf() : nullptr;
}

bool IsKnown(v1::ClientCertificate value) {
  return value == v1::CLIENT_CERTIFICATE_UNSPECIFIED || value == v1::REQUIRED ||
         value == v1::OPTIONAL;
}

bool IsKnown(v1::MutualTlsTcp::ProxyProtocol::Carrier value) {
  return value == v1::MutualTlsTcp::ProxyProtocol::CARRIER_UNSPECIFIED ||
         value == v1::MutualTlsTcp::ProxyProtocol::IN_STREAM ||
         value == v1::MutualTlsTcp::ProxyProtocol::FILTER_STATE;
}

}  // namespace

void Close(abi::NetworkFilter* envoy, absl::string_view why) {
  envoy_dynamic_module_callback_network_filter_close_with_details(
      envoy, abi::CloseType::kNoFlush, Buffer(why));
}

// Filter.

Filter::Filter(const v1::MutualTlsTcp& config,
               std::shared_ptr<DomainTrust> domain,
               absl::optional<absl::Duration> end_after)
    : domain_(std::move(domain)),
      judge_(domain_),
      certificate_is_optional_(config.client_certificate() == v1::OPTIONAL),
      finishes_(config.finish()),
      sends_certificate_(config.proxy_protocol().client_certificate()),
      writes_header_(config.has_proxy_protocol() &&
                     config.proxy_protocol().carrier() !=
                         v1::MutualTlsTcp::ProxyProtocol::FILTER_STATE),
      leaves_ssl_value_(config.has_proxy_protocol() && !writes_header_),
      end_after_(end_after) {}

absl::StatusOr<std::shared_ptr<const Filter>> Filter::Create(
    const v1::MutualTlsTcp& config, abi::NetworkFilterConfig* envoy_config) {
  const absl::StatusOr<std::string> domain = shim::ReadDomain(config.domain());
  if (!domain.ok()) return At("domain", domain.status().message());
  if (!IsKnown(config.client_certificate())) {
    return At("client_certificate",
              "is nothing that this version knows; REQUIRED or OPTIONAL");
  }
  if (!IsKnown(config.proxy_protocol().carrier())) {
    return At("proxy_protocol.carrier",
              "is nothing that this version knows; IN_STREAM or FILTER_STATE");
  }
  const auto end_after = ReadEndAfter(config);
  if (!end_after.ok()) return end_after.status();
  std::shared_ptr<Filter> filter(
      new Filter(config, DomainTrust::For(*domain), *end_after));
  if (config.has_allow()) {
    auto rule = cert_validator::ReadClientRule(config.allow(), "allow");
    if (!rule.ok()) return rule.status();
    filter->allow_ = *std::move(rule);
    filter->rule_names_.Add(config.allow());
  }
  SALLYPORT_RETURN_IF_ERROR(filter->DefineCounters(envoy_config));
  return std::shared_ptr<const Filter>(std::move(filter));
}

absl::Status Filter::DefineCounters(abi::NetworkFilterConfig* envoy_config) {
  const auto define = [&](absl::string_view name, size_t& id) {
    const std::string full = absl::StrCat(kCounters, ".", domain(), ".", name);
    const abi::MetricsResult result =
        envoy_dynamic_module_callback_network_filter_config_define_counter(
            envoy_config, Buffer(full), &id);
    if (result == abi::MetricsResult::kSuccess) return absl::OkStatus();
    return absl::InternalError(
        absl::StrCat("Envoy did not define the counter ", full, " (result ",
                     static_cast<uint32_t>(result), ")"));
  };
  SALLYPORT_RETURN_IF_ERROR(define("allowed.TRUSTED", allowed_trusted_));
  SALLYPORT_RETURN_IF_ERROR(
      define("allowed.NO_CERTIFICATE", allowed_no_certificate_));
  for (int i = 0; i < pki::kNumReasons; ++i) {
    const auto reason = static_cast<Reason>(i);
    if (reason == Reason::kTrusted) continue;
    SALLYPORT_RETURN_IF_ERROR(
        define(absl::StrCat("denied.", pki::ReasonName(reason)), denied_[i]));
  }
  SALLYPORT_RETURN_IF_ERROR(
      define(absl::StrCat("denied.", kInternalError), denied_internal_error_));
  SALLYPORT_RETURN_IF_ERROR(define("resumed", resumed_));
  SALLYPORT_RETURN_IF_ERROR(define("lost", lost_));
  return define("proxy_protocol_truncated", truncated_);
}

// Connection.

Connection::Connection(std::shared_ptr<const Filter> filter,
                       abi::NetworkFilter* envoy)
    : filter_(std::move(filter)), envoy_(envoy) {}

Connection::~Connection() {
  watch_.reset();
  if (scheduler_ != nullptr) {
    envoy_dynamic_module_callback_network_filter_scheduler_delete(scheduler_);
  }
}

abi::NetworkStatus Connection::OnNewConnection() {
  if (!envoy_dynamic_module_callback_network_filter_is_ssl(envoy_)) {
    Count(filter_->denied_[static_cast<int>(Reason::kConfigurationMissing)]);
    SetMetadata(envoy_, "reason",
                pki::ReasonName(Reason::kConfigurationMissing));
    SetMetadata(envoy_, "detail", "the listener does not terminate TLS");
    CloseWith("sallyport_denied{CONFIGURATION_MISSING}");
    return abi::NetworkStatus::kStopIteration;
  }
  // tcp_proxy without max_early_data_bytes switches reading off until its
  // upstream is there. The handshake would wait for ever, because the upstream
  // waits for the handshake.
  if (!envoy_dynamic_module_callback_network_filter_read_enabled(envoy_)) {
    reads_were_off_ = true;
    envoy_dynamic_module_callback_network_filter_read_disable(envoy_, false);
  }
  return abi::NetworkStatus::kStopIteration;
}

void Connection::OnEvent(abi::ConnectionEvent event, absl::Time now) {
  switch (event) {
    case abi::ConnectionEvent::kConnected:
      if (state_ == State::kWaiting) Begin(now);
      return;
    case abi::ConnectionEvent::kRemoteClose:
    case abi::ConnectionEvent::kLocalClose:
      state_ = State::kClosed;
      watch_.reset();
      return;
    case abi::ConnectionEvent::kConnectedZeroRtt:
      // Of QUIC, before the client has proved anything.
      return;
  }
}

abi::NetworkStatus Connection::OnRead(absl::Time now) {
  const bool is_open = state_ == State::kOpen || state_ == State::kEnding;
  if (is_open && watch_ != nullptr &&
      (filter_->domain_->changes() != seen_ || now < judged_at_ ||
       now >= recheck_at_)) {
    JudgeAgain(now);
  }
  return state_ == State::kOpen || state_ == State::kEnding
             ? abi::NetworkStatus::kContinue
             : abi::NetworkStatus::kStopIteration;
}

abi::NetworkStatus Connection::OnWrite() const {
  return state_ == State::kOpen || state_ == State::kEnding
             ? abi::NetworkStatus::kContinue
             : abi::NetworkStatus::kStopIteration;
}

void Connection::OnScheduled(absl::Time now) {
  if (watch_ != nullptr) JudgeAgain(now);
}

void Connection::Fail() {
  const bool was_waiting = state_ == State::kWaiting;
  const bool was_closed = state_ == State::kClosed;
  state_ = State::kClosed;
  watch_.reset();
  if (was_closed) return;
  if (was_waiting) Count(filter_->denied_internal_error_);
  Close(envoy_, absl::StrCat("sallyport_denied{", kInternalError, "}"));
}

void Connection::CloseWith(absl::string_view why) {
  state_ = State::kClosed;
  watch_.reset();
  Close(envoy_, why);
}

void Connection::Count(size_t id) const {
  envoy_dynamic_module_callback_network_filter_increment_counter(envoy_, id, 1);
}

void Connection::Log(absl::string_view what, const Judgement& judgement) const {
  if (!shim::LogEnabled(shim::LogLevel::kDebug)) return;
  const Decision& decision = judgement.decision;
  const pki::Certificate* const client = ClientCertificateOf(decision);
  shim::Log(
      shim::LogLevel::kDebug,
      absl::StrCat(
          "connection for ", filter_->domain(), ": ", what, ", ",
          pki::ReasonName(decision.reason), decision.detail.empty() ? "" : ", ",
          Printable(decision.detail), client != nullptr ? ", client \"" : "",
          client != nullptr ? Printable(client->Subject(), 256) : "",
          client != nullptr ? "\"" : ""));
}

Connection::Judgement Connection::JudgeWithoutRecord() const {
  Judgement judgement;
  Decision& decision = judgement.decision;
  if (filter_->domain_->current_id() == 0) {
    decision.detail = "no truststore is bound to the domain";
    return judgement;
  }
  bool presented = false;
  if (!envoy_dynamic_module_callback_network_filter_get_attribute_bool(
          envoy_, abi::Attribute::kConnectionMtls, &presented)) {
    decision.detail = "it is not known whether the client sent a certificate";
    return judgement;
  }
  if (presented) {
    judgement.resumed = true;
    decision.detail =
        "the session was resumed (or another validator checked it), so there "
        "is no verdict for this connection";
    return judgement;
  }
  decision.reason = Reason::kNoCertificate;
  decision.detail = "the client sent no certificate";
  // A rule is about a certificate: without one, none lets anybody in.
  judgement.allowed =
      filter_->certificate_is_optional_ && filter_->allow_ == nullptr;
  return judgement;
}

Connection::Judgement Connection::Judge(absl::Time now) const {
  absl::string_view record;
  if (!GetFilterState(envoy_, cert_validator::kConnectionKey, record)) {
    return JudgeWithoutRecord();
  }
  Judgement judgement;
  Decision& decision = judgement.decision;
  decision =
      cert_validator::Decide(*filter_->domain_, record, now, Need::kChain);
  if (decision.trusted() && filter_->allow_ != nullptr) {
    const pki::Certificate* const client = ClientCertificateOf(decision);
    const pki::RuleMatch match =
        client == nullptr
            ? pki::RuleMatch::kUnclear
            : filter_->allow_->Judge(*client, decision.checked->truststore_name,
                                     decision.checked->lists.get());
    if (match != pki::RuleMatch::kYes) {
      decision.reason = Reason::kNotAllowed;
      decision.detail = filter_->allow_->Refusal(match);
      filter_->rule_names_.WarnOfMissing(*filter_->domain_);
    }
  }
  judgement.allowed = decision.trusted();
  return judgement;
}

void Connection::Begin(absl::Time now) {
  seen_ = filter_->domain_->changes();
  const Judgement judgement = Judge(now);
  const Decision& decision = judgement.decision;
  Tell(judgement);
  Log(judgement.allowed ? "allowed" : "denied", judgement);
  if (!judgement.allowed) {
    Count(filter_->denied_[static_cast<int>(decision.reason)]);
    if (judgement.resumed) Count(filter_->resumed_);
    CloseWith(absl::StrCat("sallyport_denied{",
                           pki::ReasonName(decision.reason), "}"));
    return;
  }
  if (decision.trusted() && !filter_->finishes_) {
    scheduler_ =
        envoy_dynamic_module_callback_network_filter_scheduler_new(envoy_);
    if (scheduler_ == nullptr) {
      Fail();
      return;
    }
    Watch(decision, now);
  }
  state_ = State::kOpen;
  const absl::string_view problem = SendHeader(decision);
  if (!problem.empty()) {
    RefuseConfiguration(problem);
    return;
  }
  Count(decision.trusted() ? filter_->allowed_trusted_
                           : filter_->allowed_no_certificate_);
  if (state_ == State::kClosed) return;
  if (reads_were_off_) {
    envoy_dynamic_module_callback_network_filter_read_disable(envoy_, true);
  }
  envoy_dynamic_module_callback_network_filter_continue_reading(envoy_);
}

void Connection::Tell(const Judgement& judgement) {
  const Decision& decision = judgement.decision;
  const absl::string_view reason = pki::ReasonName(decision.reason);
  SetMetadata(envoy_, "reason", reason);
  const std::string detail =
      Printable(decision.detail, cert_validator::kMaxLeafText);
  if (!judgement.allowed || decision.warns()) {
    SetMetadata(envoy_, "detail", detail);
  }
  // The validator left these for a client with a certificate.
  SetFilterState(envoy_, cert_validator::kReasonKey, reason);
  SetFilterState(envoy_, cert_validator::kDetailKey, detail);
  if (decision.trusted() && decision.checked != nullptr) {
    SetMetadata(envoy_, "truststore", decision.checked->truststore);
  }
  const pki::Certificate* const client = ClientCertificateOf(decision);
  if (client == nullptr) return;
  SetMetadata(envoy_, "subject", decision.checked->subject);
  SetMetadata(envoy_, "issuer", decision.checked->issuer);
  SetMetadata(envoy_, "serial", decision.checked->serial);
  SetMetadata(envoy_, "fingerprint", decision.checked->fingerprint);
  const pki::SubjectAltNames names = client->AltNames();
  const std::string uri = JoinNames(names.uri);
  const std::string dns = JoinNames(names.dns);
  if (!uri.empty()) SetMetadata(envoy_, "uri", uri);
  if (!dns.empty()) SetMetadata(envoy_, "dns", dns);
  SetFilterState(envoy_, kUriKey, uri);
  SetFilterState(envoy_, kDnsKey, dns);
}

void Connection::RefuseConfiguration(absl::string_view problem) {
  const absl::string_view reason =
      pki::ReasonName(Reason::kConfigurationMissing);
  SetMetadata(envoy_, "reason", reason);
  SetMetadata(envoy_, "detail", problem);
  Count(filter_->denied_[static_cast<int>(Reason::kConfigurationMissing)]);
  if (!filter_->reported_misconfiguration_.exchange(true)) {
    shim::Log(shim::LogLevel::kError,
              absl::StrCat("connections for ", filter_->domain(),
                           " are refused: ", problem));
  }
  CloseWith(absl::StrCat("sallyport_denied{", reason, "}"));
}

bool Connection::ProxyHasBegun() const {
  abi::EnvoyBuffer id{nullptr, 0};
  return envoy_dynamic_module_callback_network_filter_get_attribute_string(
      envoy_, abi::Attribute::kRequestId, &id);
}

absl::string_view Connection::SendHeader(const Decision& decision) {
  if (!filter_->writes_header_ && !filter_->leaves_ssl_value_) return "";
  if (filter_->writes_header_ && reads_were_off_) {
    return "tcp_proxy would drop the PROXY protocol header; set its "
           "max_early_data_bytes";
  }
  if (filter_->writes_header_ && ProxyHasBegun()) {
    return "it cannot be seen whether the PROXY protocol header gets to "
           "tcp_proxy, because the connection has an id already; use the "
           "carrier FILTER_STATE";
  }
  SslInfo info;
  abi::EnvoyBuffer tls_version{nullptr, 0};
  if (envoy_dynamic_module_callback_network_filter_get_attribute_string(
          envoy_, abi::Attribute::kConnectionTlsVersion, &tls_version)) {
    info.tls_version = View(tls_version);
  }
  std::string common_name;
  if (const pki::Certificate* const client = ClientCertificateOf(decision)) {
    info.has_certificate = true;
    info.trusted = decision.trusted();
    common_name = client->CommonName();
    info.common_name = common_name;
    if (filter_->sends_certificate_) {
      info.certificate = client->der();
    }
  }
  const EncodedSsl ssl = EncodeSsl(info);
  if (ssl.truncated) Count(filter_->truncated_);
  if (filter_->leaves_ssl_value_) {
    SetFilterState(envoy_, kProxyProtocolSslKey, ssl.value);
    return "";
  }
  Endpoint client;
  Endpoint listener;
  abi::EnvoyBuffer address{nullptr, 0};
  if (envoy_dynamic_module_callback_network_filter_get_remote_address(
          envoy_, &address, &client.port)) {
    client.address = View(address);
  }
  abi::EnvoyBuffer local{nullptr, 0};
  if (envoy_dynamic_module_callback_network_filter_get_local_address(
          envoy_, &local, &listener.port)) {
    listener.address = View(local);
  }
  abi::EnvoyBuffer authority{nullptr, 0};
  if (!envoy_dynamic_module_callback_network_filter_get_requested_server_name(
          envoy_, &authority)) {
    authority = {nullptr, 0};
  }
  envoy_dynamic_module_callback_network_filter_inject_read_data(
      envoy_,
      Buffer(EncodeProxyHeader(client, listener, View(authority), ssl.value)),
      false);
  // A filter in between that stops at data has thrown the header away: the
  // client's first bytes would be in its place.
  if (state_ != State::kClosed && !ProxyHasBegun()) {
    return "a filter between sallyport.mtls_tcp and tcp_proxy holds data back, "
           "and with it the PROXY protocol header; put it before, or use the "
           "carrier FILTER_STATE";
  }
  return "";
}

void Connection::Watch(const Decision& decision, absl::Time now) {
  judged_at_ = now;
  recheck_at_ = std::min(decision.recheck_at, end_at_);
  watch_ = nullptr;
  abi::NetworkFilterScheduler* const scheduler = scheduler_;
  watch_ = std::make_unique<TrustWatch>(
      filter_->domain_, seen_, recheck_at_, [scheduler] {
        envoy_dynamic_module_callback_network_filter_scheduler_commit(
            scheduler, kLookAgain);
      });
}

void Connection::JudgeAgain(absl::Time now) {
  seen_ = filter_->domain_->changes();
  const Judgement judgement = Judge(now);
  const Decision& decision = judgement.decision;
  const absl::string_view reason = pki::ReasonName(decision.reason);
  if (judgement.allowed) {
    if (state_ == State::kEnding) {
      state_ = State::kOpen;
      end_at_ = absl::InfiniteFuture();
      SetMetadata(envoy_, "reason", reason);
      SetMetadata(envoy_, "detail", "");
      Log("trusted again", judgement);
    }
  } else {
    SetMetadata(envoy_, "reason", reason);
    SetMetadata(envoy_, "detail",
                Printable(decision.detail, cert_validator::kMaxLeafText));
    if (state_ == State::kOpen) {
      state_ = State::kEnding;
      end_at_ = now + filter_->end_after_.value_or(absl::ZeroDuration());
      Count(filter_->lost_);
      Log("trust lost", judgement);
    }
    if (now >= end_at_) {
      CloseWith(absl::StrCat("sallyport_trust_lost{", reason, "}"));
      return;
    }
  }
  Watch(decision, now);
}

}  // namespace sallyport::mtls_tcp
