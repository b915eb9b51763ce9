#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/text.h"
#include "filters/forwarding/forwarding.h"
#include "filters/forwarding/parts.h"
#include "pki/x509/certificate.h"
#include "proto/sallyport/filter/v1/config.pb.h"

namespace sallyport::forwarding {
namespace {

using ::sallyport::filter::v1::Forwarding;
using ::sallyport::pki::Certificate;

constexpr absl::string_view kXfccHeader = "x-forwarded-client-cert";

// Whether RFC 4514 text can stand between quotes as it is: every quote in it
// is escaped and no backslash is left over at its end.
bool EscapesItsQuotes(absl::string_view name) {
  bool escaped = false;
  for (char c : name) {
    if (escaped) {
      escaped = false;
    } else if (c == '\\') {
      escaped = true;
    } else if (c == '"') {
      return false;
    }
  }
  return !escaped;
}

// Every name as key=value, joined by ';'.
std::string XfccNames(absl::string_view key,
                      const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) {
    absl::StrAppend(&out, out.empty() ? "" : ";", XfccName(key, name));
  }
  return out;
}

}  // namespace

void AddXfcc(const Forwarding::Xfcc& config, Chain chain, Parts* parts) {
  const Certificate& leaf = *chain[0];
  const auto add = [parts](absl::string_view label, Drop drop,
                           std::string text) {
    parts->push_back({kXfccHeader, ";", label, drop, std::move(text)});
  };
  add("x-forwarded-client-cert/Hash", Drop::kXfccHash,
      absl::StrCat("Hash=", HexLower(pki::AsBytes(leaf.fingerprint()))));
  if (config.cert()) {
    add("x-forwarded-client-cert/Cert", Drop::kXfccCert,
        absl::StrCat("Cert=\"", UrlEncodedPem(leaf, ""), "\""));
  }
  if (config.chain()) {
    add("x-forwarded-client-cert/Chain", Drop::kXfccChain,
        absl::StrCat("Chain=\"", UrlEncodedPem(chain, ""), "\""));
  }
  if (config.subject()) {
    add("x-forwarded-client-cert/Subject", Drop::kXfccSubject,
        XfccSubject(leaf.Subject()));
  }
  if (!config.uri() && !config.dns()) return;
  const pki::SubjectAltNames names = leaf.AltNames();
  if (config.uri()) {
    add("x-forwarded-client-cert/URI", Drop::kXfccUri,
        names.uri.empty() ? "URI=" : XfccNames("URI", names.uri));
  }
  if (config.dns() && !names.dns.empty()) {
    add("x-forwarded-client-cert/DNS", Drop::kXfccDns,
        XfccNames("DNS", names.dns));
  }
}

std::string XfccSubject(absl::string_view name) {
  std::string subject(name);
  if (!EscapesItsQuotes(subject)) {
    // Not the text that Certificate::Subject() promises.
    std::string escaped;
    for (char c : subject) {
      if (c == '"' || c == '\\') escaped.push_back('\\');
      escaped.push_back(c);
    }
    subject = std::move(escaped);
  }
  // Before the closing quote, readers that know \" but not \\ would take a
  // backslash for the escape of that quote.
  if (absl::EndsWith(subject, "\\\\")) {
    subject.resize(subject.size() - 2);
    subject += "\\5C";
  }
  return absl::StrCat("Subject=\"", subject, "\"");
}

std::string XfccName(absl::string_view key, absl::string_view name) {
  bool quote = !name.empty() && (name.front() == ' ' || name.back() == ' ');
  std::string value;
  value.reserve(name.size() + 2);
  for (char c : name) {
    if (c < 0x20 || c > 0x7e || c == '\\') {
      AppendPercent(c, &value);
      continue;
    }
    if (c == ',' || c == ';' || c == '=' || c == '"') quote = true;
    if (c == '"') value.push_back('\\');
    value.push_back(c);
  }
  const absl::string_view mark = quote ? "\"" : "";
  return absl::StrCat(key, "=", mark, value, mark);
}

std::string EncodeXfcc(const Forwarding::Xfcc& config, Chain sent) {
  Parts parts;
  AddXfcc(config, WithoutRoot(sent), &parts);
  return Assemble(parts)[0].value;
}

}  // namespace sallyport::forwarding
