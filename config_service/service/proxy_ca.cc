#include "config_service/service/proxy_ca.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "config_service/domain/audit.h"
#include "config_service/domain/violations.h"
#include "config_service/service/errors.h"
#include "config_service/service/resources.h"
#include "config_service/service/stored_ca.h"
#include "config_service/store/ca_record.h"
#include "config_service/store/keys.h"
#include "config_service/store/node_record.h"
#include "config_service/store/records.h"
#include "pki/crypto/crypto.h"
#include "pki/keys/issue.h"
#include "pki/x509/pem.h"

namespace sallyport::service {
namespace {

using domain::Reason;
using domain::Violations;

constexpr char kCaName[] = "Sallyport proxy CA";
constexpr size_t kAuditRandomBytes = 8;
constexpr char kPemLabel[] = "CERTIFICATE";

// What the store has of a node whose certificates were revoked, and that it has
// it still.
struct Stored {
  std::optional<store::RevokedNode> node;
  store::Precondition unchanged;
};

absl::StatusOr<Stored> ReadRevoked(store::Store& store,
                                   const domain::NodeName& node) {
  const std::string key = store::KeyOf(node);
  const absl::StatusOr<store::GetResult> got = store.Get(key);
  if (!got.ok()) return FromStore(got.status());
  Stored out;
  if (!got->record.has_value()) {
    out.unchanged = store::Precondition::Absent(key);
    return out;
  }
  out.unchanged = store::Precondition::Unchanged(*got->record);
  SALLYPORT_ASSIGN_OR_RETURN(
      out.node, store::DecodeRevokedNode(node.ToString(), got->record->value));
  return out;
}

// As every change's: FIELD_MALFORMED at "request_id".
void CheckRequestId(const Context& context, const Caller& caller,
                    const Write& write, Violations& violations) {
  Write only_checked = write;
  only_checked.validate_only = true;
  const auto error = domain::ErrorOf(
      Transaction(context, caller, only_checked).Repeated().status());
  if (!error.has_value()) return;
  for (const domain::FieldViolation& found : error->violations) {
    violations.Add(found.field, found.reason, found.description);
  }
}

std::string DigestText(const pki::Sha256Digest& digest) {
  return std::string(digest.begin(), digest.end());
}

bool IsIp(absl::string_view host) {
  return absl::StrContains(host, ":") ||
         std::all_of(host.begin(), host.end(), [](char c) {
           return absl::ascii_isdigit(static_cast<unsigned char>(c)) ||
                  c == '.';
         });
}

}  // namespace

std::string NodeUri(absl::string_view trust_domain,
                    const domain::NodeName& node) {
  return absl::StrCat("spiffe://", trust_domain, "/", node.ToString());
}

std::string XdsUri(absl::string_view trust_domain) {
  return absl::StrCat("spiffe://", trust_domain, "/xds");
}

absl::StatusOr<std::unique_ptr<ProxyCa>> ProxyCa::Open(
    store::Store& store, const store::Sealer& sealer, const Clock& clock,
    absl::string_view trust_domain) {
  SALLYPORT_ASSIGN_OR_RETURN(
      StoredCa ca, StoredCa::Open(store, sealer, clock, store::kProxyCaKey,
                                  {kCaName, kProxyCaValidity}));
  auto out = std::unique_ptr<ProxyCa>(new ProxyCa());
  out->trust_domain_ = std::string(trust_domain);
  out->pem_ = ca.certificate->Pem();
  out->certificate_ = std::move(ca.certificate);
  out->key_ = std::move(ca.key);
  return out;
}

absl::StatusOr<ProxyCa::Issued> ProxyCa::IssueNode(
    const domain::NodeName& node, absl::string_view spki_der, absl::Time now,
    absl::Duration validity) const {
  pki::NewCertificate certificate;
  certificate.subject = {{"O", "Sallyport"}, {"OU", "xDS client"}};
  certificate.not_before = now - kCertificateBackdate;
  certificate.not_after = std::min(now + validity, not_after());
  certificate.client_auth = true;
  certificate.uris = {NodeUri(trust_domain_, node)};
  SALLYPORT_ASSIGN_OR_RETURN(
      const std::string der,
      pki::Issue(certificate, spki_der, *key_, certificate_.get()));
  Issued out;
  out.chain_pem = pki::WritePem(kPemLabel, der);
  SALLYPORT_ASSIGN_OR_RETURN(out.certificate, pki::Certificate::Parse(der));
  return out;
}

absl::StatusOr<ProxyCa::XdsIdentity> ProxyCa::IssueXds(
    const std::vector<std::string>& hosts, absl::Time now) const {
  const std::unique_ptr<const pki::PrivateKey> key =
      pki::PrivateKey::Generate(pki::PrivateKey::Kind::kEcP256);
  pki::NewCertificate certificate;
  certificate.subject = {{"CN", "Sallyport xDS"}};
  certificate.not_before = now - kCertificateBackdate;
  certificate.not_after =
      std::min(now + kMaxNodeCertificateValidity, not_after());
  certificate.server_auth = true;
  certificate.uris = {XdsUri(trust_domain_)};
  for (const std::string& host : hosts) {
    (IsIp(host) ? certificate.ips : certificate.dns_names).push_back(host);
  }
  SALLYPORT_ASSIGN_OR_RETURN(
      const std::string der,
      pki::Issue(certificate, key->spki_der(), *key_, certificate_.get()));
  XdsIdentity out;
  out.chain_pem = pki::WritePem(kPemLabel, der);
  out.private_key_pem = key->Pem();
  return out;
}

absl::StatusOr<NodeCertificates::Answer> NodeCertificates::Issue(
    const Caller& caller, const Write& write, const Request& request) const {
  Violations violations;
  CheckRequestId(context_, caller, write, violations);
  CheckNewId<domain::NodeName>("node_id", request.node_id, violations);
  const absl::Duration validity = request.validity == absl::ZeroDuration()
                                      ? kDefaultNodeCertificateValidity
                                      : request.validity;
  if (validity < kMinNodeCertificateValidity ||
      validity > kMaxNodeCertificateValidity) {
    violations.Add("validity", Reason::kFieldOutOfRange,
                   "is not between 1 hour and 825 days");
  }
  const absl::StatusOr<std::string> spki_der =
      pki::ReadCertificateRequest(request.certificate_request_pem);
  if (!spki_der.ok()) {
    violations.Add("certificate_request_pem", Reason::kFieldMalformed,
                   spki_der.status().message());
  }
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  SALLYPORT_RETURN_IF_ERROR(CheckFleet(request.fleet));
  SALLYPORT_ASSIGN_OR_RETURN(
      const domain::NodeName node,
      domain::NodeName::Parse(
          absl::StrCat(request.fleet.ToString(), "/nodes/", request.node_id)));
  const absl::Time now = context_.clock->Now();
  SALLYPORT_ASSIGN_OR_RETURN(ProxyCa::Issued issued,
                             ca_->IssueNode(node, *spki_der, now, validity));
  domain::AuditEntry::Change change;
  change.resource = node.ToString();
  change.after_json = absl::StrCat(
      R"({"certificate_sha256":")",
      HexLower(pki::AsBytes(issued.certificate->fingerprint())),
      R"(","not_after":")", TimeText(issued.certificate->not_after()),
      R"(","serial":")", issued.certificate->SerialHex(), R"("})");
  change.changed_fields = {"certificate_sha256", "not_after", "serial"};
  for (int attempt = 1;; ++attempt) {
    SALLYPORT_ASSIGN_OR_RETURN(const Stored stored,
                               ReadRevoked(*context_.store, node));
    store::Commit commit;
    commit.preconditions.push_back(stored.unchanged);
    if (stored.node.has_value()) {
      store::RevokedNode revoked = *stored.node;
      revoked.issued_since.push_back(
          DigestText(issued.certificate->fingerprint()));
      if (revoked.issued_since.size() > kMaxCertificatesSinceRevocation) {
        revoked.issued_since.erase(revoked.issued_since.begin());
      }
      commit.puts.push_back({store::KeyOf(node), store::Encode(revoked), {}});
    }
    const absl::Status status =
        Commit(caller, write, std::move(commit), change);
    if (status.ok()) break;
    if (!absl::IsAborted(status) || attempt == kMaxAttempts) return status;
  }
  return Answer{std::move(issued.chain_pem), ca_->certificate_pem(),
                std::move(issued.certificate)};
}

absl::StatusOr<absl::Time> NodeCertificates::Revoke(
    const Caller& caller, const Write& write,
    const domain::NodeName& node) const {
  Violations violations;
  CheckRequestId(context_, caller, write, violations);
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  SALLYPORT_RETURN_IF_ERROR(CheckFleet(node.parent()));
  const absl::Time now = context_.clock->Now();
  if (write.validate_only) return now;
  domain::AuditEntry::Change change;
  change.resource = node.ToString();
  change.after_json =
      absl::StrCat(R"({"revoke_time":")", TimeText(now), R"("})");
  change.changed_fields = {"revoke_time"};
  for (int attempt = 1;; ++attempt) {
    SALLYPORT_ASSIGN_OR_RETURN(const Stored stored,
                               ReadRevoked(*context_.store, node));
    store::Commit commit;
    commit.preconditions.push_back(stored.unchanged);
    commit.puts.push_back(
        {store::KeyOf(node), store::Encode(store::RevokedNode{now, {}}), {}});
    const absl::Status status =
        Commit(caller, write, std::move(commit), change);
    if (status.ok()) break;
    if (!absl::IsAborted(status) || attempt == kMaxAttempts) return status;
  }
  if (on_revoked_) on_revoked_();
  return now;
}

absl::Status NodeCertificates::CheckFleet(
    const domain::FleetName& fleet) const {
  // The default one is always there.
  if (fleet == domain::DefaultFleet()) return absl::OkStatus();
  return ReadRecord(*context_.store, fleet).status();
}

absl::Status NodeCertificates::Commit(const Caller& caller, const Write& write,
                                      store::Commit commit,
                                      domain::AuditEntry::Change change) const {
  domain::AuditEntry entry;
  entry.time = context_.clock->Now();
  entry.principal = caller.principal;
  entry.peer = caller.peer;
  entry.method = write.method;
  entry.request_id = write.request_id;
  entry.changes.push_back(std::move(change));
  commit.puts.push_back(
      {store::AuditKey(entry.time, pki::RandomBytes(kAuditRandomBytes)),
       store::Encode(entry),
       {}});
  const auto revision = context_.store->Apply(commit);
  return revision.ok() ? absl::OkStatus() : FromStore(revision.status());
}

absl::Status CheckNodeCertificate(store::Store& store,
                                  const domain::NodeName& node,
                                  absl::string_view sha256) {
  SALLYPORT_ASSIGN_OR_RETURN(const Stored stored, ReadRevoked(store, node));
  if (!stored.node.has_value()) return absl::OkStatus();
  const auto& good = stored.node->issued_since;
  if (std::find(good.begin(), good.end(), sha256) != good.end()) {
    return absl::OkStatus();
  }
  return absl::PermissionDeniedError(absl::StrCat(
      "the certificates of ", node.ToString(), " until ",
      TimeText(stored.node->revoke_time),
      " are revoked; issue another one (sallyportctl proxy-cert)"));
}

}  // namespace sallyport::service
