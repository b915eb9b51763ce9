#include "config_service/reconcile/carrier_certificate.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/secret.h"
#include "base/status_macros.h"
#include "config_service/store/ca_record.h"
#include "pki/keys/issue.h"
#include "pki/keys/private_key.h"
#include "pki/x509/pem.h"

namespace sallyport::reconcile {
namespace {

using store::kCarrierCertificateKey;

constexpr int kAttempts = 3;
constexpr absl::Duration kValidity = absl::Hours(24 * 365 * 30);

absl::StatusOr<Secret> Make(const Clock& clock) {
  const std::unique_ptr<const pki::PrivateKey> key =
      pki::PrivateKey::Generate(pki::PrivateKey::Kind::kEcP256);
  pki::NewCertificate certificate;
  certificate.subject = {{"CN", "carrier"}};
  certificate.not_before = clock.Now() - absl::Hours(24);
  certificate.not_after = clock.Now() + kValidity;
  certificate.server_auth = true;
  SALLYPORT_ASSIGN_OR_RETURN(
      const std::string der,
      pki::Issue(certificate, key->spki_der(), *key, nullptr));
  store::CaRecord pair;
  pair.certificate_pem = pki::WritePem("CERTIFICATE", der);
  pair.private_key_pem = key->Pem();
  return store::PairPem(pair);
}

// Nothing when it is not what Make() made.
std::optional<xds::Translated> Translate(const Secret& both) {
  const std::optional<store::CaRecord> pair = store::SplitPair(both);
  if (!pair.has_value()) return std::nullopt;
  return xds::TranslateCarrierCertificate(pair->certificate_pem,
                                          pair->private_key_pem);
}

}  // namespace

absl::StatusOr<xds::Translated> CarrierCertificate(store::Store& store,
                                                   const store::Sealer& sealer,
                                                   const Clock& clock) {
  absl::Status problem;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    SALLYPORT_ASSIGN_OR_RETURN(const store::GetResult got,
                               store.Get(kCarrierCertificateKey));
    if (got.record.has_value()) {
      const absl::StatusOr<Secret> opened =
          sealer.Open(got.record->value, kCarrierCertificateKey);
      if (opened.ok()) {
        std::optional<xds::Translated> translated = Translate(*opened);
        if (translated.has_value()) return *std::move(translated);
      }
    }
    SALLYPORT_ASSIGN_OR_RETURN(const Secret made, Make(clock));
    SALLYPORT_ASSIGN_OR_RETURN(std::string sealed,
                               sealer.Seal(made, kCarrierCertificateKey));
    store::Commit commit;
    commit.preconditions.push_back(store::Precondition::ModRevision(
        std::string(kCarrierCertificateKey),
        got.record.has_value() ? got.record->mod_revision : store::Revision()));
    commit.puts.push_back(
        {std::string(kCarrierCertificateKey), std::move(sealed), {}});
    // Another replica may be first; then its is taken.
    problem = store.Apply(commit).status();
    if (!problem.ok() && !absl::IsAborted(problem)) return problem;
  }
  return problem.ok() ? absl::InternalError("no certificate for carriers")
                      : problem;
}

}  // namespace sallyport::reconcile
