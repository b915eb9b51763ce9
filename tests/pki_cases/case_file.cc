#include "tests/pki_cases/case_file.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "base/limits.h"
#include "pki/x509/pem.h"

namespace sallyport::pki_cases {
namespace {

using nlohmann::json;

[[noreturn]] void Die(const std::string& where, const std::string& what) {
  std::fprintf(stderr, "%s: %s\n", where.c_str(), what.c_str());
  std::exit(1);
}

std::string ReadWhole(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) Die(path.string(), "cannot be read");
  return std::string(std::istreambuf_iterator<char>(stream),
                     std::istreambuf_iterator<char>());
}

// An object whose fields must all be asked for, so that a misspelt
// expectation is not silently ignored.
class Fields {
 public:
  Fields(std::string where, const json& object)
      : where_(std::move(where)), object_(object) {
    if (!object.is_object()) Die(where_, "is not an object");
  }
  const json* Find(const char* name) {
    asked_.insert(name);
    const auto found = object_.find(name);
    return found == object_.end() ? nullptr : &*found;
  }
  const json& Get(const char* name) {
    const json* found = Find(name);
    if (found == nullptr) Die(where_, std::string("has no ") + name);
    return *found;
  }
  template <typename T>
  void Set(const char* name, T* out) {
    if (const json* found = Find(name)) *out = found->get<T>();
  }
  template <typename T>
  void Set(const char* name, std::optional<T>* out) {
    if (const json* found = Find(name)) *out = found->get<T>();
  }
  void Finish() {
    for (const auto& [name, value] : object_.items()) {
      if (asked_.count(name) == 0) Die(where_, "unknown field " + name);
    }
  }

 private:
  const std::string where_;
  const json& object_;
  std::set<std::string> asked_;
};

absl::Time ReadTime(const std::string& where, const std::string& text) {
  absl::Time time;
  std::string error;
  if (!absl::ParseTime(absl::RFC3339_full, text, &time, &error)) {
    Die(where, text + ": " + error);
  }
  return time;
}

pki::ChainPolicy ReadChainPolicy(const std::string& where,
                                 const std::string& text) {
  for (const auto policy :
       {pki::ChainPolicy::kCompleteChain, pki::ChainPolicy::kAnyAnchor}) {
    if (pki::ChainPolicyName(policy) == text) return policy;
  }
  Die(where, "unknown chain_policy " + text);
}

pki::VerifyPolicy ReadPolicy(const std::string& where, const json& object) {
  pki::VerifyPolicy policy;
  Fields fields(where + " policy", object);
  policy.chain_policy =
      ReadChainPolicy(where, fields.Get("chain_policy").get<std::string>());
  if (const json* rule = fields.Find("extended_key_usage")) {
    const std::string text = rule->get<std::string>();
    if (text == "require") {
      policy.extended_key_usage = pki::ExtendedKeyUsageRule::kRequire;
    } else if (text == "warn") {
      policy.extended_key_usage = pki::ExtendedKeyUsageRule::kWarn;
    } else if (text == "ignore") {
      policy.extended_key_usage = pki::ExtendedKeyUsageRule::kIgnore;
    } else {
      Die(where, "unknown extended_key_usage " + text);
    }
  }
  fields.Set("max_chain_length", &policy.max_chain_length);
  fields.Set("pin_leaf", &policy.pin_leaf);
  fields.Set("max_client_certificates", &policy.max_client_certificates);
  fields.Set("max_client_chain_bytes", &policy.max_client_chain_bytes);
  fields.Set("max_signature_checks", &policy.max_signature_checks);
  fields.Set("max_path_iterations", &policy.max_path_iterations);
  fields.Set("max_verified_paths", &policy.max_verified_paths);
  fields.Set("max_sent_name_checks", &policy.max_sent_name_checks);
  fields.Finish();
  return policy;
}

void ReadRevocation(const std::string& where, const json& object,
                    VerifyCheck* check) {
  Fields fields(where + " revocation", object);
  const std::string rule = fields.Get("rule").get<std::string>();
  const std::string scope = fields.Get("scope").get<std::string>();
  if (rule != "soft-fail" && rule != "hard-fail") Die(where, "unknown rule");
  if (scope != "chain" && scope != "leaf") Die(where, "unknown scope");
  check->uses_lists = true;
  check->rule = rule == "hard-fail" ? pki::RevocationRule::kHardFail
                                    : pki::RevocationRule::kSoftFail;
  check->scope = scope == "leaf" ? pki::RevocationScope::kLeaf
                                 : pki::RevocationScope::kChain;
  fields.Finish();
}

std::shared_ptr<const pki::DenyList> ReadDenyList(const std::string& where,
                                                  const json& object) {
  pki::DenyList::Entries entries;
  Fields fields(where + " deny.json", object);
  fields.Set("certificate_sha256", &entries.certificate_sha256);
  fields.Set("spki_sha256", &entries.spki_sha256);
  if (const json* serials = fields.Find("issuer_and_serial")) {
    for (const json& one : *serials) {
      Fields inner(where + " issuer_and_serial", one);
      entries.issuer_and_serial.push_back(
          {inner.Get("issuer").get<std::string>(),
           inner.Get("serial").get<std::string>()});
      inner.Finish();
    }
  }
  fields.Finish();
  auto list = pki::DenyList::Create(entries);
  if (!list.ok()) Die(where, std::string(list.status().message()));
  return *std::move(list);
}

VerifyCheck ReadVerifyCheck(const std::string& where, const json& object) {
  VerifyCheck check;
  Fields fields(where, object);
  check.name = fields.Get("name").get<std::string>();
  check.time = ReadTime(where, fields.Get("time").get<std::string>());
  check.policy = ReadPolicy(where, fields.Get("policy"));
  if (const json* revocation = fields.Find("revocation")) {
    ReadRevocation(where, *revocation, &check);
  }
  Fields expect(where + " " + check.name, fields.Get("expect"));
  check.reason = expect.Get("reason").get<std::string>();
  expect.Set("depth", &check.depth);
  expect.Set("path_length", &check.path_length);
  if (const json* recheck = expect.Find("recheck_at")) {
    const std::string text = recheck->get<std::string>();
    check.recheck_at =
        text == "never" ? absl::InfiniteFuture() : ReadTime(where, text);
  }
  expect.Set("extended_key_usage_warning", &check.extended_key_usage_warning);
  expect.Set("signature_checks_at_most", &check.signature_checks_at_most);
  expect.Set("path_iterations_at_most", &check.path_iterations_at_most);
  expect.Finish();
  fields.Finish();
  return check;
}

TruststoreCheck ReadTruststoreCheck(const std::string& where,
                                    const json& object) {
  TruststoreCheck check;
  Fields fields(where, object);
  check.name = fields.Get("name").get<std::string>();
  if (const json* limits = fields.Find("limits")) {
    Fields inner(where + " limits", *limits);
    inner.Set("max_bytes", &check.limits.max_bytes);
    inner.Set("max_certificates", &check.limits.max_certificates);
    inner.Finish();
  }
  Fields expect(where + " " + check.name, fields.Get("expect"));
  if (const json* error = expect.Find("error")) {
    Fields inner(where + " error", *error);
    check.error_reason = inner.Get("reason").get<std::string>();
    check.error_index = inner.Get("index").get<size_t>();
    check.error_line = inner.Get("line").get<size_t>();
    inner.Finish();
  } else {
    check.time = ReadTime(where, fields.Get("time").get<std::string>());
    check.policy =
        ReadChainPolicy(where, fields.Get("chain_policy").get<std::string>());
    check.certificates = expect.Get("certificates").get<size_t>();
    check.gives_trust = expect.Get("gives_trust").get<bool>();
    for (const json& warning : expect.Get("warnings")) {
      Fields inner(where + " warning", warning);
      ExpectedWarning expected;
      expected.index = inner.Get("index").get<size_t>();
      expected.line = inner.Get("line").get<size_t>();
      expected.subject = inner.Get("subject").get<std::string>();
      expected.reason = inner.Get("reason").get<std::string>();
      inner.Finish();
      check.warnings.push_back(std::move(expected));
    }
  }
  expect.Finish();
  fields.Finish();
  return check;
}

void LoadFolder(const std::filesystem::path& folder, Cases* out) {
  const std::string where = folder.filename().string();
  auto material = std::make_shared<Material>();
  material->case_name = where;
  material->truststore_pem = ReadWhole(folder / "truststore.pem");
  if (std::filesystem::exists(folder / "chain.pem")) {
    const std::string pem = ReadWhole(folder / "chain.pem");
    const pki::PemError error = pki::ReadPem(
        pem, limits::kMaxCertificateBytes, [&](const pki::PemBlock& block) {
          material->chain_der.emplace_back(block.data);
          return true;
        });
    if (!error.ok()) Die(where, "chain.pem: " + error.message);
  }
  if (std::filesystem::exists(folder / "lists.pem")) {
    material->lists_pem = ReadWhole(folder / "lists.pem");
    auto parsed = pki::RevocationLists::Parse({material->lists_pem});
    if (parsed.lists == nullptr) Die(where, parsed.error.ToString());
    material->lists = std::move(parsed.lists);
  }
  if (std::filesystem::exists(folder / "deny.json")) {
    const json deny = json::parse(ReadWhole(folder / "deny.json"), nullptr,
                                  /*allow_exceptions=*/false);
    if (deny.is_discarded()) Die(where, "deny.json is not JSON");
    material->deny = ReadDenyList(where, deny);
  }
  const json object = json::parse(ReadWhole(folder / "case.json"), nullptr,
                                  /*allow_exceptions=*/false);
  if (object.is_discarded()) Die(where, "case.json is not JSON");
  Fields fields(where, object);
  material->description = fields.Get("description").get<std::string>();
  const json* verify = fields.Find("verify");
  const json* truststore = fields.Find("truststore");
  if (verify == nullptr && truststore == nullptr) Die(where, "checks nothing");
  if (verify != nullptr) {
    for (const json& one : *verify) {
      out->verify.push_back(ReadVerifyCheck(where, one));
      out->verify.back().material = material;
      if (out->verify.back().uses_lists && material->lists == nullptr) {
        Die(where, "revocation without lists.pem");
      }
    }
  }
  if (truststore != nullptr) {
    for (const json& one : *truststore) {
      out->truststore.push_back(ReadTruststoreCheck(where, one));
      out->truststore.back().material = material;
    }
  }
  fields.Finish();
  ++out->num_folders;
}

}  // namespace

std::vector<absl::string_view> Material::Chain() const {
  return {chain_der.begin(), chain_der.end()};
}

pki::RevocationInputs VerifyCheck::Revocation() const {
  pki::RevocationInputs inputs;
  if (uses_lists) inputs.lists = material->lists.get();
  inputs.rule = rule;
  inputs.scope = scope;
  inputs.deny = material->deny.get();
  return inputs;
}

Cases LoadCases(const std::string& folder) {
  std::vector<std::filesystem::path> folders;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.is_directory()) folders.push_back(entry.path());
  }
  if (error) Die(folder, error.message());
  std::sort(folders.begin(), folders.end());
  Cases cases;
  for (const auto& one : folders) LoadFolder(one, &cases);
  return cases;
}

const Cases& AllCases() {
  static const Cases* const cases =
      new Cases(LoadCases("tests/pki_cases/cases"));
  return *cases;
}

std::string TestName(absl::string_view id) {
  std::string name(id);
  for (char& c : name) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c))) c = '_';
  }
  return name;
}

void PrintTo(const VerifyCheck& check, std::ostream* out) {
  *out << check.Id() << ": " << check.material->description;
}

void PrintTo(const TruststoreCheck& check, std::ostream* out) {
  *out << check.Id() << ": " << check.material->description;
}

}  // namespace sallyport::pki_cases
