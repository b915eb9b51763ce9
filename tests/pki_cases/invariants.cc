#include "tests/pki_cases/invariants.h"

#include <openssl/ec_key.h>
#include <openssl/evp.h>
#include <openssl/nid.h>
#include <openssl/x509.h>

#include <cstdint>
#include <memory>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"

namespace sallyport::pki_cases {
namespace {

bssl::UniquePtr<X509> ReadX509(absl::string_view der) {
  const auto* p = reinterpret_cast<const uint8_t*>(der.data());
  return bssl::UniquePtr<X509>(
      d2i_X509(nullptr, &p, static_cast<long>(der.size())));
}

bool StrongSignature(const X509* certificate) {
  switch (X509_get_signature_nid(certificate)) {
    case NID_sha256WithRSAEncryption:
    case NID_sha384WithRSAEncryption:
    case NID_sha512WithRSAEncryption:
    case NID_ecdsa_with_SHA256:
    case NID_ecdsa_with_SHA384:
    case NID_ecdsa_with_SHA512:
    case NID_rsassaPss:  // BoringSSL knows it with SHA-256 and stronger only.
      return true;
    default:
      return false;
  }
}

bool StrongKey(const EVP_PKEY* key) {
  switch (EVP_PKEY_id(key)) {
    case EVP_PKEY_RSA:
      return EVP_PKEY_bits(key) >= 2048;
    case EVP_PKEY_EC: {
      const int curve = EVP_PKEY_get_ec_curve_nid(key);
      return curve == NID_X9_62_prime256v1 || curve == NID_secp384r1;
    }
    default:
      return false;
  }
}

bool ForClients(X509* certificate) {
  const uint32_t usage = X509_get_extended_key_usage(certificate);
  return (usage & (XKU_SSL_CLIENT | XKU_ANYEKU)) != 0;
}

void CheckTrusted(const pki::Truststore& truststore,
                  absl::Span<const absl::string_view> chain,
                  const pki::VerifyPolicy& policy, absl::Time now,
                  const pki::Verdict& verdict, std::vector<std::string>* out) {
  const auto& path = verdict.path;
  const auto broken = [out](auto&&... parts) {
    out->push_back(absl::StrCat(parts...));
  };
  if (path.empty()) return broken("trusted without a path");
  if (chain.empty() || path[0]->der() != chain[0]) {
    broken("the path does not begin with the client's certificate");
  }
  if (path.size() > policy.max_chain_length) {
    broken("the path has ", path.size(), " certificates, more than ",
           policy.max_chain_length);
  }
  const auto in_truststore = [&truststore](const pki::Certificate& c) {
    const pki::Truststore::Entry* found = truststore.FindExact(c.fingerprint());
    return found != nullptr && found->certificate()->der() == c.der();
  };
  if (!in_truststore(*path.back())) {
    broken("the path does not end in the truststore");
  }

  std::vector<bssl::UniquePtr<X509>> certs;
  for (size_t i = 0; i < path.size(); ++i) {
    certs.push_back(ReadX509(path[i]->der()));
    if (certs[i] == nullptr)
      return broken("certificate ", i, " does not parse");
  }
  // Certificates that are not self-issued and lie below the one looked at,
  // the client's own left out (RFC 5280, 4.2.1.9).
  size_t cas_below = 0;
  for (size_t i = 0; i < path.size(); ++i) {
    X509* const cert = certs[i].get();
    const bool last = i + 1 == path.size();
    if (now < path[i]->not_before() ||
        now >= path[i]->not_after() + absl::Seconds(1)) {
      broken("certificate ", i, " is not valid at the time");
    }
    const EVP_PKEY* const key = X509_get0_pubkey(cert);
    if (key == nullptr || !StrongKey(key)) broken("certificate ", i, ": key");
    // A root's own SHA-1 signature is forgiven under ANY_ANCHOR.
    const bool forgiven = last && i > 0 &&
                          policy.chain_policy == pki::ChainPolicy::kAnyAnchor &&
                          X509_NAME_cmp(X509_get_subject_name(cert),
                                        X509_get_issuer_name(cert)) == 0;
    if (!StrongSignature(cert) && !forgiven) {
      broken("certificate ", i, ": signature algorithm");
    }
    if (!last) {
      if (X509_NAME_cmp(X509_get_issuer_name(cert),
                        X509_get_subject_name(certs[i + 1].get())) != 0) {
        broken("certificate ", i, ": the next one is not its issuer by name");
      }
      EVP_PKEY* const issuer_key = X509_get0_pubkey(certs[i + 1].get());
      if (issuer_key == nullptr || X509_verify(cert, issuer_key) != 1) {
        broken("certificate ", i, ": the next one did not sign it");
      }
    }
    if (policy.extended_key_usage == pki::ExtendedKeyUsageRule::kRequire &&
        !ForClients(cert)) {
      broken("certificate ", i, ": extended key usage");
    }
    if (i > 0) {
      if ((X509_get_extension_flags(cert) & EXFLAG_CA) == 0) {
        broken("certificate ", i, ": no CA");
      }
      if ((X509_get_key_usage(cert) & X509v3_KU_KEY_CERT_SIGN) == 0) {
        broken("certificate ", i, ": may not sign certificates");
      }
      const long path_length = X509_get_pathlen(cert);
      if (path_length >= 0 && static_cast<size_t>(path_length) < cas_below) {
        broken("certificate ", i, ": path length");
      }
      if (X509_NAME_cmp(X509_get_subject_name(cert),
                        X509_get_issuer_name(cert)) != 0) {
        ++cas_below;
      }
      if (policy.chain_policy == pki::ChainPolicy::kCompleteChain &&
          !in_truststore(*path[i])) {
        broken("certificate ", i, ": not in the truststore");
      }
    }
  }
  X509* const top = certs.back().get();
  EVP_PKEY* const top_key = X509_get0_pubkey(top);
  const bool self_signed = X509_NAME_cmp(X509_get_subject_name(top),
                                         X509_get_issuer_name(top)) == 0 &&
                           top_key != nullptr && X509_verify(top, top_key) == 1;
  if (path.size() == 1) {
    if (!self_signed && !policy.pin_leaf) {
      broken("a certificate that is not self-signed vouches for itself");
    }
  } else if (policy.chain_policy == pki::ChainPolicy::kCompleteChain &&
             !self_signed) {
    broken("the chain does not end in a self-signed root");
  }
}

// Warnings() and GivesTrust() must not contradict a trusted verdict.
void CheckWarnings(const pki::Truststore& truststore,
                   const pki::VerifyPolicy& policy, absl::Time now,
                   const pki::Verdict& verdict, std::vector<std::string>* out) {
  pki::WarningOptions options;
  options.pin_leaf = policy.pin_leaf;
  if (!truststore.GivesTrust(policy.chain_policy, now, options)) {
    out->push_back("trusted by a truststore that gives no trust");
  }
  // What the verdict rests on: the whole path above the client under
  // COMPLETE_CHAIN, the anchor alone otherwise.
  const auto& path = verdict.path;
  const size_t first =
      path.size() == 1 || policy.chain_policy == pki::ChainPolicy::kAnyAnchor
          ? path.size() - 1
          : 1;
  std::set<size_t> relied_on;
  for (size_t i = first; i < path.size(); ++i) {
    const auto* entry = truststore.FindExact(path[i]->fingerprint());
    if (entry != nullptr) relied_on.insert(entry->index());
  }
  for (const pki::Warning& warning :
       truststore.Warnings(policy.chain_policy, now, options)) {
    if (pki::RemovesTrust(warning.reason) &&
        relied_on.count(warning.index) != 0) {
      out->push_back(absl::StrCat(
          "trusted by block ", warning.index,
          ", which gives no trust: ", pki::ReasonName(warning.reason)));
    }
  }
}

}  // namespace

std::vector<std::string> Violations(const pki::Truststore& truststore,
                                    absl::Span<const absl::string_view> chain,
                                    const pki::VerifyPolicy& policy,
                                    absl::Time now,
                                    const pki::Verdict& verdict) {
  std::vector<std::string> out;
  if (verdict.recheck_at <= now) out.push_back("recheck_at is not after now");
  if (verdict.signature_checks > policy.max_signature_checks) {
    out.push_back(absl::StrCat(verdict.signature_checks, " signature checks"));
  }
  // The path builder sees that it has reached its limit one step later, and a
  // refused search may be followed by one that only tells why.
  if (verdict.path_iterations > policy.max_path_iterations + 2) {
    out.push_back(absl::StrCat(verdict.path_iterations, " path iterations"));
  }
  for (const unsigned char c : verdict.detail) {
    if (c < 0x20 || c > 0x7e) {
      out.push_back("detail is not printable ASCII");
      break;
    }
  }
  if (!verdict.trusted() && verdict.detail.empty())
    out.push_back("detail is empty");
  if (verdict.depth < -1 ||
      verdict.depth > static_cast<int>(verdict.path.size())) {
    out.push_back(absl::StrCat("depth ", verdict.depth, " of a path of ",
                               verdict.path.size()));
  }
  if (!verdict.path.empty() &&
      (chain.empty() || verdict.path[0]->der() != chain[0])) {
    out.push_back("the path does not begin with the client's certificate");
  }
  switch (verdict.reason) {
    case pki::Reason::kNotAllowed:
    case pki::Reason::kConfigurationMissing:
      out.push_back(absl::StrCat("a reason that is not VerifyChain's: ",
                                 pki::ReasonName(verdict.reason)));
      break;
    default:
      break;
  }
  if (verdict.trusted()) {
    CheckTrusted(truststore, chain, policy, now, verdict, &out);
    if (!verdict.path.empty()) {
      CheckWarnings(truststore, policy, now, verdict, &out);
    }
  }
  return out;
}

}  // namespace sallyport::pki_cases
