#include "config_service/reconcile/testing/state.h"

#include <cstdlib>
#include <iostream>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/secret.h"
#include "config_service/domain/revocation.h"
#include "config_service/domain/server_certificate.h"
#include "config_service/store/api_records.h"
#include "config_service/store/certificate_records.h"
#include "config_service/store/domain_records.h"
#include "config_service/store/fleet_records.h"
#include "config_service/store/keys.h"
#include "config_service/store/list_records.h"
#include "config_service/store/records.h"
#include "pki/keys/issue.h"
#include "pki/keys/private_key.h"
#include "pki/x509/pem.h"

namespace sallyport::reconcile {
namespace {

template <typename T>
T Must(absl::StatusOr<T> value) {
  if (!value.ok()) {
    std::cerr << value.status() << "\n";
    std::abort();
  }
  return *std::move(value);
}

}  // namespace

store::BlobDigest State::Blob(absl::string_view content) {
  const std::unique_ptr<store::BlobWriter> writer = Must(store_->NewBlob());
  const absl::Status status = writer->Append(content);
  if (!status.ok()) std::abort();
  return Must(writer->Finish());
}

void State::Apply(const store::Commit& commit) {
  revision_ = Must(store_->Apply(commit));
}

void State::RevocationList(const std::string& id, const std::string& content) {
  domain::RevocationList list;
  list.name = domain::RevocationListName(id);
  const store::BlobDigest digest = Blob(content);
  list.sha256 = digest.array();
  list.size_bytes = content.size();
  list.list_count = 1;
  store::Commit commit;
  commit.puts.push_back(
      {store::KeyOf(list.name), store::Encode(list), {digest}});
  Apply(commit);
}

void State::Truststore(const std::string& id, const std::string& pem,
                       const std::vector<std::string>& revocation_lists) {
  domain::Truststore truststore;
  truststore.name = domain::TruststoreName(id);
  const std::string key = store::KeyOf(truststore.name);
  if (const auto record = Must(store_->Get(key)).record; record.has_value()) {
    truststore = Must(store::Decode(truststore.name, *record));
  }
  truststore.revocation_lists.clear();
  for (const std::string& list : revocation_lists) {
    truststore.revocation_lists.emplace_back(list);
  }
  truststore.active_version = truststore.next_version;
  truststore.next_version = truststore.active_version + 1;
  domain::TruststoreVersion version;
  version.name =
      domain::TruststoreVersionName(truststore.name, truststore.active_version);
  const store::BlobDigest digest = Blob(pem);
  version.sha256 = digest.array();
  version.size_bytes = pem.size();
  version.certificate_count = 1;
  store::Commit commit;
  commit.puts.push_back(
      {store::KeyOf(version.name), store::Encode(version), {digest}});
  commit.puts.push_back(
      {store::KeyOf(truststore.name), store::Encode(truststore), {}});
  Apply(commit);
}

void State::Put(const domain::Truststore& truststore) {
  store::Commit commit;
  commit.puts.push_back(
      {store::KeyOf(truststore.name), store::Encode(truststore), {}});
  Apply(commit);
}

void State::CertificateList(const std::string& id, ListKind kind,
                            const std::vector<std::string>& sha256) {
  domain::CertificateList list;
  list.name = domain::CertificateListName(id);
  list.kind = kind == ListKind::kAllow ? domain::CertificateList::Kind::kAllow
                                       : domain::CertificateList::Kind::kDeny;
  list.everywhere = kind == ListKind::kDenyEverywhere;
  list.entry_count = static_cast<uint32_t>(sha256.size());
  store::Commit commit;
  for (const std::string& digest : sha256) {
    domain::CertificateListEntry entry;
    entry.sha256 = digest;
    commit.puts.push_back(
        {store::EntryKey(list.name, entry), store::Encode(entry), {}});
  }
  commit.puts.push_back({store::KeyOf(list.name), store::Encode(list), {}});
  Apply(commit);
}

void State::ServerCertificate(const std::string& id,
                              const std::vector<std::string>& dns_names) {
  const auto key = pki::PrivateKey::Generate(pki::PrivateKey::Kind::kEcP256);
  pki::NewCertificate certificate;
  certificate.subject = {{"CN", id}};
  certificate.not_before = absl::Now() - absl::Hours(1);
  certificate.not_after = absl::Now() + absl::Hours(1000);
  certificate.server_auth = true;
  certificate.dns_names = dns_names;
  const std::string der =
      Must(pki::Issue(certificate, key->spki_der(), *key, nullptr));
  ServerCertificate(id, pki::WritePem("CERTIFICATE", der),
                    std::string(key->Pem().Reveal()));
}

void State::ServerCertificate(const std::string& id,
                              const std::string& chain_pem,
                              const std::string& key_pem) {
  domain::ServerCertificate certificate;
  certificate.name = domain::ServerCertificateName(id);
  const std::string key = store::KeyOf(certificate.name);
  if (const auto record = Must(store_->Get(key)).record; record.has_value()) {
    certificate = Must(store::Decode(certificate.name, *record));
  }
  certificate.active_version = certificate.next_version;
  certificate.next_version = certificate.active_version + 1;
  domain::ServerCertificateVersion version;
  version.name = domain::ServerCertificateVersionName(
      certificate.name, certificate.active_version);
  version.certificate_chain_pem = chain_pem;
  store::Commit commit;
  commit.puts.push_back(
      {store::KeyOf(version.name),
       Must(store::Encode(version, Secret::CopyOf(key_pem), *sealer_)),
       {}});
  commit.puts.push_back(
      {store::KeyOf(certificate.name), store::Encode(certificate), {}});
  Apply(commit);
}

void State::MockApi(const std::string& id, const std::string& body) {
  domain::MockIntegration mock;
  mock.body = body;
  Api(id, mock);
}

void State::Api(const std::string& id, const domain::Integration& integration) {
  domain::Api api;
  api.name = domain::ApiName(id);
  domain::Deployment deployment;
  deployment.name =
      domain::DeploymentName(api.name, absl::StrCat("d", revision_.value()));
  domain::Route route;
  route.name = domain::RouteName(api.name, "all");
  route.method = "ANY";
  route.path = "/{proxy+}";
  route.integration = integration;
  deployment.routes.push_back(route);
  domain::Stage stage;
  stage.name = domain::StageName(api.name, "prod");
  stage.deployment = deployment.name;
  store::Commit commit;
  const store::BlobDigest digest = Blob(store::EncodeRoutes(deployment));
  commit.puts.push_back({store::KeyOf(api.name), store::Encode(api), {}});
  commit.puts.push_back(
      {store::KeyOf(deployment.name), store::Encode(deployment), {digest}});
  commit.puts.push_back({store::KeyOf(stage.name), store::Encode(stage), {}});
  Apply(commit);
}

void State::Put(const domain::DomainName& domain_name) {
  store::Commit commit;
  commit.puts.push_back(
      {store::KeyOf(domain_name.name), store::Encode(domain_name), {}});
  Apply(commit);
}

void State::Map(const std::string& domain, const std::string& api,
                const std::vector<std::string>& allow_lists) {
  domain::ApiMapping mapping;
  mapping.name = domain::ApiMappingName(domain::DomainNameName(domain), "all");
  mapping.stage = domain::StageName(domain::ApiName(api), "prod");
  for (const std::string& list : allow_lists) {
    mapping.allow_lists.emplace_back(list);
  }
  store::Commit commit;
  commit.puts.push_back(
      {store::KeyOf(mapping.name), store::Encode(mapping), {}});
  Apply(commit);
}

void State::Fleet(const domain::Fleet& fleet) {
  store::Commit commit;
  commit.puts.push_back({store::KeyOf(fleet.name), store::Encode(fleet), {}});
  Apply(commit);
}

void State::Delete(const std::string& key) {
  store::Commit commit;
  commit.deletes.push_back(key);
  Apply(commit);
}

void State::PutRaw(const std::string& key, const std::string& value) {
  store::Commit commit;
  commit.puts.push_back({key, value, {}});
  Apply(commit);
}

std::string State::Certificate() {
  const auto key = pki::PrivateKey::Generate(pki::PrivateKey::Kind::kEcP256);
  pki::NewCertificate certificate;
  certificate.subject = {{"CN", "nobody"}};
  certificate.not_before = absl::Now() - absl::Hours(1);
  certificate.not_after = absl::Now() + absl::Hours(1000);
  certificate.ca = true;
  return pki::WritePem(
      "CERTIFICATE",
      Must(pki::Issue(certificate, key->spki_der(), *key, nullptr)));
}

domain::DomainName State::Domain(const std::string& name,
                                 const std::string& certificate,
                                 const std::vector<std::string>& truststores) {
  domain::DomainName domain_name;
  domain_name.name = domain::DomainNameName(name);
  domain_name.server_certificate = domain::ServerCertificateName(certificate);
  if (truststores.empty()) return domain_name;
  domain_name.mutual_tls.emplace();
  for (const std::string& truststore : truststores) {
    domain_name.mutual_tls->truststores.push_back(
        {domain::TruststoreName(truststore), {}, std::nullopt});
  }
  return domain_name;
}

}  // namespace sallyport::reconcile
