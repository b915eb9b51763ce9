// Client: where the config service is, and who asks it.

#ifndef SALLYPORT_CLI_ONLINE_CLIENT_H_
#define SALLYPORT_CLI_ONLINE_CLIENT_H_

#include <memory>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "grpcpp/channel.h"
#include "grpcpp/client_context.h"

namespace sallyport::cli::online {

struct ClientOptions {
  std::string address = "127.0.0.1:9440";
  std::string token_file;
  // PEM files. With a CA the connection is TLS.
  std::string ca;
  std::string certificate;
  std::string key;
  int timeout_seconds = 60;
  bool json = false;
};

// --address and so on, also from SALLYPORT_ADDRESS and so on.
void AddClientOptions(CLI::App& app, ClientOptions& options);

class Client {
 public:
  // Reads the files. A token is sent over TLS, or to this machine, and nowhere
  // else.
  static absl::StatusOr<Client> Make(const ClientOptions& options);

  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }
  // The context of one call, which ends after the options' time, a little later
  // (for calls that end by themselves after that time), or never.
  enum class Deadline { kOptions, kLater, kNone };
  std::unique_ptr<grpc::ClientContext> NewContext(
      Deadline deadline = Deadline::kOptions) const;

 private:
  std::shared_ptr<grpc::Channel> channel_;
  std::string token_;
  int timeout_seconds_ = 0;
};

// A UUID (RFC 4122, version 4) for a request_id: what is sent again because no
// answer came is carried out once.
std::string NewRequestId();

}  // namespace sallyport::cli::online

#endif  // SALLYPORT_CLI_ONLINE_CLIENT_H_
