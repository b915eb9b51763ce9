// ApiDraft: what is being worked on of an API, beside its routes. API Gateway
// has a tree of resources, and methods that say more than a route carries or
// have no integration yet; its interface needs them again.

#ifndef SALLYPORT_CONFIG_SERVICE_DOMAIN_API_DRAFT_H_
#define SALLYPORT_CONFIG_SERVICE_DOMAIN_API_DRAFT_H_

#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "config_service/domain/violations.h"

namespace sallyport::domain {

constexpr size_t kMaxDraftPaths = 1000;
constexpr size_t kMaxDraftMethods = 1000;
constexpr size_t kMaxDraftVersionLength = 64;
constexpr size_t kMaxBinaryMediaTypes = 100;
constexpr size_t kMaxBinaryMediaTypeLength = 256;
// What is said of one method, and all of a draft together: it is one record.
constexpr size_t kMaxDraftMethodBytes = size_t{32} << 10;
constexpr size_t kMaxDraftBytes = size_t{768} << 10;

struct ApiDraft {
  // The path and the HTTP method, which may be ANY.
  using Method = std::pair<std::string, std::string>;

  // For people.
  std::string version;
  // Nodes pass all bodies on as they are, these too.
  std::vector<std::string> binary_media_types;
  // Resources that need no method to be there; in order, each once.
  std::vector<std::string> paths;
  // JSON objects, in the form of whoever wrote them.
  std::map<Method, std::string> methods;
};

void Validate(const ApiDraft& draft, Violations& violations);

}  // namespace sallyport::domain

#endif  // SALLYPORT_CONFIG_SERVICE_DOMAIN_API_DRAFT_H_
