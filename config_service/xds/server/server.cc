#include "config_service/xds/server/server.h"

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "base/text.h"
#include "config_service/xds/server/connection.h"

namespace sallyport::xds {
namespace {

constexpr absl::string_view kService =
    "/envoy.service.discovery.v3.AggregatedDiscoveryService/";

// Calls of one connection at a time. A proxy has one, and one more for a
// moment when it reconnects.
constexpr int kMaxCallsPerConnection = 16;

// Peers may not ping more often than this while nothing else goes on.
constexpr absl::Duration kShortestPingInterval = absl::Seconds(10);
constexpr absl::Duration kHandshakeTimeout = absl::Seconds(10);

// An error is all that a call gets.
class Refused final : public grpc::ServerGenericBidiReactor {
 public:
  explicit Refused(const grpc::Status& status) { Finish(status); }
  void OnDone() override { delete this; }
};

class Service final : public grpc::CallbackGenericService {
 public:
  explicit Service(Core& core) : core_(core) {}

  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override {
    absl::string_view method = context->method();
    Stream::Form form;
    if (!absl::ConsumePrefix(&method, kService)) method = "";
    if (method == "DeltaAggregatedResources") {
      form = Stream::Form::kDelta;
    } else if (method == "StreamAggregatedResources") {
      form = Stream::Form::kStateOfTheWorld;
    } else {
      return new Refused(
          grpc::Status(grpc::StatusCode::UNIMPLEMENTED,
                       "This port serves aggregated discovery (ADS) only."));
    }
    // Its own reference is the core's, until OnDone.
    const auto connection = std::make_shared<Connection>(core_, context, form);
    const absl::Status added = core_.Add(connection);
    if (!added.ok()) {
      return new Refused(
          grpc::Status(static_cast<grpc::StatusCode>(added.code()),
                       std::string(added.message())));
    }
    connection->Start();
    return connection.get();
  }

 private:
  Core& core_;
};

// Whether only this machine can reach the address.
bool IsLoopback(absl::string_view address) {
  if (absl::StartsWith(address, "unix:")) return true;
  const size_t colon = address.rfind(':');
  if (colon == absl::string_view::npos) return false;
  absl::string_view host = address.substr(0, colon);
  if (absl::ConsumePrefix(&host, "[")) {
    return absl::ConsumeSuffix(&host, "]") && host == "::1";
  }
  // Numbers only: a name may come to mean another address.
  return absl::StartsWith(host, "127.") &&
         host.find_first_not_of("0123456789.") == absl::string_view::npos;
}

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> Credentials(
    const Server::Config& config) {
  if (config.tls == nullptr) {
    if (!IsLoopback(config.address)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "xDS address \"", Printable(config.address),
          "\": without TLS only 127.x.x.x, [::1] and unix: are served. Give "
          "the port a certificate and the CA of the proxies."));
    }
    return grpc::InsecureServerCredentials();
  }
  for (const auto& [what, text] :
       {std::pair<absl::string_view, const std::string*>{
            "certificate chain", &config.tls->certificate_chain},
        {"private key", &config.tls->private_key},
        {"client CA", &config.tls->client_roots}}) {
    if (text->empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("TLS of the xDS port needs a ", what, "."));
    }
  }
  grpc::SslServerCredentialsOptions options(
      GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_key_cert_pairs.push_back(
      {config.tls->private_key, config.tls->certificate_chain});
  options.pem_root_certs = config.tls->client_roots;
  return grpc::SslServerCredentials(options);
}

class GrpcServer final : public Server {
 public:
  GrpcServer(Config config, Cache& cache, Ledger& ledger,
             const Authenticator& authenticator, const Clock& clock)
      : cache_(cache),
        core_(config.options, cache, ledger, authenticator, clock,
              std::move(config.log)),
        service_(core_) {}

  ~GrpcServer() override { StopOnce(absl::ZeroDuration()); }

  absl::Status Listen(const std::string& address,
                      const std::shared_ptr<grpc::ServerCredentials>& creds) {
    const ServerOptions& options = core_.options();
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address, creds, &port_);
    builder.RegisterCallbackGenericService(&service_);
    builder.SetMaxReceiveMessageSize(
        static_cast<int>(options.max_request_bytes));
    // What is compressed would be unpacked before its size is looked at.
    builder.AddChannelArgument(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
    // TLS and HTTP/2's first frames; whoever says nothing gives up its place.
    builder.AddChannelArgument(
        GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS,
        static_cast<int>(absl::ToInt64Milliseconds(kHandshakeTimeout)));
    // Its pings double what a small push costs.
    builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    // Another server on the same port is an error, not a partner.
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS,
                               kMaxCallsPerConnection);
    builder.AddChannelArgument(
        GRPC_ARG_KEEPALIVE_TIME_MS,
        static_cast<int>(absl::ToInt64Milliseconds(options.keepalive_time)));
    builder.AddChannelArgument(
        GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
        static_cast<int>(absl::ToInt64Milliseconds(options.keepalive_timeout)));
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
    builder.AddChannelArgument(
        GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
        static_cast<int>(absl::ToInt64Milliseconds(kShortestPingInterval)));
    server_ = builder.BuildAndStart();
    if (server_ == nullptr) {
      return absl::UnavailableError(absl::StrCat(
          "The xDS server cannot listen on \"", Printable(address),
          "\": the address is taken or not this machine's, or the port's "
          "certificate, key or CA is not usable."));
    }
    cache_.OnPublished([this](const std::shared_ptr<Fleet>& fleet) {
      core_.pusher().PushFleet(fleet->name());
      core_.ledger().Wake();
    });
    return absl::OkStatus();
  }

  int port() const override { return port_; }

  void Reauthenticate() override {
    for (const auto& connection : core_.Connections()) {
      connection->Reauthenticate();
    }
  }

  void Stop(absl::Duration grace) override { StopOnce(grace); }

 private:
  void StopOnce(absl::Duration grace) {
    if (server_ == nullptr) return;
    cache_.OnPublished(nullptr);
    core_.Close();
    for (const auto& connection : core_.Connections()) {
      connection->End(grpc::Status(grpc::StatusCode::UNAVAILABLE,
                                   "The config service is stopping."),
                      "the config service is stopping");
    }
    server_->Shutdown(absl::ToChronoTime(absl::Now() + grace));
    core_.AwaitNone();
    core_.pusher().Stop();
    server_.reset();
  }

  Cache& cache_;
  Core core_;
  Service service_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Start(
    Config config, Cache& cache, Ledger& ledger,
    const Authenticator& authenticator, const Clock& clock) {
  absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> credentials =
      Credentials(config);
  if (!credentials.ok()) return credentials.status();
  const std::string address = config.address;
  auto server = std::make_unique<GrpcServer>(std::move(config), cache, ledger,
                                             authenticator, clock);
  const absl::Status status = server->Listen(address, *credentials);
  if (!status.ok()) return status;
  return server;
}

}  // namespace sallyport::xds
