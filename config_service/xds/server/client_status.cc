#include "config_service/xds/server/client_status.h"

#include <grpcpp/grpcpp.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/status_macros.h"
#include "config_service/xds/server/stream.h"
#include "envoy/service/status/v3/csds.grpc.pb.h"

namespace sallyport::xds {
namespace {

namespace status = envoy::service::status::v3;
using envoy::admin::v3::ClientResourceStatus;
using envoy::type::matcher::v3::StringMatcher;

constexpr absl::string_view kService =
    "envoy.service.status.v3.ClientStatusDiscoveryService/";
// How often a stream that waits looks whether it should go on.
constexpr absl::Duration kLook = absl::Milliseconds(50);

// Says nothing of patterns that are not supported: Check() comes first.
bool Matches(const StringMatcher& matcher, absl::string_view text) {
  const auto fold = [&matcher](absl::string_view s) {
    return matcher.ignore_case() ? absl::AsciiStrToLower(s) : std::string(s);
  };
  const std::string name = fold(text);
  switch (matcher.match_pattern_case()) {
    case StringMatcher::kExact:
      return name == fold(matcher.exact());
    case StringMatcher::kPrefix:
      return absl::StartsWith(name, fold(matcher.prefix()));
    case StringMatcher::kSuffix:
      return absl::EndsWith(name, fold(matcher.suffix()));
    case StringMatcher::kContains:
      return absl::StrContains(name, fold(matcher.contains()));
    default:
      return false;
  }
}

absl::Status Check(const status::ClientStatusRequest& request) {
  for (int i = 0; i < request.node_matchers_size(); ++i) {
    const auto& matcher = request.node_matchers(i);
    const std::string field = absl::StrCat("node_matchers[", i, "].");
    if (matcher.node_metadatas_size() > 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          field,
          "node_metadatas: the metadata of nodes are not kept; match "
          "them by node_id"));
    }
    switch (matcher.node_id().match_pattern_case()) {
      case StringMatcher::kExact:
      case StringMatcher::kPrefix:
      case StringMatcher::kSuffix:
      case StringMatcher::kContains:
        break;
      default:
        return absl::InvalidArgumentError(absl::StrCat(
            field, "node_id: give one of exact, prefix, suffix, contains"));
    }
  }
  return absl::OkStatus();
}

bool IsWanted(const status::ClientStatusRequest& request,
              absl::string_view name) {
  if (request.node_matchers().empty()) return true;
  for (const auto& matcher : request.node_matchers()) {
    if (Matches(matcher.node_id(), name)) return true;
  }
  return false;
}

void Convert(absl::Time time, google::protobuf::Timestamp* out) {
  const absl::Duration since = time - absl::UnixEpoch();
  absl::Duration rest;
  out->set_seconds(absl::IDivDuration(since, absl::Seconds(1), &rest));
  out->set_nanos(static_cast<int>(absl::ToInt64Nanoseconds(rest)));
}

void Convert(const ResourceStatus& from,
             status::ClientConfig::GenericXdsConfig* out) {
  out->set_type_url(std::string(TypeUrl(from.resource.type)));
  out->set_name(from.resource.name);
  switch (from.state) {
    case ResourceStatus::State::kNotSent:
      out->set_config_status(status::NOT_SENT);
      out->set_client_status(ClientResourceStatus::REQUESTED);
      break;
    case ResourceStatus::State::kSent:
      out->set_config_status(status::STALE);
      out->set_client_status(ClientResourceStatus::REQUESTED);
      break;
    case ResourceStatus::State::kAccepted:
      out->set_version_info(from.version);
      out->set_config_status(status::SYNCED);
      out->set_client_status(ClientResourceStatus::ACKED);
      break;
    case ResourceStatus::State::kRefused:
      out->set_config_status(status::ERROR);
      out->set_client_status(ClientResourceStatus::NACKED);
      out->mutable_error_state()->set_details(from.reason);
      out->mutable_error_state()->set_version_info(from.version);
      if (from.time != absl::InfinitePast()) {
        Convert(from.time,
                out->mutable_error_state()->mutable_last_update_attempt());
      }
      break;
    case ResourceStatus::State::kAbsent:
      out->set_config_status(status::NOT_SENT);
      out->set_client_status(ClientResourceStatus::DOES_NOT_EXIST);
      break;
  }
}

class Service final : public status::ClientStatusDiscoveryService::Service {
 public:
  Service(const Ledger* ledger, ClientStatusGate gate, ClientStatusWrite write,
          std::function<bool()> stopping)
      : ledger_(ledger),
        gate_(std::move(gate)),
        write_(std::move(write)),
        stopping_(std::move(stopping)) {}

  grpc::Status FetchClientStatus(
      grpc::ServerContext* context, const status::ClientStatusRequest* request,
      status::ClientStatusResponse* response) override {
    return gate_(*context, absl::StrCat(kService, __func__),
                 [&] { return Answer(*request, response); });
  }

  grpc::Status StreamClientStatus(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<status::ClientStatusResponse,
                               status::ClientStatusRequest>* stream) override {
    return gate_(*context, absl::StrCat(kService, __func__),
                 [&] { return Serve(*context, *stream); });
  }

 private:
  absl::Status Serve(
      const grpc::ServerContext& context,
      grpc::ServerReaderWriter<status::ClientStatusResponse,
                               status::ClientStatusRequest>& stream) {
    status::ClientStatusRequest request;
    absl::Time next = absl::InfinitePast();
    while (stream.Read(&request)) {
      while (absl::Now() < next) {
        if (context.IsCancelled() || stopping_()) return absl::OkStatus();
        absl::SleepFor(kLook);
      }
      next = absl::Now() + kClientStatusInterval;
      status::ClientStatusResponse response;
      SALLYPORT_RETURN_IF_ERROR(Answer(request, &response));
      if (!write_([&] { return stream.Write(response); })) break;
    }
    return absl::OkStatus();
  }

  absl::Status Answer(const status::ClientStatusRequest& request,
                      status::ClientStatusResponse* response) const {
    SALLYPORT_RETURN_IF_ERROR(Check(request));
    size_t num_resources = 0;
    ledger_->ForEachConnection([&](const std::string& fleet,
                                   const std::string& name,
                                   const NodeConnection& connection) {
      if (!IsWanted(request, name)) return true;
      status::ClientConfig* config = response->add_config();
      config->mutable_node()->set_id(name);
      config->mutable_node()->set_cluster(fleet);
      std::vector<ResourceStatus> resources;
      connection.WithStream([&resources](const Stream& stream) {
        resources = stream.Resources();
      });
      num_resources += resources.size();
      if (num_resources > kMaxClientStatusResources) return false;
      for (const ResourceStatus& resource : resources) {
        Convert(resource, config->add_generic_xds_configs());
      }
      return true;
    });
    if (num_resources <= kMaxClientStatusResources) return absl::OkStatus();
    response->Clear();
    return absl::ResourceExhaustedError(absl::StrCat(
        "the nodes have more than ", kMaxClientStatusResources,
        " resources together; ask for fewer nodes with node_matchers"));
  }

  const Ledger* const ledger_;
  const ClientStatusGate gate_;
  const ClientStatusWrite write_;
  const std::function<bool()> stopping_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewClientStatusService(
    const Ledger* ledger, ClientStatusGate gate, ClientStatusWrite write,
    std::function<bool()> stopping) {
  return std::make_unique<Service>(ledger, std::move(gate), std::move(write),
                                   std::move(stopping));
}

}  // namespace sallyport::xds
