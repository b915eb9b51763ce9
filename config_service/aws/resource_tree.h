// The tree of resources that API Gateway shows of an API: every path of a
// route, all that are above it, and those that were made without methods.

#ifndef SALLYPORT_CONFIG_SERVICE_AWS_RESOURCE_TREE_H_
#define SALLYPORT_CONFIG_SERVICE_AWS_RESOURCE_TREE_H_

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "config_service/domain/api.h"
#include "config_service/domain/name.h"
#include "config_service/service/api_drafts.h"

namespace sallyport::aws {

// Ten characters that the API and the path decide: a resource that is removed
// and made again has the same.
std::string ResourceId(const domain::ApiName& api, absl::string_view path);

// "/a" of "/a/b", "/" of "/a"; "" of "/".
std::string ParentPath(absl::string_view path);
// "b" of "/a/b"; "" of "/".
std::string PathPart(absl::string_view path);
// Whether `path` is `above`, or below it.
bool IsWithin(absl::string_view path, absl::string_view above);

// In order; "/" is always there.
std::set<std::string> PathsOf(const service::ApiDraftView& view);
// The path of the resource with that id.
std::optional<std::string> FindPath(const domain::ApiName& api,
                                    const service::ApiDraftView& view,
                                    absl::string_view id);
// HTTP methods of a resource, in order, each once.
std::set<std::string> MethodsOf(const service::ApiDraftView& view,
                                absl::string_view path);

// The route of a method; null: it has no integration.
domain::Route* FindRoute(service::ApiDraftView& view, absl::string_view path,
                         absl::string_view http_method);
const domain::Route* FindRoute(const service::ApiDraftView& view,
                               absl::string_view path,
                               absl::string_view http_method);

}  // namespace sallyport::aws

#endif  // SALLYPORT_CONFIG_SERVICE_AWS_RESOURCE_TREE_H_
