// One more callback of an HTTP filter, beside those of abi.h, whose rules hold.

#ifndef SALLYPORT_FILTERS_ABI_DRAIN_BODY_H_
#define SALLYPORT_FILTERS_ABI_DRAIN_BODY_H_

#include <cstddef>

#include "filters/abi/abi.h"

extern "C" {

// Removes `num_bytes` from the front of a body: from one that Envoy keeps, too,
// so that it reads on from a client it had stopped to read from.
bool envoy_dynamic_module_callback_http_drain_body(
    sallyport::abi::HttpFilter* filter, sallyport::abi::BodyType type,
    size_t num_bytes);

}  // extern "C"

#endif  // SALLYPORT_FILTERS_ABI_DRAIN_BODY_H_
