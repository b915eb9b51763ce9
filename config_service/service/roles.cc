#include "config_service/service/roles.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "config_service/domain/violations.h"

namespace sallyport::service {
namespace {

struct Row {
  absl::string_view method;
  Role role;
};

// In the order of the names.
constexpr Row kRows[] = {
    {"envoy.service.status.v3.ClientStatusDiscoveryService/FetchClientStatus",
     Role::kViewer},
    {"envoy.service.status.v3.ClientStatusDiscoveryService/StreamClientStatus",
     Role::kViewer},
    {"sallyport.config.v1.AccessKeys/DeleteAccessKey", Role::kAdmin},
    {"sallyport.config.v1.AccessKeys/GetAccessKey", Role::kViewer},
    {"sallyport.config.v1.AccessKeys/IssueAccessKey", Role::kAdmin},
    {"sallyport.config.v1.AccessKeys/ListAccessKeys", Role::kViewer},
    {"sallyport.config.v1.ApiMappings/CreateApiMapping", Role::kOperator},
    {"sallyport.config.v1.ApiMappings/DeleteApiMapping", Role::kOperator},
    {"sallyport.config.v1.ApiMappings/GetApiMapping", Role::kViewer},
    {"sallyport.config.v1.ApiMappings/ListApiMappings", Role::kViewer},
    {"sallyport.config.v1.ApiMappings/UpdateApiMapping", Role::kOperator},
    {"sallyport.config.v1.Apis/CreateApi", Role::kOperator},
    {"sallyport.config.v1.Apis/CreateDeployment", Role::kOperator},
    {"sallyport.config.v1.Apis/CreateRoute", Role::kOperator},
    {"sallyport.config.v1.Apis/CreateStage", Role::kOperator},
    {"sallyport.config.v1.Apis/DeleteApi", Role::kOperator},
    {"sallyport.config.v1.Apis/DeleteDeployment", Role::kOperator},
    {"sallyport.config.v1.Apis/DeleteRoute", Role::kOperator},
    {"sallyport.config.v1.Apis/DeleteStage", Role::kOperator},
    {"sallyport.config.v1.Apis/GetApi", Role::kViewer},
    {"sallyport.config.v1.Apis/GetDeployment", Role::kViewer},
    {"sallyport.config.v1.Apis/GetRoute", Role::kViewer},
    {"sallyport.config.v1.Apis/GetStage", Role::kViewer},
    {"sallyport.config.v1.Apis/ListApis", Role::kViewer},
    {"sallyport.config.v1.Apis/ListDeployments", Role::kViewer},
    {"sallyport.config.v1.Apis/ListRoutes", Role::kViewer},
    {"sallyport.config.v1.Apis/ListStages", Role::kViewer},
    {"sallyport.config.v1.Apis/RollbackStage", Role::kOperator},
    {"sallyport.config.v1.Apis/TestInvokeRoute", Role::kOperator},
    {"sallyport.config.v1.Apis/UpdateApi", Role::kOperator},
    {"sallyport.config.v1.Apis/UpdateDeployment", Role::kOperator},
    {"sallyport.config.v1.Apis/UpdateRoute", Role::kOperator},
    {"sallyport.config.v1.Apis/UpdateStage", Role::kOperator},
    {"sallyport.config.v1.AuditLog/GetAuditEntry", Role::kViewer},
    {"sallyport.config.v1.AuditLog/ListAuditEntries", Role::kViewer},
    {"sallyport.config.v1.CertificateLists/CreateCertificateList",
     Role::kOperator},
    {"sallyport.config.v1.CertificateLists/DeleteCertificateList",
     Role::kOperator},
    {"sallyport.config.v1.CertificateLists/GetCertificateList", Role::kViewer},
    {"sallyport.config.v1.CertificateLists/ListCertificateListEntries",
     Role::kViewer},
    {"sallyport.config.v1.CertificateLists/ListCertificateLists",
     Role::kViewer},
    {"sallyport.config.v1.CertificateLists/ModifyCertificateListEntries",
     Role::kOperator},
    {"sallyport.config.v1.CertificateLists/UpdateCertificateList",
     Role::kOperator},
    {"sallyport.config.v1.ClientCertificates/DeleteClientCertificate",
     Role::kOperator},
    {"sallyport.config.v1.ClientCertificates/GenerateClientCertificate",
     Role::kOperator},
    {"sallyport.config.v1.ClientCertificates/GetClientCertificate",
     Role::kViewer},
    {"sallyport.config.v1.ClientCertificates/ImportClientCertificate",
     Role::kOperator},
    {"sallyport.config.v1.ClientCertificates/ListClientCertificates",
     Role::kViewer},
    {"sallyport.config.v1.ClientCertificates/UpdateClientCertificate",
     Role::kOperator},
    {"sallyport.config.v1.DomainNames/CreateDomainName", Role::kOperator},
    {"sallyport.config.v1.DomainNames/DeleteDomainName", Role::kOperator},
    {"sallyport.config.v1.DomainNames/GetDomainName", Role::kViewer},
    {"sallyport.config.v1.DomainNames/ListDomainNames", Role::kViewer},
    {"sallyport.config.v1.DomainNames/UpdateDomainName", Role::kOperator},
    {"sallyport.config.v1.Fleets/CreateFleet", Role::kOperator},
    {"sallyport.config.v1.Fleets/DeleteFleet", Role::kOperator},
    {"sallyport.config.v1.Fleets/DeleteNode", Role::kOperator},
    {"sallyport.config.v1.Fleets/GetFleet", Role::kViewer},
    {"sallyport.config.v1.Fleets/GetNode", Role::kViewer},
    {"sallyport.config.v1.Fleets/GetRollout", Role::kViewer},
    {"sallyport.config.v1.Fleets/IssueNodeCertificate", Role::kAdmin},
    {"sallyport.config.v1.Fleets/ListFleets", Role::kViewer},
    {"sallyport.config.v1.Fleets/ListNodes", Role::kViewer},
    {"sallyport.config.v1.Fleets/RevokeNode", Role::kAdmin},
    {"sallyport.config.v1.Fleets/UpdateFleet", Role::kOperator},
    {"sallyport.config.v1.Fleets/WaitForRollout", Role::kViewer},
    {"sallyport.config.v1.Fleets/WatchEvents", Role::kViewer},
    {"sallyport.config.v1.Issuers/GetIssuer", Role::kViewer},
    {"sallyport.config.v1.Issuers/ListIssuers", Role::kViewer},
    {"sallyport.config.v1.RevocationLists/CreateRevocationList",
     Role::kOperator},
    {"sallyport.config.v1.RevocationLists/DeleteRevocationList",
     Role::kOperator},
    {"sallyport.config.v1.RevocationLists/GetRevocationList", Role::kViewer},
    {"sallyport.config.v1.RevocationLists/ListRevocationLists", Role::kViewer},
    {"sallyport.config.v1.RevocationLists/UpdateRevocationList",
     Role::kOperator},
    {"sallyport.config.v1.RevocationLists/UploadRevocationList",
     Role::kOperator},
    {"sallyport.config.v1.ServerCertificates/CreateServerCertificate",
     Role::kOperator},
    {"sallyport.config.v1.ServerCertificates/DeleteServerCertificate",
     Role::kOperator},
    {"sallyport.config.v1.ServerCertificates/GetServerCertificate",
     Role::kViewer},
    {"sallyport.config.v1.ServerCertificates/GetServerCertificateVersion",
     Role::kViewer},
    {"sallyport.config.v1.ServerCertificates/ImportServerCertificate",
     Role::kOperator},
    {"sallyport.config.v1.ServerCertificates/ListServerCertificateVersions",
     Role::kViewer},
    {"sallyport.config.v1.ServerCertificates/ListServerCertificates",
     Role::kViewer},
    {"sallyport.config.v1.ServerCertificates/RenewServerCertificate",
     Role::kOperator},
    {"sallyport.config.v1.ServerCertificates/UpdateServerCertificate",
     Role::kOperator},
    {"sallyport.config.v1.State/ExportState", Role::kAdmin},
    {"sallyport.config.v1.State/ImportState", Role::kAdmin},
    {"sallyport.config.v1.Truststores/ActivateTruststoreVersion",
     Role::kOperator},
    {"sallyport.config.v1.Truststores/CreateTruststore", Role::kOperator},
    {"sallyport.config.v1.Truststores/CreateTruststoreVersion",
     Role::kOperator},
    {"sallyport.config.v1.Truststores/DeleteTruststore", Role::kOperator},
    {"sallyport.config.v1.Truststores/DeleteTruststoreVersion",
     Role::kOperator},
    {"sallyport.config.v1.Truststores/DiffTruststoreVersions", Role::kViewer},
    {"sallyport.config.v1.Truststores/GetTruststore", Role::kViewer},
    {"sallyport.config.v1.Truststores/GetTruststoreVersion", Role::kViewer},
    {"sallyport.config.v1.Truststores/ListTruststoreCertificates",
     Role::kViewer},
    {"sallyport.config.v1.Truststores/ListTruststoreVersions", Role::kViewer},
    {"sallyport.config.v1.Truststores/ListTruststores", Role::kViewer},
    {"sallyport.config.v1.Truststores/ReadTruststoreVersion", Role::kViewer},
    {"sallyport.config.v1.Truststores/RollbackTruststore", Role::kOperator},
    {"sallyport.config.v1.Truststores/UpdateTruststore", Role::kOperator},
    {"sallyport.config.v1.Truststores/UploadTruststoreVersion",
     Role::kOperator},
};

}  // namespace

absl::string_view RoleName(Role role) {
  switch (role) {
    case Role::kNone:
      return "none";
    case Role::kViewer:
      return "viewer";
    case Role::kOperator:
      return "operator";
    case Role::kAdmin:
      return "admin";
  }
  return "none";
}

std::optional<Role> RoleFromName(absl::string_view name) {
  for (Role role : {Role::kViewer, Role::kOperator, Role::kAdmin}) {
    if (RoleName(role) == name) return role;
  }
  return std::nullopt;
}

std::optional<Role> RequiredRole(absl::string_view method) {
  const Row* row = std::lower_bound(
      std::begin(kRows), std::end(kRows), method,
      [](const Row& r, absl::string_view name) { return r.method < name; });
  if (row == std::end(kRows) || row->method != method) return std::nullopt;
  return row->role;
}

absl::Status Authorize(Role role, absl::string_view method) {
  const std::optional<Role> required = RequiredRole(method);
  if (required.has_value() && role >= *required) return absl::OkStatus();
  const absl::string_view wanted =
      required.has_value() ? RoleName(*required) : "nobody";
  return domain::MakeError(domain::Reason::kRoleMissing,
                           absl::StrCat("this needs the role ", wanted,
                                        "; the caller has ", RoleName(role)),
                           {{"required_role", std::string(wanted)}});
}

}  // namespace sallyport::service
