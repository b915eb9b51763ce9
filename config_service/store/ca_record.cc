#include "config_service/store/ca_record.h"

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "config_service/store/record_io.h"
#include "proto/sallyport/store/v1/records.pb.h"

namespace sallyport::store {
namespace {

constexpr absl::string_view kKeyBegins = "-----BEGIN PRIVATE KEY-----";

}  // namespace

absl::StatusOr<std::string> EncodeCa(absl::string_view key, const CaRecord& ca,
                                     const Sealer& sealer) {
  v1::StoredCa out;
  out.set_certificate_pem(ca.certificate_pem);
  SALLYPORT_ASSIGN_OR_RETURN(*out.mutable_sealed_private_key(),
                             sealer.Seal(ca.private_key_pem, key));
  return internal::Bytes(out);
}

absl::StatusOr<CaRecord> DecodeCa(const Record& record, const Sealer& sealer) {
  SALLYPORT_ASSIGN_OR_RETURN(
      const v1::StoredCa in,
      internal::ParseRecord<v1::StoredCa>(record.key, record.value));
  CaRecord out;
  out.certificate_pem = in.certificate_pem();
  SALLYPORT_ASSIGN_OR_RETURN(out.private_key_pem,
                             sealer.Open(in.sealed_private_key(), record.key));
  return out;
}

absl::StatusOr<std::string> CaCertificate(const Record& record) {
  SALLYPORT_ASSIGN_OR_RETURN(
      const v1::StoredCa in,
      internal::ParseRecord<v1::StoredCa>(record.key, record.value));
  return in.certificate_pem();
}

Secret PairPem(const CaRecord& pair) {
  return Secret(
      absl::StrCat(pair.certificate_pem, pair.private_key_pem.Reveal()));
}

std::optional<CaRecord> SplitPair(const Secret& pem) {
  const absl::string_view text = pem.Reveal();
  const size_t key = text.find(kKeyBegins);
  if (key == 0 || key == absl::string_view::npos) return std::nullopt;
  CaRecord out;
  out.certificate_pem = std::string(text.substr(0, key));
  out.private_key_pem = Secret::CopyOf(text.substr(key));
  return out;
}

}  // namespace sallyport::store
