// Uploads: calls whose first message says what to make, whose next are pieces
// of the content, and whose last is the content's SHA-256. The messages have
// the fields `chunk` and `sha256` (hexadecimal) in one oneof.

#ifndef SALLYPORT_CONFIG_SERVICE_API_UPLOAD_H_
#define SALLYPORT_CONFIG_SERVICE_API_UPLOAD_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "config_service/api/limits.h"
#include "config_service/api/upload_pace.h"
#include "config_service/domain/violations.h"
#include "config_service/service/caller.h"
#include "config_service/store/store.h"
#include "grpcpp/support/sync_stream.h"

namespace sallyport::api {

inline absl::Status UploadInvalid(absl::string_view why) {
  return domain::MakeError(domain::Reason::kUploadInvalid, why);
}

struct UploadedContent {
  std::string bytes;
  store::BlobDigest digest;
};

// Reads what follows the first message. UPLOAD_INVALID unless it is pieces and
// then their SHA-256, and nothing else; `too_large` says why content of more
// than `max_bytes` is refused.
template <typename Message>
absl::StatusOr<UploadedContent> ReadContent(grpc::ServerReader<Message>& reader,
                                            size_t max_bytes,
                                            domain::Reason too_large,
                                            absl::string_view description) {
  UploadedContent content;
  std::string sha256;
  Message message;
  UploadPace pace;
  while (pace.Read(reader, &message)) {
    if (!sha256.empty()) {
      return UploadInvalid("there is a message after the SHA-256");
    }
    switch (message.message_case()) {
      case Message::kChunk:
        if (message.chunk().size() > kMaxChunkBytes) {
          return UploadInvalid(
              absl::StrCat("a piece has more than ", kMaxChunkBytes, " bytes"));
        }
        content.bytes += message.chunk();
        if (content.bytes.size() > max_bytes) {
          domain::Violations violations;
          violations.Add("chunk", too_large, description);
          return violations.ToStatus();
        }
        break;
      case Message::kSha256:
        sha256 = absl::AsciiStrToLower(message.sha256());
        if (sha256.empty()) return UploadInvalid("the SHA-256 is empty");
        break;
      default:
        return UploadInvalid("a message is neither a piece nor the SHA-256");
    }
  }
  if (!pace.status().ok()) return pace.status();
  // A connection that breaks ends the messages too.
  if (sha256.empty()) {
    return UploadInvalid("the upload ended without the SHA-256 of its content");
  }
  content.digest = store::BlobDigest::Of(content.bytes);
  if (sha256 != content.digest.ToHex()) {
    return UploadInvalid("what arrived does not have the SHA-256");
  }
  return content;
}

// `write` of the first message, with the content as part of the request.
inline service::Write WithContent(service::Write write,
                                  const store::BlobDigest& content) {
  write.request = store::BlobDigest::Of(
      absl::StrCat(write.request.bytes(), content.bytes()));
  return write;
}

}  // namespace sallyport::api

#endif  // SALLYPORT_CONFIG_SERVICE_API_UPLOAD_H_
