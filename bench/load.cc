// A TLS client that does what it is told, counts, and checks every answer.
//
//   load --port PORT --certificates FOLDER [--chain ecdsa_2]
//        [--client leaves|one-leaf|stranger|one-stranger|none] [--expect 200]
//        [--sni bench.test] [--protocol http1|h2] [--path /] [--at-once 4]
//        [--cpu N]
//
// FOLDER is what make_fixtures.cc made; --chain says which client certificates
// of it. `leaves` and `stranger` take them in turn, each once until all are
// used up; `one-leaf` and `one-stranger` are always the first. --expect is a
// status, or `refused`: the connection ends with an alert or a reset, without a
// response.
//
// Everything is TLS 1.3 with X25519; a client sends its certificate and its
// intermediates. It reads one command from each line of its standard input and
// answers each with one line of JSON:
//
//   nothing               an answer; everything is read by then
//   ready SECONDS         one connection, tried again until the server is there
//   until OUTCOME SECONDS connections one after another until one ends as
//                         OUTCOME, which is a value of --expect
//   sessions N            N full handshakes, one for each client in turn, whose
//                         sessions all later connections resume
//   connect N             N connections: TCP, handshake, one request, the whole
//                         response, close
//   open N                N more connections, one request each, kept open
//   request N             N requests over the open connections, one at a time
//                         on each
//   get PATH              one connection for one request; the answer has the
//                         response's body
//   close                 closes the open connections; none of them may have
//                         been closed by the server
//
// Anything but the expected answer ends it with exit status 1 and a line that
// says what came instead.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/base.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pool.h>
#include <openssl/ssl.h>
#include <sched.h>
#include <signal.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <sstream>
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
  std::string chain = "ecdsa_2";
  std::string client = "leaves";
  std::string expect = "200";
  std::string sni = "bench.test";
  std::string path = "/";
  bool h2 = false;
  int at_once = 4;
  int cpu = -1;
};

bool IsOutcome(const std::string& text) {
  return text == "refused" ||
         (text.size() == 3 &&
          text.find_first_not_of("0123456789") == std::string::npos);
}

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
    } else if (name == "--chain") {
      options.chain = value;
    } else if (name == "--client") {
      options.client = value;
    } else if (name == "--expect") {
      options.expect = value;
    } else if (name == "--sni") {
      options.sni = value;
    } else if (name == "--path") {
      options.path = value;
    } else if (name == "--protocol" && (value == "http1" || value == "h2")) {
      options.h2 = value == "h2";
    } else if (name == "--at-once") {
      options.at_once = std::stoi(value);
    } else if (name == "--cpu") {
      options.cpu = std::stoi(value);
    } else {
      Die(std::string("unknown option ")
              .append(name)
              .append(" ")
              .append(value));
    }
  }
  if (options.port < 1 || options.port > 65535) Die("--port is needed");
  if (options.certificates.empty()) Die("--certificates is needed");
  if (options.at_once < 1) Die("--at-once must be positive");
  const std::vector<std::string> clients = {"leaves", "one-leaf", "stranger",
                                            "one-stranger", "none"};
  if (std::find(clients.begin(), clients.end(), options.client) ==
          clients.end() ||
      !IsOutcome(options.expect)) {
    Die("--client or --expect has an unknown value");
  }
  return options;
}

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) Die("cannot read " + path);
  return std::string((std::istreambuf_iterator<char>(in)),
                     std::istreambuf_iterator<char>());
}

// `text` must outlive the result.
bssl::UniquePtr<BIO> View(const std::string& text) {
  return bssl::UniquePtr<BIO>(
      BIO_new_mem_buf(text.data(), static_cast<ossl_ssize_t>(text.size())));
}

std::vector<Buffer> ReadCertificates(const std::string& path) {
  const std::string text = ReadFile(path);
  bssl::UniquePtr<BIO> bio = View(text);
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
      const std::string prefix = folder + "/" + options.chain + "_";
      const std::string kind =
          options.client == "stranger" || options.client == "one-stranger"
              ? "stranger"
              : "leaf";
      leaves_ = ReadCertificates(prefix + kind + ".pem");
      issuers_ = ReadCertificates(prefix + kind + "_issuers.pem");
      const std::string key = ReadFile(prefix + "client.key");
      key_.reset(
          PEM_read_bio_PrivateKey(View(key).get(), nullptr, nullptr, nullptr));
      if (key_ == nullptr) Die("cannot read the client's key");
    }
    context_.reset(SSL_CTX_new(TLS_with_buffers_method()));
    SSL_CTX_set_session_cache_mode(
        context_.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    const uint16_t groups[] = {SSL_GROUP_X25519};
    if (!SSL_CTX_set_min_proto_version(context_.get(), TLS1_3_VERSION) ||
        !SSL_CTX_set_max_proto_version(context_.get(), TLS1_3_VERSION) ||
        !SSL_CTX_set1_group_ids(context_.get(), groups, 1)) {
      Die("cannot configure TLS");
    }
    SSL_CTX_set_app_data(context_.get(), this);
    // The server is known by its certificate; only its possession of the key
    // is left to check, which TLS does.
    SSL_CTX_set_custom_verify(
        context_.get(), SSL_VERIFY_PEER, [](SSL* ssl, uint8_t*) {
          const CRYPTO_BUFFER* expected = Of(ssl)->server_.get();
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
    SSL_CTX_sess_set_new_cb(context_.get(), [](SSL* ssl, SSL_SESSION* session) {
      Client* client = Of(ssl);
      if (!client->keep_sessions_) return 0;
      client->sessions_.emplace_back(session);
      return 1;
    });
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  const Options& options() const { return options_; }
  bool resumes() const { return !sessions_.empty() && !keep_sessions_; }

  void StartKeepingSessions() {
    sessions_.clear();
    keep_sessions_ = true;
  }
  void ResumeThem() {
    if (sessions_.empty()) Die("the server gave no session");
    keep_sessions_ = false;
  }

  bssl::UniquePtr<SSL> NewSsl() {
    bssl::UniquePtr<SSL> ssl(SSL_new(context_.get()));
    if (!SSL_set_tlsext_host_name(ssl.get(), options_.sni.c_str())) {
      Die("cannot set the server name");
    }
    static constexpr uint8_t kH2[] = {2, 'h', '2'};
    // Returns 0 on success.
    if (options_.h2 && SSL_set_alpn_protos(ssl.get(), kH2, sizeof(kH2)) != 0) {
      Die("cannot set the protocol");
    }
    if (!leaves_.empty()) {
      const bool one = options_.client.rfind("one-", 0) == 0;
      const size_t which = one ? 0 : next_++ % leaves_.size();
      std::vector<CRYPTO_BUFFER*> chain = {leaves_[which].get()};
      for (const Buffer& issuer : issuers_) chain.push_back(issuer.get());
      if (!SSL_set_chain_and_key(ssl.get(), chain.data(), chain.size(),
                                 key_.get(), nullptr)) {
        Die("cannot use the client certificate");
      }
    }
    if (resumes() &&
        !SSL_set_session(ssl.get(),
                         sessions_[next_session_++ % sessions_.size()].get())) {
      Die("cannot use the session");
    }
    SSL_set_connect_state(ssl.get());
    return ssl;
  }

 private:
  static Client* Of(const SSL* ssl) {
    return static_cast<Client*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  }

  const Options options_;
  Buffer server_;
  std::vector<Buffer> leaves_;
  std::vector<Buffer> issuers_;
  bssl::UniquePtr<EVP_PKEY> key_;
  bssl::UniquePtr<SSL_CTX> context_;
  size_t next_ = 0;
  bool keep_sessions_ = false;
  size_t next_session_ = 0;
  std::vector<bssl::UniquePtr<SSL_SESSION>> sessions_;
};

// One request after another on one connection: what to write, and what came.
class Protocol {
 public:
  virtual ~Protocol() = default;
  virtual std::string Request(const std::string& path) = 0;
  // Takes all that it can use from the front of `in`. Text to send goes to
  // `out`. True when a response is complete.
  virtual bool Read(std::string* in, std::string* out) = 0;
  int status() const { return status_; }
  const std::string& body() const { return body_; }

 protected:
  int status_ = 0;
  std::string body_;
};

class Http1 : public Protocol {
 public:
  explicit Http1(std::string host) : host_(std::move(host)) {}

  std::string Request(const std::string& path) override {
    return "GET " + path + " HTTP/1.1\r\nhost: " + host_ + "\r\n\r\n";
  }

  bool Read(std::string* in, std::string*) override {
    const size_t head = in->find("\r\n\r\n");
    if (head == std::string::npos) {
      if (in->size() > 65536) Die("an endless response");
      return false;
    }
    if (in->compare(0, 9, "HTTP/1.1 ") != 0) Die("not an HTTP response");
    static constexpr char kLength[] = "\r\ncontent-length: ";
    constexpr size_t kLengthSize = sizeof(kLength) - 1;
    size_t length = 0;
    while (length < head &&
           strncasecmp(in->data() + length, kLength, kLengthSize) != 0) {
      length = in->find("\r\n", length + 1);
    }
    if (length >= head) Die("a response without a length");
    const size_t body =
        static_cast<size_t>(std::stoul(in->substr(length + kLengthSize, 12)));
    if (in->size() < head + 4 + body) return false;
    if (in->size() > head + 4 + body) Die("bytes after the response");
    status_ = std::stoi(in->substr(9, 3));
    body_ = in->substr(head + 4);
    in->clear();
    return true;
  }

 private:
  const std::string host_;
};

// As much of RFC 9113 and RFC 7541 as one request at a time needs.
class Http2 : public Protocol {
 public:
  explicit Http2(std::string host) : host_(std::move(host)) {}

  std::string Request(const std::string& path) override {
    std::string out;
    // :method GET, :scheme https.
    std::string block = "\x82\x87";
    if (path == "/") {
      block += '\x84';
    } else {
      block += '\x04' + Literal(path);
    }
    if (stream_ == 1) {
      out = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
      // No dynamic table for responses, no push.
      out +=
          Frame(kSettings, 0, 0, std::string("\0\1\0\0\0\0\0\2\0\0\0\0", 12));
      // So that no window ever closes.
      out += Frame(kWindowUpdate, 0, 0, std::string("\x7f\xfe\xff\xff", 4));
      // :authority, remembered in the server's dynamic table...
      block += '\x41' + Literal(host_);
    } else {
      // ... as its first entry.
      block += '\xbe';
    }
    out += Frame(kHeaders, kEndStream | kEndHeaders, stream_, block);
    stream_ += 2;
    status_ = 0;
    body_.clear();
    return out;
  }

  bool Read(std::string* in, std::string* out) override {
    bool done = false;
    while (!done && in->size() >= 9) {
      const auto byte = [&](size_t i) {
        return size_t{static_cast<uint8_t>((*in)[i])};
      };
      const size_t length = byte(0) << 16 | byte(1) << 8 | byte(2);
      if (in->size() < 9 + length) break;
      const size_t type = byte(3), flags = byte(4);
      const std::string payload = in->substr(9, length);
      in->erase(0, 9 + length);
      if ((type == kHeaders || type == kData) && (flags & kPadded) != 0) {
        Die("HTTP/2: padding");
      }
      if (type == kHeaders) {
        if ((flags & kEndHeaders) == 0) Die("HTTP/2: a continuation");
        if (status_ == 0) status_ = Status(payload);
      } else if (type == kData) {
        body_ += payload;
      } else if (type == kSettings || type == kPing) {
        if ((flags & kAck) == 0) {
          *out += Frame(type, kAck, 0, type == kPing ? payload : "");
        }
      } else if (type == kResetStream || type == kGoAway) {
        Die("HTTP/2: the server ended the stream or the connection");
      }
      done = (type == kHeaders || type == kData) && (flags & kEndStream) != 0;
    }
    return done;
  }

 private:
  static constexpr size_t kData = 0, kHeaders = 1, kResetStream = 3,
                          kSettings = 4, kPing = 6, kGoAway = 7,
                          kWindowUpdate = 8;
  static constexpr size_t kEndStream = 1, kAck = 1, kEndHeaders = 4,
                          kPadded = 8;

  static std::string Literal(const std::string& text) {
    if (text.size() > 126) Die("HTTP/2: a text that is too long");
    return static_cast<char>(text.size()) + text;
  }

  static std::string Frame(size_t type, size_t flags, uint32_t stream,
                           const std::string& payload) {
    const size_t n = payload.size();
    std::string out;
    for (const size_t b :
         {n >> 16, n >> 8, n, type, flags, size_t{stream >> 24},
          size_t{stream >> 16}, size_t{stream >> 8}, size_t{stream}}) {
      out += static_cast<char>(b & 0xff);
    }
    return out + payload;
  }

  // Of those in the static table; -1 for another.
  static int Status(const std::string& block) {
    size_t at = 0;
    while (at < block.size() &&
           (static_cast<uint8_t>(block[at]) & 0xe0) == 0x20) {
      ++at;  // A new size of the dynamic table.
    }
    static constexpr int kKnown[] = {200, 204, 206, 304, 400, 404, 500};
    const size_t index =
        at < block.size() ? size_t{static_cast<uint8_t>(block[at])} : 0;
    return index >= 0x88 && index <= 0x8e ? kKnown[index - 0x88] : -1;
  }

  const std::string host_;
  uint32_t stream_ = 1;
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
  enum class After { kClose, kStay };

  Connection(Client* client, const std::string& path, After after, int epoll)
      : client_(*client),
        after_(after),
        epoll_(epoll),
        started_(NowNanos()),
        path_(path) {
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd_ < 0) Die("cannot make a socket");
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(client_.options().port));
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
    ssl_ = client_.NewSsl();
    if (client_.options().h2) {
      protocol_ = std::make_unique<Http2>(client_.options().sni);
    } else {
      protocol_ = std::make_unique<Http1>(client_.options().sni);
    }
    if (!SSL_set_fd(ssl_.get(), fd_)) Die("cannot use the socket");
    epoll_event event{};
    event.data.ptr = this;
    event.events = EPOLLOUT;
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd_, &event) != 0) Die("epoll_ctl");
    watched_ = EPOLLOUT;
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() {
    if (fd_ >= 0) close(fd_);
  }

  Outcome outcome() const { return outcome_; }
  const Protocol& protocol() const { return *protocol_; }
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
          SSL_get_group_id(ssl_.get()) != SSL_GROUP_X25519) {
        Die("not a TLS 1.3 handshake with X25519");
      }
      if ((SSL_session_reused(ssl_.get()) != 0) != client_.resumes()) {
        Die(client_.resumes() ? "the session was not resumed"
                              : "not a full handshake");
      }
      if (!Write(protocol_->Request(path_))) return;
    }
    while (true) {
      char bytes[16384];
      const int got = SSL_read(ssl_.get(), bytes, sizeof(bytes));
      if (got <= 0) return Blocked(got);
      in_.append(bytes, static_cast<size_t>(got));
      std::string reply;
      const bool done = protocol_->Read(&in_, &reply);
      if (!reply.empty() && !Write(reply)) return;
      if (!done) continue;
      outcome_ = Outcome::kResponse;
      if (after_ == After::kClose) {
        SSL_shutdown(ssl_.get());
        return;
      }
    }
  }

  // Only when the last one was answered.
  void NextRequest() {
    outcome_ = Outcome::kPending;
    started_ = NowNanos();
    if (Write(protocol_->Request(path_))) Watch(EPOLLIN);
  }

 private:
  // A socket on loopback has room for what is written here.
  bool Write(const std::string& text) {
    const int written =
        SSL_write(ssl_.get(), text.data(), static_cast<int>(text.size()));
    if (written == static_cast<int>(text.size())) return true;
    Blocked(written);
    return false;
  }

  void Blocked(int result) {
    const int error = SSL_get_error(ssl_.get(), result);
    if (error == SSL_ERROR_WANT_READ) return Watch(EPOLLIN);
    if (error == SSL_ERROR_WANT_WRITE) return Watch(EPOLLOUT);
    if (error == SSL_ERROR_SSL) {
      const uint32_t code = ERR_get_error();
      const char* reason = ERR_reason_error_string(code);
      detail_ = reason != nullptr ? reason : std::to_string(code);
      // The peer's alerts are reported as 1000 + their number.
      if (ERR_GET_LIB(code) != ERR_LIB_SSL ||
          ERR_GET_REASON(code) < SSL_AD_REASON_OFFSET) {
        Die("TLS: " + detail_);
      }
      outcome_ = Outcome::kAlert;
    } else {
      const int saved_errno = errno;
      detail_ = error == SSL_ERROR_SYSCALL && saved_errno != 0
                    ? std::strerror(saved_errno)
                    : "connection closed";
      outcome_ = saved_errno == ECONNREFUSED && !handshaken_
                     ? Outcome::kNoConnect
                     : Outcome::kReset;
    }
    // Of a connection that stays, nobody asks for more events.
    epoll_ctl(epoll_, EPOLL_CTL_DEL, fd_, nullptr);
  }

  void Watch(uint32_t events) {
    if (events == watched_) return;
    epoll_event event{};
    event.data.ptr = this;
    event.events = events;
    if (epoll_ctl(epoll_, EPOLL_CTL_MOD, fd_, &event) != 0) Die("epoll_ctl");
    watched_ = events;
  }

  Client& client_;
  const After after_;
  const int epoll_;
  int64_t started_;
  const std::string path_;
  int fd_ = -1;
  uint32_t watched_ = 0;
  bssl::UniquePtr<SSL> ssl_;
  std::unique_ptr<Protocol> protocol_;
  bool handshaken_ = false;
  std::string in_;
  Outcome outcome_ = Outcome::kPending;
  std::string detail_;
};

std::string Describe(const Connection& connection) {
  switch (connection.outcome()) {
    case Outcome::kPending:
      return "nothing";
    case Outcome::kResponse:
      return "status " + std::to_string(connection.protocol().status());
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
  if (expect == "refused") {
    return connection.outcome() == Outcome::kAlert ||
           connection.outcome() == Outcome::kReset;
  }
  return connection.outcome() == Outcome::kResponse &&
         std::to_string(connection.protocol().status()) == expect;
}

std::string JsonText(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    char escaped[8];
    std::snprintf(escaped, sizeof(escaped), "\\u%04x",
                  static_cast<unsigned>(static_cast<uint8_t>(c)));
    const bool plain = c >= ' ' && c < 0x7f && c != '"' && c != '\\';
    out += plain ? std::string(1, c) : std::string(escaped);
  }
  return out + "\"";
}

// Carries out the commands.
class Session {
 public:
  explicit Session(const Options& options)
      : options_(options),
        client_(options),
        epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    if (epoll_ < 0) Die("epoll_create1");
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() {
    open_.clear();
    close(epoll_);
  }

  std::string Do(const std::string& line) {
    std::istringstream words(line);
    std::string command, word;
    words >> command;
    if (command == "nothing") return "{}";
    if (command == "ready") return Until(options_.expect, Seconds(words), true);
    if (command == "until") {
      words >> word;
      if (!IsOutcome(word)) Die("until: unknown outcome " + word);
      return Until(word, Seconds(words), false);
    }
    if (command == "sessions") return Sessions(Count(words));
    if (command == "connect") return Connect(Count(words));
    if (command == "open") return Open(Count(words));
    if (command == "request") return Request(Count(words));
    if (command == "get" && words >> word) return Get(word);
    if (command == "close") return Close();
    Die("unknown command " + line);
  }

 private:
  using Connections = std::vector<std::unique_ptr<Connection>>;

  static double Seconds(std::istringstream& words) {
    double seconds = 0;
    if (!(words >> seconds)) Die("a number of seconds is needed");
    return seconds;
  }
  static int Count(std::istringstream& words) {
    int count = 0;
    if (!(words >> count) || count < 1) Die("a positive number is needed");
    return count;
  }

  std::unique_ptr<Connection> New(Connection::After after,
                                  const std::string& path) {
    return std::make_unique<Connection>(&client_, path, after, epoll_);
  }

  // Lets each connection that can go on go on.
  int Wait(int timeout_ms) {
    epoll_event events[64];
    const int count = epoll_wait(epoll_, events, 64, timeout_ms);
    if (count < 0 && errno != EINTR) Die("epoll_wait");
    for (int i = 0; i < count; ++i) {
      static_cast<Connection*>(events[i].data.ptr)->Step();
    }
    return count;
  }
  void WaitForAnAnswer() {
    if (Wait(30000) == 0) Die("no answer for 30 seconds");
  }

  void Check(const Connection& connection) const {
    if (!IsExpected(connection, options_.expect)) {
      Die("expected " + options_.expect + ", got " + Describe(connection));
    }
  }

  // only_unless_listening: ask again only a server that is not up yet.
  std::string Until(const std::string& expect, double seconds,
                    bool only_unless_listening) {
    const int64_t deadline = NowNanos() + static_cast<int64_t>(seconds * 1e9);
    std::string last = "nothing";
    int attempts = 0;
    while (NowNanos() < deadline) {
      ++attempts;
      const auto connection = New(Connection::After::kClose, options_.path);
      while (connection->outcome() == Outcome::kPending &&
             NowNanos() < deadline) {
        Wait(50);
      }
      if (IsExpected(*connection, expect)) {
        return "{\"at_ns\": " + std::to_string(NowNanos()) +
               ", \"attempts\": " + std::to_string(attempts) + "}";
      }
      last = Describe(*connection);
      if (only_unless_listening &&
          connection->outcome() != Outcome::kNoConnect &&
          connection->outcome() != Outcome::kPending) {
        Die(std::string("expected ")
                .append(expect)
                .append(", got ")
                .append(last));
      }
      // A server that is at work must not be kept from it.
      const timespec pause{0, only_unless_listening ? 500000 : 5000000};
      nanosleep(&pause, nullptr);
    }
    Die("not in time: expected " + expect + "; the last attempt gave " + last);
  }

  std::string Sessions(int count) {
    client_.StartKeepingSessions();
    for (int i = 0; i < count; ++i) {
      const auto connection = New(Connection::After::kClose, options_.path);
      while (connection->outcome() == Outcome::kPending) WaitForAnAnswer();
      Check(*connection);
    }
    client_.ResumeThem();
    return "{\"sessions\": " + std::to_string(count) + "}";
  }

  std::string Connect(int count) {
    return Measured(count, [&](std::vector<double>* latencies, int* alerts) {
      Connections running;
      int started = 0;
      while (started < count || !running.empty()) {
        while (started < count &&
               running.size() < static_cast<size_t>(options_.at_once)) {
          running.push_back(New(Connection::After::kClose, options_.path));
          ++started;
        }
        if (!TakeFinished(&running, nullptr, latencies, alerts)) {
          WaitForAnAnswer();
        }
      }
    });
  }

  std::string Open(int count) {
    Connections running;
    int started = 0;
    while (started < count || !running.empty()) {
      while (started < count &&
             running.size() < static_cast<size_t>(options_.at_once)) {
        running.push_back(New(Connection::After::kStay, options_.path));
        ++started;
      }
      std::vector<double> latencies;
      int alerts = 0;
      if (!TakeFinished(&running, &open_, &latencies, &alerts)) {
        WaitForAnAnswer();
      }
    }
    return "{\"open\": " + std::to_string(open_.size()) + "}";
  }

  // Moves the finished ones of `running` to `finished`, or drops them. False
  // if there is none.
  bool TakeFinished(Connections* running, Connections* finished,
                    std::vector<double>* latencies, int* alerts) const {
    bool any = false;
    for (size_t i = 0; i < running->size();) {
      std::unique_ptr<Connection>& connection = (*running)[i];
      if (connection->outcome() == Outcome::kPending) {
        ++i;
        continue;
      }
      any = true;
      Check(*connection);
      *alerts += connection->outcome() == Outcome::kAlert;
      latencies->push_back(
          static_cast<double>(NowNanos() - connection->started()) / 1e6);
      if (finished != nullptr) finished->push_back(std::move(connection));
      running->erase(running->begin() + static_cast<std::ptrdiff_t>(i));
    }
    return any;
  }

  std::string Request(int count) {
    if (open_.empty()) Die("request: no connection is open");
    return Measured(count, [&](std::vector<double>* latencies, int*) {
      int started = 0, answered = 0;
      std::vector<Connection*> running;
      for (const auto& connection : open_) {
        Check(*connection);
        if (started == count) break;
        connection->NextRequest();
        ++started;
        running.push_back(connection.get());
      }
      while (answered < count) {
        WaitForAnAnswer();
        for (size_t i = 0; i < running.size();) {
          Connection* connection = running[i];
          if (connection->outcome() == Outcome::kPending) {
            ++i;
            continue;
          }
          Check(*connection);
          ++answered;
          latencies->push_back(
              static_cast<double>(NowNanos() - connection->started()) / 1e6);
          if (started < count) {
            connection->NextRequest();
            ++started;
            ++i;
          } else {
            running.erase(running.begin() + static_cast<std::ptrdiff_t>(i));
          }
        }
      }
    });
  }

  std::string Get(const std::string& path) {
    const auto connection = New(Connection::After::kClose, path);
    while (connection->outcome() == Outcome::kPending) WaitForAnAnswer();
    Check(*connection);
    return "{\"body\": " + JsonText(connection->protocol().body()) + "}";
  }

  std::string Close() {
    while (Wait(0) > 0) {
    }
    for (const auto& connection : open_) Check(*connection);
    open_.clear();
    return "{\"open\": 0}";
  }

  template <typename Work>
  std::string Measured(int count, const Work& work) {
    std::vector<double> latencies;
    int alerts = 0;
    const double cpu = CpuSeconds();
    const int64_t begin = NowNanos();
    work(&latencies, &alerts);
    const double seconds = static_cast<double>(NowNanos() - begin) / 1e9;
    std::sort(latencies.begin(), latencies.end());
    const auto at = [&](double q) {
      return latencies[static_cast<size_t>(
          q * static_cast<double>(latencies.size() - 1))];
    };
    char text[300];
    std::snprintf(text, sizeof(text),
                  "{\"count\": %d, \"seconds\": %.6f, \"client_cpu_seconds\": "
                  "%.6f, \"latency_p50_ms\": %.3f, \"latency_p99_ms\": %.3f, "
                  "\"alerts\": %d}",
                  count, seconds, CpuSeconds() - cpu, at(0.5), at(0.99),
                  alerts);
    return text;
  }

  const Options options_;
  Client client_;
  const int epoll_;
  Connections open_;
};

int Main(int argc, char** argv) {
  const Options options = ReadOptions(argc, argv);
  signal(SIGPIPE, SIG_IGN);
  rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  if (options.cpu >= 0) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<size_t>(options.cpu), &set);
    if (sched_setaffinity(0, sizeof(set), &set) != 0) {
      Die("cannot run on CPU " + std::to_string(options.cpu));
    }
  }
  Session session(options);
  std::string line;
  while (std::getline(std::cin, line)) {
    std::cout << session.Do(line) << std::endl;
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
