// Revocation lists and deny lists from the module's configuration: inline or in
// files that are followed, shared by all domains that name the same.

#ifndef SALLYPORT_FILTERS_CERT_VALIDATOR_REVOCATION_SOURCE_H_
#define SALLYPORT_FILTERS_CERT_VALIDATOR_REVOCATION_SOURCE_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "filters/cert_validator/followed_file.h"
#include "pki/truststore/deny_list.h"
#include "pki/truststore/revocation.h"
#include "proto/sallyport/filter/v1/config.pb.h"

namespace sallyport::cert_validator {

// The largest deny file.
inline constexpr size_t kMaxDenyFileBytes = size_t{64} << 20;

// ParseRevocationLists: all lists of `sources` (each PEM or DER), read once for
// as long as somebody uses the result: equal sources with equal limits give the
// same object. InvalidArgument: they are refused; the message says where and
// why, and holds no contents.
absl::StatusOr<std::shared_ptr<const pki::RevocationLists>>
ParseRevocationLists(const std::vector<absl::string_view>& sources,
                     const pki::RevocationLimits& limits);

// Truststore.revocation_lists.
class RevocationSource {
 public:
  // Checks and loads. Error messages start with the field, relative to the
  // truststore ("revocation_lists[0].file: ..."), and hold no contents.
  static absl::StatusOr<RevocationSource> Read(
      const filter::v1::Truststore& config);

  // Null when the configuration names no list.
  const std::shared_ptr<const pki::RevocationLists>& lists() const {
    return lists_;
  }
  const std::vector<std::shared_ptr<FollowedFile>>& files() const {
    return files_;
  }
  // What stays the same when contents change: how many lists, and which files.
  const std::string& origin() const { return origin_; }
  // Takes over what the files hold now. When that does not fit together (a
  // limit on all of them), the last good lists stay and the log says so.
  void Refresh();

 private:
  struct Part {
    std::string bytes;                   // inline
    std::shared_ptr<FollowedFile> file;  // or from here
  };
  absl::StatusOr<std::shared_ptr<const pki::RevocationLists>> Combine() const;

  pki::RevocationLimits limits_;
  std::vector<Part> parts_;
  std::vector<std::shared_ptr<FollowedFile>> files_;
  std::string origin_;
  std::shared_ptr<const pki::RevocationLists> lists_;
};

// TruststoreValidator.deny.
class DenySource {
 public:
  // As RevocationSource::Read(); messages start with `field` ("deny").
  static absl::StatusOr<DenySource> Read(const filter::v1::DenyList& config,
                                         absl::string_view field);

  // Null: no deny list.
  const std::shared_ptr<const pki::DenyList>& list() const { return list_; }
  const std::shared_ptr<FollowedFile>& file() const { return file_; }
  const std::string& origin() const { return origin_; }
  void Refresh();

 private:
  absl::StatusOr<std::shared_ptr<const pki::DenyList>> Combine() const;

  pki::DenyList::Entries entries_;  // inline
  std::shared_ptr<FollowedFile> file_;
  std::string origin_;
  std::shared_ptr<const pki::DenyList> list_;
};

// An absolute path that an error may print: not PEM that was put into the wrong
// field. InvalidArgument otherwise; the message has no field in front.
absl::Status CheckPath(absl::string_view path);

}  // namespace sallyport::cert_validator

#endif  // SALLYPORT_FILTERS_CERT_VALIDATOR_REVOCATION_SOURCE_H_
