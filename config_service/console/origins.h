// Origins: under which names the console may be asked for. A page of somebody
// else's, whose name was made to lead here (DNS rebinding), has another Host.

#ifndef SALLYPORT_CONFIG_SERVICE_CONSOLE_ORIGINS_H_
#define SALLYPORT_CONFIG_SERVICE_CONSOLE_ORIGINS_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sallyport::console {

// Immutable, thread-safe.
class Origins {
 public:
  // Of loopback names alone, at any port: http://localhost:9442,
  // http://127.0.0.1:8080, http://[::1].
  Origins() = default;

  // And of these, with commas: "https://console.example.com",
  // "https://console.example.com:8443". They are those of proxies with TLS, so
  // nothing else than https is taken. InvalidArgument says what is wrong.
  static absl::StatusOr<Origins> Parse(absl::string_view text);

  // The origin of a page that was asked for with this Host header; nothing: the
  // Host is none of ours.
  std::optional<std::string> Find(absl::string_view host) const;

 private:
  std::vector<std::string> more_;
};

}  // namespace sallyport::console

#endif  // SALLYPORT_CONFIG_SERVICE_CONSOLE_ORIGINS_H_
