#include "config_service/api/access_keys.h"

#include <string>
#include <utility>

#include "base/status_macros.h"
#include "config_service/api/convert.h"
#include "config_service/api/handlers.h"
#include "config_service/domain/access_key.h"
#include "config_service/domain/violations.h"
#include "proto/sallyport/config/v1/access_key.grpc.pb.h"

namespace sallyport::api {

namespace proto = sallyport::config::v1;
using domain::AccessKey;
using domain::AccessKeyName;
using grpc::ServerContext;
using service::Caller;
using service::Write;

namespace {

void Convert(const AccessKey& from, proto::AccessKey& to) {
  to.set_name(from.name.ToString());
  to.set_etag(from.metadata.etag.text());
  to.set_revision(from.metadata.revision);
  SetTime(from.metadata.create_time, [&] { return to.mutable_create_time(); });
  to.set_owner(from.owner);
  to.set_role(from.role);
}

class AccessKeysService final : public proto::AccessKeys::Service,
                                private Handlers {
 public:
  AccessKeysService(service::AccessKeys* keys, Gate* gate)
      : Handlers("AccessKeys", gate), keys_(keys) {}

  grpc::Status IssueAccessKey(
      ServerContext* context, const proto::IssueAccessKeyRequest* request,
      proto::IssueAccessKeyResponse* response) override {
    return Run(
        context, __func__,
        [&](const Caller& caller, absl::string_view method) -> absl::Status {
          AccessKey wanted;
          wanted.owner = request->access_key().owner();
          wanted.role = request->access_key().role();
          Write write;
          write.method = std::string(method);
          write.validate_only = request->validate_only();
          SALLYPORT_ASSIGN_OR_RETURN(const service::AccessKeys::Issued issued,
                                     keys_->Issue(caller, write, wanted));
          Convert(issued.key, *response->mutable_access_key());
          // There is no such key then.
          if (write.validate_only) return absl::OkStatus();
          response->set_secret_access_key(std::string(issued.secret.Reveal()));
          return absl::OkStatus();
        });
  }

  grpc::Status GetAccessKey(ServerContext* context,
                            const proto::GetAccessKeyRequest* request,
                            proto::AccessKey* response) override {
    return Run(context, __func__,
               [&](const Caller&, absl::string_view) -> absl::Status {
                 SALLYPORT_ASSIGN_OR_RETURN(
                     const AccessKeyName name,
                     NameIn<AccessKeyName>("name", request->name()));
                 SALLYPORT_ASSIGN_OR_RETURN(const AccessKey key,
                                            keys_->Get(name));
                 Convert(key, *response);
                 return absl::OkStatus();
               });
  }

  grpc::Status ListAccessKeys(
      ServerContext* context, const proto::ListAccessKeysRequest* request,
      proto::ListAccessKeysResponse* response) override {
    return Run(context, __func__,
               [&](const Caller&, absl::string_view) -> absl::Status {
                 SALLYPORT_ASSIGN_OR_RETURN(const service::Page<AccessKey> page,
                                            keys_->List(PageOf(*request)));
                 for (const AccessKey& key : page.items) {
                   Convert(key, *response->add_access_keys());
                 }
                 response->set_next_page_token(page.next_page_token);
                 response->set_revision(page.revision);
                 return absl::OkStatus();
               });
  }

  grpc::Status DeleteAccessKey(ServerContext* context,
                               const proto::DeleteAccessKeyRequest* request,
                               google::protobuf::Empty*) override {
    return Delete<AccessKeyName>(
        context, __func__, *request,
        [&](const Caller& caller, const Write& write, const AccessKeyName& name,
            const domain::Etag& etag) {
          return keys_->Delete(caller, write, name, etag);
        });
  }

 private:
  service::AccessKeys* const keys_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewAccessKeysService(service::AccessKeys* keys,
                                                    Gate* gate) {
  return std::make_unique<AccessKeysService>(keys, gate);
}

}  // namespace sallyport::api
