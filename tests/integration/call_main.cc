// Calls methods of the config service's API, for tests: reads one JSON object
// for each line, {"method": "sallyport.config.v1.Apis/GetApi", "request": {}},
// and prints one for each, {"response": {}} or {"error": {}}: a
// google.rpc.Status. Usage: call ADDRESS [TOKEN].

#include <iostream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/dynamic_message.h"
#include "google/protobuf/util/json_util.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/grpcpp.h"
#include "nlohmann/json.hpp"
#include "proto/sallyport/config/v1/api.pb.h"
#include "proto/sallyport/config/v1/api_mapping.pb.h"
#include "proto/sallyport/config/v1/audit.pb.h"
#include "proto/sallyport/config/v1/client_certificate.pb.h"
#include "proto/sallyport/config/v1/domain_name.pb.h"
#include "proto/sallyport/config/v1/fleet.pb.h"
#include "proto/sallyport/config/v1/revocation.pb.h"
#include "proto/sallyport/config/v1/server_certificate.pb.h"
#include "proto/sallyport/config/v1/truststore.pb.h"

namespace sallyport {
namespace {

using google::protobuf::Message;
using Json = nlohmann::json;

// So that the linker keeps the descriptors of every service.
void LinkServices() {
  namespace proto = sallyport::config::v1;
  for (const auto* message :
       {proto::Api::descriptor(), proto::ApiMapping::descriptor(),
        proto::AuditEntry::descriptor(), proto::ClientCertificate::descriptor(),
        proto::DomainName::descriptor(), proto::Fleet::descriptor(),
        proto::RevocationList::descriptor(),
        proto::ServerCertificate::descriptor(), proto::Truststore::descriptor(),
        google::rpc::ErrorInfo::descriptor(),
        google::rpc::BadRequest::descriptor()}) {
    if (message == nullptr) std::abort();
  }
}

Json ToJson(const Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string out;
  const auto status =
      google::protobuf::util::MessageToJsonString(message, &out, options);
  if (!status.ok()) return {{"unprintable", std::string(status.ToString())}};
  return Json::parse(out);
}

grpc::ByteBuffer ToBuffer(const Message& message) {
  const grpc::Slice slice(message.SerializeAsString());
  return grpc::ByteBuffer(&slice, 1);
}

bool FromBuffer(const grpc::ByteBuffer& buffer, Message& message) {
  grpc::Slice slice;
  if (!buffer.DumpToSingleSlice(&slice).ok()) return false;
  return message.ParseFromArray(slice.begin(), static_cast<int>(slice.size()));
}

Json Call(grpc::GenericStub& stub, const std::string& token,
          const std::string& name, const Json& given) {
  const std::pair<std::string, std::string> parts =
      absl::StrSplit(name, absl::MaxSplits('/', 1));
  const auto* service =
      google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(
          parts.first);
  const auto* method =
      service == nullptr ? nullptr : service->FindMethodByName(parts.second);
  if (method == nullptr) return {{"unknown", name}};
  auto& factory = *google::protobuf::MessageFactory::generated_factory();
  const std::unique_ptr<Message> request(
      factory.GetPrototype(method->input_type())->New());
  const std::unique_ptr<Message> response(
      factory.GetPrototype(method->output_type())->New());
  const auto parsed =
      google::protobuf::util::JsonStringToMessage(given.dump(), request.get());
  if (!parsed.ok()) return {{"unreadable", std::string(parsed.ToString())}};

  grpc::ClientContext context;
  if (!token.empty()) {
    context.AddMetadata("authorization", absl::StrCat("Bearer ", token));
  }
  grpc::CompletionQueue queue;
  const auto call = stub.PrepareUnaryCall(&context, absl::StrCat("/", name),
                                          ToBuffer(*request), &queue);
  call->StartCall();
  grpc::ByteBuffer answer;
  grpc::Status status;
  call->Finish(&answer, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  if (status.ok()) {
    if (!FromBuffer(answer, *response)) return {{"unreadable", "response"}};
    return {{"response", ToJson(*response)}};
  }
  google::rpc::Status error;
  if (!error.ParseFromString(status.error_details()) || error.code() == 0) {
    error.set_code(status.error_code());
    error.set_message(status.error_message());
  }
  return {{"error", ToJson(error)}};
}

int Run(int argc, char** argv) {
  if (argc < 2 || argc > 3) {
    std::cerr << "Usage: call ADDRESS [TOKEN]\n";
    return 2;
  }
  LinkServices();
  grpc::GenericStub stub(
      grpc::CreateChannel(argv[1], grpc::InsecureChannelCredentials()));
  const std::string token = argc == 3 ? argv[2] : "";
  std::string line;
  while (std::getline(std::cin, line)) {
    const Json given = Json::parse(line);
    std::cout << Call(stub, token, given.at("method"), given.at("request"))
              << std::endl;
  }
  return 0;
}

}  // namespace
}  // namespace sallyport

int main(int argc, char** argv) { return sallyport::Run(argc, argv); }
