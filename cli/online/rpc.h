// Calls of any unary method, by its descriptor.

#ifndef SALLYPORT_CLI_ONLINE_RPC_H_
#define SALLYPORT_CLI_ONLINE_RPC_H_

#include <memory>

#include "absl/functional/function_ref.h"
#include "cli/online/client.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "grpcpp/support/status.h"

namespace sallyport::cli::online {

// An empty message of the type. Never null for the types of our API.
std::unique_ptr<google::protobuf::Message> NewMessage(
    const google::protobuf::Descriptor& type);

// Fills `response`, which is of the method's output type. Waits for the answer,
// at most as long as the client's options say.
grpc::Status Call(const Client& client,
                  const google::protobuf::MethodDescriptor& method,
                  const google::protobuf::Message& request,
                  google::protobuf::Message& response);

// Calls a list method page by page. `request` is left at the last page; `take`
// is called with each response and says whether to go on.
grpc::Status CallPages(
    const Client& client, const google::protobuf::MethodDescriptor& method,
    google::protobuf::Message& request,
    absl::FunctionRef<bool(const google::protobuf::Message&)> take);

// The reason in the error's details ("RESOURCE_NOT_FOUND"), or "".
std::string ReasonOf(const grpc::Status& status);
// The reasons of its field violations.
std::vector<std::string> ViolationReasonsOf(const grpc::Status& status);

}  // namespace sallyport::cli::online

#endif  // SALLYPORT_CLI_ONLINE_RPC_H_
