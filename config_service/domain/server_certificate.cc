#include "config_service/domain/server_certificate.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/limits.h"
#include "base/text.h"
#include "config_service/domain/limits.h"
#include "pki/keys/private_key.h"
#include "pki/truststore/truststore.h"
#include "pki/x509/distinguished_name.h"
#include "pki/x509/pem.h"
#include "pki/x509/purpose.h"

namespace sallyport::domain {
namespace {

constexpr absl::string_view kCertificateLabel = "CERTIFICATE";
// Names that a message quotes.
constexpr size_t kQuotedNames = 5;

// "certificate 2 (CN=...)".
std::string Call(size_t index, const pki::Certificate& certificate) {
  const std::string subject = certificate.Subject();
  return absl::StrCat(
      "certificate ", index + 1,
      subject.empty() ? "" : absl::StrCat(" (", Printable(subject, 200), ")"));
}

// Names that RFC 5280, 7.1 brings into one form are compared in it, others byte
// by byte.
bool SameName(absl::string_view a_der, absl::string_view b_der) {
  if (a_der == b_der) return true;
  const auto a = pki::NormalizeName(a_der);
  const auto b = pki::NormalizeName(b_der);
  return a.has_value() && b.has_value() && *a == *b;
}

// A Name without attributes is an empty SEQUENCE.
bool HasSubject(const pki::Certificate& certificate) {
  return !certificate.Subject().empty();
}

// Reads the certificates of `pem`. What is wrong is added at `field`; the chain
// then is what could be read.
std::vector<CertificatePtr> ReadChain(absl::string_view field,
                                      absl::string_view pem,
                                      Violations& violations) {
  std::vector<CertificatePtr> chain;
  if (pem.empty()) {
    violations.Add(field, Reason::kFieldRequired,
                   "is empty; give the certificate in PEM, then its "
                   "intermediates");
    return chain;
  }
  if (pem.size() > kMaxChainPemBytes) {
    violations.Add(field, Reason::kCertificateChainTooLarge,
                   absl::StrCat("has ", pem.size(), " bytes; at most ",
                                kMaxChainPemBytes));
    return chain;
  }
  bool stopped = false;
  const pki::PemError error = pki::ReadPem(
      pem, limits::kMaxCertificateBytes, [&](const pki::PemBlock& block) {
        const auto refuse = [&](Reason reason, absl::string_view what) {
          violations.Add(field, reason,
                         absl::StrCat("block ", block.index, ", line ",
                                      block.line, ": ", what));
          stopped = true;
          return false;
        };
        if (block.label != kCertificateLabel) {
          return refuse(
              Reason::kCertificateChainMalformed,
              absl::StrCat(
                  "is ", Printable(block.label, 64),
                  ", no CERTIFICATE; only certificates belong here",
                  absl::StrContains(block.label, "PRIVATE KEY")
                      ? ", and a key that was sent here should be replaced"
                      : ""));
        }
        if (chain.size() == kMaxChainCertificates) {
          return refuse(Reason::kCertificateChainTooLarge,
                        absl::StrCat("is one certificate too many; at most ",
                                     kMaxChainCertificates));
        }
        absl::StatusOr<CertificatePtr> certificate =
            pki::Certificate::Parse(block.data);
        if (!certificate.ok()) {
          return refuse(Reason::kCertificateChainMalformed,
                        certificate.status().message());
        }
        chain.push_back(*std::move(certificate));
        return true;
      });
  if (stopped) return chain;
  if (!error.ok()) {
    violations.Add(field, Reason::kCertificateChainMalformed,
                   absl::StrCat("block ", error.index, ", line ", error.line,
                                ": ", error.message));
  } else if (chain.empty()) {
    violations.Add(field, Reason::kCertificateChainMalformed,
                   "has no certificate; give PEM with CERTIFICATE blocks");
  }
  return chain;
}

// Each certificate by itself.
void CheckCertificates(absl::string_view field,
                       const std::vector<CertificatePtr>& chain, absl::Time now,
                       Violations& violations) {
  for (size_t i = 0; i < chain.size(); ++i) {
    const pki::Certificate& certificate = *chain[i];
    const std::string call = Call(i, certificate);
    // Nobody relies on the signature of a root.
    const bool root =
        i > 0 && i + 1 == chain.size() && certificate.self_issued();
    const pki::Unfitness unfit =
        pki::CheckFitness(certificate, root ? pki::OwnSignature::kIgnored
                                            : pki::OwnSignature::kCounts);
    switch (unfit.kind) {
      case pki::Unfitness::Kind::kNone:
        break;
      case pki::Unfitness::Kind::kMalformed:
        violations.Add(field, Reason::kCertificateInvalid,
                       absl::StrCat(call, ": ", unfit.message));
        break;
      case pki::Unfitness::Kind::kWeakSignature:
      case pki::Unfitness::Kind::kWeakKey:
      case pki::Unfitness::Kind::kUnsupportedKey:
        violations.Add(field, Reason::kCertificateWeak,
                       absl::StrCat(call, ": ", unfit.message));
        break;
    }
    if (now > certificate.not_after()) {
      violations.Add(
          field, Reason::kCertificateExpired,
          absl::StrCat(call, " expired on ", TimeText(certificate.not_after()),
                       "; renew it"));
    } else if (now < certificate.not_before()) {
      violations.Add(field, Reason::kCertificateNotYetValid,
                     absl::StrCat(call, " is valid only from ",
                                  TimeText(certificate.not_before()), " on"));
    }
  }
}

// Who signed whom.
void CheckOrder(absl::string_view field,
                const std::vector<CertificatePtr>& chain,
                Violations& violations) {
  for (size_t i = 0; i + 1 < chain.size(); ++i) {
    const pki::Certificate& certificate = *chain[i];
    const pki::Certificate& issuer = *chain[i + 1];
    if (!SameName(certificate.issuer_der(), issuer.subject_der()) ||
        !pki::SignedBy(certificate, issuer)) {
      violations.Add(
          field, Reason::kCertificateChainOrder,
          absl::StrCat(Call(i, certificate), " is not signed by ",
                       Call(i + 1, issuer),
                       "; put them in order, the domain's own first, each "
                       "followed by its issuer"));
    } else if (!issuer.is_ca()) {
      violations.Add(field, Reason::kCertificateChainNotACa,
                     absl::StrCat(Call(i + 1, issuer),
                                  " is no CA, so it can sign no other"));
    }
  }
}

Reason ReasonOf(pki::PrivateKeyProblem problem) {
  switch (problem) {
    case pki::PrivateKeyProblem::kEncrypted:
      return Reason::kPrivateKeyEncrypted;
    case pki::PrivateKeyProblem::kUnsupported:
      return Reason::kPrivateKeyUnsupported;
    case pki::PrivateKeyProblem::kNone:
    case pki::PrivateKeyProblem::kMalformed:
      break;
  }
  return Reason::kPrivateKeyMalformed;
}

// A DNS name of a certificate as domains are written; "" when it is none that
// can be served.
std::string ServableName(absl::string_view name) {
  std::string lower = absl::AsciiStrToLower(absl::StripSuffix(name, "."));
  return CheckDomain(lower).ok() ? lower : std::string();
}

// Whether one of `names` covers `domain` ("*.X" covers one label, and itself).
bool NamesCover(const std::vector<std::string>& names,
                absl::string_view domain) {
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    return name == domain || DomainCovers(name, domain);
  });
}

bool ValidAt(const pki::Certificate& certificate, absl::Time now) {
  return now >= certificate.not_before() && now <= certificate.not_after();
}

// The names among the domain and those of the server certificate that the
// ownership verification certificate does not cover.
std::vector<std::string> NotOwned(const OwnershipInputs& inputs) {
  const std::vector<std::string> owned = DnsNames(*inputs.ownership_leaf);
  std::vector<std::string> missing;
  const auto check = [&](const std::string& name) {
    if (!NamesCover(owned, name)) missing.push_back(name);
  };
  check(inputs.domain_name->domain());
  if (inputs.server_leaf != nullptr) {
    for (const std::string& name : DnsNames(*inputs.server_leaf)) {
      if (name != inputs.domain_name->domain()) check(name);
    }
  }
  return missing;
}

std::string Quote(const std::vector<std::string>& names) {
  const size_t shown = std::min(names.size(), kQuotedNames);
  return absl::StrCat(
      absl::StrJoin(names.begin(),
                    names.begin() + static_cast<std::ptrdiff_t>(shown), ", "),
      names.size() > shown
          ? absl::StrCat(" and ", names.size() - shown, " more")
          : "");
}

}  // namespace

void Validate(const ServerCertificate& certificate, Violations& violations) {
  Validate(certificate.metadata, violations);
  if (certificate.issuance.has_value()) {
    Violations fields;
    Validate(*certificate.issuance, fields);
    violations.AddAll("issuance", fields);
  }
}

void Validate(const ClientCertificate& certificate, Violations& violations) {
  Validate(certificate.metadata, violations);
}

CheckedMaterial CheckMaterial(absl::string_view chain_field,
                              absl::string_view chain_pem,
                              absl::string_view key_field,
                              const Secret& private_key_pem,
                              CertificatePurpose purpose, absl::Time now,
                              Violations& violations) {
  CheckedMaterial out;
  const size_t before = violations.size();
  out.chain = ReadChain(chain_field, chain_pem, violations);
  const bool whole = violations.size() == before;
  if (whole) {
    CheckCertificates(chain_field, out.chain, now, violations);
    CheckOrder(chain_field, out.chain, violations);
  }
  if (!out.chain.empty()) {
    const pki::Certificate& leaf = *out.chain.front();
    const bool server = purpose == CertificatePurpose::kServer;
    const bool client = purpose == CertificatePurpose::kClient;
    // One that cannot be read has been complained of.
    if (leaf.problem().empty() && purpose == CertificatePurpose::kIssuer &&
        !leaf.is_ca()) {
      violations.Add(
          chain_field, Reason::kCertificateChainNotACa,
          absl::StrCat(Call(0, leaf), " is no CA, so it can sign no other"));
    }
    // Also a CA's limits those that it signs.
    if (leaf.problem().empty() &&
        !pki::AllowsPurpose(leaf, client ? pki::Purpose::kClientAuth
                                         : pki::Purpose::kServerAuth)) {
      violations.Add(chain_field, Reason::kCertificateNotForPurpose,
                     absl::StrCat(Call(0, leaf),
                                  ": its extended key usage does not allow ",
                                  client ? "clientAuth" : "serverAuth"));
    }
    if (server && leaf.problem().empty() && DnsNames(leaf).empty()) {
      violations.Add(chain_field, Reason::kCertificateHasNoNames,
                     absl::StrCat(Call(0, leaf),
                                  " has no host name among its subject "
                                  "alternative names; the common name does not "
                                  "count"));
    }
  }
  if (private_key_pem.empty()) {
    violations.Add(key_field, Reason::kFieldRequired,
                   "is empty; give the certificate's private key in PEM");
  } else if (private_key_pem.Reveal().size() > kMaxPrivateKeyPemBytes) {
    violations.Add(key_field, Reason::kPrivateKeyMalformed,
                   absl::StrCat("has ", private_key_pem.Reveal().size(),
                                " bytes; at most ", kMaxPrivateKeyPemBytes));
  } else {
    const pki::PrivateKey::ReadResult key =
        pki::PrivateKey::FromPem(private_key_pem);
    if (key.key == nullptr) {
      violations.Add(key_field, ReasonOf(key.problem), key.message);
    } else if (!out.chain.empty() && !key.key->BelongsTo(*out.chain.front())) {
      const auto owner = std::find_if(
          out.chain.begin(), out.chain.end(),
          [&](const CertificatePtr& c) { return key.key->BelongsTo(*c); });
      violations.Add(
          key_field, Reason::kPrivateKeyMismatch,
          owner == out.chain.end()
              ? std::string("is not the key of the first certificate")
              : absl::StrCat("is the key of certificate ",
                             owner - out.chain.begin() + 1,
                             ", not of the first; put that one first"));
    } else {
      out.private_key_pem = key.key->Pem();
    }
  }
  // A root is of no use to whoever gets the chain.
  if (out.chain.size() > 1 && out.chain.back()->self_issued() &&
      out.chain.back()->IsSelfSigned()) {
    out.chain.pop_back();
  }
  for (const CertificatePtr& certificate : out.chain) {
    out.chain_pem += certificate->Pem();
  }
  return out;
}

absl::StatusOr<std::vector<CertificatePtr>> ReadStoredChain(
    absl::string_view chain_pem) {
  Violations violations;
  std::vector<CertificatePtr> chain = ReadChain("", chain_pem, violations);
  if (!violations.empty()) {
    return absl::DataLossError(
        absl::StrCat("a stored certificate chain cannot be read: ",
                     violations.list().front().description));
  }
  return chain;
}

std::vector<std::string> DnsNames(const pki::Certificate& certificate) {
  std::vector<std::string> out;
  std::set<std::string> seen;
  for (const std::string& name : certificate.AltNames().dns) {
    std::string servable = ServableName(name);
    if (!servable.empty() && seen.insert(servable).second) {
      out.push_back(std::move(servable));
    }
  }
  return out;
}

bool CoversDomain(const pki::Certificate& certificate,
                  absl::string_view domain) {
  return NamesCover(DnsNames(certificate), domain);
}

absl::Time FirstExpiry(absl::Span<const CertificatePtr> chain) {
  absl::Time first = absl::InfiniteFuture();
  for (const CertificatePtr& certificate : chain) {
    first = std::min(first, certificate->not_after());
  }
  return first;
}

absl::Status CheckSameIssuer(const pki::Certificate& before,
                             const pki::Certificate& after) {
  if (SameName(before.issuer_der(), after.issuer_der())) {
    return absl::OkStatus();
  }
  return MakeError(
      Reason::kCertificateIssuerChanged,
      absl::StrCat("the certificate's issuer is ",
                   Printable(after.Issuer(), 200), ", and that before was ",
                   Printable(before.Issuer(), 200),
                   "; a re-import must have the same issuer. Import it as "
                   "another certificate, and have the domains name that"));
}

absl::Status CheckIssuerConflict(const pki::Certificate& leaf,
                                 absl::Span<const ServedCertificate> others) {
  const std::vector<std::string> names = DnsNames(leaf);
  for (const ServedCertificate& other : others) {
    if (other.leaf == nullptr ||
        SameName(leaf.issuer_der(), other.leaf->issuer_der())) {
      continue;
    }
    std::string subject;
    if (HasSubject(leaf) &&
        SameName(leaf.subject_der(), other.leaf->subject_der())) {
      subject = leaf.Subject();
    } else {
      const std::vector<std::string> theirs = DnsNames(*other.leaf);
      const auto shared = std::find_first_of(names.begin(), names.end(),
                                             theirs.begin(), theirs.end());
      if (shared == names.end()) continue;
      subject = *shared;
    }
    return MakeError(
        Reason::kCertificateIssuerConflict,
        absl::StrCat("The certificate subject ", Printable(subject),
                     " conflicts with an existing certificate from a different "
                     "issuer."),
        {{"subject", subject}});
  }
  return absl::OkStatus();
}

bool NeedsOwnership(const OwnershipInputs& inputs) {
  return inputs.required && inputs.domain_name->mutual_tls.has_value() &&
         inputs.server_origin == ServerCertificate::Origin::kImported;
}

void CheckOwnership(const OwnershipInputs& inputs, absl::Time now,
                    Violations& violations) {
  constexpr absl::string_view kField = "ownership_verification_certificate";
  if (inputs.ownership_leaf == nullptr) {
    if (NeedsOwnership(inputs)) {
      violations.Add(kField, Reason::kOwnershipCertificateRequired,
                     "is missing: the server certificate is imported, so a "
                     "certificate that an issuer of this installation made has "
                     "to prove that the domain is yours");
    }
    return;
  }
  const pki::Certificate& ownership = *inputs.ownership_leaf;
  if (!ValidAt(ownership, now)) {
    violations.Add(
        kField, Reason::kOwnershipCertificateNotValid,
        now > ownership.not_after()
            ? absl::StrCat("expired on ", TimeText(ownership.not_after()))
            : absl::StrCat("is valid only from ",
                           TimeText(ownership.not_before()), " on"));
  }
  if (inputs.required &&
      inputs.ownership_origin != ServerCertificate::Origin::kIssued) {
    violations.Add(kField, Reason::kOwnershipCertificateNotIssued,
                   "is imported, which proves nothing; name one that an issuer "
                   "of this installation made");
  }
  const std::vector<std::string> missing = NotOwned(inputs);
  if (!missing.empty()) {
    violations.Add(kField, Reason::kOwnershipCertificateDoesNotCover,
                   absl::StrCat("does not cover ", Quote(missing)));
  }
  if (!inputs.ownership_used_by.empty()) {
    violations.Add(
        kField, Reason::kOwnershipCertificateInUse,
        absl::StrCat("is the server certificate of ", inputs.ownership_used_by,
                     ", which has mutual TLS"));
  }
}

CertificateStatus StatusFromCertificates(const OwnershipInputs& inputs,
                                         absl::Time now) {
  CertificateStatus out;
  const bool needed = NeedsOwnership(inputs);
  if (needed && (inputs.ownership_leaf == nullptr ||
                 !ValidAt(*inputs.ownership_leaf, now))) {
    out.status = DomainName::Status::kPendingOwnershipVerification;
    out.message =
        inputs.ownership_leaf == nullptr
            ? "there is no ownership verification certificate"
            : absl::StrCat(
                  "the ownership verification certificate is not valid (until ",
                  TimeText(inputs.ownership_leaf->not_after()),
                  "); renew it or name another");
    return out;
  }
  if (inputs.server_leaf != nullptr &&
      !CoversDomain(*inputs.server_leaf, inputs.domain_name->domain())) {
    out.status = DomainName::Status::kPendingCertificateReimport;
    out.message =
        absl::StrCat("the server certificate does not cover ",
                     inputs.domain_name->domain(), "; import one that does");
    return out;
  }
  if (needed) {
    const std::vector<std::string> missing = NotOwned(inputs);
    if (!missing.empty()) {
      out.status = DomainName::Status::kPendingCertificateReimport;
      out.message = absl::StrCat(
          "the ownership verification certificate does not cover ",
          Quote(missing), " of the server certificate; import another");
    }
  }
  return out;
}

absl::Status CheckLocked(const OwnershipInputs& before, const DomainName& after,
                         absl::Time now) {
  if (!NeedsOwnership(before) || before.ownership_leaf == nullptr ||
      ValidAt(*before.ownership_leaf, now)) {
    return absl::OkStatus();
  }
  if (after.ownership_verification_certificate !=
      before.domain_name->ownership_verification_certificate) {
    return absl::OkStatus();
  }
  return MakeError(
      Reason::kDomainLocked,
      absl::StrCat(before.domain_name->name.ToString(),
                   " is locked: its ownership verification certificate is no "
                   "longer valid. Update ownership_verification_certificate "
                   "first"),
      {{"resource", before.domain_name->name.ToString()}});
}

}  // namespace sallyport::domain
