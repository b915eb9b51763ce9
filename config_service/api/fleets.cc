#include "config_service/api/fleets.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/status_macros.h"
#include "config_service/api/convert_fleet.h"
#include "config_service/api/handlers.h"
#include "config_service/api/open_calls.h"
#include "config_service/domain/violations.h"
#include "config_service/service/limits.h"
#include "proto/sallyport/config/v1/fleet.grpc.pb.h"

namespace sallyport::api {

namespace proto = sallyport::config::v1;
using domain::FleetName;
using domain::NodeName;
using domain::Reason;
using domain::Violations;
using grpc::ServerContext;
using service::Caller;
using service::Fleets;
using service::PageRequest;
using service::Write;

namespace {

// The parent of the nodes of all fleets.
constexpr absl::string_view kAllFleets = "fleets/-";
// Of a call's own deadline: the answer has to arrive before it.
constexpr absl::Duration kAnswerTime = absl::Milliseconds(200);

class FleetsService final : public proto::Fleets::Service, private Handlers {
 public:
  FleetsService(Fleets* fleets, service::Events* events,
                const service::NodeCertificates* node_certificates,
                std::function<bool()> stopping, Gate* gate)
      : Handlers("Fleets", gate),
        fleets_(fleets),
        events_(events),
        node_certificates_(node_certificates),
        stopping_(std::move(stopping)) {}

  grpc::Status CreateFleet(ServerContext* context,
                           const proto::CreateFleetRequest* request,
                           proto::Fleet* response) override {
    return Create(
        context, __func__, *request, "fleet", request->fleet(), *response,
        [&](const Caller& caller, const Write& write, domain::Fleet fleet) {
          return fleets_->Create(caller, write,
                                 {request->fleet_id(), std::move(fleet)});
        });
  }

  grpc::Status GetFleet(ServerContext* context,
                        const proto::GetFleetRequest* request,
                        proto::Fleet* response) override {
    return Get<FleetName>(
        context, __func__, *request, *response,
        [&](const FleetName& name) { return fleets_->Get(name); });
  }

  grpc::Status ListFleets(ServerContext* context,
                          const proto::ListFleetsRequest* request,
                          proto::ListFleetsResponse* response) override {
    return List(context, __func__, *request, *response,
                &proto::ListFleetsResponse::add_fleets,
                [&](const PageRequest& page) { return fleets_->List(page); });
  }

  grpc::Status UpdateFleet(ServerContext* context,
                           const proto::UpdateFleetRequest* request,
                           proto::Fleet* response) override {
    return Update(context, __func__, *request, "fleet", request->fleet(),
                  *response,
                  [&](const Caller& caller, const Write& write,
                      domain::Fleet fleet, std::vector<std::string> mask) {
                    return fleets_->Update(caller, write,
                                           {std::move(fleet), std::move(mask)});
                  });
  }

  grpc::Status DeleteFleet(ServerContext* context,
                           const proto::DeleteFleetRequest* request,
                           google::protobuf::Empty*) override {
    return Delete<FleetName>(
        context, __func__, *request,
        [&](const Caller& caller, const Write& write, const FleetName& name,
            const domain::Etag& etag) {
          return fleets_->Delete(caller, write, name, etag);
        });
  }

  grpc::Status GetNode(ServerContext* context,
                       const proto::GetNodeRequest* request,
                       proto::Node* response) override {
    return Get<NodeName>(
        context, __func__, *request, *response,
        [&](const NodeName& name) { return fleets_->GetNode(name); });
  }

  grpc::Status ListNodes(ServerContext* context,
                         const proto::ListNodesRequest* request,
                         proto::ListNodesResponse* response) override {
    return Run(context, __func__,
               [&](const Caller&, absl::string_view) -> absl::Status {
                 FleetName fleet;
                 if (request->parent() != kAllFleets) {
                   SALLYPORT_ASSIGN_OR_RETURN(
                       fleet, NameIn<FleetName>("parent", request->parent()));
                 }
                 SALLYPORT_ASSIGN_OR_RETURN(
                     const auto page,
                     fleets_->ListNodes(fleet, PageOf(*request)));
                 for (const service::NodeView& view : page.items) {
                   Convert(view, *response->add_nodes());
                 }
                 response->set_next_page_token(page.next_page_token);
                 return absl::OkStatus();
               });
  }

  grpc::Status DeleteNode(ServerContext* context,
                          const proto::DeleteNodeRequest* request,
                          google::protobuf::Empty*) override {
    return Delete<NodeName>(
        context, __func__, *request,
        [&](const Caller&, const Write& write, const NodeName& name,
            const domain::Etag&) { return fleets_->DeleteNode(write, name); });
  }

  grpc::Status IssueNodeCertificate(
      ServerContext* context, const proto::IssueNodeCertificateRequest* request,
      proto::IssueNodeCertificateResponse* response) override {
    return Run(
        context, __func__,
        [&](const Caller& caller, absl::string_view method) -> absl::Status {
          service::NodeCertificates::Request issue;
          SALLYPORT_ASSIGN_OR_RETURN(
              issue.fleet, NameIn<FleetName>("parent", request->parent()));
          issue.node_id = request->node_id();
          issue.certificate_request_pem = request->certificate_request_pem();
          if (request->has_validity()) {
            issue.validity = Convert(request->validity());
          }
          Write write;
          write.method = std::string(method);
          write.request_id = request->request_id();
          return Answer(node_certificates_->Issue(caller, write, issue),
                        *response);
        });
  }

  grpc::Status RevokeNode(ServerContext* context,
                          const proto::RevokeNodeRequest* request,
                          proto::RevokeNodeResponse* response) override {
    return Run(
        context, __func__,
        [&](const Caller& caller, absl::string_view method) -> absl::Status {
          SALLYPORT_ASSIGN_OR_RETURN(const NodeName name,
                                     NameIn<NodeName>("name", request->name()));
          SALLYPORT_ASSIGN_OR_RETURN(
              const absl::Time time,
              node_certificates_->Revoke(caller, WriteOf(method, *request),
                                         name));
          response->set_name(name.ToString());
          SetTime(time, [&] { return response->mutable_revoke_time(); });
          return absl::OkStatus();
        });
  }

  grpc::Status GetRollout(ServerContext* context,
                          const proto::GetRolloutRequest* request,
                          proto::Rollout* response) override {
    return Run(context, __func__,
               [&](const Caller&, absl::string_view) -> absl::Status {
                 SALLYPORT_ASSIGN_OR_RETURN(const FleetName fleet,
                                            FleetIn(request->fleet()));
                 return Answer(fleets_->GetRollout(request->revision(), fleet),
                               *response);
               });
  }

  grpc::Status WaitForRollout(ServerContext* context,
                              const proto::WaitForRolloutRequest* request,
                              proto::Rollout* response) override {
    return Run(
        context, __func__,
        [&](const Caller&, absl::string_view) -> absl::Status {
          SALLYPORT_ASSIGN_OR_RETURN(const FleetName fleet,
                                     FleetIn(request->fleet()));
          absl::Duration timeout = service::kDefaultRolloutWait;
          if (request->has_timeout()) {
            timeout = Convert(request->timeout());
          } else if (context->deadline() <
                     std::chrono::system_clock::time_point::max()) {
            timeout = std::min(service::kMaxRolloutWait,
                               std::max(absl::ZeroDuration(),
                                        absl::FromChrono(context->deadline()) -
                                            absl::Now() - kAnswerTime));
          }
          const auto rollout = fleets_->WaitForRollout(
              request->revision(), fleet, request->min_node_count(), timeout,
              [&] { return stopping_() || context->IsCancelled(); });
          if (stopping_()) return Stopping();
          return Answer(rollout, *response);
        });
  }

  grpc::Status WatchEvents(ServerContext* context,
                           const proto::WatchEventsRequest* request,
                           grpc::ServerWriter<proto::Event>* writer) override {
    return Run(
        context, __func__,
        [&](const Caller&, absl::string_view) -> absl::Status {
          if (request->after_revision() < 0) {
            Violations violations;
            violations.Add("after_revision", Reason::kFieldOutOfRange,
                           "is negative; 0 means from now on");
            return violations.ToStatus();
          }
          // The caller knows that the watch has begun.
          {
            const ClientWait wait;
            writer->SendInitialMetadata();
          }
          SALLYPORT_RETURN_IF_ERROR(events_->Watch(
              {request->after_revision(),
               {request->resources().begin(), request->resources().end()}},
              [&] { return stopping_() || context->IsCancelled(); },
              [&](const service::Event& event) {
                proto::Event message;
                Convert(event, message);
                return WriteInTime(*writer, message);
              }));
          return stopping_() ? Stopping() : absl::OkStatus();
        });
  }

 private:
  static absl::Status Stopping() {
    return domain::MakeError(Reason::kUnavailable,
                             "the service stops; call again");
  }

  // "fleets/ID"; empty: all.
  static absl::StatusOr<FleetName> FleetIn(const std::string& text) {
    if (text.empty()) return FleetName();
    return NameIn<FleetName>("fleet", text);
  }

  Fleets* const fleets_;
  service::Events* const events_;
  const service::NodeCertificates* const node_certificates_;
  const std::function<bool()> stopping_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewFleetsService(
    Fleets* fleets, service::Events* events,
    const service::NodeCertificates* node_certificates,
    std::function<bool()> stopping, Gate* gate) {
  return std::make_unique<FleetsService>(fleets, events, node_certificates,
                                         std::move(stopping), gate);
}

}  // namespace sallyport::api
