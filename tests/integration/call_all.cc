// Calls every method of the API with an empty request, and prints what came
// back, a line for each: METHOD CODE REASON. Then the method that says whether
// the service is in health.
//
//   call_all ADDRESS [TOKEN]

#include <chrono>
#include <iostream>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/security/credentials.h"
#include "proto/sallyport/config/v1/api.pb.h"
#include "proto/sallyport/config/v1/api_mapping.pb.h"
#include "proto/sallyport/config/v1/audit.pb.h"
#include "proto/sallyport/config/v1/client_certificate.pb.h"
#include "proto/sallyport/config/v1/domain_name.pb.h"
#include "proto/sallyport/config/v1/fleet.pb.h"
#include "proto/sallyport/config/v1/revocation.pb.h"
#include "proto/sallyport/config/v1/server_certificate.pb.h"
#include "proto/sallyport/config/v1/state.pb.h"
#include "proto/sallyport/config/v1/truststore.pb.h"

namespace {

namespace proto = sallyport::config::v1;

// Of calls, and of those that wait for something.
constexpr std::chrono::seconds kDeadline(20);
constexpr std::chrono::seconds kWaitDeadline(1);

std::string ReasonOf(const grpc::Status& status) {
  google::rpc::Status details;
  details.ParseFromString(status.error_details());
  for (const auto& any : details.details()) {
    google::rpc::ErrorInfo info;
    if (any.UnpackTo(&info)) return info.reason();
  }
  return "-";
}

grpc::Status CallEmpty(grpc::GenericStub& stub, const std::string& path,
                       const std::string& token,
                       std::chrono::seconds deadline) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + deadline);
  if (!token.empty()) {
    context.AddMetadata("authorization", absl::StrCat("Bearer ", token));
  }
  const grpc::Slice slice("");
  const grpc::ByteBuffer request(&slice, 1);
  grpc::ByteBuffer response;
  absl::Notification done;
  grpc::Status status;
  // One message and the end of messages: that suits streaming methods too.
  stub.UnaryCall(&context, path, grpc::StubOptions(), &request, &response,
                 [&](grpc::Status result) {
                   status = std::move(result);
                   done.Notify();
                 });
  done.WaitForNotification();
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const std::string token = argc > 2 ? argv[2] : "";
  grpc::GenericStub stub(
      grpc::CreateChannel(argv[1], grpc::InsecureChannelCredentials()));
  for (const auto* message :
       {proto::Api::descriptor(), proto::ApiMapping::descriptor(),
        proto::AuditEntry::descriptor(), proto::ClientCertificate::descriptor(),
        proto::DomainName::descriptor(), proto::Fleet::descriptor(),
        proto::RevocationList::descriptor(),
        proto::ServerCertificate::descriptor(),
        proto::ExportStateRequest::descriptor(),
        proto::Truststore::descriptor()}) {
    const auto* file = message->file();
    for (int s = 0; s < file->service_count(); ++s) {
      for (int m = 0; m < file->service(s)->method_count(); ++m) {
        const auto* method = file->service(s)->method(m);
        const grpc::Status status =
            CallEmpty(stub,
                      absl::StrCat("/", file->service(s)->full_name(), "/",
                                   method->name()),
                      token,
                      method->name() == "WatchEvents" ||
                              method->name() == "WaitForRollout"
                          ? kWaitDeadline
                          : kDeadline);
        std::cout << file->service(s)->name() << "/" << method->name() << " "
                  << absl::StatusCodeToString(
                         static_cast<absl::StatusCode>(status.error_code()))
                  << " " << ReasonOf(status) << "\n";
      }
    }
  }
  const grpc::Status health =
      CallEmpty(stub, "/grpc.health.v1.Health/Check", token, kDeadline);
  std::cout << "Health/Check "
            << absl::StatusCodeToString(
                   static_cast<absl::StatusCode>(health.error_code()))
            << " " << ReasonOf(health) << "\n";
  return 0;
}
