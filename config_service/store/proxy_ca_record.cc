#include "config_service/store/proxy_ca_record.h"

#include "base/status_macros.h"
#include "config_service/store/record_io.h"
#include "proto/sallyport/store/v1/records.pb.h"

namespace sallyport::store {

absl::StatusOr<std::string> Encode(const ProxyCaRecord& ca,
                                   const Sealer& sealer) {
  v1::ProxyCa out;
  out.set_certificate_pem(ca.certificate_pem);
  SALLYPORT_ASSIGN_OR_RETURN(*out.mutable_sealed_private_key(),
                             sealer.Seal(ca.private_key_pem, kProxyCaKey));
  return internal::Bytes(out);
}

absl::StatusOr<ProxyCaRecord> DecodeProxyCa(const Record& record,
                                            const Sealer& sealer) {
  SALLYPORT_ASSIGN_OR_RETURN(
      const v1::ProxyCa in,
      internal::ParseRecord<v1::ProxyCa>(kProxyCaKey, record.value));
  ProxyCaRecord out;
  out.certificate_pem = in.certificate_pem();
  SALLYPORT_ASSIGN_OR_RETURN(out.private_key_pem,
                             sealer.Open(in.sealed_private_key(), kProxyCaKey));
  return out;
}

}  // namespace sallyport::store
