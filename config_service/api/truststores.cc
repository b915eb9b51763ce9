#include "config_service/api/truststores.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "config_service/api/convert.h"
#include "config_service/api/convert_truststore.h"
#include "config_service/api/handlers.h"
#include "config_service/api/open_calls.h"
#include "config_service/api/upload.h"
#include "config_service/domain/violations.h"
#include "proto/sallyport/config/v1/truststore.grpc.pb.h"

namespace sallyport::api {

namespace proto = sallyport::config::v1;
using domain::Reason;
using domain::TruststoreName;
using domain::TruststoreVersionName;
using domain::Violations;
using grpc::ServerContext;
using service::Caller;
using service::PageRequest;
using service::Truststores;
using service::Write;

namespace {

Truststores::Force ForceOf(bool force) {
  return force ? Truststores::Force::kYes : Truststores::Force::kNo;
}

class TruststoresService final : public proto::Truststores::Service,
                                 private Handlers {
 public:
  TruststoresService(Truststores* truststores, Gate* gate)
      : Handlers("Truststores", gate), truststores_(truststores) {}

  grpc::Status CreateTruststore(ServerContext* context,
                                const proto::CreateTruststoreRequest* request,
                                proto::Truststore* response) override {
    return Create(context, __func__, *request, "truststore",
                  request->truststore(), *response,
                  [&](const Caller& caller, const Write& write,
                      domain::Truststore truststore) {
                    Truststores::CreateRequest create;
                    create.id = request->truststore_id();
                    create.truststore = std::move(truststore);
                    create.pem = request->pem();
                    create.force = ForceOf(request->force());
                    return truststores_->Create(caller, write, create);
                  });
  }

  grpc::Status GetTruststore(ServerContext* context,
                             const proto::GetTruststoreRequest* request,
                             proto::Truststore* response) override {
    return Get<TruststoreName>(
        context, __func__, *request, *response,
        [&](const TruststoreName& name) { return truststores_->Get(name); });
  }

  grpc::Status ListTruststores(
      ServerContext* context, const proto::ListTruststoresRequest* request,
      proto::ListTruststoresResponse* response) override {
    return List(
        context, __func__, *request, *response,
        &proto::ListTruststoresResponse::add_truststores,
        [&](const PageRequest& page) { return truststores_->List(page); });
  }

  grpc::Status UpdateTruststore(ServerContext* context,
                                const proto::UpdateTruststoreRequest* request,
                                proto::Truststore* response) override {
    return Update(
        context, __func__, *request, "truststore", request->truststore(),
        *response,
        [&](const Caller& caller, const Write& write,
            domain::Truststore truststore, std::vector<std::string> mask) {
          return truststores_->Update(caller, write,
                                      {std::move(truststore), std::move(mask),
                                       ForceOf(request->force())});
        });
  }

  grpc::Status DeleteTruststore(ServerContext* context,
                                const proto::DeleteTruststoreRequest* request,
                                google::protobuf::Empty*) override {
    return Delete<TruststoreName>(
        context, __func__, *request,
        [&](const Caller& caller, const Write& write,
            const TruststoreName& name, const domain::Etag& etag) {
          return truststores_->Delete(caller, write, name, etag);
        });
  }

  grpc::Status CreateTruststoreVersion(
      ServerContext* context,
      const proto::CreateTruststoreVersionRequest* request,
      proto::TruststoreVersion* response) override {
    return Run(
        context, __func__,
        [&](const Caller& caller, absl::string_view method) -> absl::Status {
          SALLYPORT_ASSIGN_OR_RETURN(auto create, CreateOf(*request));
          create.pem = request->pem();
          return Answer(truststores_->CreateVersion(
                            caller, WriteOf(method, *request), create),
                        *response);
        });
  }

  grpc::Status UploadTruststoreVersion(
      ServerContext* context,
      grpc::ServerReader<proto::UploadTruststoreVersionRequest>* reader,
      proto::TruststoreVersion* response) override {
    return Run(context, __func__,
               [&](const Caller& caller, absl::string_view method) {
                 return Upload(caller, method, *reader, response);
               });
  }

  grpc::Status GetTruststoreVersion(
      ServerContext* context, const proto::GetTruststoreVersionRequest* request,
      proto::TruststoreVersion* response) override {
    return Get<TruststoreVersionName>(context, __func__, *request, *response,
                                      [&](const TruststoreVersionName& name) {
                                        return truststores_->GetVersion(name);
                                      });
  }

  grpc::Status ListTruststoreVersions(
      ServerContext* context,
      const proto::ListTruststoreVersionsRequest* request,
      proto::ListTruststoreVersionsResponse* response) override {
    return ListIn<TruststoreName>(
        context, __func__, *request, *response,
        &proto::ListTruststoreVersionsResponse::add_truststore_versions,
        [&](const TruststoreName& parent, const PageRequest& page) {
          return truststores_->ListVersions(parent, page);
        });
  }

  grpc::Status DeleteTruststoreVersion(
      ServerContext* context,
      const proto::DeleteTruststoreVersionRequest* request,
      google::protobuf::Empty*) override {
    return Delete<TruststoreVersionName>(
        context, __func__, *request,
        [&](const Caller& caller, const Write& write,
            const TruststoreVersionName& name, const domain::Etag& etag) {
          return truststores_->DeleteVersion(caller, write, name, etag);
        });
  }

  grpc::Status ReadTruststoreVersion(
      ServerContext* context,
      const proto::ReadTruststoreVersionRequest* request,
      grpc::ServerWriter<proto::ReadTruststoreVersionResponse>* writer)
      override {
    return Run(context, __func__,
               [&](const Caller&, absl::string_view) -> absl::Status {
                 SALLYPORT_ASSIGN_OR_RETURN(
                     const auto name,
                     NameIn<TruststoreVersionName>("name", request->name()));
                 SALLYPORT_ASSIGN_OR_RETURN(auto reader,
                                            truststores_->ReadVersion(name));
                 while (true) {
                   auto piece = reader->Read();
                   if (!piece.ok()) {
                     return domain::MakeError(
                         Reason::kRecordDamaged,
                         "the content cannot be read to its end",
                         {{"resource", name.ToString()}});
                   }
                   if (piece->empty()) return absl::OkStatus();
                   proto::ReadTruststoreVersionResponse response;
                   response.set_chunk(*std::move(piece));
                   // The caller is gone.
                   if (!WriteInTime(*writer, response)) return absl::OkStatus();
                 }
               });
  }

  grpc::Status ListTruststoreCertificates(
      ServerContext* context,
      const proto::ListTruststoreCertificatesRequest* request,
      proto::ListTruststoreCertificatesResponse* response) override {
    return ListIn<TruststoreVersionName>(
        context, __func__, *request, *response,
        &proto::ListTruststoreCertificatesResponse::add_entries,
        [&](const TruststoreVersionName& parent, const PageRequest& page) {
          return truststores_->ListCertificates(parent, page);
        });
  }

  grpc::Status ActivateTruststoreVersion(
      ServerContext* context,
      const proto::ActivateTruststoreVersionRequest* request,
      proto::Truststore* response) override {
    return Change<TruststoreVersionName>(
        context, __func__, *request, *response,
        [&](const Caller& caller, const Write& write,
            const TruststoreVersionName& name) {
          return truststores_->ActivateVersion(
              caller, write,
              {name, domain::Etag(request->etag()), ForceOf(request->force())});
        });
  }

  grpc::Status RollbackTruststore(
      ServerContext* context, const proto::RollbackTruststoreRequest* request,
      proto::Truststore* response) override {
    return Run(
        context, __func__, [&](const Caller& caller, absl::string_view method) {
          Violations violations;
          Truststores::RollbackRequest rollback;
          rollback.name =
              ParseName<TruststoreName>("name", request->name(), violations);
          if (!request->version().empty()) {
            rollback.version = ParseName<TruststoreVersionName>(
                "version", request->version(), violations);
          }
          SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
          rollback.etag = domain::Etag(request->etag());
          rollback.force = ForceOf(request->force());
          return Answer(truststores_->Rollback(
                            caller, WriteOf(method, *request), rollback),
                        *response);
        });
  }

  grpc::Status DiffTruststoreVersions(
      ServerContext* context,
      const proto::DiffTruststoreVersionsRequest* request,
      proto::DiffTruststoreVersionsResponse* response) override {
    return Run(
        context, __func__,
        [&](const Caller&, absl::string_view) -> absl::Status {
          Violations violations;
          const auto from = ParseName<TruststoreVersionName>(
              "from", request->from(), violations);
          const auto to =
              ParseName<TruststoreVersionName>("to", request->to(), violations);
          SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
          SALLYPORT_ASSIGN_OR_RETURN(
              auto diff, truststores_->Diff(from, to, PageOf(*request)));
          for (const auto& certificate : diff.diff.added) {
            Convert(*certificate, *response->add_added());
          }
          for (const auto& certificate : diff.diff.removed) {
            Convert(*certificate, *response->add_removed());
          }
          for (const auto& change : diff.diff.changed) {
            auto& out = *response->add_changed();
            Convert(*change.before, *out.mutable_before());
            Convert(*change.after, *out.mutable_after());
            out.set_same_key(change.same_key);
          }
          response->set_next_page_token(diff.next_page_token);
          response->set_added_count(static_cast<int>(diff.num_added));
          response->set_removed_count(static_cast<int>(diff.num_removed));
          response->set_changed_count(static_cast<int>(diff.num_changed));
          return absl::OkStatus();
        });
  }

 private:
  static absl::StatusOr<Truststores::CreateVersionRequest> CreateOf(
      const proto::CreateTruststoreVersionRequest& request) {
    Truststores::CreateVersionRequest create;
    Violations violations;
    create.parent =
        ParseName<TruststoreName>("parent", request.parent(), violations);
    SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
    if (request.has_source()) {
      create.source.uri = request.source().uri();
      create.source.object_version = request.source().object_version();
      if (request.source().watch() !=
              proto::TruststoreSource::WATCH_UNSPECIFIED ||
          request.source().has_poll_interval()) {
        violations.Add("source.watch", Reason::kFieldsConflict,
                       "this source is read once; leave watch and "
                       "poll_interval out");
      }
      SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
    }
    create.description = request.truststore_version().description();
    create.activate = request.activate() ? Truststores::Activate::kYes
                                         : Truststores::Activate::kNo;
    create.force = ForceOf(request.force());
    create.truststore_etag = domain::Etag(request.truststore_etag());
    return create;
  }

  absl::Status Upload(
      const Caller& caller, absl::string_view method,
      grpc::ServerReader<proto::UploadTruststoreVersionRequest>& reader,
      proto::TruststoreVersion* response) {
    proto::UploadTruststoreVersionRequest message;
    if (!ReadInTime(reader, &message) || !message.has_start()) {
      return UploadInvalid("the first message has no start");
    }
    const proto::CreateTruststoreVersionRequest start = message.start();
    if (start.content_case() !=
        proto::CreateTruststoreVersionRequest::CONTENT_NOT_SET) {
      return UploadInvalid("the start of an upload has no content of its own");
    }
    SALLYPORT_ASSIGN_OR_RETURN(auto create, CreateOf(start));
    SALLYPORT_ASSIGN_OR_RETURN(const pki::TruststoreLimits limits,
                               truststores_->Limits(create.parent));
    SALLYPORT_ASSIGN_OR_RETURN(
        UploadedContent content,
        ReadContent(reader, limits.max_bytes, Reason::kTruststoreTooLarge,
                    absl::StrCat("the text has more than ", limits.max_bytes,
                                 " bytes; an admin can raise the truststore's "
                                 "limits")));
    create.pem = std::move(content.bytes);
    return Answer(
        truststores_->CreateVersion(
            caller, WithContent(WriteOf(method, start), content.digest),
            create),
        *response);
  }

  Truststores* const truststores_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewTruststoresService(Truststores* truststores,
                                                     Gate* gate) {
  return std::make_unique<TruststoresService>(truststores, gate);
}

}  // namespace sallyport::api
