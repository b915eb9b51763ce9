#include "config_service/store/ca_record.h"

#include "base/status_macros.h"
#include "config_service/store/record_io.h"
#include "proto/sallyport/store/v1/records.pb.h"

namespace sallyport::store {

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

}  // namespace sallyport::store
