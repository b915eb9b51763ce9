#include "filters/forwarding/parts.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace sallyport::forwarding {

std::vector<Header> Assemble(const Parts& parts) {
  std::vector<Header> headers;
  for (const Part& part : parts) {
    if (!headers.empty() && headers.back().name == part.header) {
      absl::StrAppend(&headers.back().value, part.separator, part.text);
    } else {
      headers.push_back({std::string(part.header), part.text});
    }
  }
  return headers;
}

bool IsUnreserved(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
         (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == '~';
}

void AppendPercent(char c, std::string* out) {
  constexpr char kHex[] = "0123456789ABCDEF";
  const unsigned char byte = static_cast<unsigned char>(c);
  out->push_back('%');
  out->push_back(kHex[byte >> 4]);
  out->push_back(kHex[byte & 15]);
}

std::string UrlEncodedPem(const pki::Certificate& certificate,
                          absl::string_view safe) {
  const std::string pem = certificate.Pem();
  std::string out;
  out.reserve(pem.size() + pem.size() / 8);
  // PEM is mostly letters and digits: copy them in runs.
  size_t run = 0;
  for (size_t i = 0; i < pem.size(); ++i) {
    const char c = pem[i];
    if (IsUnreserved(c) || safe.find(c) != absl::string_view::npos) continue;
    out.append(pem, run, i - run);
    AppendPercent(c, &out);
    run = i + 1;
  }
  out.append(pem, run, std::string::npos);
  return out;
}

std::string UrlEncodedPem(Chain chain, absl::string_view safe) {
  std::string out;
  for (const auto& certificate : chain) {
    out += UrlEncodedPem(*certificate, safe);
  }
  return out;
}

std::string WholeValueName(std::string name) {
  if (absl::EndsWith(name, "\\ ")) {
    name.pop_back();
    name += "20";
  }
  return name;
}

Chain WithoutRoot(Chain chain) {
  if (chain.size() < 2 || !chain.back()->self_issued()) return chain;
  const absl::string_view root = chain.back()->der();
  while (chain.size() > 1 && chain.back()->der() == root) {
    chain.remove_suffix(1);
  }
  return chain;
}

}  // namespace sallyport::forwarding
