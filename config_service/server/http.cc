#include "config_service/server/http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "third_party/httplib/httplib.h"

namespace sallyport::server {
namespace {

constexpr char kAnyPath[] = "/.*";
constexpr char kText[] = "text/plain; charset=utf-8";
constexpr char kPrometheus[] = "text/plain; version=0.0.4; charset=utf-8";
constexpr int kOk = 200;
constexpr int kUnauthorized = 401;
constexpr int kLengthRequired = 411;
constexpr int kTooLongPath = 414;
constexpr int kUnsupportedMedia = 415;
constexpr int kUnavailable = 503;

// Of cpp-httplib, beside those that were sent.
constexpr const char* kOwnHeaders[] = {"REMOTE_ADDR", "REMOTE_PORT",
                                       "LOCAL_ADDR", "LOCAL_PORT"};
constexpr absl::string_view kBusy = "too many requests at one time\n";

// A connection has one request. It is sent within this time as a whole, however
// it is dripped, and its answer is read within this time.
constexpr absl::Duration kTimeout = absl::Seconds(10);
// Bytes of the request line and all headers; each line has httplib's limit.
constexpr size_t kMaxHeadBytes = size_t{64} << 10;

// A socket whose reads and writes end at one deadline. httplib's own has a
// timeout for each of them, which starts anew with each byte, and takes any
// number of headers.
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
      num_read_ += end_;
      if (in_head_ && num_read_ > kMaxHeadBytes) return -1;
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

  // All headers are read: what follows has limits of its own.
  void EndHead() { in_head_ = false; }
  void SetDeadline(absl::Time deadline) { deadline_ = deadline; }

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
  absl::Time deadline_;
  bool in_head_ = true;
  size_t num_read_ = 0;
  char buffer_[4096] = {};
  size_t begin_ = 0;
  size_t end_ = 0;
};

// The connections that are open, the oldest first. When there are as many as
// threads, one more ends the oldest whose request is not being answered: nobody
// keeps others out by opening many, or ends what others were allowed to begin.
class Connections {
 public:
  struct Connection {
    int socket;
    bool answering = false;
  };
  using Place = std::list<Connection>::iterator;

  Place Add(int socket) {
    const std::lock_guard<std::mutex> lock(mu_);
    if (waiting_ > 0) --waiting_;
    if (ended_) shutdown(socket, SHUT_RDWR);
    return open_.insert(open_.end(), Connection{socket});
  }
  void Remove(Place place) {
    const std::lock_guard<std::mutex> lock(mu_);
    open_.erase(place);
  }
  // False: too many are being answered already.
  bool BeginAnswer(Place place) {
    const std::lock_guard<std::mutex> lock(mu_);
    if (answering_ >= HttpServer::kMaxAnswering) return false;
    ++answering_;
    place->answering = true;
    return true;
  }
  void EndAnswer(Place place) {
    const std::lock_guard<std::mutex> lock(mu_);
    --answering_;
    place->answering = false;
  }
  // Those that are open, and those to come.
  void End() {
    const std::lock_guard<std::mutex> lock(mu_);
    ended_ = true;
    for (const Connection& one : open_) shutdown(one.socket, SHUT_RDWR);
  }
  // One more waits for a thread.
  void Wait() {
    const std::lock_guard<std::mutex> lock(mu_);
    ++waiting_;
    size_t over = open_.size() + waiting_;
    for (const Connection& one : open_) {
      if (over <= HttpServer::kMaxConnections) break;
      if (!one.answering) shutdown(one.socket, SHUT_RDWR);
      --over;
    }
  }

 private:
  std::mutex mu_;
  std::list<Connection> open_;
  size_t waiting_ = 0;
  size_t answering_ = 0;
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

  // Runs `answer`, which may take its time: the client's time to read the
  // answer begins afterwards. False: it was not run, since too many are.
  // To be called by what answers a request.
  template <typename Function>
  bool Answer(Function answer) {
    if (!connections_.BeginAnswer(current_.place)) return false;
    const absl::Cleanup end = [this] {
      connections_.EndAnswer(current_.place);
    };
    answer();
    current_.stream->SetDeadline(absl::Now() + kTimeout);
    return true;
  }

 private:
  // What a thread serves. httplib passes nothing through to what answers.
  struct Current {
    TimedStream* stream = nullptr;
    Connections::Place place;
  };

  bool process_and_close_socket(socket_t socket) override {
    const auto place = connections_.Add(socket);
    TimedStream stream(socket, absl::Now() + kTimeout);
    current_ = {&stream, place};
    bool closed = false;
    const bool good = process_request(stream, /*close_connection=*/true, closed,
                                      [&stream](httplib::Request& request) {
                                        stream.EndHead();
                                        // Many of them would make much of a
                                        // small answer; whoever asks gets all
                                        // (RFC 9110, 14.2).
                                        request.ranges.clear();
                                      });
    current_ = {};
    connections_.Remove(place);
    ::shutdown(socket, SHUT_RDWR);
    close(socket);
    return good;
  }

  static thread_local Current current_;
  Connections connections_;
};

thread_local Handler::Current Handler::current_;

class Server : public HttpServer {
 public:
  explicit Server(HttpHandlers handlers) : handlers_(std::move(handlers)) {
    server_.set_payload_max_length(handlers_.max_body_bytes);
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
    server_.set_pre_routing_handler(Filter);
    if (handlers_.other == nullptr) return;
    const auto other = [this](const httplib::Request& request,
                              httplib::Response& response) {
      AnswerOther(request, response);
    };
    server_.Get(kAnyPath, other);
    server_.Post(kAnyPath, other);
    server_.Put(kAnyPath, other);
    server_.Patch(kAnyPath, other);
    server_.Delete(kAnyPath, other);
  }

  // Before a body is read.
  static httplib::Server::HandlerResponse Filter(
      const httplib::Request& request, httplib::Response& response) {
    // Paths are matched by std::regex, which takes stack for each character.
    if (request.path.size() > kMaxHttpPathBytes) {
      response.status = kTooLongPath;
      return httplib::Server::HandlerResponse::Handled;
    }
    // The limit holds for bodies that say their length alone.
    const bool has_body = request.method == "POST" || request.method == "PUT" ||
                          request.method == "PATCH" || request.method == "PRI";
    if (request.has_header("Transfer-Encoding") ||
        (has_body && !request.has_header("Content-Length"))) {
      response.status = kLengthRequired;
      return httplib::Server::HandlerResponse::Handled;
    }
    // What is compressed would be unpacked whatever its size is then; parts of
    // forms would be taken out of the body.
    if (request.has_header("Content-Encoding") ||
        request.is_multipart_form_data()) {
      response.status = kUnsupportedMedia;
      return httplib::Server::HandlerResponse::Handled;
    }
    return httplib::Server::HandlerResponse::Unhandled;
  }

  void AnswerOther(const httplib::Request& request,
                   httplib::Response& response) {
    HttpCall call;
    call.method = request.method;
    call.target = request.target;
    for (const auto& [name, value] : request.headers) {
      const auto is_own = [&name = name](const char* own) {
        return name == own;
      };
      if (std::any_of(std::begin(kOwnHeaders), std::end(kOwnHeaders), is_own)) {
        continue;
      }
      call.headers.emplace_back(name, value);
    }
    call.body = request.body;
    call.peer = request.remote_addr.find(':') == std::string::npos
                    ? request.remote_addr
                    : "[" + request.remote_addr + "]";
    call.peer += ":" + std::to_string(request.remote_port);
    HttpAnswer answer;
    const bool answered =
        server_.Answer([&] { answer = handlers_.other(std::move(call)); });
    if (!answered) {
      response.status = kUnavailable;
      response.set_header("Retry-After", "1");
      response.set_content(std::string(kBusy), kText);
      return;
    }
    response.status = answer.status;
    for (const auto& [name, value] : answer.headers) {
      response.set_header(name, value);
    }
    response.body = std::move(answer.body);
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
