// What comes to the console and what goes back, whatever carries it.

#ifndef SALLYPORT_CONFIG_SERVICE_CONSOLE_MESSAGE_H_
#define SALLYPORT_CONFIG_SERVICE_CONSOLE_MESSAGE_H_

#include <string>
#include <utility>
#include <vector>

namespace sallyport::console {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct Request {
  std::string method;
  std::string target;  // path and query, as it was sent
  Headers headers;
  std::string body;
  std::string peer;  // "127.0.0.1:5000", "[::1]:5000"
};

struct Response {
  int status = 200;
  Headers headers;
  std::string body;
};

}  // namespace sallyport::console

#endif  // SALLYPORT_CONFIG_SERVICE_CONSOLE_MESSAGE_H_
