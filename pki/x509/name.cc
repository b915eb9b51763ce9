#include "pki/x509/name.h"

#include <openssl/asn1.h>
#include <openssl/mem.h>
#include <openssl/obj.h>
#include <openssl/x509.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace sallyport::pki {
namespace {

std::string DottedType(const ASN1_OBJECT* object) {
  constexpr int kAlwaysDots = 1;
  const int len = OBJ_obj2txt(nullptr, 0, object, kAlwaysDots);
  if (len <= 0) return "";
  std::vector<char> text(static_cast<size_t>(len) + 1);
  OBJ_obj2txt(text.data(), static_cast<int>(text.size()), object, kAlwaysDots);
  return std::string(text.data(), static_cast<size_t>(len));
}

}  // namespace

std::vector<NameAttribute> NameAttributes(absl::string_view der) {
  std::vector<NameAttribute> out;
  const auto* at = reinterpret_cast<const uint8_t*>(der.data());
  const uint8_t* const end = at + der.size();
  const bssl::UniquePtr<X509_NAME> name(
      d2i_X509_NAME(nullptr, &at, static_cast<long>(der.size())));
  if (name == nullptr || at != end) return out;
  const int count = X509_NAME_entry_count(name.get());
  out.reserve(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) {
    const X509_NAME_ENTRY* entry = X509_NAME_get_entry(name.get(), i);
    unsigned char* utf8 = nullptr;
    const int len = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(entry));
    if (len < 0) continue;  // not text
    const bssl::UniquePtr<unsigned char> owned(utf8);
    std::string type = DottedType(X509_NAME_ENTRY_get_object(entry));
    if (type.empty()) continue;
    out.push_back({std::move(type), std::string(reinterpret_cast<char*>(utf8),
                                                static_cast<size_t>(len))});
  }
  return out;
}

}  // namespace sallyport::pki
