// ContextHeaders: which values of an authorizer's answer become headers, and
// the removal of what clients send under their names.

#ifndef SALLYPORT_FILTERS_LAMBDA_CONTEXT_HEADERS_H_
#define SALLYPORT_FILTERS_LAMBDA_CONTEXT_HEADERS_H_

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "filters/abi/abi.h"
#include "filters/lambda/answer.h"
#include "filters/lambda/request.h"
#include "proto/sallyport/filter/v1/authorizer.pb.h"

namespace sallyport::lambda {

inline constexpr int kMaxContextHeaders = 64;
inline constexpr size_t kMaxContextValueBytes = 8192;

// Immutable; thread-safe.
class ContextHeaders {
 public:
  // InvalidArgument: the message begins with the field.
  static absl::StatusOr<ContextHeaders> Create(
      const google::protobuf::RepeatedPtrField<
          filter::v1::Authorizer::ContextHeader>& config);

  // Removes them from the request's headers or trailers, and from what
  // `connection` names. False: some may be left.
  bool RemoveFrom(abi::HttpFilter* stream, abi::HeaderMap map) const;

  // Those that `answer` gives. InvalidArgument: a value that cannot be one.
  absl::StatusOr<NameValues> Of(const AuthorizerAnswer& answer) const;

 private:
  bool IsOurs(absl::string_view name) const;

  std::vector<std::pair<std::string, std::string>> headers_;  // key, header
  absl::flat_hash_set<std::string> folded_;
};

}  // namespace sallyport::lambda

#endif  // SALLYPORT_FILTERS_LAMBDA_CONTEXT_HEADERS_H_
