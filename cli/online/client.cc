#include "cli/online/client.h"

#include <chrono>
#include <cstdlib>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/text.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "pki/crypto/crypto.h"

namespace sallyport::cli::online {
namespace {

constexpr size_t kMaxPemBytes = size_t{1} << 20;
constexpr size_t kMaxTokenBytes = 4096;
constexpr int kMaxAnswerBytes = 64 << 20;
constexpr char kTokenVariable[] = "SALLYPORT_TOKEN";
constexpr size_t kUuidBytes = 16;
constexpr std::chrono::seconds kGrace(10);

absl::StatusOr<std::string> Read(const std::string& path, size_t max_bytes) {
  if (path.empty()) return std::string();
  return ReadFile(path, max_bytes);
}

bool IsLocal(absl::string_view address) {
  return absl::StartsWith(address, "127.") ||
         absl::StartsWith(address, "localhost:") ||
         absl::StartsWith(address, "[::1]:");
}

}  // namespace

void AddClientOptions(CLI::App& app, ClientOptions& options) {
  app.add_option("--address", options.address,
                 "HOST:PORT of the config service. Default: 127.0.0.1:9440")
      ->envname("SALLYPORT_ADDRESS");
  app.add_option("--token-file", options.token_file,
                 "a file with the token; or the token in SALLYPORT_TOKEN")
      ->envname("SALLYPORT_TOKEN_FILE");
  app.add_option("--ca", options.ca, "CAs of the service's certificate, PEM")
      ->envname("SALLYPORT_CA");
  app.add_option("--certificate", options.certificate,
                 "a client certificate chain, PEM")
      ->envname("SALLYPORT_CERTIFICATE");
  app.add_option("--key", options.key, "its private key, PEM")
      ->envname("SALLYPORT_KEY");
  app.add_option("--timeout", options.timeout_seconds,
                 "give up after so many seconds. Default: 60")
      ->check(CLI::Range(1, 3600));
  app.add_flag("--json", options.json, "answer in JSON");
}

absl::StatusOr<Client> Client::Make(const ClientOptions& options) {
  Client out;
  out.timeout_seconds_ = options.timeout_seconds;
  absl::StatusOr<std::string> token = Read(options.token_file, kMaxTokenBytes);
  if (!token.ok()) return token.status();
  const char* variable = std::getenv(kTokenVariable);
  if (token->empty() && variable != nullptr) *token = variable;
  out.token_ = std::string(absl::StripAsciiWhitespace(*token));
  absl::StatusOr<std::string> ca = Read(options.ca, kMaxPemBytes);
  if (!ca.ok()) return ca.status();
  absl::StatusOr<std::string> chain = Read(options.certificate, kMaxPemBytes);
  if (!chain.ok()) return chain.status();
  absl::StatusOr<std::string> key = Read(options.key, kMaxPemBytes);
  if (!key.ok()) return key.status();
  if (chain->empty() != key->empty()) {
    return absl::InvalidArgumentError(
        "--certificate and --key need each other");
  }
  if (!chain->empty() && ca->empty()) {
    return absl::InvalidArgumentError("--certificate needs --ca");
  }
  std::shared_ptr<grpc::ChannelCredentials> credentials =
      grpc::InsecureChannelCredentials();
  if (!ca->empty()) {
    grpc::SslCredentialsOptions ssl;
    ssl.pem_root_certs = *ca;
    ssl.pem_cert_chain = *chain;
    ssl.pem_private_key = *key;
    credentials = grpc::SslCredentials(ssl);
  } else if (!IsLocal(options.address)) {
    return absl::InvalidArgumentError(
        "the service is on another machine; give --ca for a connection with "
        "TLS");
  }
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxAnswerBytes);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  out.channel_ =
      grpc::CreateCustomChannel(options.address, credentials, arguments);
  return out;
}

std::unique_ptr<grpc::ClientContext> Client::NewContext(
    Deadline deadline) const {
  auto context = std::make_unique<grpc::ClientContext>();
  if (deadline != Deadline::kNone) {
    context->set_deadline(
        std::chrono::system_clock::now() +
        std::chrono::seconds(timeout_seconds_) +
        (deadline == Deadline::kLater ? kGrace : std::chrono::seconds(0)));
  }
  if (!token_.empty()) {
    context->AddMetadata("authorization", absl::StrCat("Bearer ", token_));
  }
  return context;
}

std::string NewRequestId() {
  std::string bytes = pki::RandomBytes(kUuidBytes);
  bytes[6] = static_cast<char>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<char>((bytes[8] & 0x3f) | 0x80);
  std::string out = HexLower(bytes);
  for (size_t at : {8, 13, 18, 23}) out.insert(at, "-");
  return out;
}

}  // namespace sallyport::cli::online
