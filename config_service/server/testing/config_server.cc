// The config service without its API, for tests: a store, the reconciler and
// the xDS port, told what to store by lines of JSON on standard input. Each is
// answered by one line on standard output; the first line there says the port.
//
//   {"truststore": {"id", "pem", "revocation_lists": [...]}}
//                                                a new version, active
//   {"revocation_list": {"id", "content"}}       whatever it is
//   {"server_certificate": {"id", "chain", "key"}}
//   {"list": {"id", "sha256": [...]}}            an allow list
//   {"api": {"id", "body"}}                      a mock that answers `body`
//   {"domain": {"name", "certificate", "truststores": [...], "fleets": [...],
//               "rejection": "FORBIDDEN"|"BAD_REQUEST"}}
//   {"map": {"domain", "api", "allow_lists": [...]}}
//   {"fleet": {"id", "suffix", "suffix_certificate"}}
//                        its nodes listen on any free port of 127.0.0.1
//   {"delete": {"key"}}                          all of these: {"revision"}
//   {"wait": {"revision", "fleet", "seconds"}}
//                        -> {"complete", "connected", "pending", "refusals"}
//   {"nodes": {}}        -> {"nodes": [...]}
//   {"problem": {"domain"}} -> {"problem"}: of the record beside the domain
//   {"metrics": {}}      -> {"text"}
//   {"issue": {"fleet", "node"}} -> {"chain", "key", "ca"}: of a node
//
// It ends with its input. Usage: config_server FOLDER ADDRESS [tls]

#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/clock.h"
#include "config_service/reconcile/testing/state.h"
#include "config_service/server/xds_port.h"
#include "config_service/service/proxy_ca.h"
#include "config_service/store/fleet_records.h"
#include "config_service/store/keys.h"
#include "config_service/store/sealer.h"
#include "config_service/store/sqlite/sqlite_store.h"
#include "nlohmann/json.hpp"
#include "pki/keys/private_key.h"

namespace sallyport {
namespace {

using nlohmann::json;

std::vector<std::string> Strings(const json& object, const char* field) {
  return object.value(field, std::vector<std::string>());
}

domain::FleetName FleetOf(const std::string& id) {
  return id.empty() ? domain::FleetName() : domain::FleetName(id);
}

json Refusals(const std::vector<domain::Refusal>& refusals) {
  json out = json::array();
  for (const domain::Refusal& refusal : refusals) {
    out.push_back({{"resource", refusal.resource},
                   {"cause", refusal.cause},
                   {"reason", refusal.reason}});
  }
  return out;
}

class Commands {
 public:
  Commands(store::Store* store, reconcile::State* state, server::XdsPort* port,
           const service::ProxyCa* ca)
      : store_(store), state_(state), port_(port), ca_(ca) {}

  json Run(const json& command) {
    const std::string verb = command.begin().key();
    const json& with = command.begin().value();
    if (verb == "wait") return Wait(with);
    if (verb == "nodes") return Nodes();
    if (verb == "metrics") return {{"text", port_->MetricsText()}};
    if (verb == "issue") return Issue(with);
    if (verb == "problem") return Problem(with.at("domain"));
    Change(verb, with);
    return {{"revision", state_->revision().value()}};
  }

 private:
  void Change(const std::string& verb, const json& with) {
    if (verb == "truststore") {
      state_->Truststore(with.at("id"), with.at("pem"),
                         Strings(with, "revocation_lists"));
    } else if (verb == "revocation_list") {
      state_->RevocationList(with.at("id"), with.at("content"));
    } else if (verb == "server_certificate") {
      state_->ServerCertificate(with.at("id").get<std::string>(),
                                with.at("chain").get<std::string>(),
                                with.at("key").get<std::string>());
    } else if (verb == "list") {
      state_->CertificateList(with.at("id"), reconcile::State::ListKind::kAllow,
                              Strings(with, "sha256"));
    } else if (verb == "api") {
      state_->MockApi(with.at("id"), with.at("body"));
    } else if (verb == "domain") {
      domain::DomainName domain_name =
          reconcile::State::Domain(with.at("name"), with.at("certificate"),
                                   Strings(with, "truststores"));
      for (const std::string& fleet : Strings(with, "fleets")) {
        domain_name.fleets.emplace_back(fleet);
      }
      if (with.value("rejection", "FORBIDDEN") == "BAD_REQUEST") {
        domain_name.mutual_tls->rejection = domain::RejectionStyle::kBadRequest;
      }
      if (with.value("rejection", "") == "HANDSHAKE") {
        domain_name.mutual_tls->rejection = domain::RejectionStyle::kHandshake;
      }
      state_->Put(domain_name);
    } else if (verb == "map") {
      state_->Map(with.at("domain"), with.at("api"),
                  Strings(with, "allow_lists"));
    } else if (verb == "fleet") {
      domain::Fleet fleet;
      fleet.name = domain::FleetName(with.at("id").get<std::string>());
      fleet.listen_address = "127.0.0.1";
      fleet.listen_port = 0;
      if (with.value("access_log", "STDOUT") == "OFF") {
        fleet.access_log.output = domain::AccessLog::Output::kOff;
      }
      fleet.access_log.min_status = with.value("min_status", 0U);
      fleet.default_endpoint_suffix = with.value("suffix", "");
      if (!fleet.default_endpoint_suffix.empty()) {
        fleet.default_endpoint_certificate = domain::ServerCertificateName(
            with.at("suffix_certificate").get<std::string>());
      }
      state_->Fleet(fleet);
    } else if (verb == "delete") {
      state_->Delete(with.at("key"));
    } else {
      std::cerr << "no command " << verb << "\n";
      std::abort();
    }
  }

  json Wait(const json& with) {
    const service::RolloutView view = port_->rollouts()->Wait(
        with.at("revision"), FleetOf(with.value("fleet", "")),
        with.value("min_nodes", 0),
        absl::Now() + absl::Seconds(with.value("seconds", 20)),
        [] { return false; });
    json pending = json::array();
    for (const auto& node : view.pending) pending.push_back(node.ToString());
    std::vector<domain::Refusal> refusals;
    for (const auto& one : view.refusals) refusals.push_back(one.refusal);
    return {{"complete", view.complete},
            {"connected", view.num_connected},
            {"acknowledged", view.num_acknowledged},
            {"refusing", view.num_refusing},
            {"pending", pending},
            {"refusals", Refusals(refusals)}};
  }

  json Nodes() {
    json nodes = json::array();
    for (const auto& view : port_->rollouts()->Nodes({})) {
      nodes.push_back({{"name", view.node.name.ToString()},
                       {"connected", view.node.connected},
                       {"revision", view.node.acknowledged_revision},
                       {"refusals", Refusals(view.node.refusals)}});
    }
    return {{"nodes", nodes}};
  }

  json Issue(const json& with) {
    const auto key = pki::PrivateKey::Generate(pki::PrivateKey::Kind::kEcP256);
    const domain::NodeName name(FleetOf(with.at("fleet")),
                                with.at("node").get<std::string>());
    const auto issued =
        ca_->IssueNode(name, key->spki_der(), absl::Now(), absl::Hours(1));
    if (!issued.ok()) std::abort();
    return {{"chain", issued->chain_pem},
            {"key", std::string(key->Pem().Reveal())},
            {"ca", ca_->certificate_pem()}};
  }

  json Problem(const std::string& domain) {
    const std::string resource = absl::StrCat("domainNames/", domain);
    const auto got = store_->Get(store::StatusKey(resource));
    if (!got.ok() || !got->record.has_value()) return {{"problem", ""}};
    const auto status = store::DecodeStatus(resource, *got->record);
    return {{"problem", status.ok() ? status->message : "damaged"}};
  }

  store::Store* const store_;
  reconcile::State* const state_;
  server::XdsPort* const port_;
  const service::ProxyCa* const ca_;
};

int Fail(const absl::Status& status) {
  std::cerr << status << "\n";
  return 1;
}

int Main(int argc, char** argv) {
  const bool tls = argc == 4 && std::string(argv[3]) == "tls";
  if (argc != 3 && !tls) {
    std::cerr << "usage: config_server FOLDER ADDRESS [tls]\n";
    return 2;
  }
  const std::string folder = argv[1];
  auto store = store::SqliteStore::Open(folder);
  if (!store.ok()) return Fail(store.status());
  const auto sealer = store::Sealer::FromFile(
      folder + "/sealing-keys", store::Sealer::IfMissing::kCreate);
  if (!sealer.ok()) return Fail(sealer.status());
  const auto ca =
      service::ProxyCa::Open(**store, **sealer, Clock::System(), "test");
  if (!ca.ok()) return Fail(ca.status());
  server::XdsPort port(store->get(), sealer->get(), &Clock::System());
  server::XdsPort::Config config;
  config.address = argv[2];
  config.trust_loopback = !tls;
  config.hosts = {"localhost", "127.0.0.1"};
  const absl::Status started = port.Start(config, **ca);
  if (!started.ok()) return Fail(started);
  std::cout << json({{"port", port.port()}}) << std::endl;

  reconcile::State state(store->get(), sealer->get());
  Commands commands(store->get(), &state, &port, ca->get());
  std::string line;
  while (std::getline(std::cin, line)) {
    std::cout << commands.Run(json::parse(line)) << std::endl;
  }
  port.Stop(absl::ZeroDuration());
  return 0;
}

}  // namespace
}  // namespace sallyport

int main(int argc, char** argv) { return sallyport::Main(argc, argv); }
