#include "config_service/aws/client_certificates.h"

#include <string>
#include <utility>
#include <vector>

#include "base/status_macros.h"
#include "config_service/aws/patch.h"
#include "config_service/domain/violations.h"

namespace sallyport::aws {
namespace {

using domain::ClientCertificateName;
using domain::Reason;
using domain::Violations;
using service::ClientCertificateView;

Json ToJson(const ClientCertificateView& view) {
  const domain::ClientCertificate& certificate = view.certificate;
  Json out = {
      {"clientCertificateId", certificate.name.id()},
      {"pemEncodedCertificate", certificate.certificate_chain_pem},
      {"createdDate", TimeJson(certificate.metadata.create_time)},
      {"expirationDate", TimeJson(view.chain.front()->not_after())},
      {"tags", TagsJson(certificate.metadata.labels)},
  };
  if (!certificate.metadata.description.empty()) {
    out["description"] = certificate.metadata.description;
  }
  return out;
}

absl::StatusOr<ClientCertificateName> NameIn(const Call& call,
                                             Violations& violations) {
  RefuseQuery(call.query, {}, violations);
  const std::string& id = call.path.at("clientcertificate_id");
  const absl::Status status =
      domain::CheckId(ClientCertificateName::kIdRule, id);
  if (!status.ok()) {
    violations.Add("clientCertificateId", Reason::kFieldMalformed,
                   status.message());
  }
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  return ClientCertificateName(id);
}

}  // namespace

void ClientCertificates::AddTo(Handlers& handlers) {
  const auto add =
      [&](absl::string_view name,
          absl::StatusOr<Json> (ClientCertificates::*run)(const Call&)) {
        handlers[{Service::kApiGateway, name}] = [this, run](const Call& call) {
          return (this->*run)(call);
        };
      };
  add("GenerateClientCertificate", &ClientCertificates::Generate);
  add("GetClientCertificate", &ClientCertificates::Get);
  add("GetClientCertificates", &ClientCertificates::List);
  add("UpdateClientCertificate", &ClientCertificates::Update);
  add("DeleteClientCertificate", &ClientCertificates::Delete);
}

absl::StatusOr<Json> ClientCertificates::Generate(const Call& call) {
  Violations violations;
  RefuseQuery(call.query, {}, violations);
  Fields fields(call.body, "", violations);
  service::ClientCertificates::GenerateRequest request;
  request.certificate.metadata.description =
      fields.String("description").value_or("");
  for (auto& [key, value] : fields.StringMap("tags")) {
    request.certificate.metadata.labels[key] = value;
  }
  fields.Finish();
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  SALLYPORT_ASSIGN_OR_RETURN(
      const ClientCertificateView view,
      certificates_.Generate(call.caller, call.write, request));
  return ToJson(view);
}

absl::StatusOr<Json> ClientCertificates::Get(const Call& call) {
  Violations violations;
  SALLYPORT_ASSIGN_OR_RETURN(const ClientCertificateName name,
                             NameIn(call, violations));
  SALLYPORT_ASSIGN_OR_RETURN(const ClientCertificateView view,
                             certificates_.Get(name));
  return ToJson(view);
}

absl::StatusOr<Json> ClientCertificates::List(const Call& call) {
  Violations violations;
  const service::PageRequest request = PageOf(call, {}, violations);
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  SALLYPORT_ASSIGN_OR_RETURN(const service::Page<ClientCertificateView> page,
                             certificates_.List(request));
  Json items = Json::array();
  for (const ClientCertificateView& view : page.items) {
    items.push_back(ToJson(view));
  }
  return ListJson(std::move(items), page.next_page_token);
}

absl::StatusOr<Json> ClientCertificates::Update(const Call& call) {
  Violations violations;
  const std::vector<PatchOperation> operations =
      ReadPatch(call.body, violations);
  service::ClientCertificates::UpdateRequest request;
  for (const PatchOperation& operation : operations) {
    if (operation.path != "/description") {
      RefusePath(operation, violations);
      continue;
    }
    request.certificate.metadata.description = operation.value;
    request.mask = {"description"};
  }
  SALLYPORT_ASSIGN_OR_RETURN(request.certificate.name,
                             NameIn(call, violations));
  if (request.mask.empty()) return Get(call);
  SALLYPORT_ASSIGN_OR_RETURN(
      const ClientCertificateView view,
      certificates_.Update(call.caller, call.write, request));
  return ToJson(view);
}

absl::StatusOr<Json> ClientCertificates::Delete(const Call& call) {
  Violations violations;
  SALLYPORT_ASSIGN_OR_RETURN(const ClientCertificateName name,
                             NameIn(call, violations));
  SALLYPORT_RETURN_IF_ERROR(
      certificates_.Delete(call.caller, call.write, name, domain::Etag()));
  return Json();
}

}  // namespace sallyport::aws
