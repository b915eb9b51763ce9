// Resource names: "truststores/partners/versions/3", typed, so that the name of
// one kind is never taken for another's.
//
//   ASSIGN_OR_RETURN(auto name, TruststoreName::Parse("truststores/partners"));
//   name.id();                                  // "partners"
//   TruststoreVersionName(name, 3).ToString();  //
//   "truststores/partners/versions/3"
//
// Names are values: copyable, ordered by parent and id (versions by number),
// hashable. A default-constructed name is empty; it is no valid name, and
// stands for "none" where a field may be unset. Parse() never returns one.

#ifndef SALLYPORT_CONFIG_SERVICE_DOMAIN_NAME_H_
#define SALLYPORT_CONFIG_SERVICE_DOMAIN_NAME_H_

#include <cstdint>
#include <ostream>
#include <string>
#include <tuple>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace sallyport::domain {

// What ids of a kind look like.
enum class IdRule {
  kPlain,   // 1 to 63 of [a-z0-9-], '-' neither first nor last
  kStage,   // 1 to 128 of [A-Za-z0-9_-]
  kNode,    // 1 to 128 of [A-Za-z0-9._-], neither "." nor ".."
  kDomain,  // what CheckDomain() (domain_name.h) takes
};

// CheckId: OK, or InvalidArgument with what is wrong with `id` and how to mend
// it ("has 64 characters; at most 63"). Never the id itself, which may be
// anything.
absl::Status CheckId(IdRule rule, absl::string_view id);

namespace internal {
// The id of "COLLECTION/ID". InvalidArgument, naming the form that is wanted.
absl::StatusOr<std::string> ParseLast(absl::string_view text,
                                      absl::string_view collection, IdRule rule,
                                      absl::string_view form);
// Splits "PARENT/COLLECTION/ID" before COLLECTION.
absl::StatusOr<std::pair<absl::string_view, absl::string_view>> SplitParent(
    absl::string_view text, absl::string_view collection,
    absl::string_view form);
absl::StatusOr<int64_t> ParseNumber(absl::string_view last,
                                    absl::string_view collection,
                                    absl::string_view form);
}  // namespace internal

// "COLLECTION/ID". A Kind has kCollection, kIdRule, kForm ("truststores/ID")
// and kType ("truststore", for messages).
template <typename Kind>
class RootName {
 public:
  static constexpr absl::string_view kCollection = Kind::kCollection;
  static constexpr absl::string_view kForm = Kind::kForm;
  static constexpr absl::string_view kType = Kind::kType;
  static constexpr IdRule kIdRule = Kind::kIdRule;

  RootName() = default;
  // `id` has passed CheckId().
  explicit RootName(absl::string_view id) : id_(id) {}

  // InvalidArgument: `text` is no name of the kind.
  static absl::StatusOr<RootName> Parse(absl::string_view text) {
    absl::StatusOr<std::string> id =
        internal::ParseLast(text, kCollection, kIdRule, kForm);
    if (!id.ok()) return std::move(id).status();
    return RootName(*id);
  }

  bool empty() const { return id_.empty(); }
  const std::string& id() const { return id_; }
  // "" when empty.
  std::string ToString() const {
    return empty() ? std::string() : absl::StrCat(kCollection, "/", id_);
  }

  friend bool operator==(const RootName& a, const RootName& b) {
    return a.id_ == b.id_;
  }
  friend bool operator!=(const RootName& a, const RootName& b) {
    return !(a == b);
  }
  friend bool operator<(const RootName& a, const RootName& b) {
    return a.id_ < b.id_;
  }
  friend std::ostream& operator<<(std::ostream& out, const RootName& name) {
    return out << name.ToString();
  }
  template <typename H>
  friend H AbslHashValue(H h, const RootName& name) {
    return H::combine(std::move(h), name.id_);
  }

 private:
  std::string id_;
};

// "PARENT/COLLECTION/ID".
template <typename Kind>
class ChildName {
 public:
  using Parent = typename Kind::Parent;
  static constexpr absl::string_view kCollection = Kind::kCollection;
  static constexpr absl::string_view kForm = Kind::kForm;
  static constexpr absl::string_view kType = Kind::kType;
  static constexpr IdRule kIdRule = Kind::kIdRule;

  ChildName() = default;
  // `id` has passed CheckId(), `parent` is not empty.
  ChildName(Parent parent, absl::string_view id)
      : parent_(std::move(parent)), id_(id) {}

  static absl::StatusOr<ChildName> Parse(absl::string_view text) {
    auto parts = internal::SplitParent(text, kCollection, kForm);
    if (!parts.ok()) return std::move(parts).status();
    absl::StatusOr<Parent> parent = Parent::Parse(parts->first);
    if (!parent.ok()) return std::move(parent).status();
    absl::StatusOr<std::string> id =
        internal::ParseLast(parts->second, kCollection, kIdRule, kForm);
    if (!id.ok()) return std::move(id).status();
    return ChildName(*std::move(parent), *id);
  }

  bool empty() const { return id_.empty(); }
  const Parent& parent() const { return parent_; }
  const std::string& id() const { return id_; }
  std::string ToString() const {
    return empty()
               ? std::string()
               : absl::StrCat(parent_.ToString(), "/", kCollection, "/", id_);
  }

  friend bool operator==(const ChildName& a, const ChildName& b) {
    return a.id_ == b.id_ && a.parent_ == b.parent_;
  }
  friend bool operator!=(const ChildName& a, const ChildName& b) {
    return !(a == b);
  }
  friend bool operator<(const ChildName& a, const ChildName& b) {
    return std::tie(a.parent_, a.id_) < std::tie(b.parent_, b.id_);
  }
  friend std::ostream& operator<<(std::ostream& out, const ChildName& name) {
    return out << name.ToString();
  }
  template <typename H>
  friend H AbslHashValue(H h, const ChildName& name) {
    return H::combine(std::move(h), name.parent_, name.id_);
  }

 private:
  Parent parent_;
  std::string id_;
};

// "PARENT/versions/N": N is 1 to kMaxVersionNumber, without leading zeros.
template <typename Kind>
class VersionName {
 public:
  using Parent = typename Kind::Parent;
  static constexpr absl::string_view kCollection = "versions";
  static constexpr absl::string_view kForm = Kind::kForm;
  static constexpr absl::string_view kType = Kind::kType;

  VersionName() = default;
  VersionName(Parent parent, int64_t number)
      : parent_(std::move(parent)), number_(number) {}

  static absl::StatusOr<VersionName> Parse(absl::string_view text) {
    auto parts = internal::SplitParent(text, kCollection, kForm);
    if (!parts.ok()) return std::move(parts).status();
    absl::StatusOr<Parent> parent = Parent::Parse(parts->first);
    if (!parent.ok()) return std::move(parent).status();
    absl::StatusOr<int64_t> number =
        internal::ParseNumber(parts->second, kCollection, kForm);
    if (!number.ok()) return std::move(number).status();
    return VersionName(*std::move(parent), *number);
  }

  bool empty() const { return number_ == 0; }
  const Parent& parent() const { return parent_; }
  int64_t number() const { return number_; }
  std::string ToString() const {
    return empty() ? std::string()
                   : absl::StrCat(parent_.ToString(), "/", kCollection, "/",
                                  number_);
  }

  friend bool operator==(const VersionName& a, const VersionName& b) {
    return a.number_ == b.number_ && a.parent_ == b.parent_;
  }
  friend bool operator!=(const VersionName& a, const VersionName& b) {
    return !(a == b);
  }
  friend bool operator<(const VersionName& a, const VersionName& b) {
    return std::tie(a.parent_, a.number_) < std::tie(b.parent_, b.number_);
  }
  friend std::ostream& operator<<(std::ostream& out, const VersionName& name) {
    return out << name.ToString();
  }
  template <typename H>
  friend H AbslHashValue(H h, const VersionName& name) {
    return H::combine(std::move(h), name.parent_, name.number_);
  }

 private:
  Parent parent_;
  int64_t number_ = 0;
};

struct TruststoreKind {
  static constexpr absl::string_view kCollection = "truststores";
  static constexpr absl::string_view kForm = "truststores/ID";
  static constexpr absl::string_view kType = "truststore";
  static constexpr IdRule kIdRule = IdRule::kPlain;
};
using TruststoreName = RootName<TruststoreKind>;

struct TruststoreVersionKind {
  using Parent = TruststoreName;
  static constexpr absl::string_view kForm = "truststores/ID/versions/NUMBER";
  static constexpr absl::string_view kType = "truststore version";
};
using TruststoreVersionName = VersionName<TruststoreVersionKind>;

struct RevocationListKind {
  static constexpr absl::string_view kCollection = "revocationLists";
  static constexpr absl::string_view kForm = "revocationLists/ID";
  static constexpr absl::string_view kType = "revocation list";
  static constexpr IdRule kIdRule = IdRule::kPlain;
};
using RevocationListName = RootName<RevocationListKind>;

struct CertificateListKind {
  static constexpr absl::string_view kCollection = "certificateLists";
  static constexpr absl::string_view kForm = "certificateLists/ID";
  static constexpr absl::string_view kType = "certificate list";
  static constexpr IdRule kIdRule = IdRule::kPlain;
};
using CertificateListName = RootName<CertificateListKind>;

struct ServerCertificateKind {
  static constexpr absl::string_view kCollection = "serverCertificates";
  static constexpr absl::string_view kForm = "serverCertificates/ID";
  static constexpr absl::string_view kType = "server certificate";
  static constexpr IdRule kIdRule = IdRule::kPlain;
};
using ServerCertificateName = RootName<ServerCertificateKind>;

struct ServerCertificateVersionKind {
  using Parent = ServerCertificateName;
  static constexpr absl::string_view kForm =
      "serverCertificates/ID/versions/NUMBER";
  static constexpr absl::string_view kType = "server certificate version";
};
using ServerCertificateVersionName = VersionName<ServerCertificateVersionKind>;

struct DomainNameKind {
  static constexpr absl::string_view kCollection = "domainNames";
  static constexpr absl::string_view kForm =
      "domainNames/HOST or domainNames/*.HOST";
  static constexpr absl::string_view kType = "domain name";
  static constexpr IdRule kIdRule = IdRule::kDomain;
};
// The id is the domain itself.
using DomainNameName = RootName<DomainNameKind>;

struct ApiMappingKind {
  using Parent = DomainNameName;
  static constexpr absl::string_view kCollection = "apiMappings";
  static constexpr absl::string_view kForm = "domainNames/HOST/apiMappings/ID";
  static constexpr absl::string_view kType = "API mapping";
  static constexpr IdRule kIdRule = IdRule::kPlain;
};
using ApiMappingName = ChildName<ApiMappingKind>;

struct ApiKind {
  static constexpr absl::string_view kCollection = "apis";
  static constexpr absl::string_view kForm = "apis/ID";
  static constexpr absl::string_view kType = "API";
  static constexpr IdRule kIdRule = IdRule::kPlain;
};
using ApiName = RootName<ApiKind>;

struct RouteKind {
  using Parent = ApiName;
  static constexpr absl::string_view kCollection = "routes";
  static constexpr absl::string_view kForm = "apis/API/routes/ID";
  static constexpr absl::string_view kType = "route";
  static constexpr IdRule kIdRule = IdRule::kPlain;
};
using RouteName = ChildName<RouteKind>;

struct StageKind {
  using Parent = ApiName;
  static constexpr absl::string_view kCollection = "stages";
  static constexpr absl::string_view kForm = "apis/API/stages/STAGE";
  static constexpr absl::string_view kType = "stage";
  static constexpr IdRule kIdRule = IdRule::kStage;
};
using StageName = ChildName<StageKind>;

struct DeploymentKind {
  using Parent = ApiName;
  static constexpr absl::string_view kCollection = "deployments";
  static constexpr absl::string_view kForm = "apis/API/deployments/ID";
  static constexpr absl::string_view kType = "deployment";
  static constexpr IdRule kIdRule = IdRule::kPlain;
};
using DeploymentName = ChildName<DeploymentKind>;

struct ClientCertificateKind {
  static constexpr absl::string_view kCollection = "clientCertificates";
  static constexpr absl::string_view kForm = "clientCertificates/ID";
  static constexpr absl::string_view kType = "client certificate";
  static constexpr IdRule kIdRule = IdRule::kPlain;
};
using ClientCertificateName = RootName<ClientCertificateKind>;

struct IssuerKind {
  static constexpr absl::string_view kCollection = "issuers";
  static constexpr absl::string_view kForm = "issuers/ID";
  static constexpr absl::string_view kType = "issuer";
  static constexpr IdRule kIdRule = IdRule::kPlain;
};
using IssuerName = RootName<IssuerKind>;

struct FleetKind {
  static constexpr absl::string_view kCollection = "fleets";
  static constexpr absl::string_view kForm = "fleets/ID";
  static constexpr absl::string_view kType = "fleet";
  static constexpr IdRule kIdRule = IdRule::kPlain;
};
using FleetName = RootName<FleetKind>;
// "fleets/default": always there.
FleetName DefaultFleet();

struct NodeKind {
  using Parent = FleetName;
  static constexpr absl::string_view kCollection = "nodes";
  static constexpr absl::string_view kForm = "fleets/FLEET/nodes/NODE";
  static constexpr absl::string_view kType = "node";
  static constexpr IdRule kIdRule = IdRule::kNode;
};
using NodeName = ChildName<NodeKind>;

// GenerateId: an id of `length` characters of [a-z2-7], the first a letter,
// from `random`, which needs as many bytes. For ids that the service makes.
std::string GenerateId(absl::string_view random, size_t length);

}  // namespace sallyport::domain

#endif  // SALLYPORT_CONFIG_SERVICE_DOMAIN_NAME_H_
