// Routes of what is not served any more.

#ifndef SALLYPORT_CONFIG_SERVICE_XDS_TRANSLATE_WITHDRAWN_H_
#define SALLYPORT_CONFIG_SERVICE_XDS_TRANSLATE_WITHDRAWN_H_

#include <string>

#include "absl/strings/string_view.h"
#include "config_service/xds/translate/translate.h"

namespace sallyport::xds {

// In place of the routes `name` of a domain, or of default endpoints, that is
// not served any more: nodes have the chain until they have drained its
// connections. On those every request gets 421.
Translated TranslateWithdrawn(absl::string_view name, absl::string_view domain);

}  // namespace sallyport::xds

#endif  // SALLYPORT_CONFIG_SERVICE_XDS_TRANSLATE_WITHDRAWN_H_
