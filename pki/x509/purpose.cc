#include "pki/x509/purpose.h"

#include "third_party_boringssl/pki/extended_key_usage.h"
#include "third_party_boringssl/pki/parsed_certificate.h"

namespace sallyport::pki {

bool AllowsPurpose(const Certificate& certificate, Purpose purpose) {
  const auto& parsed = certificate.parsed();
  if (parsed == nullptr) return false;
  if (!parsed->has_extended_key_usage()) return true;
  const bssl::der::Input wanted = purpose == Purpose::kServerAuth
                                      ? bssl::der::Input(bssl::kServerAuth)
                                      : bssl::der::Input(bssl::kClientAuth);
  for (const bssl::der::Input& usage : parsed->extended_key_usage()) {
    if (usage == wanted || usage == bssl::der::Input(bssl::kAnyEKU)) {
      return true;
    }
  }
  return false;
}

}  // namespace sallyport::pki
