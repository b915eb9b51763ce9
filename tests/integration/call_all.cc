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
#include "cli/online/catalog.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/security/credentials.h"

namespace {

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
  for (const auto* service : sallyport::cli::online::Services()) {
    for (int m = 0; m < service->method_count(); ++m) {
      const auto* method = service->method(m);
      const bool waits =
          method->name() == "WatchEvents" || method->name() == "WaitForRollout";
      const grpc::Status status = CallEmpty(
          stub, absl::StrCat("/", service->full_name(), "/", method->name()),
          token, waits ? kWaitDeadline : kDeadline);
      std::cout << service->name() << "/" << method->name() << " "
                << absl::StatusCodeToString(
                       static_cast<absl::StatusCode>(status.error_code()))
                << " " << ReasonOf(status) << "\n";
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
