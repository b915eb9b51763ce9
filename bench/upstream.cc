// An HTTP/1.1 server without TLS that costs little: what the gateways proxy to.
//
//   upstream --port PORT [--cpu N]
//
// Every request without a body is answered with 200 and "ok\n"; /headers with
// the head of the request as it came. It ends when its standard input does.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <map>
#include <stdexcept>
#include <string>

namespace sallyport::bench {
namespace {

[[noreturn]] void Die(const std::string& what) {
  throw std::runtime_error(what + ": " + std::strerror(errno));
}

std::string Response(const std::string& body) {
  return "HTTP/1.1 200 OK\r\ncontent-length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

// Answers each whole request in `in` and takes it out. False when the
// connection is of no use any more.
bool Answer(int fd, std::string* in) {
  size_t end;
  while ((end = in->find("\r\n\r\n")) != std::string::npos) {
    const std::string head = in->substr(0, end + 2);
    in->erase(0, end + 4);
    const bool echo = head.compare(0, 13, "GET /headers ") == 0;
    const std::string text = Response(echo ? head : "ok\n");
    if (send(fd, text.data(), text.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(text.size())) {
      return false;
    }
  }
  return in->size() < (size_t{1} << 20);
}

int Main(int argc, char** argv) {
  int port = 0, cpu = -1;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    (name == "--port" ? port : cpu) = std::stoi(argv[i + 1]);
  }
  if (cpu >= 0) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<size_t>(cpu), &set);
    if (sched_setaffinity(0, sizeof(set), &set) != 0) Die("sched_setaffinity");
  }
  const int listener =
      socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof(address)) !=
          0 ||
      listen(listener, 128) != 0) {
    Die("cannot listen");
  }
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  const auto watch = [&](int fd) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) Die("epoll_ctl");
  };
  watch(listener);
  watch(STDIN_FILENO);
  std::map<int, std::string> received;
  while (true) {
    epoll_event events[64];
    const int count = epoll_wait(epoll, events, 64, -1);
    if (count < 0 && errno != EINTR) Die("epoll_wait");
    for (int i = 0; i < count; ++i) {
      const int fd = events[i].data.fd;
      char bytes[65536];
      if (fd == STDIN_FILENO) {
        if (read(fd, bytes, sizeof(bytes)) <= 0) return 0;
      } else if (fd == listener) {
        const int accepted =
            accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (accepted < 0) continue;
        setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        watch(accepted);
      } else {
        const ssize_t got = recv(fd, bytes, sizeof(bytes), 0);
        if (got < 0 && errno == EAGAIN) continue;
        if (got > 0) received[fd].append(bytes, static_cast<size_t>(got));
        if (got <= 0 || !Answer(fd, &received[fd])) {
          received.erase(fd);
          close(fd);
        }
      }
    }
  }
}

}  // namespace
}  // namespace sallyport::bench

int main(int argc, char** argv) {
  try {
    return sallyport::bench::Main(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "upstream: %s\n", e.what());
    return 1;
  }
}
