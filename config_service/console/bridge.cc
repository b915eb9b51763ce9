#include "config_service/console/bridge.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/text.h"
#include "config_service/console/limits.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "google/protobuf/util/json_util.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "grpcpp/completion_queue.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/support/byte_buffer.h"
#include "nlohmann/json.hpp"
#include "proto/sallyport/config/v1/fleet.grpc.pb.h"

namespace sallyport::console {
namespace {

using google::protobuf::Message;
using google::protobuf::MethodDescriptor;
using nlohmann::json;

namespace proto = sallyport::config::v1;

constexpr absl::string_view kPackage = "sallyport.config.v1.";
constexpr size_t kMaxNameBytes = 64;

struct CodeRow {
  grpc::StatusCode code;
  const char* name;
  int status;
};
constexpr CodeRow kCodes[] = {
    {grpc::StatusCode::CANCELLED, "CANCELLED", 499},
    {grpc::StatusCode::UNKNOWN, "UNKNOWN", 500},
    {grpc::StatusCode::INVALID_ARGUMENT, "INVALID_ARGUMENT", 400},
    {grpc::StatusCode::DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED", 504},
    {grpc::StatusCode::NOT_FOUND, "NOT_FOUND", 404},
    {grpc::StatusCode::ALREADY_EXISTS, "ALREADY_EXISTS", 409},
    {grpc::StatusCode::PERMISSION_DENIED, "PERMISSION_DENIED", 403},
    {grpc::StatusCode::RESOURCE_EXHAUSTED, "RESOURCE_EXHAUSTED", 429},
    {grpc::StatusCode::FAILED_PRECONDITION, "FAILED_PRECONDITION", 409},
    {grpc::StatusCode::ABORTED, "ABORTED", 409},
    {grpc::StatusCode::OUT_OF_RANGE, "OUT_OF_RANGE", 400},
    {grpc::StatusCode::UNIMPLEMENTED, "UNIMPLEMENTED", 501},
    {grpc::StatusCode::INTERNAL, "INTERNAL", 500},
    {grpc::StatusCode::UNAVAILABLE, "UNAVAILABLE", 503},
    {grpc::StatusCode::DATA_LOSS, "DATA_LOSS", 500},
    {grpc::StatusCode::UNAUTHENTICATED, "UNAUTHENTICATED", 401},
};

// Text of the service's own is UTF-8; what is not is shown as it can be.
std::string Dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

CallAnswer ErrorOf(const grpc::Status& status) {
  const auto* row = absl::c_find_if(kCodes, [&](const CodeRow& one) {
    return one.code == status.error_code();
  });
  if (row == std::end(kCodes)) row = &kCodes[1];
  json out = {{"code", row->name}, {"message", status.error_message()}};
  google::rpc::Status details;
  if (details.ParseFromString(status.error_details())) {
    for (const google::protobuf::Any& any : details.details()) {
      google::rpc::ErrorInfo info;
      google::rpc::BadRequest bad_request;
      if (any.UnpackTo(&info)) {
        out["reason"] = info.reason();
        json metadata = json::object();
        for (const auto& [key, value] : info.metadata()) metadata[key] = value;
        out["metadata"] = std::move(metadata);
      } else if (any.UnpackTo(&bad_request)) {
        json violations = json::array();
        for (const auto& from : bad_request.field_violations()) {
          violations.push_back({{"field", from.field()},
                                {"reason", from.reason()},
                                {"description", from.description()}});
        }
        out["violations"] = std::move(violations);
      }
    }
  }
  return {row->status, Dump(out)};
}

// Null: there is none, or it is a stream.
const MethodDescriptor* Find(absl::string_view service,
                             absl::string_view method) {
  if (service.size() > kMaxNameBytes || method.size() > kMaxNameBytes) {
    return nullptr;
  }
  const auto* found =
      google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(
          absl::StrCat(kPackage, service));
  if (found == nullptr) return nullptr;
  const MethodDescriptor* out = found->FindMethodByName(std::string(method));
  if (out == nullptr || out->client_streaming() || out->server_streaming()) {
    return nullptr;
  }
  return out;
}

std::unique_ptr<Message> New(const google::protobuf::Descriptor* type) {
  const Message* prototype =
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(type);
  return std::unique_ptr<Message>(prototype->New());
}

google::protobuf::util::JsonPrintOptions PrintOptions() {
  google::protobuf::util::JsonPrintOptions out;
  out.always_print_primitive_fields = true;
  return out;
}

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

CallAnswer ErrorAnswer(int status, absl::string_view code,
                       absl::string_view message) {
  return {status, Dump({{"code", code}, {"message", message}})};
}

Bridge::Bridge(std::shared_ptr<grpc::Channel> channel, Introduce introduce)
    : channel_(std::move(channel)), introduce_(std::move(introduce)) {}

void Bridge::Prepare(grpc::ClientContext& context, const CallOrigin& origin,
                     absl::Time deadline) const {
  context.set_deadline(absl::ToChronoTime(deadline));
  introduce_(context, origin.peer);
  if (!origin.authorization.empty()) {
    context.AddMetadata("authorization", origin.authorization);
  }
}

CallAnswer Bridge::Call(const CallOrigin& origin, absl::string_view service,
                        absl::string_view method,
                        const std::string& json_text) const {
  const MethodDescriptor* descriptor = Find(service, method);
  if (descriptor == nullptr) {
    return ErrorAnswer(404, "NOT_FOUND",
                       "the API has no such method that the console can call");
  }
  const std::unique_ptr<Message> request = New(descriptor->input_type());
  const auto parsed = google::protobuf::util::JsonStringToMessage(
      json_text, request.get(), google::protobuf::util::JsonParseOptions());
  if (!parsed.ok()) {
    return ErrorAnswer(
        400, "INVALID_ARGUMENT",
        absl::StrCat("the request is not what the method takes: ",
                     Printable(std::string(parsed.message()))));
  }
  const grpc::Slice slice(request->SerializeAsString());
  const grpc::ByteBuffer sent(&slice, 1);
  grpc::ByteBuffer received;
  grpc::ClientContext context;
  Prepare(context, origin, absl::Now() + kCallTimeout);
  grpc::GenericStub stub(channel_);
  grpc::Status status;
  absl::Notification done;
  stub.UnaryCall(&context,
                 absl::StrCat("/", descriptor->service()->full_name(), "/",
                              descriptor->name()),
                 grpc::StubOptions(), &sent, &received,
                 [&status, &done](grpc::Status result) {
                   status = std::move(result);
                   done.Notify();
                 });
  done.WaitForNotification();
  if (!status.ok()) return ErrorOf(status);
  const std::unique_ptr<Message> response = New(descriptor->output_type());
  CallAnswer out;
  if (!response->ParseFromString(BytesOf(received)) ||
      !google::protobuf::util::MessageToJsonString(*response, &out.json,
                                                   PrintOptions())
           .ok()) {
    return ErrorAnswer(500, "INTERNAL", "the answer cannot be shown as JSON");
  }
  return out;
}

CallAnswer Bridge::WaitForEvents(const CallOrigin& origin,
                                 int64_t after_revision) const {
  proto::WatchEventsRequest request;
  request.set_after_revision(after_revision);
  grpc::ClientContext context;
  const absl::Time end = absl::Now() + kWaitTime;
  // Later than the end of the wait, which is no error.
  Prepare(context, origin, end + kCallTimeout);
  const auto stub = proto::Fleets::NewStub(channel_);
  grpc::CompletionQueue queue;
  int step = 0;  // its address is the tag of each
  const auto reader = stub->AsyncWatchEvents(&context, request, &queue, &step);
  void* tag = nullptr;
  bool good = false;
  bool streaming = queue.Next(&tag, &good) && good;
  std::string events;
  int num_events = 0;
  bool reading = false;
  proto::Event event;
  absl::Time until = end;
  while (streaming) {
    if (!reading) {
      reader->Read(&event, &step);
      reading = true;
    }
    const auto next = queue.AsyncNext(&tag, &good, absl::ToChronoTime(until));
    if (next != grpc::CompletionQueue::GOT_EVENT) break;
    reading = false;
    if (!good) {
      streaming = false;
      break;
    }
    std::string text;
    if (google::protobuf::util::MessageToJsonString(event, &text,
                                                    PrintOptions())
            .ok()) {
      absl::StrAppend(&events, num_events == 0 ? "" : ",", text);
    }
    if (++num_events >= kMaxEvents) break;
    until = std::min(end, absl::Now() + kGatherTime);
  }
  const bool ended_by_service = !streaming;
  if (!ended_by_service) context.TryCancel();
  if (reading) queue.Next(&tag, &good);
  grpc::Status status;
  reader->Finish(&status, &step);
  queue.Next(&tag, &good);
  queue.Shutdown();
  while (queue.Next(&tag, &good)) {
  }
  if (ended_by_service && num_events == 0 && !status.ok()) {
    return ErrorOf(status);
  }
  return {200, absl::StrCat("{\"events\":[", events, "]}")};
}

}  // namespace sallyport::console
