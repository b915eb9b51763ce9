// The endpoint type, which APIs and domains both have. For records alone.

#ifndef SALLYPORT_CONFIG_SERVICE_STORE_ENDPOINT_TYPE_H_
#define SALLYPORT_CONFIG_SERVICE_STORE_ENDPOINT_TYPE_H_

#include <optional>

#include "config_service/domain/domain_name.h"
#include "proto/sallyport/store/v1/records.pb.h"

namespace sallyport::store::internal {

inline v1::EndpointType ToProto(domain::EndpointType type) {
  switch (type) {
    case domain::EndpointType::kRegional:
      return v1::REGIONAL;
    case domain::EndpointType::kEdge:
      return v1::EDGE;
    case domain::EndpointType::kPrivate:
      return v1::PRIVATE;
  }
  return v1::REGIONAL;
}

// Nothing for a number that has no meaning here.
inline std::optional<domain::EndpointType> FromProto(v1::EndpointType type) {
  switch (type) {
    case v1::REGIONAL:
      return domain::EndpointType::kRegional;
    case v1::EDGE:
      return domain::EndpointType::kEdge;
    case v1::PRIVATE:
      return domain::EndpointType::kPrivate;
    default:
      return std::nullopt;
  }
}

}  // namespace sallyport::store::internal

#endif  // SALLYPORT_CONFIG_SERVICE_STORE_ENDPOINT_TYPE_H_
