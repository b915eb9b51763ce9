#include "cli/online/rpc.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/stub_options.h"

namespace sallyport::cli::online {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::MethodDescriptor;

constexpr int kPageSize = 500;

std::string BytesOf(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  std::string out;
  if (!buffer.Dump(&slices).ok()) return out;
  for (const grpc::Slice& slice : slices) {
    out.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return out;
}

}  // namespace

std::unique_ptr<Message> NewMessage(const google::protobuf::Descriptor& type) {
  return std::unique_ptr<Message>(
      google::protobuf::MessageFactory::generated_factory()
          ->GetPrototype(&type)
          ->New());
}

grpc::Status Call(const Client& client, const MethodDescriptor& method,
                  const Message& request, Message& response) {
  const std::string path =
      absl::StrCat("/", method.service()->full_name(), "/", method.name());
  const grpc::Slice slice(request.SerializeAsString());
  const grpc::ByteBuffer sent(&slice, 1);
  grpc::ByteBuffer received;
  grpc::GenericStub stub(client.channel());
  const auto context = client.NewContext();
  absl::Notification done;
  grpc::Status status;
  stub.UnaryCall(context.get(), path, grpc::StubOptions(), &sent, &received,
                 [&](grpc::Status result) {
                   status = std::move(result);
                   done.Notify();
                 });
  done.WaitForNotification();
  if (!status.ok()) {
    if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED) {
      return grpc::Status(
          status.error_code(),
          absl::StrCat("the service has no ", method.service()->name(), "/",
                       method.name(), "; it may be older than this program"));
    }
    return status;
  }
  if (!response.ParseFromString(BytesOf(received))) {
    return grpc::Status(grpc::StatusCode::INTERNAL,
                        "the answer cannot be read");
  }
  return status;
}

grpc::Status CallPages(const Client& client, const MethodDescriptor& method,
                       Message& request,
                       absl::FunctionRef<bool(const Message&)> take) {
  const auto& r = *request.GetReflection();
  const auto& type = *request.GetDescriptor();
  const FieldDescriptor* size = type.FindFieldByName("page_size");
  const FieldDescriptor* token = type.FindFieldByName("page_token");
  if (r.GetInt32(request, size) == 0) r.SetInt32(&request, size, kPageSize);
  while (true) {
    const std::unique_ptr<Message> response = NewMessage(*method.output_type());
    grpc::Status status = Call(client, method, request, *response);
    if (!status.ok()) return status;
    if (!take(*response)) return status;
    const FieldDescriptor* next =
        method.output_type()->FindFieldByName("next_page_token");
    const std::string text =
        response->GetReflection()->GetString(*response, next);
    if (text.empty()) return status;
    r.SetString(&request, token, text);
  }
}

std::string ReasonOf(const grpc::Status& status) {
  google::rpc::Status details;
  if (!details.ParseFromString(status.error_details())) return "";
  for (const auto& any : details.details()) {
    google::rpc::ErrorInfo info;
    if (any.UnpackTo(&info)) return info.reason();
  }
  return "";
}

std::vector<std::string> ViolationReasonsOf(const grpc::Status& status) {
  google::rpc::Status details;
  std::vector<std::string> out;
  if (!details.ParseFromString(status.error_details())) return out;
  for (const auto& any : details.details()) {
    google::rpc::BadRequest bad_request;
    if (!any.UnpackTo(&bad_request)) continue;
    for (const auto& violation : bad_request.field_violations()) {
      out.push_back(violation.reason());
    }
  }
  return out;
}

}  // namespace sallyport::cli::online
