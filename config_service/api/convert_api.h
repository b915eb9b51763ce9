// APIs, routes, stages, deployments: domain values and messages of the public
// API.

#ifndef SALLYPORT_CONFIG_SERVICE_API_CONVERT_API_H_
#define SALLYPORT_CONFIG_SERVICE_API_CONVERT_API_H_

#include "config_service/domain/api.h"
#include "config_service/domain/violations.h"
#include "config_service/service/apis.h"
#include "proto/sallyport/config/v1/api.pb.h"

namespace sallyport::api {

// What a request says of it; its name too, when it has one. Violations at the
// fields that cannot be read, paths as in the message.
domain::Api Convert(const sallyport::config::v1::Api& from,
                    domain::Violations& violations);
domain::Route Convert(const sallyport::config::v1::Route& from,
                      domain::Violations& violations);
domain::Stage Convert(const sallyport::config::v1::Stage& from,
                      domain::Violations& violations);
domain::Deployment Convert(const sallyport::config::v1::Deployment& from,
                           domain::Violations& violations);

void Convert(const domain::Api& from, sallyport::config::v1::Api& to);
void Convert(const domain::Route& from, sallyport::config::v1::Route& to);
void Convert(const domain::Stage& from, sallyport::config::v1::Stage& to);
// How many routes, in place of them.
void Convert(const domain::Deployment& from,
             sallyport::config::v1::Deployment& to);

void Convert(const service::ApiView& from, sallyport::config::v1::Api& to);
void Convert(const service::RouteView& from, sallyport::config::v1::Route& to);
void Convert(const service::StageView& from, sallyport::config::v1::Stage& to);
// With the routes that it has.
void Convert(const service::DeploymentView& from,
             sallyport::config::v1::Deployment& to);

}  // namespace sallyport::api

#endif  // SALLYPORT_CONFIG_SERVICE_API_CONVERT_API_H_
