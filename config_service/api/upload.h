// Uploads: calls whose first message says what to make, whose next are pieces
// of the content, and whose last is the content's SHA-256. The messages have
// the fields `chunk` and `sha256` (hexadecimal) in one oneof.

#ifndef SALLYPORT_CONFIG_SERVICE_API_UPLOAD_H_
#define SALLYPORT_CONFIG_SERVICE_API_UPLOAD_H_

#include <atomic>
#include <cstddef>
#include <string>

#include "absl/base/attributes.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "config_service/api/limits.h"
#include "config_service/domain/violations.h"
#include "config_service/service/caller.h"
#include "config_service/store/store.h"
#include "grpcpp/support/sync_stream.h"

namespace sallyport::api {

inline absl::Status UploadInvalid(absl::string_view why) {
  return domain::MakeError(domain::Reason::kUploadInvalid, why);
}

// The uploads of a service that are under way. Each may need as much memory as
// the largest content, so there are at most kMaxUploads. Thread-safe.
class Uploads {
 public:
  // One of them, until it is destroyed; `uploads` outlives it.
  class Slot {
   public:
    explicit Slot(Uploads* uploads ABSL_ATTRIBUTE_LIFETIME_BOUND)
        : under_way_(uploads->under_way_), place_(++under_way_) {}
    ~Slot() { --under_way_; }
    Slot(const Slot&) = delete;
    Slot& operator=(const Slot&) = delete;

    // RATE_LIMITED when there are too many.
    absl::Status Check() const {
      if (place_ <= kMaxUploads) return absl::OkStatus();
      return domain::MakeError(
          domain::Reason::kRateLimited,
          absl::StrCat(kMaxUploads, " uploads are under way; try again"),
          {{"retry_after_seconds", "1"}});
    }

   private:
    std::atomic<int>& under_way_;
    const int place_;
  };

 private:
  std::atomic<int> under_way_{0};
};

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
  while (reader.Read(&message)) {
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
