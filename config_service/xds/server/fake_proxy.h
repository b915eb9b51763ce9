// FakeProxy: the proxy's end of an ADS stream, for tests: what it asks for, has
// and answers, as Envoy does it. Speaks by serialised messages.

#ifndef SALLYPORT_CONFIG_SERVICE_XDS_SERVER_FAKE_PROXY_H_
#define SALLYPORT_CONFIG_SERVICE_XDS_SERVER_FAKE_PROXY_H_

#include <array>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "config_service/xds/cache/resource.h"

namespace sallyport::xds {

// Not thread-safe.
class FakeProxy {
 public:
  enum class Form { kDelta, kStateOfTheWorld };

  explicit FakeProxy(Form form) : form_(form) {}

  struct Held {
    std::string version;
    std::string content;
    friend bool operator==(const Held& a, const Held& b) {
      return a.version == b.version && a.content == b.content;
    }
  };
  struct Type {
    bool requested = false;
    bool wildcard = false;
    std::set<std::string> names;
    std::map<std::string, Held> held;
    // Names that it was told are not there (delta).
    std::set<std::string> absent;
    std::string version;  // of the last response it took
    std::string nonce;    // of the last response
  };
  const Type& type(ResourceType type) const {
    return types_[static_cast<size_t>(type)];
  }

  // What it sends, each a serialised request.

  // Asks for names ("*": all of them) and drops others. In the state of the
  // world and for the implicit wildcard, `subscribe` is empty or the names to
  // add.
  std::string Ask(ResourceType type, const std::vector<std::string>& subscribe,
                  const std::vector<std::string>& unsubscribe = {});
  // The connection is lost: what it has it keeps. Answers are not possible any
  // more; the first request of each type is Resume().
  void Disconnect();
  std::string Resume(ResourceType type);
  // Its node, to go with the next request.
  void SetNode(const std::string& id, const std::string& cluster);

  // What it gets.

  struct Received {
    ResourceType type = ResourceType::kCluster;
    std::string nonce;
    std::string version;
    std::map<std::string, Held> resources;
    std::vector<std::string> removed;
  };
  // Reads a response, which must be one. In the state of the world, where the
  // protocol has no names, contents must be "NAME=...".
  Received Read(absl::string_view response) const;
  // Takes it, and answers.
  std::string Accept(const Received& received);
  // Refuses it, and answers. What it had it keeps.
  std::string Refuse(const Received& received, const std::string& message);

 private:
  Type& state(ResourceType type) { return types_[static_cast<size_t>(type)]; }
  std::string Answer(const Received& received,
                     const std::optional<std::string>& error);

  const Form form_;
  std::array<Type, kNumResourceTypes> types_;
  std::string node_id_;
  std::string node_cluster_;
};

}  // namespace sallyport::xds

#endif  // SALLYPORT_CONFIG_SERVICE_XDS_SERVER_FAKE_PROXY_H_
