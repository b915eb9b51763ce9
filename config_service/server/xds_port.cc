#include "config_service/server/xds_port.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "config_service/domain/name.h"
#include "config_service/domain/server_certificate.h"
#include "config_service/server/log.h"
#include "config_service/server/metric_text.h"
#include "pki/x509/certificate.h"

namespace sallyport::server {
namespace {

// The certificate says who a node is, and the store that it was not revoked.
class NodeAuthenticator final : public xds::Authenticator {
 public:
  // `store` outlives it.
  NodeAuthenticator(const std::string& trust_domain, store::Store* store)
      : by_certificate_(trust_domain), store_(store) {}

  absl::StatusOr<xds::NodeIdentity> Identify(
      const xds::Peer& peer, const xds::NodeClaim& claim) const override {
    SALLYPORT_ASSIGN_OR_RETURN(xds::NodeIdentity identity,
                               by_certificate_.Identify(peer, claim));
    const auto node = domain::NodeName::Parse(
        absl::StrCat("fleets/", identity.fleet, "/nodes/", identity.name));
    if (!node.ok()) {
      return absl::UnauthenticatedError(
          "The certificate names a node or a fleet that cannot be.");
    }
    const auto chain = domain::ReadStoredChain(peer.certificate_pem);
    if (!chain.ok() || chain->empty()) {
      return absl::UnauthenticatedError(
          "The peer's certificate cannot be read.");
    }
    const pki::Sha256Digest& sha256 = chain->front()->fingerprint();
    const absl::Status status = service::CheckNodeCertificate(
        *store_, *node, std::string(sha256.begin(), sha256.end()));
    if (!status.ok()) return absl::PermissionDeniedError(status.message());
    return identity;
  }

 private:
  const xds::CertificateAuthenticator by_certificate_;
  store::Store* const store_;
};

}  // namespace

XdsPort::XdsPort(store::Store* store, const store::Sealer* sealer,
                 const Clock* clock)
    : store_(store),
      sealer_(sealer),
      clock_(clock),
      ledger_(*clock, cache_),
      rollouts_(&ledger_, &cache_, clock,
                [this](const std::string& fleet) { return Held(fleet); }),
      invoker_(
          [this](const std::string& fleet, reconcile::FleetChange change) {
            return started_ &&
                   reconciler_->PublishAside(fleet, std::move(change));
          },
          &ledger_, clock) {}

std::vector<reconcile::LedgerRollouts::HeldRefusal> XdsPort::Held(
    const std::string& fleet) const {
  std::vector<reconcile::LedgerRollouts::HeldRefusal> all;
  if (!started_) return all;
  for (const auto& one : reconciler_->HeldRefusals(fleet)) {
    all.push_back({one.node, one.refusal});
  }
  return all;
}

XdsPort::~XdsPort() { Stop(absl::ZeroDuration()); }

absl::Status XdsPort::Start(const Config& config, const service::ProxyCa& ca) {
  const auto log = [](absl::string_view line) {
    LogInfo("xds", {{"details", std::string(line)}});
  };
  reconcile::Reconciler::Options reconciler;
  reconciler.backends = config.backends;
  SALLYPORT_ASSIGN_OR_RETURN(
      reconciler_,
      reconcile::Reconciler::Start(store_, sealer_, &cache_, &ledger_, clock_,
                                   reconciler, log));
  xds::Server::Config server;
  server.address = config.address;
  server.log = log;
  server.options.max_streams_of_node = config.node_streams;
  if (config.trust_loopback) {
    authenticator_ = std::make_unique<xds::LoopbackAuthenticator>();
  } else {
    authenticator_ =
        std::make_unique<NodeAuthenticator>(ca.trust_domain(), store_);
    SALLYPORT_ASSIGN_OR_RETURN(const service::ProxyCa::XdsIdentity identity,
                               ca.IssueXds(config.hosts, clock_->Now()));
    server.tls = std::make_unique<xds::ServerTls>();
    server.tls->certificate_chain = identity.chain_pem;
    server.tls->private_key = std::string(identity.private_key_pem.Reveal());
    server.tls->client_roots = ca.certificate_pem();
  }
  SALLYPORT_ASSIGN_OR_RETURN(
      server_, xds::Server::Start(std::move(server), cache_, ledger_,
                                  *authenticator_, *clock_));
  started_ = true;
  return absl::OkStatus();
}

void XdsPort::EndRevoked() {
  if (server_ != nullptr) server_->Reauthenticate();
}

void XdsPort::Stop(absl::Duration grace) {
  if (server_ != nullptr) server_->Stop(grace);
  started_ = false;
  server_.reset();
  reconciler_.reset();
}

std::string XdsPort::Problem() const {
  return reconciler_ == nullptr ? "" : reconciler_->Stats().store_problem;
}

std::string XdsPort::MetricsText() const {
  std::string out;
  if (reconciler_ == nullptr) return out;
  const reconcile::ReconcilerStats stats = reconciler_->Stats();
  const auto gauge = [&out](absl::string_view name, absl::string_view help,
                            uint64_t value) {
    AddMetric(name, "gauge", help, static_cast<double>(value), out);
  };
  gauge("sallyport_xds_published_revision",
        "The store's revision that every fleet shows wholly.",
        stats.published_revision);
  uint64_t acknowledged = stats.published_revision;
  size_t refusing = 0;
  size_t current = 0;
  // Fleets of which all nodes refuse something.
  std::map<std::string, bool> held;
  absl::Time oldest = absl::InfiniteFuture();
  const std::vector<xds::NodeStatus> nodes =
      ledger_.Nodes("", xds::Ledger::Departed::kLeaveOut);
  for (const xds::NodeStatus& node : nodes) {
    acknowledged = std::min(acknowledged, node.store_revision);
    const auto [is_held, is_new] = held.emplace(node.info.fleet, false);
    if (is_new) is_held->second = !Held(node.info.fleet).empty();
    const bool refuses = node.num_refusals > 0 || is_held->second;
    refusing += refuses ? 1 : 0;
    current +=
        !refuses && node.store_revision >= stats.published_revision ? 1 : 0;
    oldest = std::min(oldest, node.unanswered_since);
  }
  gauge("sallyport_xds_acknowledged_revision",
        "The store's revision that every connected node has.", acknowledged);
  AddMetric("sallyport_xds_rollout_lag_seconds", "gauge",
            "How long the oldest change is on its way to a node.",
            oldest == absl::InfiniteFuture()
                ? 0.0
                : std::max(0.0, absl::ToDoubleSeconds(clock_->Now() - oldest)),
            out);
  gauge("sallyport_xds_nodes", "Connected nodes.", nodes.size());
  gauge("sallyport_xds_refusing_nodes",
        "Connected nodes that refuse something as it is now.", refusing);
  gauge("sallyport_xds_current_nodes",
        "Connected nodes that have everything and refuse nothing.", current);
  AddMetric("sallyport_xds_refused_responses_total", "counter",
            "Responses that nodes refused (NACK).",
            static_cast<double>(ledger_.num_refused_responses()), out);
  AddMetric(
      "sallyport_xds_refused_streams_total", "counter",
      "Streams that were refused since there were too many, of the node or "
      "of all.",
      static_cast<double>(ledger_.num_refused_streams()), out);
  gauge("sallyport_xds_fleets", "Fleets.", stats.num_fleets);
  gauge("sallyport_xds_domains", "Domains that are shown.", stats.num_domains);
  gauge("sallyport_xds_problems", "Resources that cannot be shown as they are.",
        stats.num_problems);
  gauge("sallyport_xds_held_domains",
        "Domains that stay as they were, since all nodes refuse what they "
        "need.",
        stats.num_held);
  AddMetric("sallyport_xds_step_timeouts_total", "counter",
            "Steps of a rollout that went on without all nodes.",
            static_cast<double>(stats.num_timeouts), out);
  return out;
}

}  // namespace sallyport::server
