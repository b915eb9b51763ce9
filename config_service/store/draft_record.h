// The record of what is being worked on of an API, beside its routes: under
// apis.drafts/API.

#ifndef SALLYPORT_CONFIG_SERVICE_STORE_DRAFT_RECORD_H_
#define SALLYPORT_CONFIG_SERVICE_STORE_DRAFT_RECORD_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "config_service/domain/api_draft.h"
#include "config_service/domain/name.h"

namespace sallyport::store {

constexpr absl::string_view kDraftsPrefix = "apis.drafts/";

// An API without a record has an empty draft.
std::string DraftKey(const domain::ApiName& api);

std::string Encode(const domain::ApiDraft& draft);
// RECORD_DAMAGED.
absl::StatusOr<domain::ApiDraft> DecodeDraft(const domain::ApiName& api,
                                             const std::string& value);

}  // namespace sallyport::store

#endif  // SALLYPORT_CONFIG_SERVICE_STORE_DRAFT_RECORD_H_
