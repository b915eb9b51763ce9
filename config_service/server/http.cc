#include "config_service/server/http.h"

#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "third_party/httplib/httplib.h"

namespace sallyport::server {
namespace {

constexpr char kText[] = "text/plain; charset=utf-8";
constexpr char kPrometheus[] = "text/plain; version=0.0.4; charset=utf-8";
constexpr int kOk = 200;
constexpr int kUnauthorized = 401;
constexpr int kUnavailable = 503;
constexpr size_t kMaxBodyBytes = 1024;
constexpr size_t kThreads = 4;
constexpr time_t kTimeoutSeconds = 5;

class Server : public HttpServer {
 public:
  explicit Server(HttpHandlers handlers) : handlers_(std::move(handlers)) {
    server_.set_payload_max_length(kMaxBodyBytes);
    server_.set_read_timeout(kTimeoutSeconds);
    server_.set_write_timeout(kTimeoutSeconds);
    server_.set_keep_alive_timeout(kTimeoutSeconds);
    server_.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
    server_.Get("/healthz", [](const httplib::Request&, httplib::Response& r) {
      r.set_content("ok\n", kText);
    });
    server_.Get("/readyz",
                [this](const httplib::Request&, httplib::Response& r) {
                  const std::string why = handlers_.ready();
                  r.status = why.empty() ? kOk : kUnavailable;
                  r.set_content(why.empty() ? "ok\n" : why + "\n", kText);
                });
    server_.Get("/metrics", [this](const httplib::Request& request,
                                   httplib::Response& r) {
      std::string authorization;
      const size_t count = request.get_header_value_count("Authorization");
      if (count > 0) authorization = request.get_header_value("Authorization");
      if (count > 1 ||
          !handlers_.may_see_metrics(count == 1 ? &authorization : nullptr)) {
        r.status = kUnauthorized;
        r.set_header("WWW-Authenticate", "Bearer");
        r.set_content("metrics need a token\n", kText);
        return;
      }
      r.set_content(handlers_.metrics(), kPrometheus);
    });
  }

  ~Server() override {
    server_.stop();
    if (thread_.joinable()) thread_.join();
  }

  absl::Status Bind(const std::string& host, int port) {
    if (port == 0) {
      port_ = server_.bind_to_any_port(host);
    } else if (server_.bind_to_port(host, port)) {
      port_ = port;
    } else {
      port_ = -1;
    }
    if (port_ <= 0) {
      return absl::UnavailableError("cannot listen on the HTTP address");
    }
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return absl::OkStatus();
  }

  int port() const override { return port_; }

 private:
  const HttpHandlers handlers_;
  httplib::Server server_;
  int port_ = -1;
  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(
    const std::string& host, int port, HttpHandlers handlers) {
  auto server = std::make_unique<Server>(std::move(handlers));
  const absl::Status status = server->Bind(host, port);
  if (!status.ok()) return status;
  return server;
}

}  // namespace sallyport::server
