#include "config_service/api/convert.h"

#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"

namespace sallyport::api {

namespace proto = sallyport::config::v1;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

namespace {

std::string KeyText(const pki::PublicKeyInfo& key) {
  switch (key.type) {
    case pki::KeyType::kRsa:
      return absl::StrCat("RSA ", key.bits);
    case pki::KeyType::kEcP256:
      return "ECDSA P-256";
    case pki::KeyType::kEcP384:
      return "ECDSA P-384";
    case pki::KeyType::kEcOther:
      return absl::StrCat("EC ", key.bits);
    case pki::KeyType::kEd25519:
      return "Ed25519";
    case pki::KeyType::kOther:
      return "other";
  }
  return "other";
}

void AddSetFields(const std::string& prefix, const Message& message,
                  std::vector<std::string>& out) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    std::string path = absl::StrCat(prefix, field->name());
    const bool is_plain_message =
        field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE &&
        !field->is_repeated() &&
        field->message_type()->file()->package() != "google.protobuf" &&
        // Rules of the module are taken whole.
        field->message_type()->file()->package() != "sallyport.filter.v1";
    if (!is_plain_message) {
      out.push_back(std::move(path));
      continue;
    }
    const Message& inner = message.GetReflection()->GetMessage(message, field);
    const size_t before = out.size();
    AddSetFields(path + ".", inner, out);
    // Set, with nothing in it: all of it.
    if (out.size() == before) out.push_back(std::move(path));
  }
}

}  // namespace

void Convert(absl::Duration from, google::protobuf::Duration& to) {
  absl::Duration rest;
  to.set_seconds(absl::IDivDuration(from, absl::Seconds(1), &rest));
  to.set_nanos(static_cast<int>(absl::ToInt64Nanoseconds(rest)));
}

absl::Duration Convert(const google::protobuf::Duration& from) {
  return absl::Seconds(from.seconds()) + absl::Nanoseconds(from.nanos());
}

void Convert(const domain::Condition& from, proto::Condition& to) {
  to.set_type(from.type);
  switch (from.status) {
    case domain::Condition::Status::kTrue:
      to.set_status(proto::Condition::STATUS_TRUE);
      break;
    case domain::Condition::Status::kFalse:
      to.set_status(proto::Condition::STATUS_FALSE);
      break;
    case domain::Condition::Status::kUnknown:
      to.set_status(proto::Condition::STATUS_UNKNOWN);
      break;
  }
  to.set_reason(from.reason);
  to.set_message(from.message);
  to.set_observed_revision(from.observed_revision);
  SetTime(from.transition_time, [&] { return to.mutable_transition_time(); });
}

void Convert(const domain::Warning& from, proto::Warning& to) {
  to.set_reason(from.reason);
  to.set_message(from.message);
  to.set_subject(from.subject);
  to.set_index(static_cast<int>(from.index));
  to.set_line(static_cast<int>(from.line));
  to.set_field(from.field);
  to.set_removes_trust(from.removes_trust);
}

void Convert(const pki::Certificate& from, proto::CertificateInfo& to) {
  to.set_subject(from.Subject());
  to.set_issuer(from.Issuer());
  to.set_serial(from.SerialHex());
  to.set_certificate_sha256(HexLower(pki::AsBytes(from.fingerprint())));
  to.set_spki_sha256(HexLower(pki::AsBytes(pki::Sha256(from.spki_der()))));
  SetTime(from.not_before(), [&] { return to.mutable_not_before(); });
  SetTime(from.not_after(), [&] { return to.mutable_not_after(); });
  for (const std::string& name : from.AltNames().dns) {
    to.add_dns_names(Printable(name));
  }
  to.set_key(KeyText(from.public_key()));
  to.set_signature_algorithm(from.SignatureAlgorithmName());
  to.set_ca(from.is_ca());
  to.set_self_signed(from.IsSelfSigned());
}

std::vector<std::string> MaskOf(bool has_mask,
                                const google::protobuf::FieldMask& mask,
                                const Message& resource) {
  if (has_mask && mask.paths_size() > 0) {
    return {mask.paths().begin(), mask.paths().end()};
  }
  std::vector<std::string> out;
  AddSetFields("", resource, out);
  return out;
}

store::BlobDigest DigestOf(const Message& request) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    request.SerializeToCodedStream(&coded);
  }
  return store::BlobDigest::Of(bytes);
}

}  // namespace sallyport::api
