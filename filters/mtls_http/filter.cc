#include "filters/mtls_http/filter.h"

#include <atomic>
#include <optional>
#include <tuple>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/types/span.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "filters/cert_validator/connection_record.h"
#include "filters/cert_validator/read_client_rule.h"
#include "filters/cert_validator/recent_map.h"
#include "filters/cert_validator/request_record.h"
#include "filters/forwarding/append_xfcc.h"
#include "filters/mtls_http/stream_access.h"
#include "filters/shim/buffers.h"
#include "filters/shim/domain.h"
#include "filters/shim/log.h"
#include "google/protobuf/util/message_differencer.h"

namespace sallyport::mtls_http {
namespace {

namespace v1 = ::sallyport::filter::v1;
using cert_validator::CheckedChain;
using cert_validator::Decision;
using cert_validator::DomainTrust;
using cert_validator::Need;
using cert_validator::RequestRecordReader;
using forwarding::Claim;
using pki::Reason;
using shim::Buffer;
using shim::View;

constexpr absl::string_view kXfcc = "x-forwarded-client-cert";
constexpr absl::string_view kInternalError = "INTERNAL_ERROR";
constexpr absl::string_view kTrustLost = "trust_lost";
constexpr absl::string_view kAllowed = "allowed";
// A route's rule in what the operator reads.
constexpr absl::string_view kOfRoute = "the route's ";
constexpr absl::string_view kRouteAllow = "the route's allow";
constexpr absl::string_view kDoubtful =
    "; the path is written in an unusual way, so every rule of paths counts";

// Encoded headers, and answers of client rules, that each thread remembers.
constexpr size_t kMaxRememberedForwarded = 512;
constexpr size_t kMaxRememberedForwardedBytes = size_t{16} << 20;
constexpr size_t kMaxRememberedRules = 2048;
constexpr size_t kMaxRememberedRulesBytes = size_t{8} << 20;

std::atomic<uint64_t> next_id{1};

void SetMetadata(abi::HttpFilter* stream, absl::string_view key,
                 absl::string_view value) {
  envoy_dynamic_module_callback_http_set_dynamic_metadata_string(
      stream, Buffer(kMetadata), Buffer(key), Buffer(value));
}

absl::Status CheckClientCertificate(v1::ClientCertificate value) {
  switch (value) {
    case v1::CLIENT_CERTIFICATE_UNSPECIFIED:
    case v1::REQUIRED:
    case v1::OPTIONAL:
      return absl::OkStatus();
    default:
      return absl::InvalidArgumentError(
          "client_certificate: is nothing that this version knows; REQUIRED or "
          "OPTIONAL");
  }
}

absl::StatusOr<std::unique_ptr<const ForwardingPlan>> ReadForwarding(
    const v1::Forwarding& config) {
  SALLYPORT_RETURN_IF_ERROR(forwarding::ValidateForwarding(config));
  auto plan = std::make_unique<ForwardingPlan>();
  plan->config = config;
  plan->id = next_id.fetch_add(1);
  plan->forwards = forwarding::ForwardsAnything(config);
  if (config.has_trusted_proxy()) {
    SALLYPORT_ASSIGN_OR_RETURN(
        plan->trusted_proxy,
        cert_validator::ReadClientRule(config.trusted_proxy(),
                                       "forwarding.trusted_proxy"));
    if (!config.has_xfcc()) {
      return absl::InvalidArgumentError(
          "forwarding.trusted_proxy: needs forwarding.xfcc, to which the "
          "proxy's own x-forwarded-client-cert is joined");
    }
  }
  forwarding::Client client;
  client.verdict = Reason::kNoCertificate;
  plan->without_certificate = forwarding::Encode(config, client);
  client.passed_on = true;
  plan->without_certificate_passed_on = forwarding::Encode(config, client);
  return std::unique_ptr<const ForwardingPlan>(std::move(plan));
}

// By which backends and frameworks let a request say another path than its own.
constexpr absl::string_view kPathHeaders[] = {
    "x-original-url",   "x-original-uri",  "x-original-path",
    "x-rewrite-url",    "x-rewrite-uri",   "x-envoy-original-path",
    "x-forwarded-path", "x-forwarded-uri", "x-forwarded-prefix",
    "x-script-name"};

// `by_path`: what is asked depends on the path.
forwarding::HeaderFilter ReadClaims(const v1::Forwarding& config,
                                    bool by_path) {
  std::vector<std::string> names(config.remove_headers().begin(),
                                 config.remove_headers().end());
  if (by_path) {
    for (const absl::string_view name : kPathHeaders) names.emplace_back(name);
  }
  return forwarding::HeaderFilter(names);
}

const RouteFilter* RouteOf(abi::HttpFilter* stream) {
  return static_cast<const RouteFilter*>(
      shim::RouteConfigOf(stream, kFilterName));
}

std::string FilterState(abi::HttpFilter* stream, absl::string_view key) {
  abi::EnvoyBuffer value{nullptr, 0};
  if (!envoy_dynamic_module_callback_http_get_filter_state_bytes(
          stream, Buffer(key), &value)) {
    return "";
  }
  return std::string(View(value));
}

// What is remembered by rule and chain. The chain is held, so that no other one
// can have its address while the entry lives.
struct RuleAnswer {
  std::shared_ptr<const CheckedChain> checked;
  pki::RuleMatch match = pki::RuleMatch::kUnclear;
};

pki::RuleMatch Judge(const pki::ClientRule& rule,
                     const std::shared_ptr<const CheckedChain>& checked) {
  if (checked == nullptr || checked->leaf() == nullptr) {
    return pki::RuleMatch::kUnclear;
  }
  // By content, since the address of a rule may be another one's later.
  using Key = std::tuple<pki::Sha256Digest, const CheckedChain*>;
  static thread_local cert_validator::RecentMap<Key, RuleAnswer> memory(
      kMaxRememberedRules, kMaxRememberedRulesBytes);
  const Key key{rule.digest(), checked.get()};
  if (const auto found = memory.Find(key)) return found->match;
  auto answer = std::make_shared<RuleAnswer>();
  answer->checked = checked;
  answer->match = rule.Judge(*checked->leaf(), checked->truststore_name,
                             checked->lists.get());
  size_t bytes = 1024;
  for (const auto& certificate : checked->sent) {
    bytes += 4 * certificate->der().size();
  }
  memory.Put(key, answer, bytes);
  return answer->match;
}

}  // namespace

struct Filter::Encoded {
  std::shared_ptr<const CheckedChain> checked;
  forwarding::Forwarded forwarded;
};

absl::StatusOr<std::unique_ptr<RouteFilter>> RouteFilter::Create(
    const v1::MutualTlsRoute& config) {
  std::unique_ptr<RouteFilter> route(new RouteFilter);
  SALLYPORT_RETURN_IF_ERROR(
      CheckClientCertificate(config.client_certificate()));
  route->client_certificate_ = config.client_certificate();
  if (config.has_allow()) {
    auto allow = cert_validator::ReadClientRule(config.allow(), kRouteAllow);
    if (!allow.ok()) {
      // In the route's own configuration it is just `allow`.
      absl::string_view message = allow.status().message();
      absl::ConsumePrefix(&message, kOfRoute);
      return absl::Status(allow.status().code(), message);
    }
    route->allow_ = *std::move(allow);
    route->names_.Add(config.allow());
  }
  if (config.has_forwarding()) {
    SALLYPORT_ASSIGN_OR_RETURN(route->forwarding_,
                               ReadForwarding(config.forwarding()));
  }
  const bool by_path =
      config.has_allow() || config.client_certificate() == v1::REQUIRED;
  if (config.has_forwarding() || by_path) {
    route->claims_ = std::make_unique<const forwarding::HeaderFilter>(
        ReadClaims(config.forwarding(), by_path));
  }
  return route;
}

absl::StatusOr<std::unique_ptr<RouteFilter>> RouteFilter::Withdrawn(
    absl::string_view domain) {
  const absl::StatusOr<std::string> read = shim::ReadDomain(domain);
  if (!read.ok()) {
    return absl::Status(read.status().code(),
                        absl::StrCat("domain: ", read.status().message()));
  }
  std::unique_ptr<RouteFilter> route(new RouteFilter);
  route->withdrawal_ =
      std::make_unique<const cert_validator::Withdrawal>(*read);
  return route;
}

Filter::Filter(const v1::MutualTls& config, std::shared_ptr<DomainTrust> domain)
    : domain_(std::move(domain)),
      claims_(ReadClaims(config.forwarding(), !config.paths().empty())) {}

absl::StatusOr<std::shared_ptr<const Filter>> Filter::Create(
    const v1::MutualTls& config, abi::HttpFilterConfig* envoy_config) {
  const absl::StatusOr<std::string> domain = shim::ReadDomain(config.domain());
  if (!domain.ok()) {
    return absl::Status(domain.status().code(),
                        absl::StrCat("domain: ", domain.status().message()));
  }
  SALLYPORT_RETURN_IF_ERROR(
      forwarding::ValidateForwarding(config.forwarding()));
  std::shared_ptr<Filter> filter(new Filter(config, DomainTrust::For(*domain)));
  SALLYPORT_RETURN_IF_ERROR(filter->Read(config));
  SALLYPORT_RETURN_IF_ERROR(filter->DefineCounters(envoy_config));
  filter->GatherCounts(envoy_config);
  if (filter->certificate_asked_ && filter->rejection_ != v1::HANDSHAKE) {
    filter->other_style_ =
        std::make_unique<cert_validator::RefusedHandshakes::OtherStyle>(
            cert_validator::RefusedHandshakes::For(filter->domain()));
  }
  if (filter->certificate_asked_) {
    filter->judge_ =
        std::make_unique<const DomainTrust::Judge>(filter->domain_);
  }
  return std::shared_ptr<const Filter>(std::move(filter));
}

absl::Status Filter::ReadNotAsked(const v1::MutualTls& config) {
  v1::MutualTls allowed;
  allowed.set_domain(config.domain());
  allowed.set_client_certificate(v1::NOT_ASKED);
  *allowed.mutable_forwarding()->mutable_remove_headers() =
      config.forwarding().remove_headers();
  v1::MutualTls given = config;
  given.mutable_forwarding();
  if (!google::protobuf::util::MessageDifferencer::Equals(given, allowed)) {
    return absl::InvalidArgumentError(
        "client_certificate: NOT_ASKED goes with domain and "
        "forwarding.remove_headers only; leave out the rest");
  }
  certificate_asked_ = false;
  return absl::OkStatus();
}

absl::Status Filter::Read(const v1::MutualTls& config) {
  if (config.client_certificate() == v1::NOT_ASKED) {
    SALLYPORT_RETURN_IF_ERROR(ReadNotAsked(config));
  } else {
    SALLYPORT_RETURN_IF_ERROR(
        CheckClientCertificate(config.client_certificate()));
  }
  certificate_required_ =
      certificate_asked_ && config.client_certificate() != v1::OPTIONAL;
  switch (config.rejection()) {
    case v1::REJECTION_STYLE_UNSPECIFIED:
      rejection_ = v1::FORBIDDEN;
      break;
    case v1::FORBIDDEN:
    case v1::HANDSHAKE:
    case v1::BAD_REQUEST:
    case v1::PASS:
      rejection_ = config.rejection();
      break;
    default:
      return absl::InvalidArgumentError(
          "rejection: is nothing that this version knows; FORBIDDEN, "
          "HANDSHAKE, BAD_REQUEST or PASS");
  }
  if (config.has_bad_request() && rejection_ != v1::BAD_REQUEST) {
    return absl::InvalidArgumentError(
        "bad_request: counts only with rejection: BAD_REQUEST");
  }
  SALLYPORT_ASSIGN_OR_RETURN(bad_request_,
                             BadRequestAnswer::Create(config.bad_request()));
  if (config.has_allow()) {
    SALLYPORT_ASSIGN_OR_RETURN(
        allow_, cert_validator::ReadClientRule(config.allow(), "allow"));
  }
  SALLYPORT_ASSIGN_OR_RETURN(paths_,
                             PathRules::Create(config.paths(), "paths"));
  names_.Add(config.allow());
  names_.Add(config.forwarding().trusted_proxy());
  for (const v1::PathRule& path : config.paths()) names_.Add(path.allow());
  SALLYPORT_ASSIGN_OR_RETURN(forwarding_, ReadForwarding(config.forwarding()));
  if (config.has_end_streams_after()) {
    const absl::Duration after =
        absl::Seconds(config.end_streams_after().seconds()) +
        absl::Nanoseconds(config.end_streams_after().nanos());
    if (after < absl::ZeroDuration() || after > cert_validator::kMaxEndAfter) {
      return absl::InvalidArgumentError(absl::StrCat(
          "end_streams_after: is ", absl::FormatDuration(after),
          "; from 0s to ", absl::ToInt64Seconds(cert_validator::kMaxEndAfter),
          "s"));
    }
    end_streams_after_ = after;
  }
  strict_handshake_ = config.strict_handshake();
  return absl::OkStatus();
}

absl::Status Filter::DefineCounters(abi::HttpFilterConfig* envoy_config) {
  SALLYPORT_RETURN_IF_ERROR(shim::DefineCounter(envoy_config, kDecisions,
                                                {"domain", "verdict", "reason"},
                                                decisions_id_));
  SALLYPORT_RETURN_IF_ERROR(shim::DefineCounter(envoy_config, kMisdirected,
                                                {"domain"}, misdirected_id_));
  SALLYPORT_RETURN_IF_ERROR(shim::DefineCounter(
      envoy_config, kForwardingTruncated, {"domain"}, truncated_id_));
  SALLYPORT_RETURN_IF_ERROR(shim::DefineCounter(
      envoy_config, kInboundXfccRefused, {"domain"}, inbound_refused_id_));
  SALLYPORT_RETURN_IF_ERROR(
      shim::DefineCounter(envoy_config, kResumed, {"domain"}, resumed_id_));
  SALLYPORT_RETURN_IF_ERROR(
      shim::DefineCounter(envoy_config, kShadowDifferences,
                          {"domain", "active", "shadow"}, shadow_id_));
  SALLYPORT_RETURN_IF_ERROR(shim::DefineCounter(
      envoy_config, kStreamsEnded, {"domain", "reason"}, ended_id_));
  SALLYPORT_RETURN_IF_ERROR(shim::DefineCounter(
      envoy_config, kUsageWarnings, {"domain"}, usage_warnings_id_));
  SALLYPORT_RETURN_IF_ERROR(shim::DefineCounter(
      envoy_config, kUpdatesRefused, {"file", "why"}, updates_refused_id_));
  return shim::DefineCounter(envoy_config, kHandshakesRefused,
                             {"domain", "reason"}, handshakes_refused_id_);
}

void Filter::GatherCounts(abi::HttpFilterConfig* envoy_config) {
  envoy_config_ = envoy_config;
  std::shared_ptr<abi::HttpFilterConfigScheduler> scheduler(
      envoy_dynamic_module_callback_http_filter_config_scheduler_new(
          envoy_config),
      envoy_dynamic_module_callback_http_filter_config_scheduler_delete);
  if (scheduler == nullptr) return;
  wake_ =
      std::make_unique<shim::DelayedWake>([scheduler = std::move(scheduler)] {
        envoy_dynamic_module_callback_http_filter_config_scheduler_commit(
            scheduler.get(), 0);
      });
  refused_updates_ = std::make_unique<cert_validator::RefusedUpdates::Counter>(
      [this] { wake_->Ring(); });
  if (rejection_ != v1::HANDSHAKE) return;
  refused_handshakes_ =
      std::make_unique<cert_validator::RefusedHandshakes::Counter>(
          cert_validator::RefusedHandshakes::For(domain()),
          [this] { wake_->Ring(); });
}

void Filter::CountGathered() const {
  const auto count = [this](size_t id,
                            absl::Span<const absl::string_view> labels,
                            uint64_t number) {
    auto values = LabelValues(labels);
    envoy_dynamic_module_callback_http_filter_config_increment_counter(
        envoy_config_, id, values.data(), values.size(), number);
  };
  if (const uint64_t allowed = allowed_.exchange(0); allowed > 0) {
    count(decisions_id_,
          {domain(), kAllowed, pki::ReasonName(Reason::kTrusted)}, allowed);
  }
  if (const uint64_t warned = usage_warnings_.exchange(0); warned > 0) {
    count(usage_warnings_id_, {domain()}, warned);
  }
  if (refused_updates_ != nullptr) {
    for (const auto& [update, number] : refused_updates_->Take()) {
      count(updates_refused_id_, {update.file, update.why}, number);
    }
  }
  if (refused_handshakes_ == nullptr) return;
  for (const auto& [reason, number] : refused_handshakes_->refused().Take()) {
    count(handshakes_refused_id_, {domain(), pki::ReasonName(reason)}, number);
  }
}

namespace {
constexpr absl::string_view kAuthority = ":authority";
constexpr absl::string_view kConnection = "connection";
// A domain name has at most 253 characters.
constexpr size_t kMaxToldHost = 260;
// Envoy sets it when it sends a request again.
constexpr absl::string_view kOriginalUrl = "x-envoy-original-url";
// Routes, one after the other, that removed headers lead to. More is a
// configuration that nobody has.
constexpr int kMaxRoutesOfARequest = 8;

// Whether the client may speak for others.
bool IsTrustedProxy(const ForwardingPlan& plan,
                    const Filter::Identity& identity) {
  return plan.trusted_proxy != nullptr && identity.decision.trusted() &&
         Judge(*plan.trusted_proxy, identity.decision.checked) ==
             pki::RuleMatch::kYes;
}
}  // namespace

Claim Filter::ClaimOf(absl::string_view name, const RouteFilter* route) const {
  const Claim claim = claims_.ClaimOf(name);
  if (claim == Claim::kIdentity || route == nullptr ||
      route->claims_ == nullptr) {
    return claim;
  }
  const Claim of_route = route->claims_->ClaimOf(name);
  return of_route == Claim::kNone ? claim : of_route;
}

const ForwardingPlan& Filter::PlanOf(const RouteFilter* route) const {
  return route != nullptr && route->forwarding_ != nullptr ? *route->forwarding_
                                                           : *forwarding_;
}

bool Filter::RemoveClaims(abi::HttpFilter* stream, abi::HeaderMap map,
                          const RouteFilter* route, const Identity* identity,
                          bool* removed, Inbound* inbound) const {
  *removed = false;
  const size_t size =
      envoy_dynamic_module_callback_http_get_headers_size(stream, map);
  if (size == 0) return true;
  absl::InlinedVector<abi::EnvoyHeader, 32> headers(size);
  if (!envoy_dynamic_module_callback_http_get_headers(stream, map,
                                                      headers.data())) {
    return false;
  }
  if (inbound != nullptr) ReadInbound(headers, *inbound);
  // Judged once, however many headers name a Host; most requests have none.
  std::optional<bool> may_name_host;
  // Removing one makes the views of the others unsafe: copy the names first.
  absl::InlinedVector<std::string, 4> names;
  bool nominates = false;
  for (const abi::EnvoyHeader& header : headers) {
    const absl::string_view name(header.key_ptr, header.key_length);
    // Of requests it goes last (CleanRequest()).
    if (name == kXfcc && map == abi::HeaderMap::kRequest) continue;
    const Claim claim = ClaimOf(name, route);
    if (claim == Claim::kHost && !may_name_host.has_value()) {
      may_name_host =
          identity != nullptr && IsTrustedProxy(PlanOf(route), *identity);
    }
    if (claim == Claim::kIdentity ||
        (claim == Claim::kHost && !*may_name_host)) {
      names.emplace_back(name);
    }
    // Envoy has made all names lower case.
    nominates = nominates || name == kConnection;
  }
  for (const std::string& name : names) {
    if (!envoy_dynamic_module_callback_http_set_header(
            stream, map, Buffer(name), shim::kRemove)) {
      return false;
    }
    *removed = true;
  }
  return map != abi::HeaderMap::kRequest || !nominates ||
         RemoveNominations(stream, route);
}

bool Filter::CleanRequest(abi::HttpFilter* stream, const RouteFilter*& route,
                          const Identity& identity, Inbound& inbound) const {
  bool removed = true;
  for (int i = 0; i < kMaxRoutesOfARequest && removed; ++i) {
    if (!RemoveClaims(stream, abi::HeaderMap::kRequest, route, &identity,
                      &removed, i == 0 ? &inbound : nullptr)) {
      return false;
    }
    if (removed) {
      envoy_dynamic_module_callback_http_clear_route_cache(stream);
      route = RouteOf(stream);
    }
  }
  if (removed) return false;
  // Envoy's own, unless the connection manager is told to forward the client's:
  // a route may have been chosen by it, and that is not undone.
  return !inbound.has_xfcc ||
         envoy_dynamic_module_callback_http_set_header(
             stream, abi::HeaderMap::kRequest, Buffer(kXfcc), shim::kRemove);
}

// Envoy lets `connection` through when the request asks for an upgrade, and
// the next hop removes every header that it names (RFC 9110, 7.6.1): ours too,
// if the client names them.
bool Filter::RemoveNominations(abi::HttpFilter* stream,
                               const RouteFilter* route) const {
  std::vector<std::string> kept;
  bool changed = false;
  abi::EnvoyBuffer value{nullptr, 0};
  size_t count = 0;
  for (size_t i = 0; envoy_dynamic_module_callback_http_get_header(
           stream, abi::HeaderMap::kRequest, Buffer(kConnection), &value, i,
           &count);
       ++i) {
    for (const absl::string_view token : absl::StrSplit(View(value), ',')) {
      const absl::string_view name = absl::StripAsciiWhitespace(token);
      if (ClaimOf(name, route) != Claim::kNone) {
        changed = true;
      } else if (!name.empty()) {
        kept.emplace_back(name);
      }
    }
  }
  if (!changed) return true;
  const std::string rest = absl::StrJoin(kept, ", ");
  return envoy_dynamic_module_callback_http_set_header(
      stream, abi::HeaderMap::kRequest, Buffer(kConnection),
      kept.empty() ? shim::kRemove : Buffer(rest));
}

bool Filter::ServesHost(absl::string_view authority) const {
  if (!shim::DomainCovers(domain(), authority)) return false;
  // A domain of its own, with a trust of its own, is more specific than a
  // wildcard: its requests do not come in by ours.
  return domain().front() != '*' ||
         !DomainTrust::IsServed(shim::HostOf(authority)) ||
         cert_validator::Withdrawal::Is(shim::HostOf(authority));
}

std::string Filter::MisdirectedBy(absl::string_view authority,
                                  bool is_withdrawn) const {
  if (is_withdrawn) return absl::StrCat(domain(), " is not served any more");
  const std::string host =
      absl::StrCat("Host \"", Printable(authority, kMaxToldHost), "\"");
  if (!shim::DomainCovers(domain(), authority)) {
    return absl::StrCat(host, " is not ", domain());
  }
  return absl::StrCat(
      host, " has a configuration of its own, and came by that of ", domain());
}

Filter::Identity Filter::IdentifyWithoutRecord(abi::HttpFilter* stream,
                                               absl::Time now,
                                               const RouteFilter* route) const {
  Identity identity;
  Decision& decision = identity.decision;
  if (domain_->current_id() == 0) {
    decision.detail = "no truststore is bound to the domain";
    return identity;
  }
  bool presented = false;
  if (!envoy_dynamic_module_callback_http_filter_get_attribute_bool(
          stream, abi::Attribute::kConnectionMtls, &presented)) {
    decision.detail = "it is not known whether the client sent a certificate";
    return identity;
  }
  if (!presented) {
    identity.without_certificate = true;
    decision.reason = Reason::kNoCertificate;
    decision.detail = "the client sent no certificate";
    return identity;
  }
  // A resumed session, or another validator than ours: judged as a full
  // handshake would be.
  Count(stream, resumed_id_, {domain()});
  if (strict_handshake_) {
    decision.detail = "the session was resumed, which strict_handshake forbids";
    return identity;
  }
  auto resumed = ReadResumed(stream);
  if (!resumed.ok()) {
    decision.detail = absl::StrCat(
        "the session was resumed (or another validator checked "
        "it), and ",
        resumed.status().message());
    return identity;
  }
  identity.resumed = *std::move(resumed);
  decision = DecideChain(*domain_, identity.resumed->chain.certificates(),
                         identity.resumed->digest, now, NeedOn(route));
  return identity;
}

Filter::Identity Filter::Identify(abi::HttpFilter* stream, absl::Time now,
                                  const RouteFilter* route) const {
  if (!certificate_asked_) {
    Identity nobody;
    // Without TLS there is no such attribute.
    bool presented = false;
    if (envoy_dynamic_module_callback_http_filter_get_attribute_bool(
            stream, abi::Attribute::kConnectionMtls, &presented) &&
        presented) {
      // A validator lets strangers through TLS for a filter to refuse them.
      nobody.decision.detail =
          "client_certificate is NOT_ASKED, but the client was asked for a "
          "certificate; take the validator out of the filter chain, or say "
          "REQUIRED or OPTIONAL";
      return nobody;
    }
    nobody.without_certificate = true;
    nobody.decision.reason = Reason::kNoCertificate;
    nobody.decision.detail = "no certificate is asked for";
    return nobody;
  }
  abi::EnvoyBuffer bytes{nullptr, 0};
  if (!envoy_dynamic_module_callback_http_get_filter_state_bytes(
          stream, Buffer(cert_validator::kConnectionKey), &bytes)) {
    return IdentifyWithoutRecord(stream, now, route);
  }
  Identity identity;
  identity.decision = Decide(*domain_, View(bytes), now, NeedOn(route));
  return identity;
}

Need Filter::NeedOn(const RouteFilter* route) const {
  if (rejection_ == v1::PASS) return Need::kChain;
  return RequestRecordReader::Any() || PlanOf(route).forwards ||
                 allow_ != nullptr || !paths_->empty() ||
                 (route != nullptr && route->allow_ != nullptr)
             ? Need::kTrustedChain
             : Need::kVerdict;
}

Filter::Requirement Filter::RequirementFor(abi::HttpFilter* stream,
                                           const RouteFilter* route) const {
  Requirement requirement;
  requirement.forwarding = &PlanOf(route);
  v1::ClientCertificate certificate =
      certificate_required_ ? v1::REQUIRED : v1::OPTIONAL;
  bool path_requires = false;
  auto& rules = requirement.rules.all;
  if (allow_ != nullptr) rules.push_back(allow_.get());
  if (!paths_->empty()) {
    const PathRequirement path = paths_->For(GetHeader(stream, ":path"));
    if (path.client_certificate != v1::CLIENT_CERTIFICATE_UNSPECIFIED) {
      certificate = path.client_certificate;
    }
    path_requires = path.client_certificate == v1::REQUIRED;
    if (path_requires) requirement.certificate_by = "a rule of paths needs one";
    requirement.doubtful = path.doubtful;
    rules.insert(rules.end(), path.rules.begin(), path.rules.end());
  }
  if (route != nullptr) {
    // A route is chosen by one reading of the path: it does not waive what a
    // path rule requires at another.
    if (route->client_certificate_ != v1::CLIENT_CERTIFICATE_UNSPECIFIED &&
        !path_requires) {
      certificate = route->client_certificate_;
      if (certificate == v1::REQUIRED) {
        requirement.certificate_by = "the route needs one";
      }
    }
    if (route->allow_ != nullptr) {
      rules.push_back(route->allow_.get());
      requirement.rules.of_route = route->allow_;
    }
  }
  // A rule is about a certificate: without one, none lets anybody in.
  requirement.certificate = certificate != v1::OPTIONAL || !rules.empty();
  return requirement;
}

std::string Filter::RefusalOf(
    const Rules& rules,
    const std::shared_ptr<const CheckedChain>& checked) const {
  for (const pki::ClientRule* rule : rules.all) {
    const pki::RuleMatch match = Judge(*rule, checked);
    if (match != pki::RuleMatch::kYes) return rule->Refusal(match);
  }
  return "";
}

void Filter::Tell(abi::HttpFilter* stream, const Identity& identity,
                  Reason reason, absl::string_view verdict) const {
  const absl::string_view name = pki::ReasonName(reason);
  const Decision& decision = identity.decision;
  const CheckedChain* checked = decision.checked.get();
  const bool allowed = reason == Reason::kTrusted;
  if (decision.shadow.has_value() &&
      (*decision.shadow == Reason::kTrusted) != decision.trusted()) {
    Count(stream, shadow_id_,
          {domain(), pki::ReasonName(decision.reason),
           pki::ReasonName(*decision.shadow)});
  }
  if (allowed && wake_ != nullptr) {
    allowed_.fetch_add(1);
    wake_->Ring();
  } else {
    Count(stream, decisions_id_, {domain(), verdict, name});
  }
  if (allowed && decision.warns()) {
    if (wake_ != nullptr) {
      usage_warnings_.fetch_add(1);
      wake_->Ring();
    } else {
      Count(stream, usage_warnings_id_, {domain()});
    }
  }
  if (!decision.detail.empty()) {
    SetMetadata(stream, "detail", Printable(decision.detail));
  }
  if (allowed && identity.resumed == nullptr && !decision.trust_changed) {
    // The filter state says the rest.
    return;
  }
  SetMetadata(stream, "reason", name);
  if (allowed && identity.resumed == nullptr) {
    // What the handshake left in the filter state is out of date then.
    if (checked != nullptr) {
      SetMetadata(stream, "truststore", checked->truststore);
    }
    return;
  }
  if (checked == nullptr && !decision.as_in_handshake) return;
  if (decision.depth >= 0) {
    SetMetadata(stream, "depth", absl::StrCat(decision.depth));
  }
  if (checked == nullptr) {
    for (const auto& [key, state] :
         {std::pair<absl::string_view, absl::string_view>{
              "truststore", cert_validator::kTruststoreKey},
          {"subject", cert_validator::kSubjectKey},
          {"issuer", cert_validator::kIssuerKey},
          {"serial", cert_validator::kSerialKey},
          {"fingerprint", cert_validator::kFingerprintKey}}) {
      const std::string value = FilterState(stream, state);
      if (!value.empty()) SetMetadata(stream, key, value);
    }
    return;
  }
  for (const auto& [key, value] :
       {std::pair<absl::string_view, absl::string_view>{"truststore",
                                                        checked->truststore},
        {"subject", checked->subject},
        {"issuer", checked->issuer},
        {"serial", checked->serial},
        {"fingerprint", checked->fingerprint}}) {
    if (!value.empty()) SetMetadata(stream, key, value);
  }
}

void Filter::WarnOfStyle() const {
  if (warned_of_style_.exchange(true)) return;
  shim::Log(
      shim::LogLevel::kWarning,
      absl::StrCat("domain ", domain(),
                   ": rejection is HANDSHAKE in the filter, but the validator "
                   "let the handshake of a client go on that is not trusted; "
                   "its connection is closed instead. ",
                   cert_validator::kBothStyles));
}

void Filter::Reject(abi::HttpFilter* stream, Reason reason,
                    bool by_requirement) const {
  const absl::string_view name = pki::ReasonName(reason);
  // The same in every style.
  if (reason == Reason::kConfigurationMissing ||
      reason == Reason::kNotAllowed) {
    AnswerForbidden(stream, name);
    return;
  }
  switch (rejection_) {
    case v1::BAD_REQUEST:
      bad_request_->Send(stream, name);
      return;
    case v1::HANDSHAKE:
      // The handshake was in order; only this request is not.
      if (by_requirement) break;
      envoy_dynamic_module_callback_http_filter_send_go_away_and_close(stream,
                                                                       false);
      return;
    default:
      break;
  }
  AnswerForbidden(stream, name);
}

Filter::Result Filter::OnRequestHeaders(abi::HttpFilter* stream,
                                        absl::Time now) const {
  Result result;
  const RouteFilter* route = RouteOf(stream);
  // Before headers are removed: it may read Envoy's x-forwarded-client-cert.
  result.identity = Identify(stream, now, route);
  Inbound inbound;
  if (!CleanRequest(stream, route, result.identity, inbound)) {
    shim::Log(shim::LogLevel::kError,
              absl::StrCat("request for ", domain(),
                           ": refused, its headers cannot be read"));
    AnswerForbidden(stream, kInternalError);
    return result;
  }
  if (result.identity.decision.as_in_handshake &&
      result.identity.decision.trusted() && NeedOn(route) != Need::kVerdict) {
    // Another route than the one that it was decided for.
    result.identity = Identify(stream, now, route);
  }
  const Decision& decision = result.identity.decision;
  const bool is_withdrawn = route != nullptr && route->withdrawal_ != nullptr;
  if (!inbound.is_for_domain || is_withdrawn) {
    const std::string detail =
        MisdirectedBy(GetHeader(stream, kAuthority), is_withdrawn);
    if (shim::LogEnabled(shim::LogLevel::kDebug)) {
      shim::Log(
          shim::LogLevel::kDebug,
          absl::StrCat("request for ", domain(), ": misdirected, ", detail));
    }
    SetMetadata(stream, "detail", detail);
    Count(stream, misdirected_id_, {domain()});
    AnswerMisdirected(stream);
    return result;
  }

  // Not for those who are refused whatever the path: reading it costs more than
  // their request.
  Requirement requirement;
  if (decision.trusted() || result.identity.without_certificate ||
      rejection_ == v1::PASS) {
    requirement = RequirementFor(stream, route);
  }
  Reason reason = decision.reason;
  bool goes_on = decision.trusted();
  bool passed_on = false;
  // Only a path, a route or a rule stands in the way.
  bool by_requirement = false;
  if (decision.trusted()) {
    std::string refusal = RefusalOf(requirement.rules, decision.checked);
    if (!refusal.empty()) {
      goes_on = false;
      reason = Reason::kNotAllowed;
      if (requirement.doubtful) absl::StrAppend(&refusal, kDoubtful);
      result.identity.decision.detail = std::move(refusal);
      names_.WarnOfMissing(*domain_);
      if (route != nullptr) route->names_.WarnOfMissing(*domain_);
    }
  } else if (result.identity.without_certificate && !requirement.certificate) {
    goes_on = true;
  } else if (rejection_ == v1::PASS &&
             reason != Reason::kConfigurationMissing) {
    // A rule lets only trusted clients in.
    passed_on = goes_on = requirement.rules.all.empty();
    by_requirement = !goes_on;
  } else {
    by_requirement =
        result.identity.without_certificate && !certificate_required_;
  }
  if (by_requirement) {
    std::string& detail = result.identity.decision.detail;
    if (!requirement.rules.all.empty()) {
      absl::StrAppend(&detail, "; ", requirement.rules.all.front()->field(),
                      " lets nobody in who is not trusted");
    } else if (!requirement.certificate_by.empty()) {
      absl::StrAppend(&detail, "; ", requirement.certificate_by);
    }
    if (requirement.doubtful) absl::StrAppend(&detail, kDoubtful);
  }
  if (rejection_ == v1::HANDSHAKE && decision.as_in_handshake &&
      !decision.trusted() && reason != Reason::kConfigurationMissing) {
    WarnOfStyle();
  }

  Addition addition;
  if (goes_on) {
    addition = AdditionFor(*requirement.forwarding, result.identity, inbound,
                           passed_on || rejection_ == v1::PASS);
    if (addition.refusal != Reason::kTrusted) {
      goes_on = false;
      reason = addition.refusal;
      result.identity.decision.detail = addition.detail;
    }
  }

  if (shim::LogEnabled(shim::LogLevel::kDebug)) {
    const std::string client =
        decision.checked != nullptr ? decision.checked->subject
        : decision.as_in_handshake
            ? FilterState(stream, cert_validator::kSubjectKey)
            : "";
    shim::Log(
        shim::LogLevel::kDebug,
        absl::StrCat(
            "request for ", domain(), ": ", goes_on ? "allowed" : "denied",
            ", ", pki::ReasonName(reason), decision.detail.empty() ? "" : ", ",
            Printable(decision.detail), client.empty() ? "" : ", client \"",
            client.substr(0, 256), client.empty() ? "" : "\"",
            result.identity.resumed != nullptr ? ", resumed" : "", ", path \"",
            Printable(GetHeader(stream, ":path"), 256), "\""));
  }
  Tell(stream, result.identity, reason,
       goes_on ? (passed_on ? "passed" : kAllowed) : "denied");
  if (!goes_on) {
    if (addition.refusal != Reason::kTrusted) {
      Count(stream, inbound_refused_id_, {domain()});
      bad_request_->Send(stream, pki::ReasonName(reason));
    } else {
      Reject(stream, reason, by_requirement);
    }
    return result;
  }
  if (!Add(stream, addition) || !LeaveRecord(stream, result.identity)) {
    shim::Log(shim::LogLevel::kError,
              absl::StrCat("request for ", domain(),
                           ": refused, its headers cannot be written"));
    AnswerForbidden(stream, kInternalError);
    return result;
  }
  result.status = abi::HeadersStatus::kContinue;
  result.trusted = decision.trusted();
  if (result.trusted && end_streams_after_.has_value() &&
      !requirement.rules.all.empty()) {
    result.rules = std::make_unique<const Rules>(std::move(requirement.rules));
  }
  return result;
}

bool Filter::OnRequestTrailers(abi::HttpFilter* stream) const {
  bool removed = false;
  return RemoveClaims(stream, abi::HeaderMap::kRequestTrailers, RouteOf(stream),
                      nullptr, &removed, nullptr);
}

Decision Filter::DecideAgain(abi::HttpFilter* stream,
                             const ResumedChain* resumed, const Rules* rules,
                             absl::Time now) const {
  const Need need = rules == nullptr ? Need::kVerdict : Need::kTrustedChain;
  Decision decision;
  abi::EnvoyBuffer bytes{nullptr, 0};
  if (resumed != nullptr) {
    decision = DecideChain(*domain_, resumed->chain.certificates(),
                           resumed->digest, now, need);
  } else if (envoy_dynamic_module_callback_http_get_filter_state_bytes(
                 stream, Buffer(cert_validator::kConnectionKey), &bytes)) {
    decision = Decide(*domain_, View(bytes), now, need);
  } else {
    decision.detail = "the connection's record is gone";
  }
  if (decision.trusted() && rules != nullptr) {
    std::string refusal = RefusalOf(*rules, decision.checked);
    if (!refusal.empty()) {
      decision.reason = Reason::kNotAllowed;
      decision.detail = std::move(refusal);
    }
  }
  return decision;
}

void Filter::EndStream(abi::HttpFilter* stream,
                       const Decision& decision) const {
  const absl::string_view reason = pki::ReasonName(decision.reason);
  Count(stream, ended_id_, {domain(), reason});
  SetMetadata(stream, "reason", reason);
  SetMetadata(stream, "detail", Printable(decision.detail));
  // Envoy has no room for the details of a reset once an answer has begun.
  SetMetadata(stream, "ended", kTrustLost);
  if (shim::LogEnabled(shim::LogLevel::kInfo)) {
    shim::Log(shim::LogLevel::kInfo,
              absl::StrCat("open stream of ", domain(),
                           " ended, its client is not let in any more: ",
                           reason, ", ", Printable(decision.detail)));
  }
  const std::string details =
      absl::StrCat("sallyport_", kTrustLost, "{", reason, "}");
  envoy_dynamic_module_callback_http_filter_reset_stream(
      stream, abi::StreamReset::kLocalReset, Buffer(details));
}

std::shared_ptr<const Filter::Encoded> Filter::Encode(
    const ForwardingPlan& plan,
    const std::shared_ptr<const CheckedChain>& checked, Reason reason,
    bool passed_on) const {
  using Key = std::tuple<uint64_t, const CheckedChain*, Reason, bool>;
  static thread_local cert_validator::RecentMap<Key, Encoded> memory(
      kMaxRememberedForwarded, kMaxRememberedForwardedBytes);
  const Key key{plan.id, checked.get(), reason, passed_on};
  if (auto found = memory.Find(key)) return found;
  auto encoded = std::make_shared<Encoded>();
  // Held, so that no other chain can have its address while the entry lives.
  encoded->checked = checked;
  forwarding::Client client;
  if (checked->has_client_certificate) client.sent = checked->sent;
  client.path = checked->verdict.path;
  client.truststore = checked->truststore;
  client.verdict = reason;
  client.passed_on = passed_on;
  encoded->forwarded = forwarding::Encode(plan.config, client);
  size_t bytes = 1024;
  for (const auto& certificate : checked->sent) {
    bytes += 4 * certificate->der().size();
  }
  for (const forwarding::Header& header : encoded->forwarded.headers) {
    bytes += header.name.size() + header.value.size() + 64;
  }
  memory.Put(key, encoded, bytes);
  return encoded;
}

void Filter::ReadInbound(absl::Span<const abi::EnvoyHeader> headers,
                         Inbound& inbound) const {
  absl::string_view authority;
  absl::string_view xfcc;
  bool saved = false;
  for (const abi::EnvoyHeader& header : headers) {
    const absl::string_view name(header.key_ptr, header.key_length);
    const absl::string_view value(header.value_ptr, header.value_length);
    if (name == kAuthority) {
      if (authority.empty()) authority = value;
    } else if (name == kXfcc) {
      if (!inbound.has_xfcc) xfcc = value;
      inbound.has_xfcc = true;
    } else if (name == forwarding::kInboundXfccHeader) {
      absl::StrAppend(&inbound.saved_xfcc, saved ? "," : "", value);
      saved = true;
    } else if (name == kOriginalUrl) {
      inbound.redirected = inbound.redirected || !value.empty();
    }
  }
  inbound.is_for_domain = ServesHost(authority);
  if (inbound.redirected) inbound.sent_xfcc = std::string(xfcc);
}

Filter::Addition Filter::AdditionFor(const ForwardingPlan& plan,
                                     const Identity& identity,
                                     const Inbound& inbound,
                                     bool passed_on) const {
  Addition addition;
  static const forwarding::Forwarded& nothing = *new forwarding::Forwarded;
  if (!certificate_asked_) {
    addition.headers = &nothing;
    return addition;
  }
  if (identity.without_certificate) {
    addition.headers = passed_on ? &plan.without_certificate_passed_on
                                 : &plan.without_certificate;
    return addition;
  }
  addition.headers = &nothing;
  if (!plan.forwards && !passed_on) return addition;
  const auto& checked = identity.decision.checked;
  addition.headers = nullptr;
  // Decide() gives the chain of whatever goes on here.
  if (checked == nullptr) return addition;
  addition.encoded = Encode(plan, checked, identity.decision.reason, passed_on);
  addition.headers = &addition.encoded->forwarded;
  if (IsTrustedProxy(plan, identity)) {
    JoinInbound(plan, inbound, addition);
  }
  return addition;
}

// What cannot be kept is not left out: the request would pass for one that the
// proxy makes for itself, and a proxy may have more rights than its clients.
void Filter::JoinInbound(const ForwardingPlan& plan, const Inbound& inbound,
                         Addition& addition) {
  absl::string_view xfcc = inbound.saved_xfcc;
  if (xfcc.empty() && inbound.redirected) {
    // Ours is at the end of what went out before, if the route's configuration
    // is the same; else it is not known what came in.
    absl::string_view sent = inbound.sent_xfcc;
    for (const forwarding::Header& header : addition.headers->headers) {
      if (header.name != kXfcc) continue;
      if (sent == header.value) return;
      if (absl::ConsumeSuffix(&sent, header.value) &&
          absl::ConsumeSuffix(&sent, ",")) {
        xfcc = sent;
      }
    }
    if (xfcc.empty()) {
      addition.is_incomplete = true;
      return;
    }
  }
  switch (forwarding::AppendXfcc(xfcc, *addition.headers,
                                 forwarding::MaxHeaderBytes(plan.config),
                                 &addition.xfcc)) {
    case forwarding::InboundXfcc::kNone:
    case forwarding::InboundXfcc::kKept:
      return;
    case forwarding::InboundXfcc::kMalformed:
      addition.refusal = Reason::kMalformed;
      addition.detail =
          "the proxy's x-forwarded-client-cert is not well-formed: it is not "
          "known whom it speaks for";
      return;
    default:
      addition.refusal = Reason::kLimitExceeded;
      addition.detail =
          "the proxy's x-forwarded-client-cert and ours are over "
          "forwarding.max_header_bytes: the backend could not be told whom it "
          "speaks for";
  }
}

bool Filter::LeaveRecord(abi::HttpFilter* stream,
                         const Identity& identity) const {
  if (!RequestRecordReader::Any()) return true;
  const Decision& decision = identity.decision;
  cert_validator::RequestRecord record;
  record.reason = decision.reason;
  record.domain = domain();
  if (decision.checked != nullptr && decision.checked->leaf() != nullptr) {
    record.leaf = decision.checked->leaf()->der();
  } else if (decision.trusted()) {
    // A reader came between the decision and this.
    return false;
  }
  return envoy_dynamic_module_callback_http_set_filter_state_bytes(
      stream, Buffer(cert_validator::kRequestKey),
      Buffer(cert_validator::EncodeRequestRecord(record)));
}

bool Filter::Add(abi::HttpFilter* stream, const Addition& addition) const {
  if (addition.headers == nullptr) return false;
  for (const forwarding::Header& header : addition.headers->headers) {
    if (!SetHeader(stream, header.name, header.value)) return false;
  }
  if (addition.headers->truncated) Count(stream, truncated_id_, {domain()});
  if (!addition.xfcc.empty() && !SetHeader(stream, kXfcc, addition.xfcc)) {
    return false;
  }
  return !addition.is_incomplete ||
         SetHeader(stream, forwarding::kNoteHeader, forwarding::kNoteTruncated);
}

}  // namespace sallyport::mtls_http
