// Prints the table of operations: as docs/aws.md has it, or with "--json" for
// tests.

#include <iostream>
#include <string>

#include "config_service/aws/operations.h"
#include "nlohmann/json.hpp"

int main(int argc, char** argv) {
  if (argc > 1 && std::string(argv[1]) == "--json") {
    nlohmann::json out = nlohmann::json::array();
    for (const auto& operation : sallyport::aws::Operations()) {
      out.push_back({{"service", std::string(sallyport::aws::ServiceName(
                                     operation.service))},
                     {"name", std::string(operation.name)},
                     {"http_method", std::string(operation.http_method)},
                     {"uri", std::string(operation.uri)},
                     {"status", operation.status},
                     {"supported", operation.supported()}});
    }
    std::cout << out.dump() << "\n";
    return 0;
  }
  std::cout << sallyport::aws::OperationsMarkdown();
  return 0;
}
