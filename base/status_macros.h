// Status macros with the names that newer Abseil releases use.

#ifndef SALLYPORT_BASE_STATUS_MACROS_H_
#define SALLYPORT_BASE_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// Returns from the enclosing function when `expr` is not OK.
#define SALLYPORT_RETURN_IF_ERROR(expr)                    \
  do {                                                     \
    ::absl::Status sallyport_status_ = (expr);             \
    if (!sallyport_status_.ok()) return sallyport_status_; \
  } while (false)

#define SALLYPORT_STATUS_CONCAT_INNER_(a, b) a##b
#define SALLYPORT_STATUS_CONCAT_(a, b) SALLYPORT_STATUS_CONCAT_INNER_(a, b)

// Assigns the value of `expr` (a StatusOr) to `lhs`, or returns its status.
#define SALLYPORT_ASSIGN_OR_RETURN(lhs, expr) \
  SALLYPORT_ASSIGN_OR_RETURN_IMPL_(           \
      SALLYPORT_STATUS_CONCAT_(sallyport_statusor_, __LINE__), lhs, expr)
#define SALLYPORT_ASSIGN_OR_RETURN_IMPL_(statusor, lhs, expr) \
  auto statusor = (expr);                                     \
  if (!statusor.ok()) return std::move(statusor).status();    \
  lhs = std::move(statusor).value()

#endif  // SALLYPORT_BASE_STATUS_MACROS_H_
