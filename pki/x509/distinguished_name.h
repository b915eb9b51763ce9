// Distinguished names: from text to DER, from DER to what is compared.

#ifndef SALLYPORT_PKI_X509_DISTINGUISHED_NAME_H_
#define SALLYPORT_PKI_X509_DISTINGUISHED_NAME_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sallyport::pki {

// ParseDistinguishedName: the DER of the Name (its SEQUENCE) that `text`
// writes: RFC 4514, and so everything that Certificate::Subject() and
// sallyportctl print. The last RDN comes first ("CN=a,O=b,C=DE").
//
// Types: what AttributeTypeOid() knows, any short name that BoringSSL prints,
// and dotted object identifiers. Text values become UTF8String; a value of
// '#' and hexadecimal digits is taken as that DER, tag included. Beyond RFC
// 4514, blanks around types and values are left out ("CN = a, O = b").
//
// InvalidArgument: anything else, an empty name included; the message says
// where and how to mend it, and holds no part of the text.
absl::StatusOr<std::string> ParseDistinguishedName(absl::string_view text);

// AttributeTypeOid: the contents of the DER OBJECT IDENTIFIER of an attribute
// type: CN, O, OU, C, L, ST, STREET, DC, UID, SERIALNUMBER, EMAILADDRESS and
// some rarer ones, in any case, or an identifier in dots. Mind that SN is the
// surname, as everywhere. Nothing when `type` is none of these.
std::optional<std::string> AttributeTypeOid(absl::string_view type);

// NormalizeName: the form in which two names are the same bytes exactly when
// they match by RFC 5280, 7.1, as far as chain building goes here: string
// types PrintableString, UTF8String, IA5String, BMPString and UniversalString
// in UTF-8, ASCII letters in lower case, blanks at the ends left out and runs
// of blanks one; all other types byte for byte with their tag. It is what
// ParsedCertificate::normalized_subject() holds: the RDNs without the SEQUENCE
// around them. Nothing when `name_der` is no Name or has a string that its
// type cannot hold.
std::optional<std::string> NormalizeName(absl::string_view name_der);

// One attribute of a name, also when it is no text (which NameAttributes() of
// name.h leaves out): what decides must know that there is something.
struct DnAttribute {
  // Contents of the type's OBJECT IDENTIFIER; a view into the name.
  absl::string_view type;
  // The value in UTF-8, which may hold any character, NUL included. Read from
  // UTF8String, PrintableString, IA5String, NumericString, VisibleString,
  // BMPString, UniversalString, and from T61String as Latin-1 (as OpenSSL
  // does). Nothing for another type, and when it is not valid.
  std::optional<std::string> text;
  // The value is of a type that NormalizeName() brings into one form.
  bool normalizes = false;
};

// ReadDnAttributes: all attributes of a Name, in its order, those of
// multi-valued RDNs one after the other. Nothing when it is no Name.
std::optional<std::vector<DnAttribute>> ReadDnAttributes(
    absl::string_view name_der);

// IsUtf8: valid UTF-8 without surrogates and noncharacters.
bool IsUtf8(absl::string_view text);

}  // namespace sallyport::pki

#endif  // SALLYPORT_PKI_X509_DISTINGUISHED_NAME_H_
