// The first hook: which ABI this module was written for.

#include "filters/abi/abi.h"

extern "C" const char* envoy_dynamic_module_on_program_init() {
  return sallyport::abi::kVersion;
}
