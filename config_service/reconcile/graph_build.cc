// What each kind of unit is translated from.

#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "base/secret.h"
#include "base/status_macros.h"
#include "config_service/domain/domain_name.h"
#include "config_service/domain/server_certificate.h"
#include "config_service/domain/truststore.h"
#include "config_service/domain/violations.h"
#include "config_service/reconcile/graph.h"
#include "config_service/store/certificate_records.h"
#include "config_service/store/domain_records.h"
#include "config_service/store/fleet_records.h"
#include "config_service/store/list_records.h"
#include "config_service/store/records.h"
#include "config_service/xds/translate/names.h"
#include "pki/keys/private_key.h"

namespace sallyport::reconcile {
namespace {

using ::sallyport::xds::ResourceType;
using ::sallyport::xds::Translated;

// A stage with what it serves, kept alive.
struct StageParts {
  std::shared_ptr<const domain::Api> api;
  std::shared_ptr<const domain::Stage> stage;
  std::shared_ptr<const domain::Deployment> deployment;

  xds::StageInput input(const domain::BackendPolicy* backends) const {
    return {api.get(), stage.get(), deployment.get(), backends};
  }
};

absl::StatusOr<StageParts> LoadStage(const domain::StageName& name,
                                     Reader& reader,
                                     std::vector<std::string>& problems) {
  StageParts parts;
  SALLYPORT_ASSIGN_OR_RETURN(parts.api,
                             reader.Load<domain::Api>(name.parent()));
  SALLYPORT_ASSIGN_OR_RETURN(parts.stage, reader.Load<domain::Stage>(name));
  if (parts.api == nullptr || parts.stage == nullptr) {
    problems.push_back(absl::StrCat(
        parts.api == nullptr ? name.parent().ToString() : name.ToString(),
        " is not there"));
    return parts;
  }
  if (parts.stage->deployment.empty()) return parts;
  SALLYPORT_ASSIGN_OR_RETURN(parts.deployment,
                             reader.LoadDeployment(parts.stage->deployment));
  if (parts.deployment == nullptr) {
    problems.push_back(
        absl::StrCat(parts.stage->deployment.ToString(), " is not there"));
  }
  return parts;
}

// The problems of `output`, about `resource` unless they say otherwise.
void AddProblems(const xds::DomainOutput& output, const std::string& resource,
                 std::vector<std::string>& problems) {
  for (const xds::Problem& problem : output.problems) {
    problems.push_back(
        problem.resource == resource
            ? problem.message
            : absl::StrCat(problem.resource, ": ", problem.message));
  }
}

// One of `missing` that a backend of `output` needs; null: none.
const xds::ResourceKey* Lacks(const xds::DomainOutput& output,
                              const std::set<xds::ResourceKey>& missing) {
  for (const Translated& translated : output.resources) {
    if (translated.key.type != ResourceType::kCluster) continue;
    for (const xds::ResourceKey& key : translated.references) {
      const auto found = missing.find(key);
      if (found != missing.end()) return &*found;
    }
  }
  return nullptr;
}

// That Envoy will take the pair: it refuses a key that is another's, and with
// it every carrier that has the secret.
void CheckPair(absl::string_view chain_pem, const Secret& key_pem,
               std::vector<std::string>& problems) {
  const auto chain = domain::ReadStoredChain(chain_pem);
  if (!chain.ok() || chain->empty()) {
    problems.emplace_back("its certificate cannot be read");
    return;
  }
  const pki::PrivateKey::ReadResult key = pki::PrivateKey::FromPem(key_pem);
  if (key.key == nullptr) {
    problems.emplace_back("its private key cannot be read");
  } else if (!key.key->BelongsTo(*chain->front())) {
    problems.emplace_back("its private key is another certificate's");
  }
}

}  // namespace

absl::Status Graph::BuildDenyLists(Reader& reader, Built&) {
  SALLYPORT_ASSIGN_OR_RETURN(
      const std::vector<store::Record> records,
      reader.List(store::CollectionPrefix<domain::CertificateListName>()));
  std::vector<domain::CertificateListName> lists;
  for (const store::Record& record : records) {
    const domain::CertificateListName name(store::IdOfKey(record.key));
    SALLYPORT_ASSIGN_OR_RETURN(const domain::CertificateList list,
                               store::Decode(name, record));
    if (list.everywhere && list.kind == domain::CertificateList::Kind::kDeny) {
      lists.push_back(name);
    }
  }
  if (lists == deny_everywhere_) return absl::OkStatus();
  deny_everywhere_ = std::move(lists);
  Fire(kDenyListsInput);
  return absl::OkStatus();
}

absl::Status Graph::BuildProvider(const UnitId& id, Reader& reader,
                                  Built& built) {
  switch (id.kind) {
    case Kind::kRevocationList: {
      SALLYPORT_ASSIGN_OR_RETURN(const auto list,
                                 reader.Load<domain::RevocationList>(
                                     domain::RevocationListName(id.id)));
      built.exists = list != nullptr;
      if (!built.exists) return absl::OkStatus();
      SALLYPORT_ASSIGN_OR_RETURN(const xds::Pieces content,
                                 reader.Blob(store::BlobOf(*list)));
      built.resources.push_back(xds::TranslateRevocationList(*list, content));
      return absl::OkStatus();
    }
    case Kind::kCertificateList: {
      const domain::CertificateListName name(id.id);
      SALLYPORT_ASSIGN_OR_RETURN(const auto list,
                                 reader.Load<domain::CertificateList>(name));
      built.exists = list != nullptr;
      if (!built.exists) return absl::OkStatus();
      SALLYPORT_ASSIGN_OR_RETURN(const std::vector<store::Record> records,
                                 reader.List(store::EntriesPrefix(name)));
      std::vector<domain::CertificateListEntry> entries;
      for (const store::Record& record : records) {
        SALLYPORT_ASSIGN_OR_RETURN(domain::CertificateListEntry entry,
                                   store::DecodeEntry(name, record));
        entries.push_back(std::move(entry));
      }
      built.resources.push_back(xds::TranslateCertificateList(name, entries));
      return absl::OkStatus();
    }
    case Kind::kServerCertificate: {
      const domain::ServerCertificateName name(id.id);
      SALLYPORT_ASSIGN_OR_RETURN(const auto certificate,
                                 reader.Load<domain::ServerCertificate>(name));
      built.exists = certificate != nullptr;
      if (!built.exists) return absl::OkStatus();
      return BuildServerCertificate({name, certificate->active_version}, true,
                                    reader, built);
    }
    case Kind::kServerCertificateVersion: {
      SALLYPORT_ASSIGN_OR_RETURN(
          const auto name, domain::ServerCertificateVersionName::Parse(
                               absl::StrCat("serverCertificates/", id.id)));
      return BuildServerCertificate(name, false, reader, built);
    }
    case Kind::kClientCertificate: {
      const domain::ClientCertificateName name(id.id);
      SALLYPORT_ASSIGN_OR_RETURN(const auto record,
                                 reader.Get(store::KeyOf(name)));
      built.exists = record != nullptr;
      if (!built.exists) return absl::OkStatus();
      SALLYPORT_ASSIGN_OR_RETURN(const domain::ClientCertificate certificate,
                                 store::Decode(name, *record));
      SALLYPORT_ASSIGN_OR_RETURN(
          const Secret key, store::OpenPrivateKey(name, *record, *sealer_));
      CheckPair(certificate.certificate_chain_pem, key, built.problems);
      built.resources.push_back(xds::TranslateClientCertificate(
          name, certificate.certificate_chain_pem, key));
      return absl::OkStatus();
    }
    case Kind::kBackendTrust: {
      const domain::TruststoreName name(id.id);
      SALLYPORT_ASSIGN_OR_RETURN(const auto truststore,
                                 reader.Load<domain::Truststore>(name));
      built.exists = truststore != nullptr && truststore->active_version != 0;
      if (!built.exists) return absl::OkStatus();
      SALLYPORT_ASSIGN_OR_RETURN(
          const auto version,
          reader.Load<domain::TruststoreVersion>(
              domain::TruststoreVersionName(name, truststore->active_version)));
      built.exists = version != nullptr;
      if (!built.exists) return absl::OkStatus();
      SALLYPORT_ASSIGN_OR_RETURN(const xds::Pieces pem,
                                 reader.Blob(store::BlobOf(*version)));
      built.resources.push_back(xds::TranslateBackendTrust(name, pem));
      return absl::OkStatus();
    }
    default:
      return absl::InternalError("no provider");
  }
}

absl::Status Graph::BuildServerCertificate(
    const domain::ServerCertificateVersionName& name, bool is_active,
    Reader& reader, Built& built) {
  SALLYPORT_ASSIGN_OR_RETURN(const auto record, reader.Get(store::KeyOf(name)));
  built.exists = record != nullptr;
  if (!built.exists) return absl::OkStatus();
  SALLYPORT_ASSIGN_OR_RETURN(const domain::ServerCertificateVersion version,
                             store::Decode(name, *record));
  SALLYPORT_ASSIGN_OR_RETURN(const Secret key,
                             store::OpenPrivateKey(name, *record, *sealer_));
  const std::string& chain = version.certificate_chain_pem;
  CheckPair(chain, key, built.problems);
  built.resources.push_back(
      is_active ? xds::TranslateServerCertificate(name.parent(), chain, key)
                : xds::TranslateServerCertificate(name, chain, key));
  return absl::OkStatus();
}

absl::Status Graph::BuildTruststore(const UnitId& id, Reader& reader,
                                    Built& built) {
  const domain::TruststoreName name(id.id);
  SALLYPORT_ASSIGN_OR_RETURN(const auto truststore,
                             reader.Load<domain::Truststore>(name));
  built.exists = truststore != nullptr;
  if (!built.exists) return absl::OkStatus();
  std::vector<int64_t> pinned;
  const auto pins = pins_.find(id.id);
  if (pins != pins_.end()) {
    for (const auto& [version, count] : pins->second) {
      pinned.push_back(version);
    }
  }
  std::set<int64_t> numbers(pinned.begin(), pinned.end());
  for (const int64_t number :
       {truststore->active_version, truststore->shadow_version}) {
    if (number != 0) numbers.insert(number);
  }
  std::vector<xds::TruststoreContent> contents;
  for (const int64_t number : numbers) {
    const domain::TruststoreVersionName version_name(name, number);
    SALLYPORT_ASSIGN_OR_RETURN(
        const auto version,
        reader.Load<domain::TruststoreVersion>(version_name));
    if (version == nullptr) {
      // Who pins it finds it missing.
      if (number != truststore->active_version) continue;
      built.problems.push_back(
          absl::StrCat(version_name.ToString(), " is not there"));
      return absl::OkStatus();
    }
    xds::TruststoreContent content;
    content.version = number;
    content.sha256 = version->sha256;
    SALLYPORT_ASSIGN_OR_RETURN(content.pem,
                               reader.Blob(store::BlobOf(*version)));
    // The module reads it in the same way, and refuses what cannot be read.
    std::string text;
    for (const auto& piece : content.pem) text += *piece;
    domain::Violations violations;
    if (domain::ReadBundle(version_name.ToString(), text, truststore->Limits(),
                           violations) == nullptr) {
      built.problems.push_back(
          absl::StrCat(version_name.ToString(), " cannot be read"));
    }
    contents.push_back(std::move(content));
  }
  if (!built.problems.empty()) return absl::OkStatus();
  built.resources = xds::TranslateTruststore(*truststore, contents, pinned);
  return absl::OkStatus();
}

absl::Status Graph::BuildDomain(const UnitId& id, const Unit& unit,
                                Reader& reader, Built& built) {
  const domain::DomainNameName name(id.id);
  // First: also of a domain that cannot be read it counts what it maps.
  SALLYPORT_ASSIGN_OR_RETURN(
      const std::vector<store::Record> records,
      reader.List(store::ChildrenPrefix<domain::ApiMappingName>(name)));
  std::vector<domain::ApiMapping> mappings;
  for (const store::Record& record : records) {
    SALLYPORT_ASSIGN_OR_RETURN(
        domain::ApiMapping mapping,
        store::Decode(domain::ApiMappingName(name, store::IdOfKey(record.key)),
                      record));
    built.apis.insert(mapping.stage.parent().id());
    mappings.push_back(std::move(mapping));
  }
  SALLYPORT_ASSIGN_OR_RETURN(const auto domain_name,
                             reader.Load<domain::DomainName>(name));
  built.exists = domain_name != nullptr;
  if (!built.exists) return absl::OkStatus();
  for (const domain::FleetName& fleet : domain_name->Fleets()) {
    built.fleets.insert(fleet.id());
    if (fleet == domain::DefaultFleet()) continue;
    SALLYPORT_ASSIGN_OR_RETURN(const auto record,
                               reader.Get(store::KeyOf(fleet)));
    if (record == nullptr) {
      built.problems.push_back(absl::StrCat(fleet.ToString(), " is not there"));
    }
  }

  xds::DomainInput input;
  input.domain_name = domain_name.get();
  std::vector<StageParts> stages;
  for (const domain::ApiMapping& mapping : mappings) {
    SALLYPORT_ASSIGN_OR_RETURN(
        StageParts parts, LoadStage(mapping.stage, reader, built.problems));
    stages.push_back(std::move(parts));
    for (const auto& list : mapping.allow_lists) built.lists.insert(list.id());
  }
  if (!built.problems.empty()) return absl::OkStatus();
  for (size_t i = 0; i < mappings.size(); ++i) {
    input.mappings.push_back({&mappings[i], stages[i].input(&backends_)});
  }

  xds::Carried carried;
  carried.name = xds::DomainResource(id.id);
  carried.certificate_secret = xds::CertificateSecretOf(*domain_name);
  if (domain_name->mutual_tls.has_value()) {
    carried.validation_secret = xds::BindingSecret(id.id);
    for (const auto& binding : domain_name->mutual_tls->truststores) {
      if (binding.version.empty()) continue;
      built.pins.insert({binding.truststore.id(), binding.version.number()});
      SALLYPORT_ASSIGN_OR_RETURN(
          const auto version,
          reader.Load<domain::TruststoreVersion>(binding.version));
      if (version == nullptr) continue;  // the translation says so
      input.pinned.push_back({binding.version, version->sha256});
    }
    for (const auto& list : domain_name->mutual_tls->allow_lists) {
      built.lists.insert(list.id());
    }
    input.deny_everywhere = deny_everywhere_;
    reader.noted()->insert(kDenyListsInput);
  }
  built.carried = std::move(carried);
  xds::DomainOutput output = xds::TranslateDomain(input);
  AddProblems(output, name.ToString(), built.problems);
  built.resources = std::move(output.resources);

  // Routes that ask for a list may be in force a little longer than the binding
  // that has it.
  if (!domain_name->mutual_tls.has_value() || !built.problems.empty()) {
    return absl::OkStatus();
  }
  for (const std::string& list : KeptLists(unit)) {
    if (built.lists.count(list) == 0) {
      input.kept_lists.emplace_back(list);
    }
  }
  for (const auto& list : input.kept_lists) built.kept_lists.insert(list.id());
  if (input.kept_lists.empty()) return absl::OkStatus();
  xds::DomainOutput meanwhile = xds::TranslateDomain(input);
  const std::string binding = xds::BindingSecret(id.id);
  for (Translated& translated : meanwhile.resources) {
    if (translated.key.type == ResourceType::kSecret &&
        translated.key.name == binding) {
      built.meanwhile = std::move(translated);
    }
  }
  return absl::OkStatus();
}

std::set<std::string> Graph::KeptLists(const Unit& unit) const {
  std::set<std::string> lists = unit.lists;
  const bool in_force =
      std::all_of(unit.state.fleets.begin(), unit.state.fleets.end(),
                  [&](const std::string& fleet) {
                    return published_(fleet) >= unit.state.changed_revision;
                  });
  if (!in_force) lists.insert(unit.kept_lists.begin(), unit.kept_lists.end());
  return lists;
}

absl::Status Graph::BuildDefaultEndpoints(
    const UnitId& id, Reader& reader, const std::set<xds::ResourceKey>& missing,
    Built& built) {
  const domain::FleetName name(id.id);
  SALLYPORT_ASSIGN_OR_RETURN(const auto fleet,
                             reader.Load<domain::Fleet>(name));
  built.exists = fleet != nullptr;
  if (!built.exists || fleet->default_endpoint_suffix.empty()) {
    return absl::OkStatus();
  }
  built.fleets.insert(id.id);
  SALLYPORT_ASSIGN_OR_RETURN(
      const std::vector<std::string> keys,
      reader.Keys(store::CollectionPrefix<domain::ApiName>()));
  xds::DefaultEndpointsInput input;
  input.fleet = fleet.get();
  std::vector<StageParts> parts;
  for (const std::string& key : keys) {
    const domain::ApiName api_name(store::IdOfKey(key));
    SALLYPORT_ASSIGN_OR_RETURN(const auto api,
                               reader.Load<domain::Api>(api_name));
    if (api == nullptr) continue;
    // What domains of other fleets alone have is none of this fleet's nodes'
    // business: its backends, and the keys it shows them.
    reader.noted()->insert(MappedInput(api_name.id()));
    const auto mapped = mapped_.find(api_name.id());
    if (mapped != mapped_.end() && mapped->second.by_fleet.count(id.id) == 0) {
      continue;
    }
    xds::DefaultEndpointsInput::Api one;
    SALLYPORT_ASSIGN_OR_RETURN(
        const std::vector<std::string> stages,
        reader.Keys(store::ChildrenPrefix<domain::StageName>(api_name)));
    for (const std::string& stage : stages) {
      const size_t num_warnings = built.warnings.size();
      SALLYPORT_ASSIGN_OR_RETURN(
          StageParts loaded,
          LoadStage(domain::StageName(api_name, store::IdOfKey(stage)), reader,
                    built.warnings));
      if (built.warnings.size() != num_warnings) continue;
      one.stages.push_back(loaded.input(&backends_));
      parts.push_back(std::move(loaded));
    }
    parts.push_back({api, nullptr, nullptr});
    one.api = api.get();
    input.apis.push_back(std::move(one));
  }
  xds::DomainOutput output = xds::TranslateDefaultEndpoints(input);
  if (!output.problems.empty() || !missing.empty()) {
    AddProblems(output, name.ToString(), built.warnings);
    for (xds::DefaultEndpointsInput::Api& api : input.apis) {
      const xds::DomainOutput alone =
          xds::TranslateDefaultEndpoints({input.fleet, {api}});
      const xds::ResourceKey* const lacks = Lacks(alone, missing);
      if (lacks != nullptr) {
        built.warnings.push_back(absl::StrCat(
            api.api->name.ToString(), ": ", WhyMissing(*lacks),
            "; until it is, the API's default endpoint answers 403"));
      }
      if (lacks != nullptr || !alone.problems.empty()) api.stages.clear();
    }
    output = xds::TranslateDefaultEndpoints(input);
    AddProblems(output, name.ToString(), built.problems);
  }
  built.resources = std::move(output.resources);
  domain::DomainName shown;
  shown.server_certificate = fleet->default_endpoint_certificate;
  xds::Carried carried;
  carried.name = xds::kDefaultEndpoints;
  carried.certificate_secret = xds::CertificateSecretOf(shown);
  built.carried = std::move(carried);
  return absl::OkStatus();
}

absl::Status Graph::BuildFleet(const UnitId& id, Reader& reader, Built& built) {
  const domain::FleetName name(id.id);
  SALLYPORT_ASSIGN_OR_RETURN(const auto fleet,
                             reader.Load<domain::Fleet>(name));
  if (fleet == nullptr && name == domain::DefaultFleet()) {
    domain::Fleet made;
    made.name = name;
    SetFleet(id.id, std::move(made));
    return absl::OkStatus();
  }
  built.exists = fleet != nullptr;
  if (built.exists) SetFleet(id.id, *fleet);
  return absl::OkStatus();
}

}  // namespace sallyport::reconcile
