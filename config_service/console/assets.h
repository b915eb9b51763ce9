// The files of web/, as they are in the program (embed.py).

#ifndef SALLYPORT_CONFIG_SERVICE_CONSOLE_ASSETS_H_
#define SALLYPORT_CONFIG_SERVICE_CONSOLE_ASSETS_H_

#include "absl/strings/string_view.h"

namespace sallyport::console {

struct Asset {
  absl::string_view path;  // "index.html", "views/domains.js"
  absl::string_view type;  // "text/html; charset=utf-8"
  absl::string_view etag;  // quoted
  absl::string_view content;
};

// Null: there is none.
const Asset* FindAsset(absl::string_view path);

}  // namespace sallyport::console

#endif  // SALLYPORT_CONFIG_SERVICE_CONSOLE_ASSETS_H_
