// Limits of resources and of what a proxy may ask for.

#ifndef SALLYPORT_CONFIG_SERVICE_XDS_CACHE_LIMITS_H_
#define SALLYPORT_CONFIG_SERVICE_XDS_CACHE_LIMITS_H_

#include <cstddef>

namespace sallyport::xds {

// A resource's name, in a publication and in a request.
constexpr size_t kMaxResourceNameBytes = 1024;

// One resource as it is sent. A truststore of 100,000 certificates has 128 MiB
// at most (base/limits.h).
constexpr size_t kMaxResourceBytes = size_t{160} << 20;

// Resources of one type in one fleet.
constexpr size_t kMaxResourcesPerType = size_t{2} << 20;

// Fleets of one process.
constexpr size_t kMaxFleets = 10000;

// Names without a resource that one stream may be subscribed to, over all
// types. They are what a stream can make this process remember by itself.
constexpr size_t kMaxAbsentNamesPerStream = 100000;

}  // namespace sallyport::xds

#endif  // SALLYPORT_CONFIG_SERVICE_XDS_CACHE_LIMITS_H_
