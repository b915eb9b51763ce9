// Access keys: who signs requests to the AWS-compatible API. The secret is not
// here: it is sealed, in the key's record.

#ifndef SALLYPORT_CONFIG_SERVICE_DOMAIN_ACCESS_KEY_H_
#define SALLYPORT_CONFIG_SERVICE_DOMAIN_ACCESS_KEY_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"
#include "config_service/domain/common.h"
#include "config_service/domain/name.h"
#include "config_service/domain/violations.h"

namespace sallyport::domain {

struct AccessKeyKind {
  static constexpr absl::string_view kCollection = "accessKeys";
  static constexpr absl::string_view kForm = "accessKeys/ID";
  static constexpr absl::string_view kType = "access key";
  static constexpr IdRule kIdRule = IdRule::kStage;
};
// The id is the access key id that requests name: "AKIA...".
using AccessKeyName = RootName<AccessKeyKind>;

// Keys of one installation.
constexpr size_t kMaxAccessKeys = 1000;

struct AccessKey {
  AccessKeyName name;
  Metadata metadata;  // no description, no labels
  // Whose it is: 1 to 128 of [A-Za-z0-9._-].
  std::string owner;
  // "viewer", "operator", "admin".
  std::string role;
};

// The owner; the role is for who knows the roles.
void Validate(const AccessKey& key, Violations& violations);

// AccessKeyId: "AKIA" and 16 characters of [A-Z2-7], from as many bytes of
// `random`: the form of Amazon's own.
std::string AccessKeyId(absl::string_view random);
constexpr size_t kAccessKeyIdRandomBytes = 16;

}  // namespace sallyport::domain

#endif  // SALLYPORT_CONFIG_SERVICE_DOMAIN_ACCESS_KEY_H_
