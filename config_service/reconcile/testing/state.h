// State: resources put into a store as the service would, for tests of what
// becomes of them.

#ifndef SALLYPORT_CONFIG_SERVICE_RECONCILE_TESTING_STATE_H_
#define SALLYPORT_CONFIG_SERVICE_RECONCILE_TESTING_STATE_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "config_service/domain/api.h"
#include "config_service/domain/api_mapping.h"
#include "config_service/domain/domain_name.h"
#include "config_service/domain/fleet.h"
#include "config_service/domain/truststore.h"
#include "config_service/store/sealer.h"
#include "config_service/store/store.h"

namespace sallyport::reconcile {

// Each function is one commit, and ends the process when it fails.
// Thread-compatible.
class State {
 public:
  // Both outlive it.
  State(store::Store* store, const store::Sealer* sealer)
      : store_(store), sealer_(sealer) {}

  // The revision of the last commit.
  store::Revision revision() const { return revision_; }

  // A new version with that text, active.
  void Truststore(const std::string& id, const std::string& pem,
                  const std::vector<std::string>& revocation_lists = {});
  // With that content, whatever it is.
  void RevocationList(const std::string& id, const std::string& content);
  void Put(const domain::Truststore& truststore);
  // An allow list, or a deny list of every domain.
  enum class ListKind { kAllow, kDenyEverywhere };
  void CertificateList(const std::string& id, ListKind kind,
                       const std::vector<std::string>& sha256);
  // A new version with a key of its own, whose names are `dns_names`; active.
  void ServerCertificate(const std::string& id,
                         const std::vector<std::string>& dns_names);
  // The same with that chain and key.
  void ServerCertificate(const std::string& id, const std::string& chain_pem,
                         const std::string& key_pem);
  // An API of one route, stage "prod", answered by a mock with `body`.
  void MockApi(const std::string& id, const std::string& body);
  // The same, with that route.
  void Api(const std::string& id, const domain::Integration& integration);
  void Put(const domain::DomainName& domain_name);
  // The whole domain to that API.
  void Map(const std::string& domain, const std::string& api,
           const std::vector<std::string>& allow_lists = {});
  void Fleet(const domain::Fleet& fleet);
  void Delete(const std::string& key);
  void PutRaw(const std::string& key, const std::string& value);

  // A certificate of nobody's, PEM.
  static std::string Certificate();
  // A domain with mutual TLS, if there are truststores.
  static domain::DomainName Domain(const std::string& name,
                                   const std::string& certificate,
                                   const std::vector<std::string>& truststores);

 private:
  store::BlobDigest Blob(absl::string_view content);
  void Apply(const store::Commit& commit);

  store::Store* const store_;
  const store::Sealer* const sealer_;
  store::Revision revision_;
};

}  // namespace sallyport::reconcile

#endif  // SALLYPORT_CONFIG_SERVICE_RECONCILE_TESTING_STATE_H_
