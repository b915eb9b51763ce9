// ClientRule: which trusted clients get in, by what their certificate holds.
//
// A rule is a tree: matchers, and `all`, `any`, `none` over them. It is
// compiled once and then only read. Nothing in it is a regular expression.
//
// Three answers. A matcher says kYes, kNo, or kUnclear: the certificate has
// something of the kind that the matcher asks for which cannot be read, or
// which readers understand differently. `all`, `any` and `none` carry kUnclear
// on (Kleene's logic), and only kYes lets a client in. So what is hard to read
// matches nothing, and does not slip past a `none` either. Unclear are:
//   * san_dns: a name that is no host name (RFC 1035, 2.3.1, '_' allowed), or a
//     certificate's own "*.example.com" where the rule names a host below;
//   * spiffe: a URI that begins with "spiffe:" in a certificate that is no leaf
//     X.509-SVID (several URIs, no path, a CA, an ID against the standard);
//   * san_email: a name that is no plain mailbox (quoted, several '@');
//   * san_ip: an IPv4-mapped IPv6 address inside a range;
//   * subject, issuer: an attribute of the wanted type whose value is no valid
//     text; a whole name that did not match and has strings that RFC 5280, 7.1
//     does not bring into one form (T61String, say);
//   * certificate_list: one of the lists is not there;
//   * anything, once limits::kMaxClientRuleChecks comparisons are spent.
// A certificate against the rules of X.509 (problem(), as far as it then cannot
// be read at all) matches no rule whatever.

#ifndef SALLYPORT_PKI_CHAIN_CLIENT_RULE_H_
#define SALLYPORT_PKI_CHAIN_CLIENT_RULE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "pki/truststore/deny_list.h"
#include "pki/x509/certificate.h"

namespace sallyport::pki {

class RuleMatcher;

// A rule as it was written. The field names are those of ClientRule in
// proto/sallyport/filter/v1/config.proto, which says what each matcher means.
// The views must live until Compile() returns.
struct ClientRuleSpec {
  enum class Kind {
    kAll,
    kAny,
    kNone,
    kSanDns,
    kSanUri,
    kSanEmail,
    kSanIp,
    kSubject,
    kIssuer,
    kCertificateSha256,
    kSpkiSha256,
    kSerial,
    kTruststore,
    kCertificateList,
  };
  struct Attribute {
    absl::string_view type;
    std::vector<absl::string_view> exact;
    std::vector<absl::string_view> prefix;
    std::vector<absl::string_view> suffix;
    bool ignore_case = false;
  };

  Kind kind = Kind::kAll;
  std::vector<ClientRuleSpec> rules;      // kAll, kAny, kNone
  std::vector<absl::string_view> values;  // all other kinds
  std::vector<absl::string_view> spiffe;  // kSanUri
  std::vector<Attribute> attributes;      // kSubject, kIssuer
};

// A matcher's answer.
enum class RuleMatch { kNo, kYes, kUnclear };

// Immutable; thread-safe.
class ClientRule {
 public:
  // Checks and compiles `spec`. InvalidArgument, or ResourceExhausted over a
  // limit (limits::kMaxClientRule*): the message begins with the path of the
  // field, `field` first ("allow.any.rules[3].san_dns.patterns[0]: ..."), says
  // how to mend it, and holds no value of the rule.
  static absl::StatusOr<std::shared_ptr<const ClientRule>> Compile(
      const ClientRuleSpec& spec, absl::string_view field);

  ClientRule(const ClientRule&) = delete;
  ClientRule& operator=(const ClientRule&) = delete;
  ~ClientRule();

  // Whether the rule lets the client with the certificate `leaf` in, for whom
  // the truststore `truststore_name` (Truststore.name, without the version)
  // vouched. `leaf` must be the certificate that was verified; that it is
  // trusted is for VerifyChain() to say.
  //
  // `lists` are those that certificate_list can name; null: none. The answer
  // depends on nothing else, so that it can be kept for the connection, with
  // digest() in the key. Fingerprints, serial numbers and
  // truststore names cost one look-up and no allocation, whatever their number;
  // the rest reads the certificate's names once.
  bool Matches(const Certificate& leaf, absl::string_view truststore_name,
               const NamedDenyLists* lists = nullptr) const {
    return Judge(leaf, truststore_name, lists) == RuleMatch::kYes;
  }

  // Matches(), with kNo and kUnclear told apart.
  RuleMatch Judge(const Certificate& leaf, absl::string_view truststore_name,
                  const NamedDenyLists* lists = nullptr) const;

  // The rule for an operator: printable ASCII, one line, at most
  // limits::kMaxClientRuleDescriptionBytes; long lists are cut.
  const std::string& Describe() const { return description_; }

  // Where the rule stands in the configuration: Compile()'s `field`. Not part
  // of digest().
  const std::string& field() const { return field_; }

  // Why a client was not let in, for an operator, given what Judge() said
  // (kNo or kUnclear): field() and Describe() in a sentence.
  std::string Refusal(RuleMatch match) const;

  // Two rules with the same digest give the same answers: SHA-256 over the
  // compiled content, in which neither spelling (case of host names, colons in
  // fingerprints) nor order nor repetition count.
  const Sha256Digest& digest() const { return digest_; }

 private:
  ClientRule();

  std::unique_ptr<const RuleMatcher> root_;
  std::string field_;
  std::string description_;
  Sha256Digest digest_;
};

}  // namespace sallyport::pki

#endif  // SALLYPORT_PKI_CHAIN_CLIENT_RULE_H_
