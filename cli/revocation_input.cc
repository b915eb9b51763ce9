#include "cli/revocation_input.h"

#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/text.h"
#include "cli/input.h"
#include "cli/options.h"
#include "cli/spelling.h"
#include "nlohmann/json.hpp"

namespace sallyport::cli {
namespace {

using nlohmann::json;

// Room for limits::kMaxDenyListEntries fingerprints with colons.
constexpr size_t kMaxDenyFileBytes = size_t{64} << 20;

absl::Status Wrong(absl::string_view where, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(where, " ", what));
}

// The file's text; neither of them can be standard input.
absl::StatusOr<std::string> ReadFileOf(const std::string& what,
                                       const std::string& path,
                                       size_t max_bytes) {
  std::istringstream nothing;
  absl::StatusOr<std::string> text = ReadInput(path, max_bytes, nothing);
  if (!text.ok()) {
    return absl::Status(
        text.status().code(),
        absl::StrCat("cannot read ", what, ": ", text.status().message(), "; ",
                     Remedy(text.status())));
  }
  return text;
}

absl::Status ReadString(const std::string& where, const json& value,
                        std::string* out) {
  if (!value.is_string()) return Wrong(where, "is no string");
  *out = value.get<std::string>();
  return absl::OkStatus();
}

absl::Status ReadStrings(const std::string& where, const json& value,
                         std::vector<std::string>* out) {
  if (!value.is_array()) return Wrong(where, "is no list");
  for (const json& element : value) {
    std::string text;
    absl::Status status =
        ReadString(absl::StrCat(where, "[", out->size(), "]"), element, &text);
    if (!status.ok()) return status;
    out->push_back(std::move(text));
  }
  return absl::OkStatus();
}

absl::Status ReadIssuerAndSerial(const std::string& where, const json& value,
                                 pki::DenyList::Entries::IssuerAndSerial* out) {
  if (!value.is_object()) return Wrong(where, "is no object");
  for (const auto& [key, member] : value.items()) {
    const std::string at = absl::StrCat(where, ".", Printable(key, 64));
    absl::Status status;
    if (key == "issuer") {
      status = ReadString(at, member, &out->issuer);
    } else if (key == "serial") {
      status = ReadString(at, member, &out->serial);
    } else {
      status = Wrong(at, "is not known; issuer and serial are");
    }
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace

void AddRevocationOptions(CLI::App& app, RevocationOptions* options) {
  app.add_option("--crl", options->crls,
                 "certificate revocation lists, PEM or DER; can be repeated")
      ->allow_extra_args(false)
      ->type_name(kFileType);
  TakeConfigurationSpelling(AddChoiceOption<pki::RevocationRule>(
      app, "--crl-rule", &options->rule,
      {{"soft-fail", pki::RevocationRule::kSoftFail},
       {"hard-fail", pki::RevocationRule::kHardFail}},
      "whether a certificate that no list covers counts as not "
      "revoked\n(soft-fail) or as revoked. Default: soft-fail"));
  TakeConfigurationSpelling(AddChoiceOption<pki::RevocationScope>(
      app, "--crl-scope", &options->scope,
      {{"chain", pki::RevocationScope::kChain},
       {"leaf", pki::RevocationScope::kLeaf}},
      "whether every certificate is looked up, but a self-signed anchor, or "
      "only\nthe client's. Default: chain"));
  app.add_option("--deny", options->deny,
                 "a deny list: the message DenyList of the "
                 "module's\nconfiguration, in JSON")
      ->type_name(kFileType);
}

void CheckRevocationOptions(const RevocationOptions& options) {
  const RevocationOptions defaults;
  if (options.crls.empty() && options.rule != defaults.rule) {
    throw CLI::ValidationError("--crl-rule", "counts only with --crl");
  }
  if (options.crls.empty() && options.scope != defaults.scope) {
    throw CLI::ValidationError("--crl-scope", "counts only with --crl");
  }
  for (const std::string& path : options.crls) {
    if (path == "-") {
      throw CLI::ValidationError("--crl", "cannot be standard input");
    }
  }
  if (options.deny == "-") {
    throw CLI::ValidationError("--deny", "cannot be standard input");
  }
}

absl::StatusOr<std::shared_ptr<const pki::DenyList>> ReadDenyList(
    absl::string_view text) {
  const json object = json::parse(text.begin(), text.end(), nullptr,
                                  /*allow_exceptions=*/false);
  if (!object.is_object()) {
    return absl::InvalidArgumentError("is no JSON object");
  }
  pki::DenyList::Entries entries;
  for (const auto& [key, value] : object.items()) {
    absl::Status status;
    // Both spellings of the protobuf JSON mapping.
    if (key == "certificate_sha256" || key == "certificateSha256") {
      status = ReadStrings(key, value, &entries.certificate_sha256);
    } else if (key == "spki_sha256" || key == "spkiSha256") {
      status = ReadStrings(key, value, &entries.spki_sha256);
    } else if (key == "issuer_and_serial" || key == "issuerAndSerial") {
      if (!value.is_array()) status = Wrong(key, "is no list");
      for (size_t i = 0; status.ok() && i < value.size(); ++i) {
        pki::DenyList::Entries::IssuerAndSerial entry;
        status = ReadIssuerAndSerial(absl::StrCat(key, "[", i, "]"), value[i],
                                     &entry);
        entries.issuer_and_serial.push_back(std::move(entry));
      }
    } else if (key == "file") {
      status = Wrong(key, "cannot be set in a deny list that is a file");
    } else {
      status = Wrong(Printable(key, 64),
                     "is not known; certificate_sha256, spki_sha256 and "
                     "issuer_and_serial are");
    }
    if (!status.ok()) return status;
  }
  return pki::DenyList::Create(entries);
}

absl::StatusOr<RevocationInput> LoadRevocation(
    const RevocationOptions& options) {
  RevocationInput out;
  out.inputs.rule = options.rule;
  out.inputs.scope = options.scope;
  if (!options.crls.empty()) {
    std::vector<std::string> files;
    for (const std::string& path : options.crls) {
      absl::StatusOr<std::string> file =
          ReadFileOf("the revocation lists", path, limits::kMaxRevocationBytes);
      if (!file.ok()) return file.status();
      files.push_back(*std::move(file));
    }
    const std::vector<absl::string_view> sources(files.begin(), files.end());
    pki::RevocationLists::ParseResult parsed =
        pki::RevocationLists::Parse(sources);
    if (parsed.lists == nullptr) {
      const size_t source = parsed.error.source;
      parsed.error.source = 0;
      return absl::InvalidArgumentError(absl::StrCat(
          "the revocation lists",
          source == 0
              ? ""
              : absl::StrCat(" in ", Printable(options.crls[source - 1])),
          " are refused: ", pki::ReasonName(parsed.error.reason), ": ",
          Printable(parsed.error.ToString(), 2048),
          "; run 'sallyportctl crl check' on it"));
    }
    out.lists = std::move(parsed.lists);
    out.inputs.lists = out.lists.get();
  }
  if (!options.deny.empty()) {
    absl::StatusOr<std::string> file =
        ReadFileOf("the deny list", options.deny, kMaxDenyFileBytes);
    if (!file.ok()) return file.status();
    absl::StatusOr<std::shared_ptr<const pki::DenyList>> deny =
        ReadDenyList(*file);
    if (!deny.ok()) {
      return absl::Status(
          deny.status().code(),
          absl::StrCat(
              "the deny list ", Printable(options.deny),
              " is refused: ", Printable(deny.status().message(), 2048)));
    }
    out.deny = *std::move(deny);
    out.inputs.deny = out.deny.get();
  }
  return out;
}

}  // namespace sallyport::cli
