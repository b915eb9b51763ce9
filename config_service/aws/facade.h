// Facade: API Gateway and Certificate Manager as Amazon's tools call them, over
// the use cases. In this order: which service is meant, who asks (Signature
// Version 4), whether they ask too often, which operation it is, whether the
// role allows it, and then what the body says: so a refusal tells nothing about
// what there is.

#ifndef SALLYPORT_CONFIG_SERVICE_AWS_FACADE_H_
#define SALLYPORT_CONFIG_SERVICE_AWS_FACADE_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "config_service/aws/acm.h"
#include "config_service/aws/base_path_mappings.h"
#include "config_service/aws/call.h"
#include "config_service/aws/client_certificates.h"
#include "config_service/aws/definitions.h"
#include "config_service/aws/domain_names.h"
#include "config_service/aws/gateway_v2.h"
#include "config_service/aws/installation.h"
#include "config_service/aws/message.h"
#include "config_service/aws/resources.h"
#include "config_service/aws/rest_apis.h"
#include "config_service/aws/tags.h"
#include "config_service/service/access_keys.h"
#include "config_service/service/api_drafts.h"
#include "config_service/service/api_mappings.h"
#include "config_service/service/apis.h"
#include "config_service/service/client_certificates.h"
#include "config_service/service/domain_names.h"
#include "config_service/service/server_certificates.h"
#include "config_service/service/test_invocations.h"
#include "config_service/service/transaction.h"
#include "config_service/service/truststores.h"

namespace sallyport::aws {

// The use cases. All outlive whoever has it.
struct UseCases {
  service::AccessKeys* access_keys = nullptr;
  service::ApiDrafts* api_drafts = nullptr;
  service::ApiMappings* api_mappings = nullptr;
  service::Apis* apis = nullptr;
  service::ClientCertificates* client_certificates = nullptr;
  service::DomainNames* domain_names = nullptr;
  service::ServerCertificates* server_certificates = nullptr;
  // Null: there are none.
  service::TestInvocations* test_invocations = nullptr;
  service::Truststores* truststores = nullptr;
};

// A request that was answered, for the log and for metrics. Text is printable.
struct CallRecord {
  absl::Duration duration;
  std::string operation;  // "apigateway/CreateDomainName"; or what is known
  std::string principal;  // empty: not known
  std::string peer;
  std::string request;  // its id
  int status = 0;
  std::string code;     // of the error
  std::string details;  // for the log only; of faults of the service
};

struct FacadeOptions {
  Installation installation;
  // Whoever reaches the loopback interface and does not sign is an admin. Not
  // where anything else on the machine forwards requests.
  bool unsigned_loopback = false;
  // Whether the principal may ask now: RATE_LIMITED. Empty: always.
  std::function<absl::Status(const std::string& principal)> count;
  // Is told of each request, from any thread. Empty: nobody is.
  std::function<void(const CallRecord&)> observe;
};

// Thread-safe.
class Facade {
 public:
  // What `context` and `use_cases` point to outlives it.
  Facade(const service::Context& context, const UseCases& use_cases,
         FacadeOptions options);

  // The answer. `request`'s body is overwritten, since it may hold a private
  // key.
  HttpResponse Handle(HttpRequest& request);

  // Which operations have a handler: those that are supported.
  bool Handles(const Operation& operation) const;

 private:
  struct Answer {
    int status = 200;
    Json body;
  };
  absl::StatusOr<Answer> Run(HttpRequest& request, const Target& target,
                             Service service, CallRecord& record);
  absl::StatusOr<service::Caller> Authenticate(const HttpRequest& request,
                                               const Target& target,
                                               Service service) const;
  // One more call of `principal` begins. False: it has too many.
  bool Begin(const std::string& principal);
  void End(const std::string& principal);

  const service::Context context_;
  service::AccessKeys& access_keys_;
  const FacadeOptions options_;
  Acm acm_;
  DomainNames domain_names_;
  BasePathMappings base_path_mappings_;
  ClientCertificates client_certificates_;
  RestApis rest_apis_;
  Resources resources_;
  Definitions definitions_;
  Tags tags_;
  Handlers handlers_;
  GatewayV2 gateway_v2_;
  absl::Mutex mu_;
  // Calls that are answered, by principal; at most kMaxCallsOfPrincipal.
  absl::flat_hash_map<std::string, int> under_way_ ABSL_GUARDED_BY(mu_);
};

}  // namespace sallyport::aws

#endif  // SALLYPORT_CONFIG_SERVICE_AWS_FACADE_H_
