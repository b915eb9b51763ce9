#include "config_service/api/lists.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "config_service/api/convert_list.h"
#include "config_service/api/handlers.h"
#include "config_service/api/open_calls.h"
#include "config_service/api/upload.h"
#include "config_service/domain/violations.h"
#include "proto/sallyport/config/v1/revocation.grpc.pb.h"

namespace sallyport::api {

namespace proto = sallyport::config::v1;
using domain::CertificateListName;
using domain::Reason;
using domain::RevocationListName;
using domain::Violations;
using grpc::ServerContext;
using service::Caller;
using service::CertificateLists;
using service::PageRequest;
using service::RevocationLists;
using service::Write;

namespace {

class RevocationListsService final : public proto::RevocationLists::Service,
                                     private Handlers {
 public:
  RevocationListsService(RevocationLists* lists, Gate* gate)
      : Handlers("RevocationLists", gate), lists_(lists) {}

  grpc::Status CreateRevocationList(
      ServerContext* context, const proto::CreateRevocationListRequest* request,
      proto::RevocationList* response) override {
    return Create(context, __func__, *request, "revocation_list",
                  request->revocation_list(), *response,
                  [&](const Caller& caller, const Write& write,
                      domain::RevocationList list) {
                    return lists_->Create(
                        caller, write,
                        {request->revocation_list_id(), std::move(list),
                         request->revocation_list().content()});
                  });
  }

  grpc::Status GetRevocationList(ServerContext* context,
                                 const proto::GetRevocationListRequest* request,
                                 proto::RevocationList* response) override {
    return Get<RevocationListName>(
        context, __func__, *request, *response,
        [&](const RevocationListName& name) { return lists_->Get(name); });
  }

  grpc::Status ListRevocationLists(
      ServerContext* context, const proto::ListRevocationListsRequest* request,
      proto::ListRevocationListsResponse* response) override {
    return List(context, __func__, *request, *response,
                &proto::ListRevocationListsResponse::add_revocation_lists,
                [&](const PageRequest& page) { return lists_->List(page); });
  }

  grpc::Status UpdateRevocationList(
      ServerContext* context, const proto::UpdateRevocationListRequest* request,
      proto::RevocationList* response) override {
    return Update(
        context, __func__, *request, "revocation_list",
        request->revocation_list(), *response,
        [&](const Caller& caller, const Write& write,
            domain::RevocationList list, std::vector<std::string> mask) {
          return lists_->Update(caller, write,
                                {std::move(list), std::move(mask),
                                 request->revocation_list().content()});
        });
  }

  grpc::Status UploadRevocationList(
      ServerContext* context,
      grpc::ServerReader<proto::UploadRevocationListRequest>* reader,
      proto::RevocationList* response) override {
    return Run(context, __func__,
               [&](const Caller& caller, absl::string_view method) {
                 return Upload(caller, method, *reader, *response);
               });
  }

  grpc::Status DeleteRevocationList(
      ServerContext* context, const proto::DeleteRevocationListRequest* request,
      google::protobuf::Empty*) override {
    return Delete<RevocationListName>(
        context, __func__, *request,
        [&](const Caller& caller, const Write& write,
            const RevocationListName& name, const domain::Etag& etag) {
          return lists_->Delete(caller, write, name, etag);
        });
  }

 private:
  absl::Status Upload(
      const Caller& caller, absl::string_view method,
      grpc::ServerReader<proto::UploadRevocationListRequest>& reader,
      proto::RevocationList& response) {
    proto::UploadRevocationListRequest first;
    if (!ReadInTime(reader, &first) ||
        (!first.has_create() && !first.has_update())) {
      return UploadInvalid("the first message is neither create nor update");
    }
    const bool creates = first.has_create();
    const proto::RevocationList& message =
        creates ? first.create().revocation_list()
                : first.update().revocation_list();
    if (!message.content().empty()) {
      return UploadInvalid("the start of an upload has no content of its own");
    }
    Violations violations;
    proto::RevocationList wanted = message;
    if (creates) wanted.clear_name();
    domain::RevocationList list =
        ReadResource("revocation_list", wanted, violations);
    if (!creates && message.name().empty()) {
      violations.Add("revocation_list.name", Reason::kFieldRequired,
                     "is empty; say which resource to update");
    }
    SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
    SALLYPORT_ASSIGN_OR_RETURN(
        UploadedContent content,
        ReadContent(reader, limits::kMaxRevocationBytes,
                    Reason::kRevocationListInvalid,
                    absl::StrCat("the content has more than ",
                                 limits::kMaxRevocationBytes,
                                 " bytes; make several resources of it")));
    if (creates) {
      return Answer(lists_->Create(caller,
                                   WithContent(WriteOf(method, first.create()),
                                               content.digest),
                                   {first.create().revocation_list_id(),
                                    std::move(list), std::move(content.bytes)}),
                    response);
    }
    std::vector<std::string> mask =
        MaskOf(first.update().has_update_mask(), first.update().update_mask(),
               message);
    mask.emplace_back("content");
    return Answer(
        lists_->Update(
            caller,
            WithContent(WriteOf(method, first.update()), content.digest),
            {std::move(list), std::move(mask), std::move(content.bytes)}),
        response);
  }

  RevocationLists* const lists_;
};

class CertificateListsService final : public proto::CertificateLists::Service,
                                      private Handlers {
 public:
  CertificateListsService(CertificateLists* lists, Gate* gate)
      : Handlers("CertificateLists", gate), lists_(lists) {}

  grpc::Status CreateCertificateList(
      ServerContext* context,
      const proto::CreateCertificateListRequest* request,
      proto::CertificateList* response) override {
    return Run(
        context, __func__,
        [&](const Caller& caller, absl::string_view method) -> absl::Status {
          Violations violations;
          proto::CertificateList wanted = request->certificate_list();
          wanted.clear_name();
          CertificateLists::CreateRequest create;
          create.id = request->certificate_list_id();
          create.list = ReadResource("certificate_list", wanted, violations);
          if (wanted.kind() == proto::CertificateList::KIND_UNSPECIFIED) {
            violations.Add("certificate_list.kind", Reason::kFieldRequired,
                           "is not set; DENY or ALLOW");
          }
          create.entries = EntriesOf("entries", request->entries(), violations);
          SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
          return Answer(
              lists_->Create(caller, WriteOf(method, *request), create),
              *response);
        });
  }

  grpc::Status GetCertificateList(
      ServerContext* context, const proto::GetCertificateListRequest* request,
      proto::CertificateList* response) override {
    return Get<CertificateListName>(
        context, __func__, *request, *response,
        [&](const CertificateListName& name) { return lists_->Get(name); });
  }

  grpc::Status ListCertificateLists(
      ServerContext* context, const proto::ListCertificateListsRequest* request,
      proto::ListCertificateListsResponse* response) override {
    return List(context, __func__, *request, *response,
                &proto::ListCertificateListsResponse::add_certificate_lists,
                [&](const PageRequest& page) { return lists_->List(page); });
  }

  grpc::Status UpdateCertificateList(
      ServerContext* context,
      const proto::UpdateCertificateListRequest* request,
      proto::CertificateList* response) override {
    return Update(
        context, __func__, *request, "certificate_list",
        request->certificate_list(), *response,
        [&](const Caller& caller, const Write& write,
            domain::CertificateList list, std::vector<std::string> mask) {
          const bool has_kind = request->certificate_list().kind() !=
                                proto::CertificateList::KIND_UNSPECIFIED;
          return lists_->Update(caller, write,
                                {std::move(list), std::move(mask),
                                 has_kind ? CertificateLists::Kind::kSet
                                          : CertificateLists::Kind::kUnset});
        });
  }

  grpc::Status DeleteCertificateList(
      ServerContext* context,
      const proto::DeleteCertificateListRequest* request,
      google::protobuf::Empty*) override {
    return Delete<CertificateListName>(
        context, __func__, *request,
        [&](const Caller& caller, const Write& write,
            const CertificateListName& name, const domain::Etag& etag) {
          return lists_->Delete(caller, write, name, etag);
        });
  }

  grpc::Status ModifyCertificateListEntries(
      ServerContext* context,
      const proto::ModifyCertificateListEntriesRequest* request,
      proto::CertificateList* response) override {
    return Run(
        context, __func__,
        [&](const Caller& caller, absl::string_view method) -> absl::Status {
          Violations violations;
          CertificateLists::ModifyRequest modify;
          modify.name = ParseName<CertificateListName>("name", request->name(),
                                                       violations);
          modify.etag = domain::Etag(request->etag());
          modify.add = EntriesOf("add", request->add(), violations);
          modify.remove = EntriesOf("remove", request->remove(), violations);
          SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
          return Answer(
              lists_->Modify(caller, WriteOf(method, *request), modify),
              *response);
        });
  }

  grpc::Status ListCertificateListEntries(
      ServerContext* context,
      const proto::ListCertificateListEntriesRequest* request,
      proto::ListCertificateListEntriesResponse* response) override {
    return ListIn<CertificateListName>(
        context, __func__, *request, *response,
        &proto::ListCertificateListEntriesResponse::add_entries,
        [&](const CertificateListName& parent, const PageRequest& page) {
          return lists_->ListEntries(parent, page);
        });
  }

 private:
  template <typename Messages>
  static std::vector<domain::CertificateListEntry> EntriesOf(
      absl::string_view field, const Messages& messages,
      Violations& violations) {
    std::vector<domain::CertificateListEntry> out;
    out.reserve(static_cast<size_t>(messages.size()));
    for (const proto::CertificateListEntry& message : messages) {
      out.push_back(
          Convert(domain::Element(field, out.size()), message, violations));
    }
    return out;
  }

  CertificateLists* const lists_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewRevocationListsService(RevocationLists* lists,
                                                         Gate* gate) {
  return std::make_unique<RevocationListsService>(lists, gate);
}

std::unique_ptr<grpc::Service> NewCertificateListsService(
    CertificateLists* lists, Gate* gate) {
  return std::make_unique<CertificateListsService>(lists, gate);
}

}  // namespace sallyport::api
