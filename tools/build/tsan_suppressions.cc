// Read by the thread sanitizer at start.

extern "C" __attribute__((visibility("default"))) const char*
__tsan_default_suppressions();

const char* __tsan_default_suppressions() {
  // Abseil makes a thread's identity in memory that it maps itself, and wakes
  // the thread through it; the sanitizer takes the mapping for a write.
  return "race:absl::*LowLevelAlloc\n"
         "race:AbslInternalPerThreadSemPost*\n";
}
