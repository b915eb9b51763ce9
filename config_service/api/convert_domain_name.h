// Domain names and API mappings: domain values and messages of the public API.

#ifndef SALLYPORT_CONFIG_SERVICE_API_CONVERT_DOMAIN_NAME_H_
#define SALLYPORT_CONFIG_SERVICE_API_CONVERT_DOMAIN_NAME_H_

#include "absl/strings/string_view.h"
#include "config_service/domain/api_mapping.h"
#include "config_service/domain/domain_name.h"
#include "config_service/domain/violations.h"
#include "config_service/service/api_mappings.h"
#include "config_service/service/domain_names.h"
#include "proto/sallyport/config/v1/api_mapping.pb.h"
#include "proto/sallyport/config/v1/domain_name.pb.h"

namespace sallyport::api {

// APIs have it too.
domain::EndpointType Convert(absl::string_view field,
                             sallyport::config::v1::EndpointType from,
                             domain::Violations& violations);
sallyport::config::v1::EndpointType Convert(domain::EndpointType from);

// What a request says of it; its name too, when it has one. Violations at the
// fields that cannot be read, paths as in the message.
domain::DomainName Convert(const sallyport::config::v1::DomainName& from,
                           domain::Violations& violations);
domain::ApiMapping Convert(const sallyport::config::v1::ApiMapping& from,
                           domain::Violations& violations);

// What was asked for, without what the service found out.
void Convert(const domain::DomainName& from,
             sallyport::config::v1::DomainName& to);
void Convert(const domain::ApiMapping& from,
             sallyport::config::v1::ApiMapping& to);

void Convert(const service::DomainNameView& from,
             sallyport::config::v1::DomainName& to);
void Convert(const service::ApiMappingView& from,
             sallyport::config::v1::ApiMapping& to);

}  // namespace sallyport::api

#endif  // SALLYPORT_CONFIG_SERVICE_API_CONVERT_DOMAIN_NAME_H_
