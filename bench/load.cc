// A TLS client that makes full handshakes one after another and counts.
//
//   load --port PORT --certificates FOLDER [--connections 250] [--at-once 4]
//        [--client leaves|one-leaf|stranger|none] [--first 0]
//        [--expect 200|403|refused|none] [--sni bench.test]
//        [--ready-within SECONDS] [--cpu N]
//
// Each connection: TCP, a full TLS 1.3 handshake (X25519, no resumption, the
// client's certificate and its issuer sent), one GET, the whole response, a
// close. `leaves` takes client certificates in turn, from number `first` on.
// --expect refused: the server ends the connection with an alert or a reset,
// without a response. --expect none: no connection gets a response (used to
// show that a configuration does not work).
//
// --ready-within: make one connection, again and again from now on, until it
// is as expected; print when.
//
// Prints one line of JSON. Any other outcome than the expected one ends it
// with exit status 1 and says which.

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/base.h>
#include <openssl/bytestring.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/pem.h>
#include <openssl/pool.h>
#include <openssl/ssl.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fstream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace sallyport::bench {
namespace {

using Buffer = bssl::UniquePtr<CRYPTO_BUFFER>;

[[noreturn]] void Die(const std::string& what) {
  throw std::runtime_error(what);
}

int64_t NowNanos() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1000000000 + now.tv_nsec;
}

double CpuSeconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) /
             1e6;
}

struct Options {
  int port = 0;
  std::string certificates;
  int connections = 250;
  int at_once = 4;
  std::string client = "leaves";
  int first = 0;
  std::string expect = "200";
  std::string sni = "bench.test";
  double ready_within = 0;
  int cpu = -1;
};

Options ReadOptions(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; i += 2) {
    const std::string name = argv[i];
    if (i + 1 == argc) Die(name + " needs a value");
    const std::string value = argv[i + 1];
    if (name == "--port") {
      options.port = std::stoi(value);
    } else if (name == "--certificates") {
      options.certificates = value;
    } else if (name == "--connections") {
      options.connections = std::stoi(value);
    } else if (name == "--at-once") {
      options.at_once = std::stoi(value);
    } else if (name == "--client") {
      options.client = value;
    } else if (name == "--first") {
      options.first = std::stoi(value);
    } else if (name == "--expect") {
      options.expect = value;
    } else if (name == "--sni") {
      options.sni = value;
    } else if (name == "--ready-within") {
      options.ready_within = std::stod(value);
    } else if (name == "--cpu") {
      options.cpu = std::stoi(value);
    } else {
      Die("unknown option " + name);
    }
  }
  if (options.port < 1 || options.port > 65535) Die("--port is needed");
  if (options.certificates.empty()) Die("--certificates is needed");
  if (options.connections < 1 || options.at_once < 1 || options.first < 0) {
    Die("--connections, --at-once and --first must be positive");
  }
  const std::vector<std::string> clients = {"leaves", "one-leaf", "stranger",
                                            "none"};
  const std::vector<std::string> outcomes = {"200", "403", "refused", "none"};
  if (std::find(clients.begin(), clients.end(), options.client) ==
          clients.end() ||
      std::find(outcomes.begin(), outcomes.end(), options.expect) ==
          outcomes.end()) {
    Die("--client or --expect has an unknown value");
  }
  return options;
}

bssl::UniquePtr<BIO> ReadAll(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) Die("cannot read " + path);
  const std::string text((std::istreambuf_iterator<char>(in)),
                         std::istreambuf_iterator<char>());
  bssl::UniquePtr<BIO> bio(BIO_new(BIO_s_mem()));
  if (!BIO_write_all(bio.get(), text.data(), text.size())) Die("no memory");
  return bio;
}

std::vector<Buffer> ReadCertificates(const std::string& path) {
  bssl::UniquePtr<BIO> bio = ReadAll(path);
  std::vector<Buffer> out;
  while (true) {
    char* name = nullptr;
    char* header = nullptr;
    uint8_t* data = nullptr;
    long len = 0;
    if (!PEM_read_bio(bio.get(), &name, &header, &data, &len)) break;
    bssl::UniquePtr<char> own_name(name), own_header(header);
    bssl::UniquePtr<uint8_t> own_data(data);
    out.emplace_back(
        CRYPTO_BUFFER_new(data, static_cast<size_t>(len), nullptr));
  }
  ERR_clear_error();
  if (out.empty()) Die("no certificate in " + path);
  return out;
}

// What every connection shares.
class Client {
 public:
  explicit Client(const Options& options) : options_(options) {
    const std::string& folder = options.certificates;
    server_ = std::move(ReadCertificates(folder + "/server.pem").front());
    if (options.client != "none") {
      const bool stranger = options.client == "stranger";
      leaves_ = ReadCertificates(folder +
                                 (stranger ? "/stranger.pem" : "/leaves.pem"));
      issuer_ = std::move(
          ReadCertificates(folder + (stranger ? "/stranger_intermediate.pem"
                                              : "/intermediate.pem"))
              .front());
      key_.reset(PEM_read_bio_PrivateKey(ReadAll(folder + "/client.key").get(),
                                         nullptr, nullptr, nullptr));
      if (key_ == nullptr) Die("cannot read client.key");
    }
    context_.reset(SSL_CTX_new(TLS_with_buffers_method()));
    SSL_CTX_set_session_cache_mode(context_.get(), SSL_SESS_CACHE_OFF);
    const uint16_t groups[] = {SSL_GROUP_X25519};
    if (!SSL_CTX_set_min_proto_version(context_.get(), TLS1_3_VERSION) ||
        !SSL_CTX_set_max_proto_version(context_.get(), TLS1_3_VERSION) ||
        !SSL_CTX_set1_group_ids(context_.get(), groups, 1)) {
      Die("cannot configure TLS");
    }
    SSL_CTX_set_app_data(context_.get(), server_.get());
    // The server is known by its certificate; only its possession of the key
    // is left to check, which TLS does.
    SSL_CTX_set_custom_verify(
        context_.get(), SSL_VERIFY_PEER, [](SSL* ssl, uint8_t*) {
          const auto* expected = static_cast<const CRYPTO_BUFFER*>(
              SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
          const STACK_OF(CRYPTO_BUFFER)* sent = SSL_get0_peer_certificates(ssl);
          if (sk_CRYPTO_BUFFER_num(sent) == 0) return ssl_verify_invalid;
          const CRYPTO_BUFFER* leaf = sk_CRYPTO_BUFFER_value(sent, 0);
          const bool same =
              CRYPTO_BUFFER_len(leaf) == CRYPTO_BUFFER_len(expected) &&
              std::memcmp(CRYPTO_BUFFER_data(leaf),
                          CRYPTO_BUFFER_data(expected),
                          CRYPTO_BUFFER_len(leaf)) == 0;
          return same ? ssl_verify_ok : ssl_verify_invalid;
        });
    request_ = "GET / HTTP/1.1\r\nhost: " + options.sni + "\r\n\r\n";
  }

  const Options& options() const { return options_; }
  const std::string& request() const { return request_; }

  bssl::UniquePtr<SSL> NewSsl(int number) const {
    bssl::UniquePtr<SSL> ssl(SSL_new(context_.get()));
    if (!SSL_set_tlsext_host_name(ssl.get(), options_.sni.c_str())) {
      Die("cannot set the server name");
    }
    if (!leaves_.empty()) {
      const size_t which =
          options_.client == "one-leaf"
              ? 0
              : static_cast<size_t>(options_.first + number) % leaves_.size();
      CRYPTO_BUFFER* const chain[] = {leaves_[which].get(), issuer_.get()};
      if (!SSL_set_chain_and_key(ssl.get(), chain, 2, key_.get(), nullptr)) {
        Die("cannot use the client certificate");
      }
    }
    SSL_set_connect_state(ssl.get());
    return ssl;
  }

 private:
  const Options options_;
  Buffer server_;
  Buffer issuer_;
  std::vector<Buffer> leaves_;
  bssl::UniquePtr<EVP_PKEY> key_;
  bssl::UniquePtr<SSL_CTX> context_;
  std::string request_;
};

enum class Outcome {
  kPending,
  kResponse,  // see status
  kAlert,
  kReset,      // reset, or closed without a response
  kNoConnect,  // TCP refused
};

class Connection {
 public:
  Connection(const Client& client, int number, int epoll)
      : client_(client), epoll_(epoll), started_(NowNanos()) {
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd_ < 0) Die("cannot make a socket");
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(client.options().port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) !=
            0 &&
        errno != EINPROGRESS) {
      if (errno != ECONNREFUSED) {
        Die(std::string("cannot connect: ") + std::strerror(errno));
      }
      outcome_ = Outcome::kNoConnect;
      return;
    }
    ssl_ = client.NewSsl(number);
    if (!SSL_set_fd(ssl_.get(), fd_)) Die("cannot use the socket");
    epoll_event event{};
    event.data.ptr = this;
    event.events = EPOLLOUT;
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd_, &event) != 0) Die("epoll_ctl");
    watched_ = EPOLLOUT;
  }
  Connection(const Connection&) = delete;
  ~Connection() {
    if (fd_ >= 0) close(fd_);
  }

  Outcome outcome() const { return outcome_; }
  int status() const { return status_; }
  int64_t started() const { return started_; }
  const std::string& detail() const { return detail_; }

  // Goes on as far as it can without waiting.
  void Step() {
    ERR_clear_error();
    if (!handshaken_) {
      const int result = SSL_do_handshake(ssl_.get());
      if (result != 1) return Blocked(result);
      handshaken_ = true;
      if (SSL_version(ssl_.get()) != TLS1_3_VERSION ||
          SSL_get_group_id(ssl_.get()) != SSL_GROUP_X25519 ||
          SSL_session_reused(ssl_.get())) {
        Die("not a full TLS 1.3 handshake with X25519");
      }
      const std::string& request = client_.request();
      const int written = SSL_write(ssl_.get(), request.data(),
                                    static_cast<int>(request.size()));
      // A fresh socket has room for a hundred bytes.
      if (written != static_cast<int>(request.size())) return Blocked(written);
    }
    while (outcome_ == Outcome::kPending) {
      char bytes[4096];
      const int got = SSL_read(ssl_.get(), bytes, sizeof(bytes));
      if (got <= 0) return Blocked(got);
      response_.append(bytes, static_cast<size_t>(got));
      ReadResponse();
    }
  }

 private:
  void Blocked(int result) {
    const int error = SSL_get_error(ssl_.get(), result);
    if (error == SSL_ERROR_WANT_READ) return Watch(EPOLLIN);
    if (error == SSL_ERROR_WANT_WRITE) return Watch(EPOLLOUT);
    if (error == SSL_ERROR_SSL) {
      const uint32_t code = ERR_get_error();
      char text[256];
      ERR_error_string_n(code, text, sizeof(text));
      detail_ = text;
      // The peer's alerts are reported as 1000 + their number.
      if (ERR_GET_LIB(code) != ERR_LIB_SSL ||
          ERR_GET_REASON(code) < SSL_AD_REASON_OFFSET) {
        Die("TLS: " + detail_);
      }
      outcome_ = Outcome::kAlert;
      return;
    }
    const int saved_errno = errno;
    detail_ = error == SSL_ERROR_SYSCALL && saved_errno != 0
                  ? std::strerror(saved_errno)
                  : "connection closed";
    outcome_ = saved_errno == ECONNREFUSED && !handshaken_ ? Outcome::kNoConnect
                                                           : Outcome::kReset;
  }

  void Watch(uint32_t events) {
    if (events == watched_) return;
    epoll_event event{};
    event.data.ptr = this;
    event.events = events;
    if (epoll_ctl(epoll_, EPOLL_CTL_MOD, fd_, &event) != 0) Die("epoll_ctl");
    watched_ = events;
  }

  void ReadResponse() {
    const size_t head = response_.find("\r\n\r\n");
    if (head == std::string::npos) {
      if (response_.size() > 65536) Die("an endless response");
      return;
    }
    if (response_.compare(0, 9, "HTTP/1.1 ") != 0) Die("not an HTTP response");
    static constexpr char kLength[] = "\r\ncontent-length: ";
    const size_t length = response_.find(kLength);
    if (length == std::string::npos || length > head) {
      Die("a response without a length");
    }
    const size_t body = static_cast<size_t>(
        std::stoul(response_.substr(length + sizeof(kLength) - 1, 12)));
    if (response_.size() < head + 4 + body) return;
    if (response_.size() > head + 4 + body) Die("bytes after the response");
    status_ = std::stoi(response_.substr(9, 3));
    outcome_ = Outcome::kResponse;
    SSL_shutdown(ssl_.get());
  }

  const Client& client_;
  const int epoll_;
  const int64_t started_;
  int fd_ = -1;
  uint32_t watched_ = 0;
  bssl::UniquePtr<SSL> ssl_;
  bool handshaken_ = false;
  std::string response_;
  Outcome outcome_ = Outcome::kPending;
  int status_ = 0;
  std::string detail_;
};

std::string Describe(const Connection& connection) {
  switch (connection.outcome()) {
    case Outcome::kPending:
      return "nothing";
    case Outcome::kResponse:
      return "status " + std::to_string(connection.status());
    case Outcome::kAlert:
      return "a TLS alert (" + connection.detail() + ")";
    case Outcome::kReset:
      return connection.detail();
    case Outcome::kNoConnect:
      return "TCP connection refused";
  }
  return "?";
}

bool IsExpected(const Connection& connection, const std::string& expect) {
  const bool refused = connection.outcome() == Outcome::kAlert ||
                       connection.outcome() == Outcome::kReset;
  if (expect == "refused" || expect == "none") return refused;
  return connection.outcome() == Outcome::kResponse &&
         std::to_string(connection.status()) == expect;
}

class Epoll {
 public:
  Epoll() : fd_(epoll_create1(EPOLL_CLOEXEC)) {
    if (fd_ < 0) Die("epoll_create1");
  }
  ~Epoll() { close(fd_); }
  Epoll(const Epoll&) = delete;
  int fd() const { return fd_; }
  // Lets each connection that can go on go on.
  int Wait(int timeout_ms) {
    epoll_event events[64];
    const int count = epoll_wait(fd_, events, 64, timeout_ms);
    if (count < 0 && errno != EINTR) Die("epoll_wait");
    for (int i = 0; i < count; ++i) {
      static_cast<Connection*>(events[i].data.ptr)->Step();
    }
    return count;
  }

 private:
  const int fd_;
};

void RunUntilReady(const Client& client) {
  Epoll epoll;
  const auto deadline =
      NowNanos() + static_cast<int64_t>(client.options().ready_within * 1e9);
  std::string last = "nothing";
  int attempts = 0;
  while (NowNanos() < deadline) {
    Connection connection(client, attempts++, epoll.fd());
    while (connection.outcome() == Outcome::kPending && NowNanos() < deadline) {
      epoll.Wait(100);
    }
    if (IsExpected(connection, client.options().expect)) {
      std::printf("{\"ready_at_ns\": %lld, \"attempts\": %d}\n",
                  static_cast<long long>(NowNanos()), attempts);
      return;
    }
    last = Describe(connection);
    // Only a server that is not up yet is asked again.
    if (connection.outcome() != Outcome::kNoConnect &&
        connection.outcome() != Outcome::kPending) {
      Die("expected " + client.options().expect + ", got " + last);
    }
    const timespec pause{0, 500000};
    nanosleep(&pause, nullptr);
  }
  Die("not ready in time; the last attempt gave " + last);
}

void Run(const Client& client) {
  const Options& options = client.options();
  Epoll epoll;
  std::vector<std::unique_ptr<Connection>> open;
  std::vector<double> latencies;
  int started = 0, alerts = 0, resets = 0;
  const double cpu = CpuSeconds();
  const int64_t begin = NowNanos();
  while (started < options.connections || !open.empty()) {
    while (started < options.connections &&
           open.size() < static_cast<size_t>(options.at_once)) {
      open.push_back(
          std::make_unique<Connection>(client, started++, epoll.fd()));
    }
    const bool idle = std::none_of(open.begin(), open.end(),
                                   [](const std::unique_ptr<Connection>& c) {
                                     return c->outcome() != Outcome::kPending;
                                   });
    if (idle && epoll.Wait(10000) == 0) Die("no answer for 10 seconds");
    for (size_t i = 0; i < open.size();) {
      const Connection& connection = *open[i];
      if (connection.outcome() == Outcome::kPending) {
        ++i;
        continue;
      }
      if (!IsExpected(connection, options.expect)) {
        Die("connection " + std::to_string(started) + ": expected " +
            options.expect + ", got " + Describe(connection));
      }
      alerts += connection.outcome() == Outcome::kAlert;
      resets += connection.outcome() == Outcome::kReset;
      latencies.push_back(
          static_cast<double>(NowNanos() - connection.started()) / 1e6);
      open.erase(open.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
  const double seconds = static_cast<double>(NowNanos() - begin) / 1e9;
  std::sort(latencies.begin(), latencies.end());
  const auto at = [&](double q) {
    return latencies[static_cast<size_t>(
        q * static_cast<double>(latencies.size() - 1))];
  };
  std::printf(
      "{\"connections\": %d, \"seconds\": %.6f, \"client_cpu_seconds\": %.6f, "
      "\"latency_p50_ms\": %.3f, \"latency_p99_ms\": %.3f, \"alerts\": %d, "
      "\"resets\": %d}\n",
      options.connections, seconds, CpuSeconds() - cpu, at(0.5), at(0.99),
      alerts, resets);
}

int Main(int argc, char** argv) {
  const Options options = ReadOptions(argc, argv);
  signal(SIGPIPE, SIG_IGN);
  if (options.cpu >= 0) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<size_t>(options.cpu), &set);
    if (sched_setaffinity(0, sizeof(set), &set) != 0) {
      Die("cannot run on CPU " + std::to_string(options.cpu));
    }
  }
  const Client client(options);
  if (options.ready_within > 0) {
    RunUntilReady(client);
  } else {
    Run(client);
  }
  return 0;
}

}  // namespace
}  // namespace sallyport::bench

int main(int argc, char** argv) {
  try {
    return sallyport::bench::Main(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "load: %s\n", e.what());
    return 1;
  }
}
