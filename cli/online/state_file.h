// The file that holds an export of the state, and the keys that private keys in
// it are sealed to.
//
// The file is the messages that ExportState sent, each with its length before
// it (a varint, as protobuf's delimited messages have it).

#ifndef SALLYPORT_CLI_ONLINE_STATE_FILE_H_
#define SALLYPORT_CLI_ONLINE_STATE_FILE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/secret.h"

namespace sallyport::cli::online {

// The raw 32 bytes of an X25519 key in PEM, as "openssl genpkey -algorithm
// X25519" and "openssl pkey -pubout" write it (RFC 8410). InvalidArgument: it
// is none; never with its contents.
absl::StatusOr<std::string> PublicKeyOfPem(absl::string_view pem);
absl::StatusOr<Secret> PrivateKeyOfPem(const Secret& pem);

}  // namespace sallyport::cli::online

#endif  // SALLYPORT_CLI_ONLINE_STATE_FILE_H_
