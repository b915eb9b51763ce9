#include "cli/online/state_commands.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/secret.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "cli/online/command.h"
#include "cli/online/output.h"
#include "cli/online/state_file.h"
#include "google/protobuf/io/zero_copy_stream_impl.h"
#include "google/protobuf/util/delimited_message_util.h"
#include "pki/crypto/crypto.h"
#include "pki/x509/certificate.h"
#include "proto/sallyport/config/v1/state.grpc.pb.h"

namespace sallyport::cli::online {
namespace {

namespace proto = sallyport::config::v1;
using google::protobuf::io::FileInputStream;
using google::protobuf::io::FileOutputStream;

constexpr size_t kMaxKeyFileBytes = 4096;
constexpr mode_t kPrivate = 0600;
// Bytes between two lines that say how far it is.
constexpr int64_t kProgressBytes = int64_t{64} << 20;

struct Arguments {
  std::string file;
  std::string recipient;
  std::string key;
  bool audit_log = false;
  bool replace = false;
  bool without_private_keys = false;
  bool validate_only = false;
};

absl::Status CannotUse(absl::string_view what, const std::string& path) {
  return absl::UnavailableError(
      absl::StrCat("cannot ", what, " ", Printable(path), ": ",
                   std::strerror(errno)));  // NOLINT(concurrency-mt-unsafe)
}

absl::Status InFile(const std::string& path, const absl::Status& status) {
  return absl::Status(status.code(),
                      absl::StrCat(Printable(path), ": ", status.message()));
}

// Says on standard error how far long work is.
class Progress {
 public:
  Progress(const char* verb, Context& context)
      : verb_(verb), context_(context) {}
  void Add(size_t bytes) {
    bytes_ += static_cast<int64_t>(bytes);
    if (bytes_ < said_ + kProgressBytes) return;
    said_ = bytes_;
    context_.err << verb_ << " " << (bytes_ >> 20) << " MiB\n" << std::flush;
  }
  int64_t bytes() const { return bytes_; }

 private:
  const char* const verb_;
  Context& context_;
  int64_t bytes_ = 0;
  int64_t said_ = 0;
};

ExitCode Export(const Client& client, const ClientOptions& options,
                const Arguments& arguments, Context& context) {
  proto::ExportStateRequest request;
  request.set_include_audit_log(arguments.audit_log);
  if (!arguments.recipient.empty()) {
    const absl::StatusOr<std::string> pem =
        ReadFile(arguments.recipient, kMaxKeyFileBytes);
    if (!pem.ok()) return CannotDo(pem.status(), context);
    const absl::StatusOr<std::string> key = PublicKeyOfPem(*pem);
    if (!key.ok()) {
      return CannotDo(InFile(arguments.recipient, key.status()), context);
    }
    request.set_recipient_public_key(*key);
  }
  const std::string draft = absl::StrCat(arguments.file, ".new");
  struct stat info = {};
  if (!arguments.replace && stat(arguments.file.c_str(), &info) == 0) {
    return CannotDo(absl::AlreadyExistsError(absl::StrCat(
                        Printable(arguments.file),
                        " is there already; --replace writes over it")),
                    context);
  }
  unlink(draft.c_str());
  const int file =
      open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kPrivate);
  if (file < 0) return CannotDo(CannotUse("write", draft), context);
  bool whole = false;
  const auto clean_up = absl::MakeCleanup([&] {
    close(file);
    if (!whole) unlink(draft.c_str());
  });
  FileOutputStream out(file);
  auto call = client.NewContext(Client::Deadline::kNone);
  auto reader =
      proto::State::NewStub(client.channel())->ExportState(call.get(), request);
  pki::Sha256Hasher hasher;
  Progress progress("received", context);
  proto::ExportStateResponse message;
  proto::ExportStateResponse::Header header;
  proto::ExportStateResponse::Trailer trailer;
  bool written = true;
  while (written && reader->Read(&message)) {
    if (message.has_header()) header = message.header();
    if (message.has_trailer()) trailer = message.trailer();
    hasher.Update(message.chunk());
    progress.Add(message.chunk().size());
    written = google::protobuf::util::SerializeDelimitedToZeroCopyStream(
        message, &out);
  }
  if (!written) {
    call->TryCancel();
    reader->Finish();
    errno = out.GetErrno();
    return CannotDo(CannotUse("write", draft), context);
  }
  const grpc::Status status = reader->Finish();
  if (!status.ok()) return Fail(status, context);
  if (trailer.sha256() != HexLower(pki::AsBytes(hasher.Finish())) ||
      trailer.size_bytes() != progress.bytes()) {
    return CannotDo(absl::DataLossError("what arrived is not complete"),
                    context);
  }
  if (!out.Flush() || fsync(file) != 0 ||
      rename(draft.c_str(), arguments.file.c_str()) != 0) {
    return CannotDo(CannotUse("write", arguments.file), context);
  }
  whole = true;
  if (options.json) {
    context.out << JsonOf(header);
  } else {
    context.out << "wrote " << Printable(arguments.file) << ": revision "
                << header.revision() << ", " << trailer.size_bytes()
                << " bytes, "
                << (header.has_private_keys()
                        ? "private keys sealed to the recipient"
                        : "without private keys")
                << "\n";
  }
  return ExitCode::kOk;
}

ExitCode Import(const Client& client, const ClientOptions& options,
                const Arguments& arguments, Context& context) {
  const int file = open(arguments.file.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return CannotDo(CannotUse("read", arguments.file), context);
  const auto clean_up = absl::MakeCleanup([file] { close(file); });
  FileInputStream in(file);
  const auto read = [&in](proto::ExportStateResponse& message, bool* end) {
    message.Clear();
    return google::protobuf::util::ParseDelimitedFromZeroCopyStream(&message,
                                                                    &in, end);
  };
  const auto damaged = [&](absl::string_view why) {
    return CannotDo(InFile(arguments.file, absl::InvalidArgumentError(why)),
                    context);
  };
  proto::ExportStateResponse message;
  bool end = false;
  if (!read(message, &end) || !message.has_header()) {
    return damaged("is no export of a state");
  }
  proto::ImportStateRequest request;
  proto::ImportStateRequest::Start& start = *request.mutable_start();
  *start.mutable_header() = message.header();
  start.set_replace(arguments.replace);
  start.set_validate_only(arguments.validate_only);
  start.set_request_id(NewRequestId());
  if (message.header().has_private_keys()) {
    if (arguments.key.empty()) {
      return damaged(
          "has private keys; give the key that they are sealed to "
          "(--recipient-key)");
    }
    absl::StatusOr<std::string> pem = ReadFile(arguments.key, kMaxKeyFileBytes);
    if (!pem.ok()) return CannotDo(pem.status(), context);
    const absl::StatusOr<Secret> key = PrivateKeyOfPem(Secret(*std::move(pem)));
    if (!key.ok()) {
      return CannotDo(InFile(arguments.key, key.status()), context);
    }
    start.set_recipient_private_key(std::string(key->Reveal()));
  } else if (!arguments.key.empty()) {
    return damaged(
        "has no private keys, so that there is nothing for --recipient-key; "
        "export with --recipient, or leave it out");
  } else if (arguments.replace && !arguments.without_private_keys) {
    return damaged(
        "has no private keys, and those of the installation would be lost; "
        "export with --recipient, or say --without-private-keys");
  }
  auto call = client.NewContext(Client::Deadline::kNone);
  proto::ImportStateResponse response;
  auto writer = proto::State::NewStub(client.channel())
                    ->ImportState(call.get(), &response);
  bool open = writer->Write(request);
  WipeString(*start.mutable_recipient_private_key());
  Progress progress("sent", context);
  bool complete = false;
  while (open && !complete) {
    if (!read(message, &end)) {
      call->TryCancel();
      writer->Finish();
      return damaged("is cut off, or damaged");
    }
    request.Clear();
    if (message.has_chunk()) {
      progress.Add(message.chunk().size());
      request.set_chunk(std::move(*message.mutable_chunk()));
    } else if (message.has_trailer()) {
      *request.mutable_trailer() = message.trailer();
      complete = true;
    } else {
      call->TryCancel();
      writer->Finish();
      return damaged("has a part that is none");
    }
    open = writer->Write(request);
  }
  // When it could not be written, this says why.
  writer->WritesDone();
  const grpc::Status status = writer->Finish();
  if (!status.ok()) return Fail(status, context);
  if (options.json) {
    context.out << JsonOf(response);
    return ExitCode::kOk;
  }
  context.out << (arguments.validate_only ? "would import " : "imported ")
              << response.resource_count() << " resources and "
              << response.audit_entry_count() << " audit entries";
  if (!arguments.validate_only) {
    context.out << ", revision " << response.revision();
  }
  context.out << "\n";
  for (const std::string& name : response.without_private_key()) {
    context.out << "warning: " << Printable(name)
                << " has no private key; import it again\n";
  }
  if (response.restart_required()) {
    context.out << "warning: restart sallyportd, so that it uses the imported "
                   "CAs\n";
  }
  return ExitCode::kOk;
}

}  // namespace

void AddStateCommands(CLI::App& app, Command& selected) {
  auto exported = std::make_shared<Arguments>();
  CLI::App* command =
      AddCommand(app, "export-state",
                 "Write everything to a file (an admin's call)", selected,
                 [exported](const Client& client, const ClientOptions& o,
                            Context& context) {
                   return Export(client, o, *exported, context);
                 });
  command->add_option("FILE", exported->file, "where to write")->required();
  command->add_option("--recipient", exported->recipient,
                      "an X25519 public key, PEM: private keys are sealed to "
                      "it. Default: they are left out");
  command->add_flag("--audit-log", exported->audit_log, "also the audit log");
  command->add_flag("--replace", exported->replace,
                    "write over a file that is there");

  auto imported = std::make_shared<Arguments>();
  command = AddCommand(
      app, "import-state",
      "Put what export-state wrote in the place of what there is (an admin's "
      "call)",
      selected,
      [imported](const Client& client, const ClientOptions& o,
                 Context& context) {
        return Import(client, o, *imported, context);
      });
  command->add_option("FILE", imported->file, "what to read")->required();
  command->add_option("--recipient-key", imported->key,
                      "the private key that private keys are sealed to, PEM");
  command->add_flag("--replace", imported->replace,
                    "also when the installation is not empty");
  command->add_flag("--without-private-keys", imported->without_private_keys,
                    "replace also by a file without private keys: the "
                    "installation's are lost");
  command->add_flag("--validate-only", imported->validate_only,
                    "check everything, change nothing");
}

}  // namespace sallyport::cli::online
