#include "config_service/server/http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <list>
#include <mutex>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "third_party/httplib/httplib.h"

namespace sallyport::server {
namespace {

constexpr char kText[] = "text/plain; charset=utf-8";
constexpr char kPrometheus[] = "text/plain; version=0.0.4; charset=utf-8";
constexpr int kOk = 200;
constexpr int kUnauthorized = 401;
constexpr int kUnavailable = 503;
constexpr size_t kMaxBodyBytes = 1024;

// A connection has one request, which is sent, answered and read within this
// time as a whole, however it is dripped.
constexpr absl::Duration kTimeout = absl::Seconds(10);

// A socket whose reads and writes end at one deadline. httplib's own has a
// timeout for each of them, which starts anew with each byte.
class TimedStream final : public httplib::Stream {
 public:
  TimedStream(int socket, absl::Time deadline)
      : socket_(socket), deadline_(deadline) {}

  bool is_readable() const override { return begin_ < end_ || Wait(POLLIN); }
  bool is_writable() const override { return Wait(POLLOUT); }

  ssize_t read(char* to, size_t size) override {
    if (begin_ == end_) {
      if (!Wait(POLLIN)) return -1;
      const ssize_t got = recv(socket_, buffer_, sizeof(buffer_), 0);
      if (got <= 0) return got;
      begin_ = 0;
      end_ = static_cast<size_t>(got);
    }
    const size_t taken = std::min(size, end_ - begin_);
    std::copy_n(buffer_ + begin_, taken, to);
    begin_ += taken;
    return static_cast<ssize_t>(taken);
  }
  ssize_t write(const char* from, size_t size) override {
    if (!Wait(POLLOUT)) return -1;
    return send(socket_, from, size, MSG_NOSIGNAL | MSG_DONTWAIT);
  }

  void get_remote_ip_and_port(std::string& ip, int& port) const override {
    Read(&getpeername, ip, port);
  }
  void get_local_ip_and_port(std::string& ip, int& port) const override {
    Read(&getsockname, ip, port);
  }
  socket_t socket() const override { return socket_; }

 private:
  void Read(int (*get)(int, sockaddr*, socklen_t*), std::string& ip,
            int& port) const {
    sockaddr_storage address = {};
    socklen_t length = sizeof(address);
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    if (get(socket_, any, &length) != 0) return;
    char text[INET6_ADDRSTRLEN] = "";
    if (address.ss_family == AF_INET) {
      const auto* in = reinterpret_cast<const sockaddr_in*>(&address);
      inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text));
      port = ntohs(in->sin_port);
    } else {
      const auto* in = reinterpret_cast<const sockaddr_in6*>(&address);
      inet_ntop(AF_INET6, &in->sin6_addr, text, sizeof(text));
      port = ntohs(in->sin6_port);
    }
    ip = text;
  }
  bool Wait(short events) const {  // NOLINT(runtime/int): poll's type
    pollfd one = {socket_, events, 0};
    while (true) {
      const absl::Duration left = deadline_ - absl::Now();
      if (left <= absl::ZeroDuration()) return false;
      const int got =
          poll(&one, 1, static_cast<int>(absl::ToInt64Milliseconds(left)) + 1);
      if (got > 0) return true;
      if (got < 0 && errno != EINTR) return false;
    }
  }

  const int socket_;
  const absl::Time deadline_;
  char buffer_[4096] = {};
  size_t begin_ = 0;
  size_t end_ = 0;
};

// The connections that are open, the oldest first. When there are as many as
// threads, one more ends the oldest: nobody keeps others out by opening many.
class Connections {
 public:
  using Place = std::list<int>::iterator;

  Place Add(int socket) {
    const std::lock_guard<std::mutex> lock(mu_);
    if (waiting_ > 0) --waiting_;
    if (ended_) shutdown(socket, SHUT_RDWR);
    return open_.insert(open_.end(), socket);
  }
  void Remove(Place place) {
    const std::lock_guard<std::mutex> lock(mu_);
    open_.erase(place);
  }
  // Those that are open, and those to come.
  void End() {
    const std::lock_guard<std::mutex> lock(mu_);
    ended_ = true;
    for (const int socket : open_) shutdown(socket, SHUT_RDWR);
  }
  // One more waits for a thread.
  void Wait() {
    const std::lock_guard<std::mutex> lock(mu_);
    ++waiting_;
    size_t over = open_.size() + waiting_;
    for (const int socket : open_) {
      if (over <= HttpServer::kMaxConnections) break;
      shutdown(socket, SHUT_RDWR);
      --over;
    }
  }

 private:
  std::mutex mu_;
  std::list<int> open_;
  size_t waiting_ = 0;
  bool ended_ = false;
};

class Tasks final : public httplib::TaskQueue {
 public:
  explicit Tasks(Connections* connections)
      : connections_(connections), pool_(HttpServer::kMaxConnections) {}
  void enqueue(std::function<void()> task) override {
    connections_->Wait();
    pool_.enqueue(std::move(task));
  }
  void shutdown() override { pool_.shutdown(); }

 private:
  Connections* const connections_;
  httplib::ThreadPool pool_;
};

class Handler final : public httplib::Server {
 public:
  Handler() {
    new_task_queue = [this] { return new Tasks(&connections_); };
  }
  void EndConnections() { connections_.End(); }

 private:
  bool process_and_close_socket(socket_t socket) override {
    const auto place = connections_.Add(socket);
    TimedStream stream(socket, absl::Now() + kTimeout);
    bool closed = false;
    const bool good =
        process_request(stream, /*close_connection=*/true, closed, nullptr);
    connections_.Remove(place);
    ::shutdown(socket, SHUT_RDWR);
    close(socket);
    return good;
  }

  Connections connections_;
};

class Server : public HttpServer {
 public:
  explicit Server(HttpHandlers handlers) : handlers_(std::move(handlers)) {
    server_.set_payload_max_length(kMaxBodyBytes);
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
    server_.EndConnections();
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
  Handler server_;
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
