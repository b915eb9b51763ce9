// HTTP requests and answers, as whoever listens hands them over.

#ifndef SALLYPORT_CONFIG_SERVICE_AWS_MESSAGE_H_
#define SALLYPORT_CONFIG_SERVICE_AWS_MESSAGE_H_

#include <string>
#include <utility>
#include <vector>

namespace sallyport::aws {

struct HttpRequest {
  std::string method;
  // Path and query, as sent.
  std::string target;
  // In any order; names in any case, and more than once.
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  // Who sent it: "127.0.0.1:5000".
  std::string peer;
};

struct HttpResponse {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

}  // namespace sallyport::aws

#endif  // SALLYPORT_CONFIG_SERVICE_AWS_MESSAGE_H_
