// Domain values and messages of the public API: what all resources have.

#ifndef SALLYPORT_CONFIG_SERVICE_API_CONVERT_H_
#define SALLYPORT_CONFIG_SERVICE_API_CONVERT_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "config_service/domain/common.h"
#include "config_service/domain/violations.h"
#include "config_service/service/caller.h"
#include "config_service/service/paging.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/field_mask.pb.h"
#include "google/protobuf/message.h"
#include "google/protobuf/timestamp.pb.h"
#include "pki/x509/certificate.h"
#include "proto/sallyport/config/v1/common.pb.h"

namespace sallyport::api {

// Leaves `out` unset for InfinitePast and InfiniteFuture.
template <typename T>
void SetTime(absl::Time time, T mutable_time) {
  if (time == absl::InfinitePast() || time == absl::InfiniteFuture()) return;
  google::protobuf::Timestamp& out = *mutable_time();
  const absl::Duration since = time - absl::UnixEpoch();
  absl::Duration rest;
  out.set_seconds(absl::IDivDuration(since, absl::Seconds(1), &rest));
  if (rest < absl::ZeroDuration()) {
    out.set_seconds(out.seconds() - 1);
    rest += absl::Seconds(1);
  }
  out.set_nanos(static_cast<int>(absl::ToInt64Nanoseconds(rest)));
}

void Convert(absl::Duration from, google::protobuf::Duration& to);
absl::Duration Convert(const google::protobuf::Duration& from);
void Convert(const domain::Condition& from,
             sallyport::config::v1::Condition& to);
void Convert(const domain::Warning& from, sallyport::config::v1::Warning& to);
void Convert(const pki::Certificate& from,
             sallyport::config::v1::CertificateInfo& to);

// The name in a field; empty, and a violation there, when it is none.
template <typename Name>
Name ParseName(absl::string_view field, const std::string& text,
               domain::Violations& violations) {
  if (text.empty()) {
    violations.Add(field, domain::Reason::kFieldRequired,
                   absl::StrCat("is empty; give ", Name::kForm));
    return Name();
  }
  absl::StatusOr<Name> name = Name::Parse(text);
  if (name.ok()) return *std::move(name);
  violations.Add(field, domain::Reason::kNameMalformed,
                 name.status().message());
  return Name();
}

// The same where there may be none.
template <typename Name>
Name ParseNameIfAny(absl::string_view field, const std::string& text,
                    domain::Violations& violations) {
  return text.empty() ? Name() : ParseName<Name>(field, text, violations);
}

// ConvertMetadata: what all resources have: name (of a request, when it has
// one), etag, description, labels; and of an answer revision and times.
template <typename Message, typename T>
void ConvertMetadata(const Message& from, T& to,
                     domain::Violations& violations) {
  if (!from.name().empty()) {
    to.name = ParseName<decltype(to.name)>("name", from.name(), violations);
  }
  to.metadata.etag = domain::Etag(from.etag());
  to.metadata.description = from.description();
  for (const auto& [key, value] : from.labels()) {
    to.metadata.labels[key] = value;
  }
}
template <typename T, typename Message>
void ConvertMetadata(const T& from, Message& to) {
  to.set_name(from.name.ToString());
  to.set_etag(from.metadata.etag.text());
  to.set_revision(from.metadata.revision);
  SetTime(from.metadata.create_time, [&] { return to.mutable_create_time(); });
  SetTime(from.metadata.update_time, [&] { return to.mutable_update_time(); });
  to.set_description(from.metadata.description);
  for (const auto& [key, value] : from.metadata.labels) {
    (*to.mutable_labels())[key] = value;
  }
}

// The paths of `mask`; without one, those of the fields that are set in
// `resource`, down to the fields of messages.
std::vector<std::string> MaskOf(bool has_mask,
                                const google::protobuf::FieldMask& mask,
                                const google::protobuf::Message& resource);

// SHA-256 of a request without its request_id, whose bytes come out the same
// for the same request.
store::BlobDigest DigestOf(const google::protobuf::Message& request);

template <typename Request>
service::Write WriteOf(absl::string_view method, const Request& request) {
  service::Write write;
  write.method = std::string(method);
  write.validate_only = request.validate_only();
  write.request_id = request.request_id();
  if (!write.request_id.empty()) {
    Request plain = request;
    plain.clear_request_id();
    write.request = DigestOf(plain);
  }
  return write;
}

namespace internal {
// Not every list has a filter.
template <typename Request>
auto FilterOf(const Request& request, int)
    -> decltype(std::string(request.filter())) {
  return request.filter();
}
template <typename Request>
std::string FilterOf(const Request&, unsigned) {
  return "";
}
}  // namespace internal

template <typename Request>
service::PageRequest PageOf(const Request& request) {
  service::PageRequest page;
  page.page_size = request.page_size();
  page.page_token = request.page_token();
  page.filter = internal::FilterOf(request, 0);
  return page;
}

}  // namespace sallyport::api

#endif  // SALLYPORT_CONFIG_SERVICE_API_CONVERT_H_
