#include "config_service/server/daemon.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "config_service/api/access_keys.h"
#include "config_service/api/apis.h"
#include "config_service/api/audit_format.h"
#include "config_service/api/audit_log.h"
#include "config_service/api/certificates.h"
#include "config_service/api/domain_names.h"
#include "config_service/api/fleets.h"
#include "config_service/api/gate.h"
#include "config_service/api/limits.h"
#include "config_service/api/lists.h"
#include "config_service/api/open_calls.h"
#include "config_service/api/state.h"
#include "config_service/api/truststores.h"
#include "config_service/aws/facade.h"
#include "config_service/aws/limits.h"
#include "config_service/console/console.h"
#include "config_service/console/limits.h"
#include "config_service/domain/violations.h"
#include "config_service/objects/objects.h"
#include "config_service/server/expiry_watch.h"
#include "config_service/server/http.h"
#include "config_service/server/log.h"
#include "config_service/server/metrics.h"
#include "config_service/server/open_streams.h"
#include "config_service/server/renewer.h"
#include "config_service/server/source_poller.h"
#include "config_service/server/xds_port.h"
#include "config_service/service/access_keys.h"
#include "config_service/service/api_drafts.h"
#include "config_service/service/api_mappings.h"
#include "config_service/service/apis.h"
#include "config_service/service/audit_log.h"
#include "config_service/service/call_limiter.h"
#include "config_service/service/certificate_lists.h"
#include "config_service/service/client_certificates.h"
#include "config_service/service/domain_names.h"
#include "config_service/service/events.h"
#include "config_service/service/expiries.h"
#include "config_service/service/fleets.h"
#include "config_service/service/proxy_ca.h"
#include "config_service/service/revocation_lists.h"
#include "config_service/service/roles.h"
#include "config_service/service/server_certificates.h"
#include "config_service/service/state.h"
#include "config_service/service/test_invocations.h"
#include "config_service/service/transaction.h"
#include "config_service/service/truststores.h"
#include "config_service/store/sealer.h"
#include "config_service/store/sqlite/sqlite_store.h"
#include "config_service/xds/server/client_status.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/grpcpp.h"
#include "grpcpp/health_check_service_interface.h"
#include "pki/crypto/crypto.h"

namespace sallyport::server {
namespace {

// How often what is no longer needed is removed.
constexpr absl::Duration kCleaningInterval = absl::Minutes(5);
// TLS and HTTP/2's first frames; then, connections without a call. Whoever says
// nothing gives up its place.
constexpr absl::Duration kHandshakeTimeout = absl::Seconds(10);
constexpr absl::Duration kIdleTimeout = absl::Minutes(15);
// A peer that is gone without a word is asked, and has to answer.
constexpr absl::Duration kKeepaliveTime = absl::Minutes(1);
constexpr absl::Duration kKeepaliveTimeout = absl::Seconds(20);
// Calls of one connection at one time; more wait for a place. What they send
// is in memory before anybody asks who they are.
constexpr int kMaxCallsPerConnection = 100;
// What all connections hold of messages that are not complete yet, or not sent
// yet. Over it, gRPC ends calls.
constexpr size_t kMaxCallMemory = size_t{512} << 20;
// Threads that wait for calls, at least and at most.
constexpr int kMinPollers = 1;
constexpr int kMaxPollers = 4;
// Reflection needs no credentials, and each stream of it has a thread.
constexpr char kReflection[] = "/grpc.reflection.";
constexpr size_t kMaxReflectionStreams = 8;

constexpr size_t kConsoleKeyBytes = 32;

// In the data folder, where the operator names no other file.
constexpr char kSealingKeysFile[] = "sealing-keys";

class CallObserver : public api::Observer {
 public:
  explicit CallObserver(Metrics* metrics) : metrics_(metrics) {}

  void OnCall(const api::CallRecord& record) override {
    metrics_->Count(record);
    LogFields fields = {
        {"method", record.method},
        {"principal", record.principal},
        {"peer", record.peer},
        {"request", record.request},
        {"code", CodeName(record.code)},
        {"milliseconds",
         absl::StrCat(absl::ToInt64Milliseconds(record.duration))},
    };
    if (!record.reason.empty()) fields.push_back({"reason", record.reason});
    if (!record.details.empty()) {
      fields.push_back({"details", record.details});
      LogError("call", fields);
      return;
    }
    LogInfo("call", fields);
  }

  void OnEnded(const api::OpenCalls::Label& call) override {
    LogInfo("call ended: its client did not read or send in time",
            {{"method", call.method},
             {"principal", Printable(call.principal, 256)},
             {"peer", call.peer},
             {"request", call.request}});
  }

 private:
  Metrics* const metrics_;
};

// A call of the AWS-compatible API as one of ours, for the log and metrics.
api::CallRecord RecordOf(const aws::CallRecord& from) {
  api::CallRecord to;
  to.method = absl::StrCat("aws.", from.operation);
  to.principal = from.principal;
  to.peer = from.peer;
  to.request = from.request;
  to.duration = from.duration;
  to.reason = from.code;
  to.details = from.details;
  struct Row {
    int status;
    grpc::StatusCode code;
  };
  constexpr Row kRows[] = {
      {400, grpc::StatusCode::INVALID_ARGUMENT},
      {403, grpc::StatusCode::PERMISSION_DENIED},
      {404, grpc::StatusCode::NOT_FOUND},
      {409, grpc::StatusCode::FAILED_PRECONDITION},
      {413, grpc::StatusCode::RESOURCE_EXHAUSTED},
      {429, grpc::StatusCode::RESOURCE_EXHAUSTED},
      {501, grpc::StatusCode::UNIMPLEMENTED},
      {503, grpc::StatusCode::UNAVAILABLE},
  };
  constexpr int kFirstError = 400;
  to.code = from.status < kFirstError ? grpc::StatusCode::OK
                                      : grpc::StatusCode::INTERNAL;
  for (const Row& row : kRows) {
    if (row.status == from.status) to.code = row.code;
  }
  return to;
}

// An error of the client status service as one of the API's.
absl::Status WithReason(const absl::Status& status) {
  if (absl::IsResourceExhausted(status)) {
    return domain::MakeError(domain::Reason::kQuotaExceeded, status.message());
  }
  if (!absl::IsInvalidArgument(status)) return status;
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(status.message(), absl::MaxSplits(": ", 1));
  domain::Violations violations;
  violations.Add(parts.first, domain::Reason::kFieldMalformed, parts.second);
  return violations.ToStatus();
}

class DaemonImpl : public Daemon {
 public:
  DaemonImpl(Settings settings, std::unique_ptr<store::SqliteStore> store,
             std::unique_ptr<store::Sealer> sealer,
             std::unique_ptr<objects::ObjectReader> objects,
             std::unique_ptr<service::CertificateIssuer> issuer)
      : settings_(std::move(settings)),
        store_(std::move(store)),
        sealer_(std::move(sealer)),
        observer_(&metrics_),
        gate_(GateOptionsOf(settings_, console_key_), &observer_,
              &Clock::System()),
        xds_(store_.get(), sealer_.get(), &Clock::System()),
        context_(ContextOf()),
        objects_(std::move(objects)),
        issuer_(std::move(issuer)),
        truststores_(context_, objects_.get(), &sources_),
        served_certificates_(store_.get()),
        server_certificates_(context_, &served_certificates_,
                             DomainNameSettingsOf(settings_).ownership_required,
                             IssuingOf()),
        client_certificates_(context_),
        domain_names_(context_, truststores_.bundles(), &served_certificates_,
                      DomainNameSettingsOf(settings_)),
        access_keys_(context_),
        api_drafts_(context_),
        api_mappings_(context_),
        apis_(context_),
        test_invocations_(context_, xds_.invoker()),
        revocation_lists_(context_),
        certificate_lists_(context_),
        fleets_(context_),
        expiries_(context_, truststores_.bundles()),
        events_(context_, &expiries_),
        audit_log_(store_.get()) {
    services_.push_back(api::NewAccessKeysService(&access_keys_, &gate_));
    services_.push_back(api::NewTruststoresService(&truststores_, &gate_));
    services_.push_back(
        api::NewServerCertificatesService(&server_certificates_, &gate_));
    services_.push_back(api::NewIssuersService(&server_certificates_, &gate_));
    services_.push_back(
        api::NewClientCertificatesService(&client_certificates_, &gate_));
    services_.push_back(api::NewDomainNamesService(&domain_names_, &gate_));
    services_.push_back(api::NewApiMappingsService(&api_mappings_, &gate_));
    services_.push_back(api::NewApisService(
        &apis_, &test_invocations_, [this]() -> bool { return stopping_; },
        &gate_));
    services_.push_back(
        api::NewRevocationListsService(&revocation_lists_, &gate_));
    services_.push_back(
        api::NewCertificateListsService(&certificate_lists_, &gate_));
    services_.push_back(api::NewAuditLogService(&audit_log_, &gate_));
  }

  ~DaemonImpl() override { Stop(absl::ZeroDuration()); }

  absl::Status Start() {
    // A store that takes no changes is still there to be read.
    const absl::Status fleet = fleets_.EnsureDefault();
    if (!fleet.ok()) {
      LogError("the fleet \"default\" cannot be made",
               {{"details", fleet.ToString()}});
    }
    SALLYPORT_ASSIGN_OR_RETURN(
        proxy_ca_, service::ProxyCa::Open(*store_, *sealer_, Clock::System(),
                                          settings_.options.trust_domain));
    XdsPort::Config xds;
    xds.address = settings_.xds.ToString();
    xds.trust_loopback = settings_.options.allow_loopback_without_credentials &&
                         settings_.xds.loopback;
    xds.hosts = settings_.xds_hosts;
    xds.backends = settings_.backends;
    xds.node_streams = static_cast<size_t>(settings_.options.node_streams);
    SALLYPORT_RETURN_IF_ERROR(xds_.Start(xds, *proxy_ca_));
    node_certificates_ = std::make_unique<service::NodeCertificates>(
        context_, proxy_ca_.get(), [this] { xds_.EndRevoked(); });
    services_.push_back(api::NewFleetsService(
        &fleets_, &events_, node_certificates_.get(),
        [this]() -> bool { return stopping_; }, &gate_));
    services_.push_back(xds::NewClientStatusService(
        xds_.ledger(),
        [this](grpc::ServerContext& context, absl::string_view method,
               const std::function<absl::Status()>& handler) {
          return gate_.Run(context, method, [&handler](const service::Caller&) {
            return WithReason(handler());
          });
        },
        [](const std::function<bool()>& write) {
          const api::ClientWait wait;
          return write();
        },
        [this]() -> bool { return stopping_; }));
    SALLYPORT_ASSIGN_OR_RETURN(state_, service::State::Make(context_));
    services_.push_back(api::NewStateService(state_.get(), &gate_));
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    grpc::ServerBuilder builder;
    builder.AddListeningPort(settings_.admin.ToString(), ServerCredentials(),
                             &admin_port_);
    // A second process on the port would share its calls.
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.SetMaxReceiveMessageSize(api::kMaxRequestBytes);
    // What is compressed would be unpacked before its size is looked at, and
    // before anybody asks who sent it.
    builder.AddChannelArgument(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
    builder.AddChannelArgument(
        GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS,
        static_cast<int>(absl::ToInt64Milliseconds(kHandshakeTimeout)));
    builder.AddChannelArgument(
        GRPC_ARG_MAX_CONNECTION_IDLE_MS,
        static_cast<int>(absl::ToInt64Milliseconds(kIdleTimeout)));
    builder.AddChannelArgument(
        GRPC_ARG_KEEPALIVE_TIME_MS,
        static_cast<int>(absl::ToInt64Milliseconds(kKeepaliveTime)));
    builder.AddChannelArgument(
        GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
        static_cast<int>(absl::ToInt64Milliseconds(kKeepaliveTimeout)));
    builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS,
                               kMaxCallsPerConnection);
    builder.SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, kMinPollers);
    builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, kMaxPollers);
    builder.SetResourceQuota(grpc::ResourceQuota("admin")
                                 .SetMaxThreads(api::kMaxThreads)
                                 .Resize(kMaxCallMemory));
    for (const auto& service : services_)
      builder.RegisterService(service.get());
    std::vector<
        std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>>
        interceptors;
    interceptors.push_back(
        NewOpenStreamsLimit(kReflection, kMaxReflectionStreams));
    builder.experimental().SetInterceptorCreators(std::move(interceptors));
    server_ = builder.BuildAndStart();
    if (server_ == nullptr || admin_port_ == 0) {
      return absl::UnavailableError(absl::StrCat(
          "cannot listen on --admin-address ", settings_.admin.ToString(),
          "; is it in use, or the certificate and key no pair?"));
    }
    HttpHandlers handlers;
    handlers.ready = [this]() -> std::string {
      if (stopping_) return "stopping";
      if (!xds_.Problem().empty()) return "the store cannot be read";
      if (state_->restart_required()) return "restart: another CA";
      return store_->Health().ok() ? "" : "the store takes no changes";
    };
    handlers.may_see_metrics = [this](const std::string* authorization) {
      // The port is on loopback, and carries no client certificates.
      const auto caller =
          gate_.Authenticate(authorization, {}, "ipv4:127.0.0.1:0");
      return caller.ok() && caller->role >= service::Role::kViewer;
    };
    handlers.metrics = [this] {
      return absl::StrCat(metrics_.Text(*store_), xds_.MetricsText(),
                          renewer_->MetricsText(),
                          ExpiryMetrics(expiries_, Clock::System().Now()));
    };
    facade_.emplace(context_, UseCasesOf(), FacadeOptionsOf());
    handlers.max_body_bytes = aws::kMaxBodyBytes;
    if (settings_.options.console == "on") {
      console_.emplace(ConsoleOptionsOf(), &Clock::System());
      handlers.max_body_bytes =
          std::max(handlers.max_body_bytes, console::kMaxBodyBytes);
    }
    handlers.other = [this](HttpCall call) {
      return AnswerOther(std::move(call));
    };
    renewer_.emplace(context_, &server_certificates_);
    SALLYPORT_ASSIGN_OR_RETURN(
        http_, HttpServer::Start(settings_.http.host, settings_.http.port,
                                 std::move(handlers)));
    source_poller_.emplace(&truststores_, &Clock::System());
    expiry_watch_.emplace(&expiries_, &Clock::System());
    cleaner_ = std::thread([this] { Clean(); });
    return absl::OkStatus();
  }

  void Stop(absl::Duration grace) override {
    if (stopping_.exchange(true)) return;
    stop_cleaning_.Notify();
    if (server_ != nullptr) {
      if (auto* health = server_->GetHealthCheckService()) {
        health->SetServingStatus(false);
      }
      server_->Shutdown(absl::ToChronoTime(absl::Now() + grace));
      server_->Wait();
    }
    http_.reset();
    xds_.Stop(grace);
    objects_->Cancel();
    source_poller_.reset();
    renewer_.reset();
    expiry_watch_.reset();
    if (cleaner_.joinable()) cleaner_.join();
  }

  int admin_port() const override { return admin_port_; }
  int xds_port() const override { return xds_.port(); }
  int http_port() const override { return http_->port(); }

 private:
  service::Context ContextOf() {
    service::Context out;
    out.store = store_.get();
    out.clock = &Clock::System();
    out.format = &format_;
    out.sealer = sealer_.get();
    out.rollouts = xds_.rollouts();
    out.backends = &settings_.backends;
    return out;
  }

  aws::UseCases UseCasesOf() {
    aws::UseCases out;
    out.access_keys = &access_keys_;
    out.api_drafts = &api_drafts_;
    out.api_mappings = &api_mappings_;
    out.apis = &apis_;
    out.client_certificates = &client_certificates_;
    out.domain_names = &domain_names_;
    out.server_certificates = &server_certificates_;
    out.test_invocations = &test_invocations_;
    out.truststores = &truststores_;
    return out;
  }

  aws::FacadeOptions FacadeOptionsOf() {
    aws::FacadeOptions out;
    out.installation = settings_.aws;
    out.unsigned_loopback = settings_.options.aws_unsigned_loopback;
    out.count = [this](const std::string& principal) {
      return aws_limiter_.Count(principal);
    };
    out.observe = [this](const aws::CallRecord& record) {
      observer_.OnCall(RecordOf(record));
    };
    return out;
  }

  console::ConsoleOptions ConsoleOptionsOf() {
    console::ConsoleOptions out;
    out.origins = settings_.console_origins;
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(console::kMaxAnswerBytes);
    out.channel = server_->InProcessChannel(arguments);
    out.introduce = [this](grpc::ClientContext& context,
                           const std::string& peer) {
      context.AddMetadata(api::kConsoleKeyHeader, console_key_);
      context.AddMetadata(api::kConsolePeerHeader, peer);
    };
    out.identify =
        [this](const std::string* authorization,
               const std::string& peer) -> absl::StatusOr<console::Identity> {
      // The port is on loopback, and carries no client certificates.
      SALLYPORT_ASSIGN_OR_RETURN(
          const service::Caller caller,
          gate_.Authenticate(
              authorization, {},
              absl::StrCat(peer[0] == '[' ? "ipv6:" : "ipv4:", peer)));
      return console::Identity{caller.principal,
                               std::string(service::RoleName(caller.role))};
    };
    return out;
  }

  // What is none of the HTTP port's own.
  HttpAnswer AnswerOther(HttpCall call) {
    if (console_.has_value() &&
        console::Console::IsFor(call.method, call.target)) {
      return AnswerBy<console::Request>(*console_, std::move(call));
    }
    return AnswerBy<aws::HttpRequest>(*facade_, std::move(call));
  }

  template <typename Request, typename Handler>
  static HttpAnswer AnswerBy(Handler& handler, HttpCall&& call) {
    Request request;
    request.method = std::move(call.method);
    request.target = std::move(call.target);
    request.headers = std::move(call.headers);
    request.body = std::move(call.body);
    request.peer = std::move(call.peer);
    auto response = handler.Handle(request);
    HttpAnswer answer;
    answer.status = response.status;
    answer.headers = std::move(response.headers);
    answer.body = std::move(response.body);
    return answer;
  }

  service::Issuing IssuingOf() const {
    service::Issuing out;
    if (issuer_ != nullptr) out.issuers.push_back(issuer_.get());
    out.renew_percent = settings_.options.issuer_renew_percent;
    return out;
  }

  static service::DomainNameSettings DomainNameSettingsOf(
      const Settings& settings) {
    service::DomainNameSettings out;
    out.ownership_required =
        settings.options.ownership_verification == "required";
    return out;
  }

  static service::CallLimiter::Limits AwsLimitsOf(const Settings& settings) {
    const api::GateOptions gate = GateOptionsOf(settings, /*console_key=*/"");
    return {gate.call_burst, gate.calls_per_second, api::kMaxCountedPrincipals};
  }

  static api::GateOptions GateOptionsOf(const Settings& settings,
                                        const std::string& console_key) {
    api::GateOptions out;
    out.console_key = console_key;
    out.credentials = settings.credentials;
    out.trust_loopback = settings.options.allow_loopback_without_credentials;
    out.calls_per_second = settings.options.principal_calls_per_second;
    out.call_burst = api::kBurstSeconds * out.calls_per_second;
    out.open_calls = settings.open_calls;
    return out;
  }

  std::shared_ptr<grpc::ServerCredentials> ServerCredentials() const {
    if (settings_.tls_certificate.empty()) {
      return grpc::InsecureServerCredentials();
    }
    // Who has no certificate may have a token.
    grpc::SslServerCredentialsOptions options(
        settings_.client_ca.empty()
            ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
            : GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY);
    options.pem_root_certs = settings_.client_ca;
    options.pem_key_cert_pairs.push_back(
        {settings_.tls_key, settings_.tls_certificate});
    return grpc::SslServerCredentials(options);
  }

  void Clean() {
    while (!stop_cleaning_.WaitForNotificationWithTimeout(kCleaningInterval)) {
      const auto forgotten =
          service::ForgetRequests(*store_, Clock::System().Now());
      const auto orphans = service::RemoveOrphanedEntries(*store_);
      const auto removed = store_->CollectGarbage();
      for (const absl::Status& status :
           {forgotten.status(), orphans.status(), removed.status()}) {
        if (!status.ok()) {
          LogError("cleaning failed", {{"details", status.ToString()}});
        }
      }
    }
  }

  const Settings settings_;
  const std::string console_key_ = HexLower(pki::RandomBytes(kConsoleKeyBytes));
  const std::unique_ptr<store::SqliteStore> store_;
  const std::unique_ptr<store::Sealer> sealer_;
  const api::JsonAuditFormat format_;
  Metrics metrics_;
  CallObserver observer_;
  api::Gate gate_;
  XdsPort xds_;
  // What all use cases work with.
  const service::Context context_;
  const std::unique_ptr<objects::ObjectReader> objects_;
  // Null: there is none.
  const std::unique_ptr<service::CertificateIssuer> issuer_;
  service::SourceStates sources_;
  service::Truststores truststores_;
  service::ServedCertificates served_certificates_;
  service::ServerCertificates server_certificates_;
  service::ClientCertificates client_certificates_;
  service::DomainNames domain_names_;
  service::AccessKeys access_keys_;
  service::ApiDrafts api_drafts_;
  service::ApiMappings api_mappings_;
  service::Apis apis_;
  service::TestInvocations test_invocations_;
  service::RevocationLists revocation_lists_;
  service::CertificateLists certificate_lists_;
  service::Fleets fleets_;
  service::Expiries expiries_;
  service::Events events_;
  service::AuditLog audit_log_;
  std::unique_ptr<service::ProxyCa> proxy_ca_;
  std::unique_ptr<service::NodeCertificates> node_certificates_;
  std::unique_ptr<service::State> state_;
  // Of the gRPC API; each needs the gate and its use cases, above.
  std::vector<std::unique_ptr<grpc::Service>> services_;
  std::unique_ptr<grpc::Server> server_;
  service::CallLimiter aws_limiter_{AwsLimitsOf(settings_), &Clock::System()};
  std::optional<aws::Facade> facade_;
  std::optional<console::Console> console_;
  std::unique_ptr<HttpServer> http_;
  std::atomic<bool> stopping_{false};
  absl::Notification stop_cleaning_;
  std::optional<SourcePoller> source_poller_;
  std::optional<Renewer> renewer_;
  std::optional<ExpiryWatch> expiry_watch_;
  std::thread cleaner_;
  int admin_port_ = 0;
};

// The key-encryption keys: the operator's file, or one beside the store, which
// is made for a store in which nothing is yet. A store whose file is lost is
// not given another: nothing that was sealed would open.
absl::StatusOr<std::unique_ptr<store::Sealer>> OpenSealer(
    const Options& options, store::Store& store) {
  if (!options.sealing_keys.empty()) {
    return store::Sealer::FromFile(options.sealing_keys,
                                   store::Sealer::IfMissing::kFail);
  }
  SALLYPORT_ASSIGN_OR_RETURN(const store::StoreStats stats, store.Stats());
  const bool is_new = stats.revision.value() == 0;
  const std::string path =
      absl::StrCat(options.data_dir, "/", kSealingKeysFile);
  absl::StatusOr<std::unique_ptr<store::Sealer>> sealer =
      store::Sealer::FromFile(path, is_new ? store::Sealer::IfMissing::kCreate
                                           : store::Sealer::IfMissing::kFail);
  if (absl::IsNotFound(sealer.status())) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the key file ", path,
        " is gone, and private keys in the store cannot be read without it; "
        "put it back, or name its copy with --sealing-keys"));
  }
  return sealer;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Daemon>> Daemon::Start(Settings settings) {
  api::InstallCallHooks();
  absl::StatusOr<std::unique_ptr<store::SqliteStore>> store =
      store::SqliteStore::Open(settings.options.data_dir);
  if (!store.ok()) return store.status();
  const store::OpenReport& report = (*store)->open_report();
  LogInfo("store opened",
          {{"created", report.created ? "yes" : "no"},
           {"lineage", (*store)->lineage().id()},
           {"migrations", absl::StrCat(report.migrations)},
           {"checked", report.check_finished ? "wholly" : "in part"},
           {"new_lineage_because", report.new_lineage_because}});
  SALLYPORT_ASSIGN_OR_RETURN(std::unique_ptr<store::Sealer> sealer,
                             OpenSealer(settings.options, **store));
  LogInfo("sealing key read", {{"key", sealer->active_key_id()}});
  SALLYPORT_ASSIGN_OR_RETURN(
      std::unique_ptr<objects::ObjectReader> objects,
      objects::NewObjectReader(SourcesOf(settings.options), &Clock::System()));
  std::unique_ptr<service::CertificateIssuer> issuer =
      std::move(settings.issuer_from_files);
  if (issuer == nullptr && !settings.options.issuer.empty()) {
    SALLYPORT_ASSIGN_OR_RETURN(
        issuer, service::InternalIssuer::FromStore(
                    **store, *sealer, Clock::System(), settings.issuer));
  }
  auto daemon = std::make_unique<DaemonImpl>(
      std::move(settings), *std::move(store), std::move(sealer),
      std::move(objects), std::move(issuer));
  SALLYPORT_RETURN_IF_ERROR(daemon->Start());
  return daemon;
}

}  // namespace sallyport::server
