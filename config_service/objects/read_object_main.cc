// Reads one object with the options of the environment and prints one line of
// JSON-free text: "ok ETAG VERSION BYTES" or "unchanged", or the error. For the
// test beside a real S3 server.
//
// Usage: read_object URI VERSION ETAG MAX-BYTES [FOLDER]...

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "config_service/objects/objects.h"

int main(int argc, char** argv) {
  namespace objects = sallyport::objects;
  if (argc < 5) return 2;
  objects::Options options;
  options.s3 = objects::S3OptionsFromEnvironment();
  options.s3.backoff = absl::Milliseconds(10);
  options.s3.path_style = std::getenv("PATH_STYLE") != nullptr;
  if (const char* const timeout = std::getenv("READ_TIMEOUT")) {
    absl::ParseDuration(timeout, &options.s3.timeout);
  }
  for (int i = 5; i < argc; ++i) options.files.folders.emplace_back(argv[i]);
  const auto reader =
      objects::NewObjectReader(std::move(options), &sallyport::Clock::System());
  if (!reader.ok()) {
    std::cout << reader.status() << "\n";
    return 1;
  }
  objects::ReadRequest request;
  request.uri = argv[1];
  request.version = argv[2];
  request.known_etag = argv[3];
  request.max_bytes = static_cast<size_t>(std::atoll(argv[4]));
  const auto object = (*reader)->Read(request);
  if (!object.ok()) {
    std::cout << object.status() << "\n";
    return 1;
  }
  if (object->unchanged) {
    std::cout << "unchanged " << object->etag << "\n";
    return 0;
  }
  std::cout << "ok " << object->etag << " "
            << (object->version.empty() ? "-" : object->version) << " "
            << object->content << "\n";
  return 0;
}
