#include "config_service/api/truststores.h"

#include <atomic>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "config_service/api/convert.h"
#include "config_service/api/convert_truststore.h"
#include "config_service/api/limits.h"
#include "config_service/domain/violations.h"
#include "proto/sallyport/config/v1/audit.grpc.pb.h"
#include "proto/sallyport/config/v1/truststore.grpc.pb.h"

namespace sallyport::api {

namespace proto = sallyport::config::v1;
using domain::Reason;
using domain::TruststoreName;
using domain::TruststoreVersionName;
using domain::Violations;
using grpc::ServerContext;
using service::Caller;
using service::Truststores;

namespace {

constexpr char kPackage[] = "sallyport.config.v1.";

Truststores::Force ForceOf(bool force) {
  return force ? Truststores::Force::kYes : Truststores::Force::kNo;
}

// Takes an answer over, or passes the error on.
template <typename View, typename Message>
absl::Status Answer(const absl::StatusOr<View>& view, Message* response) {
  if (!view.ok()) return view.status();
  Convert(*view, *response);
  return absl::OkStatus();
}

class TruststoresService final : public proto::Truststores::Service {
 public:
  TruststoresService(Truststores* truststores, Gate* gate)
      : truststores_(truststores), gate_(gate) {}

  grpc::Status CreateTruststore(ServerContext* context,
                                const proto::CreateTruststoreRequest* request,
                                proto::Truststore* response) override {
    return Run(*context, "CreateTruststore",
               [&](const Caller& caller, absl::string_view method) {
                 Truststores::CreateRequest create;
                 Violations violations;
                 Violations fields;
                 create.id = request->truststore_id();
                 proto::Truststore wanted = request->truststore();
                 // The id is what names it.
                 wanted.clear_name();
                 create.truststore = Convert(wanted, fields);
                 violations.AddAll("truststore", fields);
                 SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
                 create.pem = request->pem();
                 create.force = ForceOf(request->force());
                 return Answer(truststores_->Create(
                                   caller, WriteOf(method, *request), create),
                               response);
               });
  }

  grpc::Status GetTruststore(ServerContext* context,
                             const proto::GetTruststoreRequest* request,
                             proto::Truststore* response) override {
    return Run(
        *context, "GetTruststore", [&](const Caller&, absl::string_view) {
          Violations violations;
          const auto name =
              ParseName<TruststoreName>("name", request->name(), violations);
          SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
          return Answer(truststores_->Get(name), response);
        });
  }

  grpc::Status ListTruststores(
      ServerContext* context, const proto::ListTruststoresRequest* request,
      proto::ListTruststoresResponse* response) override {
    return Run(*context, "ListTruststores",
               [&](const Caller&, absl::string_view) -> absl::Status {
                 SALLYPORT_ASSIGN_OR_RETURN(
                     auto page, truststores_->List(PageOf(*request)));
                 for (const auto& item : page.items) {
                   Convert(item, *response->add_truststores());
                 }
                 response->set_next_page_token(page.next_page_token);
                 response->set_revision(page.revision);
                 return absl::OkStatus();
               });
  }

  grpc::Status UpdateTruststore(ServerContext* context,
                                const proto::UpdateTruststoreRequest* request,
                                proto::Truststore* response) override {
    return Run(
        *context, "UpdateTruststore",
        [&](const Caller& caller, absl::string_view method) {
          Truststores::UpdateRequest update;
          Violations violations;
          Violations fields;
          update.truststore = Convert(request->truststore(), fields);
          if (request->truststore().name().empty()) {
            fields.Add("name", Reason::kFieldRequired,
                       "is empty; say which truststore");
          }
          violations.AddAll("truststore", fields);
          SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
          update.mask = MaskOf(request->has_update_mask(),
                               request->update_mask(), request->truststore());
          update.force = ForceOf(request->force());
          return Answer(
              truststores_->Update(caller, WriteOf(method, *request), update),
              response);
        });
  }

  grpc::Status DeleteTruststore(ServerContext* context,
                                const proto::DeleteTruststoreRequest* request,
                                google::protobuf::Empty*) override {
    return Run(
        *context, "DeleteTruststore",
        [&](const Caller& caller, absl::string_view method) {
          Violations violations;
          const auto name =
              ParseName<TruststoreName>("name", request->name(), violations);
          SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
          return truststores_->Delete(caller, WriteOf(method, *request), name,
                                      domain::Etag(request->etag()));
        });
  }

  grpc::Status CreateTruststoreVersion(
      ServerContext* context,
      const proto::CreateTruststoreVersionRequest* request,
      proto::TruststoreVersion* response) override {
    return Run(
        *context, "CreateTruststoreVersion",
        [&](const Caller& caller, absl::string_view method) -> absl::Status {
          SALLYPORT_ASSIGN_OR_RETURN(auto create, CreateOf(*request));
          create.pem = request->pem();
          return Answer(truststores_->CreateVersion(
                            caller, WriteOf(method, *request), create),
                        response);
        });
  }

  grpc::Status UploadTruststoreVersion(
      ServerContext* context,
      grpc::ServerReader<proto::UploadTruststoreVersionRequest>* reader,
      proto::TruststoreVersion* response) override {
    return Run(*context, "UploadTruststoreVersion",
               [&](const Caller& caller, absl::string_view method) {
                 return Upload(caller, method, *reader, response);
               });
  }

  grpc::Status GetTruststoreVersion(
      ServerContext* context, const proto::GetTruststoreVersionRequest* request,
      proto::TruststoreVersion* response) override {
    return Run(*context, "GetTruststoreVersion",
               [&](const Caller&, absl::string_view) {
                 Violations violations;
                 const auto name = ParseName<TruststoreVersionName>(
                     "name", request->name(), violations);
                 SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
                 return Answer(truststores_->GetVersion(name), response);
               });
  }

  grpc::Status ListTruststoreVersions(
      ServerContext* context,
      const proto::ListTruststoreVersionsRequest* request,
      proto::ListTruststoreVersionsResponse* response) override {
    return Run(*context, "ListTruststoreVersions",
               [&](const Caller&, absl::string_view) -> absl::Status {
                 Violations violations;
                 const auto parent = ParseName<TruststoreName>(
                     "parent", request->parent(), violations);
                 SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
                 SALLYPORT_ASSIGN_OR_RETURN(
                     auto page,
                     truststores_->ListVersions(parent, PageOf(*request)));
                 for (const auto& item : page.items) {
                   Convert(item, *response->add_truststore_versions());
                 }
                 response->set_next_page_token(page.next_page_token);
                 response->set_revision(page.revision);
                 return absl::OkStatus();
               });
  }

  grpc::Status DeleteTruststoreVersion(
      ServerContext* context,
      const proto::DeleteTruststoreVersionRequest* request,
      google::protobuf::Empty*) override {
    return Run(*context, "DeleteTruststoreVersion",
               [&](const Caller& caller, absl::string_view method) {
                 Violations violations;
                 const auto name = ParseName<TruststoreVersionName>(
                     "name", request->name(), violations);
                 SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
                 return truststores_->DeleteVersion(
                     caller, WriteOf(method, *request), name,
                     domain::Etag(request->etag()));
               });
  }

  grpc::Status ReadTruststoreVersion(
      ServerContext* context,
      const proto::ReadTruststoreVersionRequest* request,
      grpc::ServerWriter<proto::ReadTruststoreVersionResponse>* writer)
      override {
    return Run(*context, "ReadTruststoreVersion",
               [&](const Caller&, absl::string_view) -> absl::Status {
                 Violations violations;
                 const auto name = ParseName<TruststoreVersionName>(
                     "name", request->name(), violations);
                 SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
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
                   if (!writer->Write(response)) return absl::OkStatus();
                 }
               });
  }

  grpc::Status ListTruststoreCertificates(
      ServerContext* context,
      const proto::ListTruststoreCertificatesRequest* request,
      proto::ListTruststoreCertificatesResponse* response) override {
    return Run(*context, "ListTruststoreCertificates",
               [&](const Caller&, absl::string_view) -> absl::Status {
                 Violations violations;
                 const auto parent = ParseName<TruststoreVersionName>(
                     "parent", request->parent(), violations);
                 SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
                 SALLYPORT_ASSIGN_OR_RETURN(
                     auto page,
                     truststores_->ListCertificates(parent, PageOf(*request)));
                 for (const auto& item : page.items) {
                   auto& entry = *response->add_entries();
                   entry.set_index(static_cast<int>(item.index));
                   entry.set_line(static_cast<int>(item.line));
                   Convert(*item.certificate, *entry.mutable_certificate());
                   for (const auto& warning : item.warnings) {
                     Convert(warning, *entry.add_warnings());
                   }
                 }
                 response->set_next_page_token(page.next_page_token);
                 return absl::OkStatus();
               });
  }

  grpc::Status ActivateTruststoreVersion(
      ServerContext* context,
      const proto::ActivateTruststoreVersionRequest* request,
      proto::Truststore* response) override {
    return Run(*context, "ActivateTruststoreVersion",
               [&](const Caller& caller, absl::string_view method) {
                 Violations violations;
                 Truststores::ActivateRequest activate;
                 activate.name = ParseName<TruststoreVersionName>(
                     "name", request->name(), violations);
                 SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
                 activate.etag = domain::Etag(request->etag());
                 activate.force = ForceOf(request->force());
                 return Answer(truststores_->ActivateVersion(
                                   caller, WriteOf(method, *request), activate),
                               response);
               });
  }

  grpc::Status RollbackTruststore(
      ServerContext* context, const proto::RollbackTruststoreRequest* request,
      proto::Truststore* response) override {
    return Run(*context, "RollbackTruststore",
               [&](const Caller& caller, absl::string_view method) {
                 Violations violations;
                 Truststores::RollbackRequest rollback;
                 rollback.name = ParseName<TruststoreName>(
                     "name", request->name(), violations);
                 if (!request->version().empty()) {
                   rollback.version = ParseName<TruststoreVersionName>(
                       "version", request->version(), violations);
                 }
                 SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
                 rollback.etag = domain::Etag(request->etag());
                 rollback.force = ForceOf(request->force());
                 return Answer(truststores_->Rollback(
                                   caller, WriteOf(method, *request), rollback),
                               response);
               });
  }

  grpc::Status DiffTruststoreVersions(
      ServerContext* context,
      const proto::DiffTruststoreVersionsRequest* request,
      proto::DiffTruststoreVersionsResponse* response) override {
    return Run(
        *context, "DiffTruststoreVersions",
        [&](const Caller&, absl::string_view) -> absl::Status {
          Violations violations;
          const auto from = ParseName<TruststoreVersionName>(
              "from", request->from(), violations);
          const auto to =
              ParseName<TruststoreVersionName>("to", request->to(), violations);
          SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
          service::PageRequest page;
          page.page_size = request->page_size();
          page.page_token = request->page_token();
          SALLYPORT_ASSIGN_OR_RETURN(auto diff,
                                     truststores_->Diff(from, to, page));
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
  template <typename Body>
  grpc::Status Run(ServerContext& context, absl::string_view name, Body body) {
    const std::string method = absl::StrCat(kPackage, "Truststores/", name);
    return gate_->Run(context, method,
                      [&](const Caller& caller) -> absl::Status {
                        return body(caller, method);
                      });
  }

  static absl::StatusOr<Truststores::CreateVersionRequest> CreateOf(
      const proto::CreateTruststoreVersionRequest& request) {
    Truststores::CreateVersionRequest create;
    Violations violations;
    create.parent =
        ParseName<TruststoreName>("parent", request.parent(), violations);
    SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
    if (request.has_source()) {
      return domain::MakeError(
          Reason::kNotSupported,
          "this installation cannot read sources; give the content as pem",
          {{"missing", "sources"}});
    }
    create.description = request.truststore_version().description();
    create.activate = request.activate() ? Truststores::Activate::kYes
                                         : Truststores::Activate::kNo;
    create.force = ForceOf(request.force());
    create.truststore_etag = domain::Etag(request.truststore_etag());
    return create;
  }

  static absl::Status UploadInvalid(absl::string_view why) {
    return domain::MakeError(Reason::kUploadInvalid, why);
  }

  absl::Status Upload(
      const Caller& caller, absl::string_view method,
      grpc::ServerReader<proto::UploadTruststoreVersionRequest>& reader,
      proto::TruststoreVersion* response) {
    // Each may need as much memory as the largest truststore.
    struct Slot {
      explicit Slot(std::atomic<int>* n) : count(n) { ++*count; }
      ~Slot() { --*count; }
      std::atomic<int>* count;
    } slot(&uploads_);
    if (uploads_ > kMaxUploads) {
      return domain::MakeError(
          Reason::kRateLimited,
          absl::StrCat(kMaxUploads, " uploads are under way; try again"),
          {{"retry_after_seconds", "1"}});
    }
    proto::UploadTruststoreVersionRequest message;
    if (!reader.Read(&message) || !message.has_start()) {
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
    std::string sha256;
    while (reader.Read(&message)) {
      if (!sha256.empty()) {
        return UploadInvalid("there is a message after the SHA-256");
      }
      switch (message.message_case()) {
        case proto::UploadTruststoreVersionRequest::kChunk:
          if (message.chunk().size() > kMaxChunkBytes) {
            return UploadInvalid(absl::StrCat("a piece has more than ",
                                              kMaxChunkBytes, " bytes"));
          }
          create.pem += message.chunk();
          if (create.pem.size() > limits.max_bytes) {
            Violations violations;
            violations.Add(
                "chunk", Reason::kTruststoreTooLarge,
                absl::StrCat("the text has more than ", limits.max_bytes,
                             " bytes; an admin can raise the "
                             "truststore's limits"));
            return violations.ToStatus();
          }
          break;
        case proto::UploadTruststoreVersionRequest::kSha256:
          sha256 = absl::AsciiStrToLower(message.sha256());
          if (sha256.empty()) return UploadInvalid("the SHA-256 is empty");
          break;
        default:
          return UploadInvalid("a message is neither a piece nor the SHA-256");
      }
    }
    // A connection that breaks ends the messages too.
    if (sha256.empty()) {
      return UploadInvalid("the upload ended without the SHA-256 of its text");
    }
    const store::BlobDigest digest = store::BlobDigest::Of(create.pem);
    if (sha256 != digest.ToHex()) {
      return UploadInvalid("what arrived does not have the SHA-256");
    }
    service::Write write = WriteOf(method, start);
    // The content is part of the request.
    write.request = store::BlobDigest::Of(
        absl::StrCat(write.request.bytes(), digest.bytes()));
    return Answer(truststores_->CreateVersion(caller, write, create), response);
  }

  Truststores* const truststores_;
  Gate* const gate_;
  std::atomic<int> uploads_{0};
};

class AuditLogService final : public proto::AuditLog::Service {
 public:
  AuditLogService(service::AuditLog* audit_log, Gate* gate)
      : audit_log_(audit_log), gate_(gate) {}

  grpc::Status GetAuditEntry(ServerContext* context,
                             const proto::GetAuditEntryRequest* request,
                             proto::AuditEntry* response) override {
    return gate_->Run(
        *context, "sallyport.config.v1.AuditLog/GetAuditEntry",
        [&](const Caller&) -> absl::Status {
          absl::string_view rest = request->name();
          int64_t revision = 0;
          if (!absl::ConsumePrefix(&rest, "auditEntries/") ||
              !absl::SimpleAtoi(rest, &revision) || revision <= 0) {
            Violations violations;
            violations.Add("name", Reason::kNameMalformed,
                           "is not of the form auditEntries/REVISION");
            return violations.ToStatus();
          }
          return Answer(audit_log_->Get(revision), response);
        });
  }

  grpc::Status ListAuditEntries(
      ServerContext* context, const proto::ListAuditEntriesRequest* request,
      proto::ListAuditEntriesResponse* response) override {
    return gate_->Run(*context, "sallyport.config.v1.AuditLog/ListAuditEntries",
                      [&](const Caller&) -> absl::Status {
                        SALLYPORT_ASSIGN_OR_RETURN(
                            auto page, audit_log_->List(PageOf(*request)));
                        for (const auto& entry : page.items) {
                          Convert(entry, *response->add_audit_entries());
                        }
                        response->set_next_page_token(page.next_page_token);
                        return absl::OkStatus();
                      });
  }

 private:
  service::AuditLog* const audit_log_;
  Gate* const gate_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewTruststoresService(Truststores* truststores,
                                                     Gate* gate) {
  return std::make_unique<TruststoresService>(truststores, gate);
}

std::unique_ptr<grpc::Service> NewAuditLogService(service::AuditLog* audit_log,
                                                  Gate* gate) {
  return std::make_unique<AuditLogService>(audit_log, gate);
}

}  // namespace sallyport::api
