#include "config_service/store/record_io.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "config_service/domain/reason.h"
#include "config_service/domain/violations.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "google/protobuf/unknown_field_set.h"

namespace sallyport::store::internal {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

bool HasUnknownFields(const Message& message) {
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  if (!reflection.GetUnknownFields(message).empty()) return true;
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (!field->is_repeated()) {
      if (HasUnknownFields(reflection.GetMessage(message, field))) return true;
      continue;
    }
    const int size = reflection.FieldSize(message, field);
    for (int i = 0; i < size; ++i) {
      if (HasUnknownFields(reflection.GetRepeatedMessage(message, field, i))) {
        return true;
      }
    }
  }
  return false;
}

}  // namespace

std::string Bytes(const Message& message) {
  std::string out;
  {
    google::protobuf::io::StringOutputStream stream(&out);
    google::protobuf::io::CodedOutputStream coded(&stream);
    // Maps in the order of their keys.
    coded.SetSerializationDeterministic(true);
    message.SerializeToCodedStream(&coded);
  }
  return out;
}

absl::Status Damaged(absl::string_view resource, absl::string_view why) {
  return domain::MakeError(
      domain::Reason::kRecordDamaged,
      absl::StrCat("the stored record of ", resource, " ", why),
      {{"resource", std::string(resource)}});
}

absl::Status ParseWhole(absl::string_view resource, absl::string_view bytes,
                        Message& message) {
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return Damaged(resource, "cannot be read");
  }
  if (HasUnknownFields(message)) {
    return Damaged(resource,
                   "has a field that this version does not know; it was "
                   "written by a newer one");
  }
  return absl::OkStatus();
}

int64_t ToNanos(absl::Time time, absl::Time none) {
  return time == none ? 0 : absl::ToUnixNanos(time);
}

absl::Time FromNanos(int64_t nanos, absl::Time none) {
  return nanos == 0 ? none : absl::FromUnixNanos(nanos);
}

void WriteMetadata(const domain::Metadata& from, v1::Metadata& to) {
  to.set_description(from.description);
  for (const auto& [key, value] : from.labels) {
    (*to.mutable_labels())[key] = value;
  }
  to.set_create_time(ToNanos(from.create_time));
  to.set_update_time(ToNanos(from.update_time));
}

domain::Metadata ReadMetadata(const v1::Metadata& from, const Record& record) {
  domain::Metadata to;
  to.description = from.description();
  for (const auto& [key, value] : from.labels()) to.labels[key] = value;
  to.create_time = FromNanos(from.create_time());
  to.update_time = FromNanos(from.update_time());
  to.etag = domain::Etag::Of(record.value);
  to.revision = record.mod_revision.value();
  return to;
}

}  // namespace sallyport::store::internal
