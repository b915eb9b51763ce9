#include "config_service/aws/tags.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "config_service/aws/errors.h"
#include "config_service/domain/violations.h"

namespace sallyport::aws {
namespace {

using domain::Labels;
using domain::Violations;

constexpr int kNotFound = 404;

absl::Status NoSuch(absl::string_view arn) {
  return MakeError(kNotFound, "NotFoundException",
                   absl::StrCat("Invalid ARN specified: ", Printable(arn, 300),
                                ". Tags are those of REST APIs, stages, client "
                                "certificates and domain names"));
}

template <typename Name>
bool IsId(absl::string_view text) {
  return domain::CheckId(Name::kIdRule, text).ok();
}

}  // namespace

void Tags::AddTo(Handlers& handlers) {
  const auto add = [&](absl::string_view name,
                       absl::StatusOr<Json> (Tags::*run)(const Call&)) {
    handlers[{Service::kApiGateway, name}] = [this, run](const Call& call) {
      return (this->*run)(call);
    };
  };
  add("TagResource", &Tags::Add);
  add("GetTags", &Tags::Get);
  add("UntagResource", &Tags::Remove);
}

absl::StatusOr<Labels> Tags::LabelsOf(const Call& call,
                                      const ChangeLabels& change) {
  const std::string& arn = call.path.at("resource_arn");
  absl::string_view rest = arn;
  if (!absl::ConsumePrefix(&rest, absl::StrCat("arn:aws:apigateway:",
                                               installation_.region, "::/"))) {
    return NoSuch(arn);
  }
  const std::vector<std::string> parts = absl::StrSplit(rest, '/');
  // Reads it, and writes it with other labels, in the same way for each kind.
  const auto run = [&](auto resource, auto update) -> absl::StatusOr<Labels> {
    if (change == nullptr) return resource.metadata.labels;
    change(resource.metadata.labels);
    Labels labels = resource.metadata.labels;
    SALLYPORT_RETURN_IF_ERROR(update(std::move(resource)));
    return labels;
  };
  if (parts.size() == 2 && parts[0] == "restapis" &&
      IsId<domain::ApiName>(parts[1])) {
    SALLYPORT_ASSIGN_OR_RETURN(const service::ApiView view,
                               apis_.GetApi(domain::ApiName(parts[1])));
    return run(view.api, [&](const domain::Api& api) {
      return apis_.UpdateApi(call.caller, call.write, api, {"labels"}).status();
    });
  }
  if (parts.size() == 4 && parts[0] == "restapis" && parts[2] == "stages" &&
      IsId<domain::ApiName>(parts[1]) && IsId<domain::StageName>(parts[3])) {
    SALLYPORT_ASSIGN_OR_RETURN(
        const service::StageView view,
        apis_.GetStage(domain::StageName(domain::ApiName(parts[1]), parts[3])));
    return run(view.stage, [&](const domain::Stage& stage) {
      return apis_.UpdateStage(call.caller, call.write, stage, {"labels"})
          .status();
    });
  }
  if (parts.size() == 2 && parts[0] == "clientcertificates" &&
      IsId<domain::ClientCertificateName>(parts[1])) {
    SALLYPORT_ASSIGN_OR_RETURN(
        const service::ClientCertificateView view,
        certificates_.Get(domain::ClientCertificateName(parts[1])));
    return run(view.certificate, [&](domain::ClientCertificate certificate) {
      service::ClientCertificates::UpdateRequest request;
      request.certificate = std::move(certificate);
      request.mask = {"labels"};
      return certificates_.Update(call.caller, call.write, request).status();
    });
  }
  const std::string host =
      parts.size() == 2 ? absl::AsciiStrToLower(parts[1]) : "";
  if (parts[0] == "domainnames" && IsId<domain::DomainNameName>(host)) {
    SALLYPORT_ASSIGN_OR_RETURN(const service::DomainNameView view,
                               domain_names_.Get(domain::DomainNameName(host)));
    return run(view.domain_name, [&](domain::DomainName domain_name) {
      service::DomainNames::UpdateRequest request;
      request.domain_name = std::move(domain_name);
      request.mask = {"labels"};
      return domain_names_.Update(call.caller, call.write, request).status();
    });
  }
  return NoSuch(arn);
}

absl::StatusOr<Json> Tags::Add(const Call& call) {
  Violations violations;
  RefuseQuery(call.query, {}, violations);
  Fields fields(call.body, "", violations);
  const auto tags = fields.StringMap("tags");
  fields.Finish();
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  SALLYPORT_RETURN_IF_ERROR(LabelsOf(call, [&](domain::Labels& labels) {
                              for (const auto& [key, value] : tags)
                                labels[key] = value;
                            }).status());
  return Json();
}

absl::StatusOr<Json> Tags::Get(const Call& call) {
  Violations violations;
  // All are in one answer.
  RefuseQuery(call.query, {"limit"}, violations);
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  SALLYPORT_ASSIGN_OR_RETURN(const domain::Labels labels,
                             LabelsOf(call, nullptr));
  return Json{{"tags", TagsJson(labels)}};
}

absl::StatusOr<Json> Tags::Remove(const Call& call) {
  Violations violations;
  RefuseQuery(call.query, {"tagKeys"}, violations);
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  SALLYPORT_RETURN_IF_ERROR(LabelsOf(call, [&](domain::Labels& labels) {
                              for (const auto& [name, key] : call.query)
                                labels.erase(key);
                            }).status());
  return Json();
}

}  // namespace sallyport::aws
