#include "config_service/api/state.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/secret.h"
#include "base/status_macros.h"
#include "config_service/api/convert.h"
#include "config_service/api/handlers.h"
#include "config_service/api/limits.h"
#include "config_service/api/open_calls.h"
#include "config_service/api/upload_pace.h"
#include "config_service/domain/violations.h"
#include "proto/sallyport/config/v1/state.grpc.pb.h"

namespace sallyport::api {

namespace proto = sallyport::config::v1;
using domain::Reason;
using grpc::ServerContext;
using service::Caller;

namespace {

absl::Status UploadInvalid(absl::string_view why) {
  return domain::MakeError(Reason::kUploadInvalid, why);
}

// Sends bytes in messages of kMaxChunkBytes. False from then on when nobody
// takes them.
class Sender {
 public:
  explicit Sender(grpc::ServerWriter<proto::ExportStateResponse>* writer)
      : writer_(writer) {}

  bool Header(const service::StateHeader& header) {
    proto::ExportStateResponse message;
    proto::ExportStateResponse::Header& out = *message.mutable_header();
    out.set_format_version(header.format_version);
    out.set_revision(header.revision);
    out.set_lineage(header.lineage);
    SetTime(header.time, [&] { return out.mutable_time(); });
    out.set_has_private_keys(header.has_private_keys);
    return Write(message);
  }
  bool Take(absl::string_view bytes) {
    while (open_ && !bytes.empty()) {
      const absl::string_view taken =
          bytes.substr(0, kMaxChunkBytes - chunk_.size());
      chunk_.append(taken.data(), taken.size());
      bytes.remove_prefix(taken.size());
      if (chunk_.size() == kMaxChunkBytes) Flush();
    }
    return open_;
  }
  void Trailer(const service::StateTrailer& trailer) {
    if (!chunk_.empty()) Flush();
    proto::ExportStateResponse message;
    message.mutable_trailer()->set_sha256(trailer.sha256);
    message.mutable_trailer()->set_size_bytes(trailer.size_bytes);
    Write(message);
  }

 private:
  void Flush() {
    proto::ExportStateResponse message;
    message.set_chunk(std::exchange(chunk_, ""));
    Write(message);
  }
  bool Write(const proto::ExportStateResponse& message) {
    open_ = open_ && WriteInTime(*writer_, message);
    return open_;
  }

  grpc::ServerWriter<proto::ExportStateResponse>* const writer_;
  std::string chunk_;
  bool open_ = true;
};

class StateService final : public proto::State::Service, private Handlers {
 public:
  StateService(service::State* state, Gate* gate)
      : Handlers("State", gate), state_(state) {}

  grpc::Status ExportState(
      ServerContext* context, const proto::ExportStateRequest* request,
      grpc::ServerWriter<proto::ExportStateResponse>* writer) override {
    return Run(
        context, __func__,
        [&](const Caller& caller, absl::string_view method) -> absl::Status {
          service::Write write;
          write.method = std::string(method);
          Sender sender(writer);
          const auto trailer = state_->Export(
              caller, write,
              {request->recipient_public_key(), request->include_audit_log()},
              [&](const service::StateHeader& header) {
                return sender.Header(header);
              },
              [&](absl::string_view bytes) { return sender.Take(bytes); });
          if (!trailer.ok()) return trailer.status();
          sender.Trailer(*trailer);
          return absl::OkStatus();
        });
  }

  grpc::Status ImportState(
      ServerContext* context,
      grpc::ServerReader<proto::ImportStateRequest>* reader,
      proto::ImportStateResponse* response) override {
    return Run(context, __func__,
               [&](const Caller& caller, absl::string_view method) {
                 return Import(caller, method, *reader, *response);
               });
  }

 private:
  absl::Status Import(const Caller& caller, absl::string_view method,
                      grpc::ServerReader<proto::ImportStateRequest>& reader,
                      proto::ImportStateResponse& response) {
    proto::ImportStateRequest message;
    if (!ReadInTime(reader, &message) || !message.has_start()) {
      return UploadInvalid("the first message has no start");
    }
    proto::ImportStateRequest::Start& start = *message.mutable_start();
    service::State::ImportRequest request;
    request.recipient_private_key =
        Secret(std::move(*start.mutable_recipient_private_key()));
    start.clear_recipient_private_key();
    request.header.format_version = start.header().format_version();
    request.header.revision = start.header().revision();
    request.header.lineage = start.header().lineage();
    request.header.has_private_keys = start.header().has_private_keys();
    request.replace = start.replace();
    SALLYPORT_ASSIGN_OR_RETURN(
        const std::unique_ptr<service::State::Import> import,
        state_->Begin(caller, WriteOf(method, start), std::move(request)));
    UploadPace pace;
    while (pace.Read(reader, &message)) {
      switch (message.message_case()) {
        case proto::ImportStateRequest::kChunk:
          if (message.chunk().size() > kMaxChunkBytes) {
            return UploadInvalid(absl::StrCat("a piece has more than ",
                                              kMaxChunkBytes, " bytes"));
          }
          SALLYPORT_RETURN_IF_ERROR(import->Append(message.chunk()));
          break;
        case proto::ImportStateRequest::kTrailer: {
          const service::StateTrailer trailer{message.trailer().sha256(),
                                              message.trailer().size_bytes()};
          if (pace.Read(reader, &message)) {
            return UploadInvalid("there is a message after the trailer");
          }
          SALLYPORT_ASSIGN_OR_RETURN(const service::ImportedState imported,
                                     import->Finish(trailer));
          response.set_revision(imported.revision);
          response.set_resource_count(
              static_cast<int32_t>(imported.num_resources));
          response.set_audit_entry_count(
              static_cast<int32_t>(imported.num_audit_entries));
          response.set_restart_required(imported.restart_required);
          for (const std::string& name : imported.without_private_key) {
            response.add_without_private_key(name);
          }
          return absl::OkStatus();
        }
        default:
          return UploadInvalid("a message has neither a piece nor a trailer");
      }
    }
    if (!pace.status().ok()) return pace.status();
    return UploadInvalid("the import has no trailer: it is not complete");
  }

  service::State* const state_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewStateService(service::State* state,
                                               Gate* gate) {
  return std::make_unique<StateService>(state, gate);
}

}  // namespace sallyport::api
