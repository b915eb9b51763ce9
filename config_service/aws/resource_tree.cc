#include "config_service/aws/resource_tree.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "pki/x509/certificate.h"

namespace sallyport::aws {
namespace {

constexpr size_t kIdLength = 10;

}  // namespace

std::string ResourceId(const domain::ApiName& api, absl::string_view path) {
  // No id of an API has a space.
  const pki::Sha256Digest digest =
      pki::Sha256(absl::StrCat("resource ", api.id(), " ", path));
  return domain::GenerateId(pki::AsBytes(digest), kIdLength);
}

std::string ParentPath(absl::string_view path) {
  const size_t slash = path.rfind('/');
  if (path == "/" || slash == absl::string_view::npos) return "";
  return slash == 0 ? "/" : std::string(path.substr(0, slash));
}

std::string PathPart(absl::string_view path) {
  return std::string(path.substr(path.rfind('/') + 1));
}

bool IsWithin(absl::string_view path, absl::string_view above) {
  if (path == above || above == "/") return true;
  return absl::ConsumePrefix(&path, above) && absl::StartsWith(path, "/");
}

std::set<std::string> PathsOf(const service::ApiDraftView& view) {
  std::set<std::string> out = {"/"};
  const auto add = [&](std::string path) {
    // Those above one that is there are there.
    while (!path.empty() && out.insert(path).second) path = ParentPath(path);
  };
  for (const domain::Route& route : view.routes) add(route.path);
  for (const std::string& path : view.draft.paths) add(path);
  for (const auto& [method, json] : view.draft.methods) add(method.first);
  return out;
}

std::optional<std::string> FindPath(const domain::ApiName& api,
                                    const service::ApiDraftView& view,
                                    absl::string_view id) {
  for (const std::string& path : PathsOf(view)) {
    if (ResourceId(api, path) == id) return path;
  }
  return std::nullopt;
}

std::set<std::string> MethodsOf(const service::ApiDraftView& view,
                                absl::string_view path) {
  std::set<std::string> out;
  for (const domain::Route& route : view.routes) {
    if (route.path == path) out.insert(route.method);
  }
  for (const auto& [method, json] : view.draft.methods) {
    if (method.first == path) out.insert(method.second);
  }
  return out;
}

domain::Route* FindRoute(service::ApiDraftView& view, absl::string_view path,
                         absl::string_view http_method) {
  for (domain::Route& route : view.routes) {
    if (route.path == path && route.method == http_method) return &route;
  }
  return nullptr;
}
const domain::Route* FindRoute(const service::ApiDraftView& view,
                               absl::string_view path,
                               absl::string_view http_method) {
  for (const domain::Route& route : view.routes) {
    if (route.path == path && route.method == http_method) return &route;
  }
  return nullptr;
}

}  // namespace sallyport::aws
