// Where a node's AWS credentials come from.

#ifndef SALLYPORT_FILTERS_LAMBDA_CREDENTIALS_H_
#define SALLYPORT_FILTERS_LAMBDA_CREDENTIALS_H_

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "proto/sallyport/filter/v1/authorizer.pb.h"
#include "sigv4/sigv4.h"

namespace sallyport::lambda {

inline constexpr size_t kMaxCredentialsFileBytes = 65536;
inline constexpr size_t kMaxWebIdentityTokenBytes = 20000;

using SharedCredentials = std::shared_ptr<const sigv4::Credentials>;

// ReadCredentialsFile: the credentials of `profile` in a file in the format of
// ~/.aws/credentials. InvalidArgument: there are none; the message names the
// profile and the missing key, and no value.
absl::StatusOr<SharedCredentials> ReadCredentialsFile(
    absl::string_view bytes, absl::string_view profile);

// A request that changes a web identity's token for credentials.
struct StsRequest {
  std::string cluster;
  std::string authority;
  std::string body;  // application/x-www-form-urlencoded
};

// CredentialsSource: thread-safe. Nothing of a secret is in what errors say.
class CredentialsSource {
 public:
  // InvalidArgument: the message begins with `field`. Opens the files.
  static absl::StatusOr<std::shared_ptr<CredentialsSource>> Create(
      const filter::v1::AwsCredentials& config, absl::string_view field);

  virtual ~CredentialsSource() = default;
  // What is to be signed with now; null: there is nothing (any more).
  virtual SharedCredentials Current(absl::Time now) const = 0;
  // Whether they have to be asked for, or soon will: then Ask() and Take().
  virtual bool NeedsAsking(absl::Time /*now*/) const { return false; }
  virtual absl::StatusOr<StsRequest> Ask(absl::Time now);
  // What STS answered with status 200.
  virtual absl::Status Take(absl::string_view body, absl::Time now);
};

// ReadStsAnswer: the credentials in AssumeRoleWithWebIdentity's answer (XML),
// and when they end. Source: AWS STS API Reference.
struct StsCredentials {
  SharedCredentials credentials;
  absl::Time expiration;
};
absl::StatusOr<StsCredentials> ReadStsAnswer(absl::string_view xml);

}  // namespace sallyport::lambda

#endif  // SALLYPORT_FILTERS_LAMBDA_CREDENTIALS_H_
