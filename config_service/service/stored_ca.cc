#include "config_service/service/stored_ca.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "config_service/domain/server_certificate.h"
#include "config_service/domain/violations.h"
#include "config_service/service/errors.h"
#include "config_service/store/ca_record.h"
#include "pki/keys/issue.h"
#include "pki/x509/pem.h"

namespace sallyport::service {
namespace {

// A new CA, as it is stored.
absl::StatusOr<store::CaRecord> MakeCa(absl::Time now,
                                       const StoredCa::Settings& settings) {
  const std::unique_ptr<const pki::PrivateKey> key =
      pki::PrivateKey::Generate(pki::PrivateKey::Kind::kEcP256);
  pki::NewCertificate certificate;
  certificate.subject = {{"CN", std::string(settings.common_name)}};
  certificate.not_before = now - kCertificateBackdate;
  certificate.not_after = now + settings.validity;
  certificate.ca = true;
  SALLYPORT_ASSIGN_OR_RETURN(
      const std::string der,
      pki::Issue(certificate, key->spki_der(), *key, nullptr));
  store::CaRecord out;
  out.certificate_pem = pki::WritePem("CERTIFICATE", der);
  out.private_key_pem = key->Pem();
  return out;
}

}  // namespace

absl::StatusOr<StoredCa> StoredCa::Open(store::Store& store,
                                        const store::Sealer& sealer,
                                        const Clock& clock,
                                        absl::string_view record_key,
                                        const Settings& settings) {
  const std::string key_text(record_key);
  const auto broken = [&](absl::string_view why) {
    return domain::MakeError(domain::Reason::kRecordDamaged,
                             absl::StrCat("the CA ", key_text, " ", why));
  };
  absl::StatusOr<store::GetResult> got = store.Get(key_text);
  if (!got.ok()) return FromStore(got.status());
  if (!got->record.has_value()) {
    SALLYPORT_ASSIGN_OR_RETURN(const store::CaRecord ca,
                               MakeCa(clock.Now(), settings));
    SALLYPORT_ASSIGN_OR_RETURN(std::string value,
                               store::EncodeCa(key_text, ca, sealer));
    store::Commit commit;
    commit.preconditions.push_back(store::Precondition::Absent(key_text));
    commit.puts.push_back({key_text, std::move(value), {}});
    const auto revision = store.Apply(commit);
    // Aborted: another process was first.
    if (!revision.ok() && !absl::IsAborted(revision.status())) {
      return FromStore(revision.status());
    }
    got = store.Get(key_text);
    if (!got.ok()) return FromStore(got.status());
    if (!got->record.has_value()) return broken("is gone");
  }
  SALLYPORT_ASSIGN_OR_RETURN(const store::CaRecord record,
                             store::DecodeCa(*got->record, sealer));
  auto chain = domain::ReadStoredChain(record.certificate_pem);
  if (!chain.ok() || chain->empty()) return broken("has no certificate");
  StoredCa out;
  out.certificate = std::move(chain->front());
  pki::PrivateKey::ReadResult key =
      pki::PrivateKey::FromPem(record.private_key_pem);
  if (key.key == nullptr || !key.key->BelongsTo(*out.certificate)) {
    return broken("has no key that belongs to it");
  }
  out.key = std::move(key.key);
  return out;
}

}  // namespace sallyport::service
