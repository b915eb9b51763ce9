#include "config_service/service/proxy_ca.h"

#include <algorithm>
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
#include "config_service/store/keys.h"
#include "config_service/store/proxy_ca_record.h"
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

bool IsIp(absl::string_view host) {
  return absl::StrContains(host, ":") ||
         std::all_of(host.begin(), host.end(), [](char c) {
           return absl::ascii_isdigit(static_cast<unsigned char>(c)) ||
                  c == '.';
         });
}

absl::Status Broken(absl::string_view why) {
  return domain::MakeError(Reason::kRecordDamaged,
                           absl::StrCat("the stored proxy CA ", why));
}

// A new CA, as it is stored.
absl::StatusOr<store::ProxyCaRecord> MakeCa(absl::Time now) {
  const std::unique_ptr<const pki::PrivateKey> key =
      pki::PrivateKey::Generate(pki::PrivateKey::Kind::kEcP256);
  pki::NewCertificate certificate;
  certificate.subject = {{"CN", kCaName}};
  certificate.not_before = now - kCertificateBackdate;
  certificate.not_after = now + kProxyCaValidity;
  certificate.ca = true;
  SALLYPORT_ASSIGN_OR_RETURN(
      const std::string der,
      pki::Issue(certificate, key->spki_der(), *key, nullptr));
  store::ProxyCaRecord out;
  out.certificate_pem = pki::WritePem(kPemLabel, der);
  out.private_key_pem = key->Pem();
  return out;
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
  const std::string record_key(store::kProxyCaKey);
  absl::StatusOr<store::GetResult> got = store.Get(record_key);
  if (!got.ok()) return FromStore(got.status());
  if (!got->record.has_value()) {
    SALLYPORT_ASSIGN_OR_RETURN(const store::ProxyCaRecord ca,
                               MakeCa(clock.Now()));
    store::Commit commit;
    SALLYPORT_ASSIGN_OR_RETURN(std::string value, store::Encode(ca, sealer));
    commit.preconditions.push_back(store::Precondition::Absent(record_key));
    commit.puts.push_back({record_key, std::move(value), {}});
    const auto revision = store.Apply(commit);
    // Aborted: another process was first.
    if (!revision.ok() && !absl::IsAborted(revision.status())) {
      return FromStore(revision.status());
    }
    got = store.Get(record_key);
    if (!got.ok()) return FromStore(got.status());
    if (!got->record.has_value()) return Broken("is gone");
  }
  SALLYPORT_ASSIGN_OR_RETURN(const store::ProxyCaRecord record,
                             store::DecodeProxyCa(*got->record, sealer));
  auto out = std::unique_ptr<ProxyCa>(new ProxyCa());
  out->trust_domain_ = std::string(trust_domain);
  out->pem_ = record.certificate_pem;
  std::string der;
  pki::ReadPem(record.certificate_pem, record.certificate_pem.size(),
               [&](const pki::PemBlock& block) {
                 der = std::string(block.data);
                 return true;
               });
  auto certificate = pki::Certificate::Parse(der);
  if (!certificate.ok()) return Broken("has no certificate");
  out->certificate_ = *std::move(certificate);
  pki::PrivateKey::ReadResult key =
      pki::PrivateKey::FromPem(record.private_key_pem);
  if (key.key == nullptr || !key.key->BelongsTo(*out->certificate_)) {
    return Broken("has no key that belongs to it");
  }
  out->key_ = std::move(key.key);
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
  // The default fleet is always there.
  if (request.fleet != domain::DefaultFleet()) {
    SALLYPORT_RETURN_IF_ERROR(
        ReadRecord(*context_.store, request.fleet).status());
  }
  SALLYPORT_ASSIGN_OR_RETURN(
      const domain::NodeName node,
      domain::NodeName::Parse(
          absl::StrCat(request.fleet.ToString(), "/nodes/", request.node_id)));
  const absl::Time now = context_.clock->Now();
  SALLYPORT_ASSIGN_OR_RETURN(ProxyCa::Issued issued,
                             ca_->IssueNode(node, *spki_der, now, validity));
  domain::AuditEntry entry;
  entry.time = now;
  entry.principal = caller.principal;
  entry.peer = caller.peer;
  entry.method = write.method;
  entry.request_id = write.request_id;
  domain::AuditEntry::Change change;
  change.resource = node.ToString();
  change.after_json = absl::StrCat(
      R"({"certificate_sha256":")",
      HexLower(pki::AsBytes(issued.certificate->fingerprint())),
      R"(","not_after":")", TimeText(issued.certificate->not_after()),
      R"(","serial":")", issued.certificate->SerialHex(), R"("})");
  change.changed_fields = {"certificate_sha256", "not_after", "serial"};
  entry.changes.push_back(std::move(change));
  store::Commit commit;
  commit.puts.push_back(
      {store::AuditKey(now, pki::RandomBytes(kAuditRandomBytes)),
       store::Encode(entry),
       {}});
  const auto revision = context_.store->Apply(commit);
  if (!revision.ok()) return FromStore(revision.status());
  return Answer{std::move(issued.chain_pem), ca_->certificate_pem(),
                std::move(issued.certificate)};
}

}  // namespace sallyport::service
