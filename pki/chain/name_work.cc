#include "pki/chain/name_work.h"

#include "third_party_boringssl/pki/name_constraints.h"

namespace sallyport::pki {

size_t NumNames(const bssl::GeneralNames& names) {
  return names.other_names.size() + names.rfc822_names.size() +
         names.dns_names.size() + names.x400_addresses.size() +
         names.directory_names.size() + names.edi_party_names.size() +
         names.uniform_resource_identifiers.size() + names.ip_addresses.size() +
         names.ip_address_ranges.size() + names.registered_ids.size();
}

size_t NumNames(const bssl::ParsedCertificate& certificate) {
  return 1 + (certificate.has_subject_alt_names()
                  ? NumNames(*certificate.subject_alt_names())
                  : 0);
}

size_t NumConstraints(const bssl::ParsedCertificate& certificate) {
  if (!certificate.has_name_constraints()) return 0;
  return NumNames(certificate.name_constraints().permitted_subtrees()) +
         NumNames(certificate.name_constraints().excluded_subtrees());
}

size_t NameWork(const bssl::ParsedCertificate& issuer,
                const bssl::ParsedCertificate& below) {
  if (!issuer.has_name_constraints()) return 0;
  const bssl::NameConstraints& constraints = issuer.name_constraints();
  const size_t directories =
      constraints.permitted_subtrees().directory_names.size() +
      constraints.excluded_subtrees().directory_names.size();
  const size_t directory_names =
      1 + (below.has_subject_alt_names()
               ? below.subject_alt_names()->directory_names.size()
               : 0);
  return NumConstraints(issuer) * NumNames(below) +
         directories * directory_names * (kDirectoryNameWork - 1);
}

}  // namespace sallyport::pki
