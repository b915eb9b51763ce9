// What a PrivateKey holds. Internal to pki/keys.

#ifndef SALLYPORT_PKI_KEYS_PRIVATE_KEY_REP_H_
#define SALLYPORT_PKI_KEYS_PRIVATE_KEY_REP_H_

#include <openssl/base.h>
#include <openssl/evp.h>

#include "pki/keys/private_key.h"

namespace sallyport::pki {

struct PrivateKey::Rep {
  bssl::UniquePtr<EVP_PKEY> key;
};

}  // namespace sallyport::pki

#endif  // SALLYPORT_PKI_KEYS_PRIVATE_KEY_REP_H_
