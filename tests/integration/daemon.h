// Daemon: a real sallyportd for tests in C++.

#ifndef SALLYPORT_TESTS_INTEGRATION_DAEMON_H_
#define SALLYPORT_TESTS_INTEGRATION_DAEMON_H_

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace sallyport {

// How long tests wait for what must happen.
constexpr absl::Duration kPatience = absl::Seconds(30);

// A sallyportd on free ports of 127.0.0.1, whose log is kept.
class Daemon {
 public:
  explicit Daemon(const std::string& data_dir,
                  const std::vector<std::string>& more = {}) {
    int pipe_fds[2];
    EXPECT_EQ(pipe2(pipe_fds, O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], STDERR_FILENO);
    std::vector<std::string> arguments = {
        std::getenv("SALLYPORTD"),
        "--data-dir",
        data_dir,
        "--admin-address",
        "127.0.0.1:0",
        "--http-address",
        "127.0.0.1:0",
        "--xds-address",
        "127.0.0.1:0",
        "--allow-loopback-without-credentials",
        "--backend-addresses",
        "loopback"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    EXPECT_EQ(
        posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ),
        0);
    posix_spawn_file_actions_destroy(&actions);
    close(pipe_fds[1]);
    reader_ = std::thread([this, fd = pipe_fds[0]] { Read(fd); });
    absl::MutexLock lock(&mu_);
    const auto ready = [this] { return admin_port_ != 0 || ended_; };
    EXPECT_TRUE(mu_.AwaitWithTimeout(absl::Condition(&ready), kPatience))
        << log_;
  }
  ~Daemon() { Stop(); }

  void Stop() {
    if (pid_ == 0) return;
    kill(pid_, SIGTERM);
    int status = 0;
    waitpid(pid_, &status, 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
    pid_ = 0;
    reader_.join();
  }

  int admin_port() const {
    absl::MutexLock lock(&mu_);
    return admin_port_;
  }
  int http_port() const {
    absl::MutexLock lock(&mu_);
    return http_port_;
  }
  std::string log() const {
    absl::MutexLock lock(&mu_);
    return log_;
  }

 private:
  void Read(int fd) {
    std::string line;
    char buffer[4096];
    while (true) {
      const ssize_t n = read(fd, buffer, sizeof(buffer));
      if (n <= 0) break;
      absl::MutexLock lock(&mu_);
      log_.append(buffer, static_cast<size_t>(n));
      for (const char c : absl::string_view(buffer, static_cast<size_t>(n))) {
        if (c != '\n') {
          line.push_back(c);
          continue;
        }
        const auto json = nlohmann::json::parse(line, nullptr, false);
        line.clear();
        if (json.is_object() && json.value("message", "") == "ready") {
          http_port_ = std::stoi(json["http_port"].get<std::string>());
          admin_port_ = std::stoi(json["admin_port"].get<std::string>());
        }
      }
    }
    close(fd);
    absl::MutexLock lock(&mu_);
    ended_ = true;
  }

  pid_t pid_ = 0;
  std::thread reader_;
  mutable absl::Mutex mu_;
  std::string log_;
  int admin_port_ = 0;
  int http_port_ = 0;
  bool ended_ = false;
};

}  // namespace sallyport

#endif  // SALLYPORT_TESTS_INTEGRATION_DAEMON_H_
