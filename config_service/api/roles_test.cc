#include "config_service/service/roles.h"

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "config_service/domain/violations.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/descriptor.pb.h"
#include "gtest/gtest.h"
#include "proto/sallyport/config/v1/access_key.pb.h"
#include "proto/sallyport/config/v1/api.pb.h"
#include "proto/sallyport/config/v1/api_mapping.pb.h"
#include "proto/sallyport/config/v1/audit.pb.h"
#include "proto/sallyport/config/v1/client_certificate.pb.h"
#include "proto/sallyport/config/v1/domain_name.pb.h"
#include "proto/sallyport/config/v1/fleet.pb.h"
#include "proto/sallyport/config/v1/issuer.pb.h"
#include "proto/sallyport/config/v1/revocation.pb.h"
#include "proto/sallyport/config/v1/server_certificate.pb.h"
#include "proto/sallyport/config/v1/state.pb.h"
#include "proto/sallyport/config/v1/truststore.pb.h"

namespace sallyport::service {
namespace {

// "sallyport.config.v1.Truststores/GetTruststore" of every service there is.
std::vector<std::string> AllMethods() {
  namespace proto = sallyport::config::v1;
  const google::protobuf::FileDescriptor* files[] = {
      proto::AccessKey::descriptor()->file(),
      proto::Api::descriptor()->file(),
      proto::ApiMapping::descriptor()->file(),
      proto::AuditEntry::descriptor()->file(),
      proto::ClientCertificate::descriptor()->file(),
      proto::DomainName::descriptor()->file(),
      proto::Fleet::descriptor()->file(),
      proto::Issuer::descriptor()->file(),
      proto::RevocationList::descriptor()->file(),
      proto::ServerCertificate::descriptor()->file(),
      proto::ExportStateRequest::descriptor()->file(),
      proto::Truststore::descriptor()->file(),
  };
  std::vector<std::string> out;
  for (const auto* file : files) {
    for (int s = 0; s < file->service_count(); ++s) {
      for (int m = 0; m < file->service(s)->method_count(); ++m) {
        out.push_back(absl::StrCat(file->service(s)->full_name(), "/",
                                   file->service(s)->method(m)->name()));
      }
    }
  }
  return out;
}

TEST(Roles, HaveAnEntryForEveryMethod) {
  const std::vector<std::string> methods = AllMethods();
  EXPECT_GT(methods.size(), 70u);
  for (const std::string& method : methods) {
    const auto role = RequiredRole(method);
    ASSERT_TRUE(role.has_value()) << method;
    EXPECT_NE(*role, Role::kNone) << method;
    // What changes something is not for viewers.
    const std::string name = method.substr(method.find('/') + 1);
    const bool reads =
        absl::StartsWith(name, "Get") || absl::StartsWith(name, "List") ||
        absl::StartsWith(name, "Read") || absl::StartsWith(name, "Diff") ||
        absl::StartsWith(name, "Wait") || absl::StartsWith(name, "Watch");
    EXPECT_EQ(*role == Role::kViewer, reads) << method;
  }
}

TEST(Roles, AllowWhatTheyShouldAndNothingElse) {
  for (const std::string& method : AllMethods()) {
    const Role required = *RequiredRole(method);
    for (Role role :
         {Role::kNone, Role::kViewer, Role::kOperator, Role::kAdmin}) {
      const absl::Status status = Authorize(role, method);
      EXPECT_EQ(status.ok(), role >= required) << method;
      if (status.ok()) continue;
      EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
      const auto error = domain::ErrorOf(status);
      ASSERT_TRUE(error.has_value());
      EXPECT_EQ(error->reason, domain::Reason::kRoleMissing);
      EXPECT_EQ(error->metadata[0].second, RoleName(required));
    }
  }
}

TEST(Roles, RefuseAMethodThatIsNotInTheTable) {
  for (absl::string_view method :
       {"", "sallyport.config.v1.Truststores/None",
        "sallyport.config.v1.Truststores/GetTruststore2", "zzz/Zzz"}) {
    EXPECT_FALSE(RequiredRole(method).has_value());
    EXPECT_FALSE(Authorize(Role::kAdmin, method).ok());
  }
}

TEST(Roles, HaveNames) {
  for (Role role : {Role::kViewer, Role::kOperator, Role::kAdmin}) {
    EXPECT_EQ(RoleFromName(RoleName(role)), role);
  }
  EXPECT_FALSE(RoleFromName("none").has_value());
  EXPECT_FALSE(RoleFromName("root").has_value());
}

}  // namespace
}  // namespace sallyport::service
