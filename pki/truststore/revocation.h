// RevocationLists: certificate revocation lists (CRLs, RFC 5280 section 5) that
// take trust away again from what a truststore trusts.
//
// Complete lists only. A list counts for a certificate when
//  * its issuer is the certificate's issuer (RFC 5280, 7.1);
//  * it is signed, with an algorithm that would do for a certificate, by the
//    key of a CA of that name above the certificate on the verified path, and
//    that CA's key usage, if it has one, has cRLSign;
//  * its issuing distribution point, if it has one, covers the certificate (RFC
//    5280, 6.3.3 (b) (2));
//  * its thisUpdate has come.
// Of the lists with one scope (the same issuing distribution point) the newest
// that counts decides, by thisUpdate; those with the same thisUpdate all do. An
// entry revokes whatever its reason: certificateHold is revoked while it is
// listed, and so is removeFromCRL, which has no place in a complete list. A
// list past nextUpdate still revokes what it names, but covers nothing: the
// second of nextUpdate is past. One without a nextUpdate never gets old.
//
// Against 6.3.3: no delta lists, no indirect lists, none for some reasons only,
// and the list's issuer is always on the verified path.

#ifndef SALLYPORT_PKI_TRUSTSTORE_REVOCATION_H_
#define SALLYPORT_PKI_TRUSTSTORE_REVOCATION_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/limits.h"
#include "pki/truststore/truststore.h"
#include "pki/x509/certificate.h"

namespace sallyport::pki {

struct RevocationLimits {
  size_t max_bytes = limits::kMaxRevocationBytes;  // of all sources
  size_t max_entries = limits::kMaxRevocationEntries;
  size_t max_lists = limits::kMaxRevocationLists;
};

// Why revocation lists are refused as a whole.
enum class RevocationErrorReason {
  kNone,
  kNoList,
  kNotAListBlock,    // another label: a certificate, a private key
  kMalformedPem,     // truncated, unmatched, undecodable
  kMalformedList,    // DER that is no X.509 CRL
  kUnsupportedList,  // delta, indirect, an unknown critical extension, ...
  kTooLarge,
  kTooManyEntries,
  kTooManyLists,
};
absl::string_view ReasonName(RevocationErrorReason reason);  // "NO_LIST"

struct RevocationError {
  RevocationErrorReason reason = RevocationErrorReason::kNone;
  size_t source = 0;    // from 1; 0 when no source is meant
  size_t block = 0;     // from 1; 0 for DER, or when no block is meant
  size_t line = 0;      // of the BEGIN line, from 1; 0 when no line is meant
  std::string message;  // for people: what, where, how to mend; no contents

  bool ok() const { return reason == RevocationErrorReason::kNone; }
  // "source 2, block 3, line 41: ...".
  std::string ToString() const;
};

enum class RevocationWarningReason {
  kOutOfDate,           // past nextUpdate
  kNotYetValid,         // thisUpdate has not come
  kNoNextUpdate,        // it says not when the next one comes
  kUnknownIssuer,       // nobody in the truststore has that name
  kUntrustedSignature,  // signed by no CA of that name in the truststore
  kWeakSignature,       // SHA-1, MD5, or an algorithm that is not supported
  kMayNotSign,          // its signer's key usage lacks cRLSign
  kDuplicate,           // the same list twice; kept once
  kOtherKey,            // another CA of that name has no list
};
absl::string_view ReasonName(RevocationWarningReason reason);  // "OUT_OF_DATE"

struct RevocationWarning {
  size_t source = 0;  // from 1
  size_t block = 0;   // from 1; 0 for DER
  size_t line = 0;    // of the BEGIN line, from 1; 0 for DER
  std::string issuer;
  RevocationWarningReason reason = RevocationWarningReason::kOutOfDate;
  std::string message;
};

// Immutable but for what it remembers of signatures; thread-safe, lock-free.
class RevocationLists {
 public:
  class List;

  // Reads lists. Each source is PEM text with one or several `X509 CRL`
  // blocks, or one list in DER; which of the two, its bytes say. No source at
  // all is allowed: then no certificate is covered. Exactly one of the two is
  // set: lists, or an error.
  struct ParseResult {
    std::shared_ptr<const RevocationLists> lists;
    RevocationError error;
  };
  static ParseResult Parse(absl::Span<const absl::string_view> sources,
                           const RevocationLimits& limits = {});

  RevocationLists(const RevocationLists&) = delete;
  RevocationLists& operator=(const RevocationLists&) = delete;
  ~RevocationLists();

  // SHA-256 over the set of lists, in whatever order and form they were given:
  // equal digests decide equally.
  const Sha256Digest& digest() const { return digest_; }

  // Distinct lists, by issuer, the newest first.
  absl::Span<const std::unique_ptr<const List>> lists() const { return lists_; }
  // Of all lists; a serial number that a list has twice counts once.
  size_t num_entries() const { return num_entries_; }

  // Whether any list is of the issuer's name of `certificate`.
  bool HasListFor(const Certificate& certificate) const;

  // What the lists say about `certificate`.
  struct Answer {
    enum class Kind {
      kGood,       // covered, and not named
      kRevoked,    // named
      kMissing,    // no list that covers it
      kNotYet,     // only lists whose thisUpdate has not come
      kOutOfDate,  // only lists past nextUpdate
      kNotSigned,  // only lists that none of `issuers` signed, or may sign
      kWeak,       // only lists with a weak signature
      kLimit,      // `*checks_left` ran out
    };
    Kind kind = Kind::kMissing;
    // The list that decided, or the newest that nearly did; null: none.
    const List* list = nullptr;
    // kRevoked: when, as the list says, and RFC 5280's reason code, -1: none.
    absl::Time revoked_at;
    int reason_code = -1;
    // The next instant at which a list comes into force.
    absl::Time next_list_at = absl::InfiniteFuture();
    // kGood: the instant at which it becomes kOutOfDate.
    absl::Time good_until = absl::InfiniteFuture();
  };
  // `issuers`: the certificates above it on the verified path whose subject is
  // its issuer's name. Signatures are checked against their keys, once for
  // each list and key; each check takes one off `*checks_left`.
  Answer Check(const Certificate& certificate,
               absl::Span<const Certificate* const> issuers, absl::Time now,
               size_t* checks_left) const;

  // All warnings at `now`, by source, then block. `truststore` may be null:
  // then nothing is said about issuers. It checks the signatures, so that no
  // client has to wait for them.
  std::vector<RevocationWarning> Warnings(const Truststore* truststore,
                                          absl::Time now) const;

  // Bytes held, roughly, for memory reports: the lists' DER, and between 8 and
  // 16 bytes for each entry. 500,000 entries of 16-byte serial numbers with a
  // reason take some 30 MiB.
  size_t ApproximateBytes() const;

 private:
  friend class RevocationReader;
  struct Run {
    uint32_t begin = 0;
    uint32_t end = 0;
  };
  struct Duplicate {
    const List* list;
    uint32_t source;
    uint32_t block;
    uint32_t line;
  };
  RevocationLists() = default;

  Sha256Digest digest_;
  size_t num_entries_ = 0;
  std::vector<std::unique_ptr<const List>> lists_;
  std::vector<Duplicate> duplicates_;
  // By normalised issuer.
  absl::flat_hash_map<absl::string_view, Run> by_issuer_;
};

// One list. Made by RevocationLists only.
class RevocationLists::List {
 public:
  ~List();
  List(const List&) = delete;
  List& operator=(const List&) = delete;

  // Where it was found first: from 1; block and line are 0 for DER.
  size_t source() const { return source_; }
  size_t block() const { return block_; }
  size_t line() const { return line_; }

  // As Certificate::Subject().
  std::string Issuer() const;
  absl::Time this_update() const { return this_update_; }
  // InfiniteFuture when it has none.
  absl::Time next_update() const { return next_update_; }
  // Distinct serial numbers.
  size_t num_entries() const { return num_entries_; }
  // CRL number (RFC 5280, 5.2.3), upper-case hex; "" when it has none.
  std::string NumberHex() const;
  // For people: "ECDSA with SHA-256".
  std::string SignatureAlgorithmName() const;
  // For people: "" when it covers all certificates of its issuer, else "only
  // end-entity certificates", "only CAs", "only one distribution point".
  std::string Scope() const;
  SignatureStrength signature_strength() const { return strength_; }

  // Whether the key of `issuer` signed it. Remembered for up to
  // limits::kMaxRevocationSigners keys; `*checks_left` goes down by one for
  // each that was not known, and is not checked when it is 0 (kUnknown).
  enum class Signed { kYes, kNo, kUnknown };
  Signed SignedBy(const Certificate& issuer, size_t* checks_left) const;

 private:
  friend class RevocationLists;
  friend class RevocationReader;
  struct Rep;
  List();

  size_t source_ = 0;
  size_t block_ = 0;
  size_t line_ = 0;
  size_t num_entries_ = 0;
  absl::Time this_update_;
  absl::Time next_update_ = absl::InfiniteFuture();
  SignatureStrength strength_ = SignatureStrength::kUnsupported;
  std::unique_ptr<Rep> rep_;
};

// "keyCompromise"; "" for codes that RFC 5280, 5.3.1 does not have.
absl::string_view RevocationReasonText(int reason_code);

}  // namespace sallyport::pki

#endif  // SALLYPORT_PKI_TRUSTSTORE_REVOCATION_H_
